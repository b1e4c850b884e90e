package view

import (
	"strings"
	"testing"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
)

// texts are the entries' texts by their ids.
func texts(m Menu) map[string]string {
	out := map[string]string{}
	walk(m.Items, func(i Item) { out[i.ID] = i.Text })
	return out
}

// TestSignInAgain offers to sign in whenever the view does.
func TestSignInAgain(t *testing.T) {
	for _, c := range []struct {
		language string
		st       localapi.Status
		want     string
	}{
		{"en", statuses()["signed_out"], "Sign in…"}, {"en", statuses()["compliant-ends"], "Sign in again…"}, {"en", signedIn(), ""},
		{"de", statuses()["signed_out"], "Anmelden…"}, {"de", statuses()["compliant-ends"], "Erneut anmelden…"}, {"de", signedIn(), ""},
	} {
		in := input(c.language)
		in.Status = c.st
		if got := texts(New(view.New(in), Options{}))["sign_in"]; got != c.want {
			t.Errorf("%s, %s: sign in by %q, want %q", c.language, c.st.State, got, c.want)
		}
	}
}

// TestCodes has every stable code be in the menu, to be read out: that of each
// fault and reason but the person's own wish, and that of a headline which no fault stands behind.
func TestCodes(t *testing.T) {
	for _, s := range states() {
		v := view.New(s.in)
		codes := []string{v.Code}
		for _, f := range v.Faults {
			codes = append(codes, f.Code)
		}
		for _, a := range v.Apps {
			for _, r := range a.Why[:min(len(a.Why), maxReasons)] {
				if a.Paused {
					continue
				}
				codes = append(codes, r.Code)
			}
		}
		var said []string
		walk(New(v, s.o).Items, func(i Item) {
			if len(i.Items) == 0 {
				said = append(said, i.Text)
			}
		})
		for _, code := range codes {
			if all := strings.Join(said, " "); !strings.Contains(all, code) {
				t.Errorf("%s: nobody can read out %s in\n%s", s.name, code, all)
			}
		}
	}
}

// TestRemedyIsWhole keeps an administrator's longest text, where it is about one
// fault, to the last word.
func TestRemedyIsWhole(t *testing.T) {
	const words = "Open the settings, choose “Privacy”, then “Encryption”; "
	remedy := strings.Repeat(words, 5) + "ask Kim for the key."
	in := input("en")
	in.Status = with(diskClosed)
	in.Status.Posture.Checks[0].Remedy.Text = remedy
	all := map[string]string{}
	var rows []string
	walk(New(view.New(in), Options{}).Items, func(i Item) {
		if strings.HasPrefix(i.ID, "wrong.0.text") {
			rows = append(rows, i.Text)
		}
		all[i.ID] = i.Text
	})
	if got := strings.Join(rows, " "); got != remedy {
		t.Errorf("the remedy is\n%q, want\n%q", got, remedy)
	}
	if last := all["hint.3"]; !strings.HasSuffix(last, "…") || all["hint.4"] != "" {
		t.Errorf("at the top it ends with %q, %q", last, all["hint.4"])
	}
}

// TestStateInWords has each application say whether it is open, and why not.
func TestStateInWords(t *testing.T) {
	in := input("en")
	in.Status = with(func(s *localapi.Status) {
		diskClosed(s)
		closed(s, localapi.AppDenied, []string{"not-in-group"}, "git")
	})
	in.Reading = clearDisk()
	got := texts(New(view.New(in), Options{}))
	for id, want := range map[string]string{
		"app:wiki": "Wiki – open", "app:payroll": "Payroll – closed: ", "app:git": "Git & Code_Review – not for you",
	} {
		if !strings.HasPrefix(got[id], want) || id == "app:payroll" && !strings.HasSuffix(got[id], "system disk is not encrypted") {
			t.Errorf("%s is %q, want %q", id, got[id], want)
		}
	}
}
