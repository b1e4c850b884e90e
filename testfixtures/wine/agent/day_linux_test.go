package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/testfixtures/lab"
	"github.com/postern-zt/postern/testfixtures/wine"
)

// policy has an application for everybody, and one for which a disk must be
// encrypted, of which Wine says nothing.
const policy = `version: 1
providers:
  - {issuer: "${IDP}", client_id: postern, scopes: [openid, email]}
checks:
  disk:
    expr: device.disk.system_protected
    code: org/disk-not-encrypted
    remedy: {text: Turn BitLocker on.}
apps:
  - {id: vault, name: Vault, gateway: dev, destinations: ["unix:${APPS}/wiki.sock"], ports: [80], checks: [disk]}
  - {id: status, name: Status, gateway: dev, destinations: ["unix:${APPS}/status.sock"], ports: [80], posture: none}
`

// lease is long enough for a slow machine and short enough to see a renewal.
const lease = 8 * time.Second

// newWorld starts the broker's side.
func newWorld(t testing.TB) *lab.World {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	log := &journal{}
	w := lab.New(ctx, here.bin, t.TempDir(), lease, log)
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		cancel()
		if t.Failed() {
			t.Logf("the broker's side said:\n%s", log)
		}
	})
	ok(t, w.Start(policy))
	return w
}

// settingsFor are an agent's settings for a broker, with paths of Windows.
func settingsFor(w *lab.World, name string) string {
	return fmt.Sprintf("broker: %s\nbroker_ca: '%s'\nenrolment_token_file: '%s'\ndevice_name: %s\nlog_level: debug\n",
		w.Info.Broker, wine.Windows(w.Info.BrokerCA), wine.Windows(w.Info.Token), name)
}

// TestDay is a person's day with Postern on Windows, from the first start to
// signing out.
func TestDay(t *testing.T) {
	t.Log(here.took)
	w := newWorld(t)
	a := newAgent(t, settingsFor(w, "windows-pc"))
	began := time.Now()
	lap := func(what string) { t.Logf("%5d ms  %s", time.Since(began).Milliseconds(), what); began = time.Now() }

	first := a.start()
	if first.State != localapi.StateSignedOut || first.Scope != "user" || first.Socket != a.socket || first.Device.UEID == "" {
		t.Errorf("at first the status is %+v", first)
	}
	lap("the agent answers")
	testQuestions(t, a)
	lap("version, posture and config")
	a.waitFor("enrolment", func(s localapi.Status) bool { return s.Device.Enrolled && s.Broker.Reachable })
	testNobodySignedIn(t, a)
	lap("what needs a person is refused")

	testCancel(t, a)
	s := signIn(t, w, a)
	if s.User == nil || s.User.Email == "" {
		t.Errorf("after the sign-in the status is %+v", s)
	}
	lap("signed in")
	testJudgement(t, a)
	lap("the broker's judgement")

	// The same agent once more, with UDP that works under Wine 8: Go makes every
	// UDP socket with a setting that Wine refuses.
	a.interrupt()
	if left := a.leftovers(); len(left) > 0 {
		t.Errorf("after Ctrl-C there is still %q", left)
	}
	if r := a.postern("version", "--json"); !strings.Contains(r.out, `"agent": null`) {
		t.Errorf("after Ctrl-C somebody listens still: %s", r)
	}
	a.program = filepath.Join(here.mended, "posternd.exe")
	if s := a.start(); s.Device.UEID != first.Device.UEID || s.User == nil {
		t.Errorf("started again, it is %+v", s)
	}
	lap("ended and started again")
	testTunnel(t, a)
	lap("the tunnel")
	testPause(t, a)
	lap("a pause")
	testCheck(t, a)
	lap("a check")
	testSignOut(t, a)
	lap("signed out")
	a.interrupt()
	if left := a.leftovers(); len(left) > 0 {
		t.Errorf("after Ctrl-C there is still %q", left)
	}
}

// testQuestions asks what anybody may ask.
func testQuestions(t *testing.T, a *agent) {
	version := says[struct {
		Socket string
		Agent  *localapi.Version
	}](a, 0, "version")
	if version.Agent == nil || version.Agent.Scope != "user" || version.Socket != a.socket {
		t.Errorf("the version is %+v", version)
	}
	type reading struct {
		Reader string
		localapi.Reading
	}
	var posture reading
	ok(t, lab.Until(t.Context(), patience, "the first reading", func() (bool, error) {
		posture = says[reading](a, 0, "posture")
		unread := func(s fact.Signal) bool { return s.Reason == fact.ReasonNotYetRead }
		return len(posture.Report.Signals) > 0 && !slices.ContainsFunc(posture.Report.Signals, unread), nil
	}))
	if posture.Reader != "agent" {
		t.Errorf("the posture comes from %q", posture.Reader)
	}
	// The command itself has the rights of the same person.
	if own := says[localapi.Reading](a, 0, "posture", "--local"); own.Rights != posture.Rights || len(own.Report.Signals) != len(posture.Report.Signals) {
		t.Errorf("with %s rights it reads %d signals, the agent with %s rights %d", own.Rights, len(own.Report.Signals), posture.Rights, len(posture.Report.Signals))
	}
	read := map[string]string{}
	for _, s := range posture.Report.Signals {
		for _, f := range s.Facts {
			read[s.Name+"."+f.Field] = f.Value.String()
		}
	}
	if read["os_version.type"] != "DESKTOP_WINDOWS" || read["os_version.architecture"] != runtime.GOARCH {
		t.Errorf("the posture says %v", read)
	}
	config := says[struct {
		Reader string
		localapi.Config
	}](a, 0, "config")
	file := wine.Windows(filepath.Join(a.state, "settings.yaml"))
	i := slices.IndexFunc(config.Settings, func(s localapi.Setting) bool { return s.Name == "device_name" })
	if config.Reader != "agent" || config.File != file || i < 0 ||
		config.Settings[i] != (localapi.Setting{Name: "device_name", Value: "windows-pc", Origin: "file", Source: file}) {
		t.Errorf("the settings are %+v", config)
	}
}

// testNobodySignedIn asks for what needs a person.
func testNobodySignedIn(t *testing.T, a *agent) {
	for _, args := range [][]string{{"pause", "--reason", "lunch"}, {"resume"}} {
		if r := a.postern(args...); r.code != 4 || !strings.Contains(r.errOut, "[signed_out]") {
			t.Errorf("postern %v: %s", args, r)
		}
	}
}

// testCancel interrupts a sign-in, as with Ctrl-C.
func testCancel(t *testing.T, a *agent) {
	in := beginLogin(t, a)
	ok(t, in.cmd.Process.Signal(syscall.SIGINT))
	var exit *exec.ExitError
	if !in.lines.Scan() || !strings.Contains(in.lines.Text(), "The sign-in was cancelled.") {
		t.Errorf("after Ctrl-C it said %q and %s", in.lines.Text(), in.said)
	}
	if err := wait(in.cmd); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("after Ctrl-C it ended with %v: %s", err, in.said)
	}
}

// login is `postern login` that waits for the person to sign in.
type login struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
	said  *journal
	link  string
}

func beginLogin(t *testing.T, a *agent) login {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	in := login{cmd: a.pc.command(ctx, windowsProgram("postern"), a.flags([]string{"login", "--json", "--no-browser"})...), said: &journal{}}
	in.cmd.Stderr = in.said
	out := must[io.ReadCloser](t)(in.cmd.StdoutPipe())
	ok(t, in.cmd.Start())
	in.lines = bufio.NewScanner(out)
	in.lines.Buffer(nil, 1<<20)
	var first struct{ URL string }
	if !in.lines.Scan() || json.Unmarshal(in.lines.Bytes(), &first) != nil || first.URL == "" {
		t.Fatalf("postern login said %q and %s", in.lines.Text(), in.said)
	}
	in.link = first.URL
	return in
}

// signIn runs `postern login` and goes through its link as the sample person,
// in a browser on this system: it is led back into the process under Wine.
func signIn(t *testing.T, w *lab.World, a *agent) localapi.Status {
	t.Helper()
	in := beginLogin(t, a)
	b := must[*lab.Browser](t)(lab.NewBrowser(w.Info.User, w.Info.Password))
	page := must[string](t)(b.SignIn(t.Context(), in.link))
	if !strings.Contains(page, "signed in") && !strings.Contains(page, "close this") {
		t.Errorf("the last page says %s", page)
	}
	var s localapi.Status
	if !in.lines.Scan() {
		t.Fatalf("postern login ended without a status: %s", in.said)
	}
	ok(t, json.Unmarshal(in.lines.Bytes(), &s))
	if err := wait(in.cmd); err != nil {
		t.Fatalf("postern login: %v: %s", err, in.said)
	}
	return s
}

// testJudgement looks at what the broker made of a Windows that tells little.
func testJudgement(t *testing.T, a *agent) {
	s := a.waitFor("the broker's answer", func(s localapi.Status) bool {
		return app(s, "status").State == localapi.AppReady && app(s, "vault").State == localapi.AppDenied
	})
	vault := app(s, "vault")
	if !slices.Contains(vault.Reasons, "org/disk-not-encrypted") || s.State != localapi.StateNotCompliant && s.State != localapi.StateLimited {
		t.Errorf("state %s, vault %+v", s.State, vault)
	}
	i := slices.IndexFunc(s.Posture.Checks, func(c localapi.Check) bool { return c.Name == "disk" })
	if i < 0 {
		t.Fatalf("no check of the disk among %+v", s.Posture.Checks)
	}
	if c := s.Posture.Checks[i]; c.Outcome == "pass" || c.Code != "org/disk-not-encrypted" || c.Remedy.Text != "Turn BitLocker on." ||
		!slices.Contains(c.Missing, "disk.system_protected") {
		t.Errorf("the check says %+v", c)
	}
	sent := says[localapi.Sent](a, 0, "sent")
	if sent.Outcome != localapi.SentAccepted || len(sent.Claims) == 0 {
		t.Errorf("sent: %s %s", sent.Outcome, sent.Claims)
	}
	r := a.postern("explain", "vault")
	for _, want := range []string{"Vault", "Turn BitLocker on.", "org/disk-not-encrypted"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in: %s", want, r)
		}
	}
	if r := a.postern("open", "vault"); r.code == 0 || !strings.Contains(r.errOut, "app_closed") {
		t.Errorf("a closed application opens: %s", r)
	}
}

// testTunnel fetches a page through the tunnel.
func testTunnel(t *testing.T, a *agent) {
	s := a.waitFor("the application", func(s localapi.Status) bool {
		return app(s, "status").State == localapi.AppReady && app(s, "vault").State == localapi.AppDenied
	})
	open, shut := app(s, "status"), app(s, "vault")
	// A process of another system, which Windows cannot name, is nobody's.
	ok(t, lab.Refused(t.Context(), "tcp", open.LocalAddress))
	ok(t, lab.Until(t.Context(), patience, "the reason in the log", func() (bool, error) {
		return strings.Contains(a.log.String(), `msg="local connection refused" app=status err="read owner of connection`), nil
	}))
	if r := a.visit(open); r.code != 0 || !strings.Contains(strings.ToLower(r.out), "status") {
		t.Errorf("the open application: %s", r)
	}
	if r := a.visit(shut); r.code != 1 || r.out != "" {
		t.Errorf("the closed application: %s", r)
	}
	s = a.waitFor("bytes", func(s localapi.Status) bool { return app(s, "status").RxBytes > 0 })
	if got := app(s, "status"); got.State != localapi.AppOpen || got.TxBytes == 0 {
		t.Errorf("the open application is %+v", got)
	}
}

// testPause closes everything for a while.
func testPause(t *testing.T, a *agent) {
	open := app(must[localapi.Status](t)(a.status()), "status")
	if r := a.postern("pause", "--reason", "lunch", "--for", "10m"); r.code != 0 {
		t.Fatalf("postern pause: %s", r)
	}
	s := a.waitFor("the pause", func(s localapi.Status) bool { return s.State == localapi.StatePaused })
	if s.Pause == nil || s.Pause.Reason != "lunch" {
		t.Errorf("the pause is %+v", s.Pause)
	}
	if r := a.visit(open); r.code != 1 {
		t.Errorf("during the pause: %s", r)
	}
	if r := a.postern("resume"); r.code != 0 {
		t.Fatalf("postern resume: %s", r)
	}
	s = a.waitFor("the end of the pause", func(s localapi.Status) bool { return app(s, "status").LeaseRemainingMS > 0 })
	if r := a.visit(app(s, "status")); r.code != 0 {
		t.Errorf("after the pause: %s", r)
	}
}

// testCheck has the machine read again.
func testCheck(t *testing.T, a *agent) {
	checked := says[localapi.Checked](a, 0, "check")
	if !checked.Attested || len(checked.Signals) < 8 {
		t.Errorf("the check says %+v", checked)
	}
	for _, s := range checked.Signals {
		if !s.After.After(s.Before) {
			t.Errorf("%s was not read again: %+v", s.Name, s)
		}
	}
}

// testSignOut ends the session.
func testSignOut(t *testing.T, a *agent) {
	open := app(must[localapi.Status](t)(a.status()), "status")
	if r := a.postern("logout"); r.code != 0 {
		t.Fatalf("postern logout: %s", r)
	}
	if s := must[localapi.Status](t)(a.status()); s.State != localapi.StateSignedOut || s.User != nil {
		t.Errorf("signed out, the status is %+v", s)
	}
	if r := a.visit(open); r.code != 1 {
		t.Errorf("signed out: %s", r)
	}
}
