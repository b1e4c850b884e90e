package view

import (
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
)

func TestTimelineAfterARestart(t *testing.T) {
	list := localapi.Timeline{Events: []localapi.Happening{
		{At: noon().Add(-time.Minute), Event: localapi.EventStarted},
		{At: noon(), Event: localapi.EventDenied, Apps: []string{"wiki"}, Code: "no-tunnel-key"},
		{At: noon(), Event: localapi.EventClosed, Apps: []string{"wiki"}, Code: "expired", TookMS: 4},
	}}
	texts := func(in Input) (out []string) {
		for _, e := range Timeline(list, in) {
			out = append(out, e.Text)
		}
		return out
	}
	got := texts(inputOf(nil))
	if len(got) != 2 || got[1] != "The agent started again; you are still signed in" || strings.Contains(got[0], "ms)") || Timeline(list, inputOf(nil))[0].TookMS != 4 {
		t.Errorf("%q", got)
	}
	if got := texts(inputOf(func(s *localapi.Status) { s.User, s.Apps = nil, nil })); got[1] != "The agent started" || !strings.HasPrefix(got[0], "Closed: 1 application –") {
		t.Errorf("signed out: %q", got)
	}
	list.Events = append(list.Events, localapi.Happening{At: noon(), Event: localapi.EventSignedIn})
	if got := texts(inputOf(nil)); got[2] != "The agent started" {
		t.Errorf("before a sign-in: %q", got)
	}
}
