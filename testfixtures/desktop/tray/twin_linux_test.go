package tray

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/testfixtures/desktop"
)

// twin is the agent of this folder, in the place of the real one.
type twin struct {
	t      testing.TB
	socket string
	file   string
}

// newTwin prepares one; serve starts it.
func newTwin(t testing.TB, st localapi.Status) *twin {
	t.Helper()
	dir := t.TempDir()
	w := &twin{t: t, socket: filepath.Join(dir, "agent.sock"), file: filepath.Join(dir, "status.json")}
	w.says(st)
	return w
}

// says makes it serve another status.
func (w *twin) says(st localapi.Status) {
	w.t.Helper()
	data := must[[]byte](w.t)(json.Marshal(st.Filled()))
	ok(w.t, os.WriteFile(w.file+".new", data, 0o600))
	ok(w.t, os.Rename(w.file+".new", w.file))
}

// serve starts it on a person's machine, with more arguments if wanted.
func (w *twin) serve(p *person, args ...string) *desktop.Process {
	w.t.Helper()
	process := must[*desktop.Process](w.t)(p.Run(nil, program("agent"), append([]string{"--socket", w.socket, "--status", w.file}, args...)...))
	ok(w.t, desktop.Until("the agent's socket", desktop.Patience, func() (bool, error) {
		_, err := os.Stat(w.socket)
		return err == nil, err
	}))
	return process
}

// did waits until it was asked to do something.
func (w *twin) did(what string) {
	w.t.Helper()
	ok(w.t, desktop.Until("the agent to "+what, desktop.Patience, func() (bool, error) {
		data, err := os.ReadFile(w.file + ".did")
		return strings.Contains("\n"+string(data), "\n"+what+"\n"), err
	}))
}

// well is a status in which all is well: the zero Status with what that takes.
func well() localapi.Status {
	return localapi.Status{
		Version: "0.9", API: localapi.API, Scope: "user", State: localapi.StateCompliant,
		User:    &localapi.User{Name: "Kim Sample", Email: "kim@example.com"},
		Broker:  localapi.Broker{URL: "https://broker.example", Reachable: true},
		Device:  localapi.Device{ID: "dev-1", Enrolled: true, Key: localapi.Key{Protection: "tpm", Attested: string(api.AttestedEKChain)}},
		Posture: localapi.Posture{Verdict: "affirming", ObservedAt: time.Now(), Checks: []localapi.Check{{Code: "org/disk", Name: "disk", Outcome: "pass", Enforced: true}}},
		Apps: []localapi.App{
			{ID: "wiki", Name: "Wiki & docs_1", State: localapi.AppOpen, URL: "http://127.0.0.1:4001/", LocalAddress: "127.0.0.1:4001"},
			{ID: "payroll", Name: "Payroll", State: localapi.AppReady, URL: "http://127.0.0.1:4002/", LocalAddress: "127.0.0.1:4002"},
		},
	}
}

// denied is a status in which one application is closed for a check.
func denied() localapi.Status {
	st := well()
	st.State = localapi.StateLimited
	st.Posture.Verdict = "contraindicated"
	st.Posture.Checks[0].Outcome = "fail"
	st.Posture.Checks[0].Remedy = localapi.Remedy{Text: "Switch the encryption on."}
	st.Apps[1] = localapi.App{ID: "payroll", Name: "Payroll", State: localapi.AppDenied, Reasons: []string{"org/disk"}}
	return st
}

// changed is a status that differs from well.
func changed(change func(*localapi.Status)) localapi.Status {
	st := well()
	change(&st)
	return st
}
