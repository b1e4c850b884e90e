package programs

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
)

// A pause closes both ends, tells the organisation why, and ends by itself or
// by a word, without a new sign-in.
func TestPause(t *testing.T) {
	r := signedIn(t)
	local := localapi.Dial(r.agent.Socket())
	t.Cleanup(local.Close)
	s := r.stream("wiki", "paused")
	asked := r.Clock.Boot()
	st, err := local.Pause(t.Context(), localapi.PauseRequest{Reason: "a talk in room 7", ForMS: 3_600_000})
	r.must(err)
	if st.State != localapi.StatePaused || st.Pause == nil || st.Pause.Reason != "a talk in room 7" {
		t.Errorf("status %s, %+v", st.State, st.Pause)
	}
	seen, err := s.WaitEnd(t.Context(), patience)
	r.must(err)
	t.Logf("the client closed %.1f ms after it was asked to", float64(seen.ErrorAt-asked)/1e6)
	cut, err := r.WaitAppCut(t.Context(), "paused", patience)
	r.must(err)
	if took := cut - asked; took > lease {
		t.Errorf("the gateway went on for %v, as if nobody had told it", took)
	}
	r.until("the broker's record of the reason", func() (bool, error) { return r.recorded("paused", "a talk in room 7") })
	if _, err := local.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.fetch("wiki")
	_, err = local.Pause(t.Context(), localapi.PauseRequest{Reason: "short", ForMS: 1500})
	r.must(err)
	r.fetch("wiki") // and it comes back by itself
	var events []string
	line, err := local.Timeline(t.Context())
	r.must(err)
	for _, e := range line.Events {
		events = append(events, e.Event)
	}
	for _, want := range []string{localapi.EventSignedIn, localapi.EventOpened, localapi.EventPaused, localapi.EventResumed} {
		if !slices.Contains(events, want) {
			t.Errorf("the timeline has no %s: %v", want, events)
		}
	}
}

// recorded looks for a closed tunnel in the broker's audit log.
func (r *rig) recorded(code, detail string) (bool, error) {
	data, err := os.ReadFile(r.File("dev/broker/audit.jsonl"))
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(data)) {
		var e struct {
			Activity string `json:"activity_name"`
			Code     string `json:"status_code"`
			Detail   string `json:"status_detail"`
		}
		if json.Unmarshal([]byte(line), &e) == nil && e.Activity == "Close" && e.Code == code && e.Detail == detail {
			return true, nil
		}
	}
	return false, fmt.Errorf("no %s with %q", code, detail)
}

// A check reads everything again and proves it; what was sent can be read.
func TestCheckAndSent(t *testing.T) {
	r := signedIn(t)
	local := localapi.Dial(r.agent.Socket())
	t.Cleanup(local.Close)
	began := time.Now()
	out, err := local.Check(t.Context())
	r.must(err)
	if !out.Attested || out.Status.State != localapi.StateCompliant || len(out.Signals) < 10 {
		t.Errorf("check: attested %v (%s), %s, %d signals", out.Attested, out.Reason, out.Status.State, len(out.Signals))
	}
	for _, s := range out.Signals {
		if s.After.Before(began) {
			t.Errorf("%s was last read at %s, before it was asked for at %s", s.Name, s.After, began)
		}
	}
	sent, err := local.Sent(t.Context())
	r.must(err)
	var claims struct {
		Profile string `json:"eat_profile"`
		Nonce   string `json:"eat_nonce"`
	}
	if err := json.Unmarshal(sent.Claims, &claims); err != nil || claims.Profile == "" || claims.Nonce == "" || sent.Outcome != localapi.SentAccepted || len(sent.Report.Signals) < 10 {
		t.Errorf("sent: %s %s, %d signals, %v", sent.Outcome, sent.Claims, len(sent.Report.Signals), err)
	}
	config, err := local.Config(t.Context())
	r.must(err)
	if !slices.ContainsFunc(config.Settings, func(s localapi.Setting) bool {
		return s.Name == "broker" && s.Value != "" && s.Origin == "file" && s.Source != ""
	}) {
		t.Errorf("config %+v", config)
	}
}
