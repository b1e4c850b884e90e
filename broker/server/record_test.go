package server

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/audit"
	"github.com/postern-zt/postern/broker/issuer"
	"github.com/postern-zt/postern/broker/policy"
	"github.com/postern-zt/postern/broker/store"
	"github.com/postern-zt/postern/broker/verify"
)

// recorded is what the broker writes of a decision: class and, of a tunnel, the
// cause and the detail, of a finding the check and its outcome.
func recorded(t *testing.T, e verify.Evidence, d policy.Decision, g issuer.Given) []string {
	t.Helper()
	st, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "broker.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var log bytes.Buffer
	s := &Server{cfg: Config{Audit: audit.New(&log, time.Now), Store: st, Log: slog.New(slog.DiscardHandler)}}
	s.recordDecision(t.Context(), e, api.Person{Subject: "ada"}, d, g)
	var out []string
	for line := range bytes.Lines(log.Bytes()) {
		var e struct {
			Class    string `json:"class_name"`
			Code     string `json:"status_code"`
			Detail   string `json:"status_detail"`
			Endpoint struct {
				App string `json:"svc_name"`
			} `json:"dst_endpoint"`
			Compliance struct {
				Control, Status string
			} `json:"compliance"`
		}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		if e.Class == "Tunnel Activity" {
			out = append(out, e.Endpoint.App+" "+e.Code+" "+e.Detail)
		} else {
			out = append(out, e.Compliance.Control+" "+e.Compliance.Status)
		}
	}
	return out
}

func TestWhatADecisionLeavesInTheRecord(t *testing.T) {
	disk := func(o api.Outcome) []api.Check { return []api.Check{{Code: "org/disk", Outcome: o, Enforced: true}} }
	wiki, payroll := policy.App{ID: "wiki"}, policy.App{ID: "payroll"}
	good := policy.Decision{Checks: disk(api.Pass), Apps: []policy.AppDecision{{App: wiki, Allowed: true}, {App: payroll, Allowed: true}}}
	bad := policy.Decision{Checks: disk(api.Fail), Apps: []policy.AppDecision{{App: wiki, Allowed: true}, {App: payroll}}}
	both := issuer.Given{Ended: []store.Tunnel{{AppID: "wiki"}, {AppID: "payroll"}}}
	live := issuer.Given{Live: []store.Tunnel{{AppID: "wiki"}}}
	for name, tc := range map[string]struct {
		e    verify.Evidence
		d    policy.Decision
		g    issuer.Given
		want []string
	}{
		"a pause":               {verify.Evidence{Pause: "lunch"}, good, both, []string{"wiki paused lunch", "payroll paused lunch", "org/disk Pass"}},
		"a pause as an excuse":  {verify.Evidence{Pause: "lunch"}, bad, both, []string{"wiki paused lunch", "payroll revoked ", "org/disk Fail"}},
		"no pause":              {verify.Evidence{}, bad, both, []string{"wiki revoked ", "payroll revoked ", "org/disk Fail"}},
		"an app that is gone":   {verify.Evidence{Pause: "lunch"}, good, issuer.Given{Ended: []store.Tunnel{{AppID: "old"}}}, []string{"old revoked ", "org/disk Pass"}},
		"worse in a pause":      {verify.Evidence{Pause: "lunch", Changed: true}, bad, issuer.Given{}, []string{"org/disk Fail"}},
		"worse before a resume": {verify.Evidence{Changed: true}, bad, issuer.Given{}, []string{"org/disk Fail"}},
		"still bad":             {verify.Evidence{Pause: "lunch"}, bad, issuer.Given{}, nil},
		"well in a pause":       {verify.Evidence{Pause: "lunch", Changed: true}, good, issuer.Given{}, nil},
		"a renewal":             {verify.Evidence{}, good, live, nil},
		"a change beside":       {verify.Evidence{Changed: true}, bad, live, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := recorded(t, tc.e, tc.d, tc.g); !slices.Equal(got, tc.want) {
				t.Errorf("recorded %q, want %q", got, tc.want)
			}
		})
	}
}
