package view

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/posture/fact"
)

// words that statuses are full of, and some that nobody should send.
var vocabulary = []string{"", "signed_out", "starting", "offline", "compliant", "limited", "not_compliant", "ready", "connecting", "open", "closed", "denied",
	"pass", "fail", "unknown", "org/disk", "org/edr", "not-in-group", "posture-worse", "posture-worse: disk.system_status, edr[x].running", "paused",
	"broker_unreachable", "device_quarantined", "expired", "disk-encryption", "disk", "edr", "enabled", "system_status", "name", "x", "*",
	"disk.system_status", "edr[*].running", "a[", "2026-12-03T00:00:00Z", "0001-01-01T00:00:00Z", "affirming", "warning", "contraindicated", "none", "tpm", "system",
	"observed", "absent", "conflict", "needs-privilege", "http://127.0.0.1:1/", "javascript:alert(1)", "wiki", "payroll", "Wiki, Payroll",
	"{n}", "{app}{why}", "%s%d", "a\nb\tc", "\x1b[31mred", "\u202egnp.exe", "\xff\xfe", "   ", strings.Repeat("long ", 200), "&_…", "\u200b", "e\u0301"}

// randomly fills a value with what the vocabulary has.
func randomly(r *rand.Rand, v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(when(r)))
		return
	case fact.Value:
		v.Set(reflect.ValueOf([]fact.Value{{}, fact.Bool(true), fact.Bool(false), fact.Str("UNENCRYPTED"), fact.Str(pick(r)), fact.Time(when(r)), fact.Seconds(90 * time.Second)}[r.IntN(7)]))
		return
	case json.RawMessage:
		v.SetBytes([]byte([]string{"", "{", `{"hwmodel":"\u001b","postern_renewal":{}}`, `{"postern_wanted":[{"app":"wiki"}],"swversion":["1"]}`}[r.IntN(4)]))
		return
	case *time.Location:
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(pick(r))
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt([]int64{0, 1, 2, 60_000, -1, 1 << 62, -1 << 63}[r.IntN(7)])
	case reflect.Float64:
		v.SetFloat([]float64{0, 0.4, -1, 1e300}[r.IntN(4)])
	case reflect.Pointer:
		if r.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			randomly(r, v.Elem())
		}
	case reflect.Slice:
		n := []int{0, 1, 2, 3, 5}[r.IntN(5)]
		if r.IntN(40) == 0 {
			n = 300
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			randomly(r, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			randomly(r, v.Field(i))
		}
	}
}

func pick(r *rand.Rand) string { return vocabulary[r.IntN(len(vocabulary))] }

func when(r *rand.Rand) time.Time {
	return []time.Time{{}, noon(), noon().Add(5 * time.Minute), noon().Add(-30 * time.Hour), noon().Add(24 * time.Hour), noon().AddDate(3, 0, 0)}[r.IntN(6)]
}

func noon() time.Time { return time.Date(2026, 11, 26, 12, 0, 0, 0, time.FixedZone("CET", 3600)) }

func randomInput(seed uint64) Input {
	r := rand.New(rand.NewPCG(seed, 1))
	var in Input
	randomly(r, reflect.ValueOf(&in).Elem())
	if r.IntN(4) > 0 {
		in.Trouble = NoTrouble
	}
	in.Now, in.System = noon(), []string{"linux", "windows", "darwin", "plan9"}[r.IntN(4)]
	in.Language = []string{"en", "de", "", "de_DE.UTF-8", "xx"}[r.IntN(5)]
	in.HasPage = []func(string) bool{nil, func(string) bool { return true }, func(id string) bool { return id == "disk-encryption" }}[r.IntN(3)]
	return in
}

// everyText calls see for every text of a value.
func everyText(v reflect.Value, path string, see func(path, text string)) {
	switch v.Kind() {
	case reflect.String:
		see(path, v.String())
	case reflect.Pointer:
		if !v.IsNil() && v.Type() != reflect.TypeFor[*time.Location]() {
			everyText(v.Elem(), path, see)
		}
	case reflect.Slice:
		for i := range v.Len() {
			everyText(v.Index(i), path, see)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				everyText(v.Field(i), path+"."+v.Type().Field(i).Name, see)
			}
		}
	}
}

// plainly fails if a text is not one that may be shown.
func plainly(t *testing.T, what string, v any) {
	t.Helper()
	everyText(reflect.ValueOf(v), what, func(path, text string) {
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || utf8.RuneCountInString(text) > 1500 {
			t.Errorf("%s: %q", path, text)
		}
	})
}

// shown makes everything of an input, whatever is in it.
func shown(t *testing.T, seed uint64) {
	t.Helper()
	in := randomInput(seed)
	v := New(in)
	plainly(t, "view", v)
	plainly(t, "needs", Needs(in))
	plainly(t, "explanation", Explain(in, pick(rand.New(rand.NewPCG(seed, 2)))))
	if len(in.Status.Apps) > 0 {
		plainly(t, "explanation", Explain(in, in.Status.Apps[0].ID))
	}
	var sent localapi.Sent
	var timeline localapi.Timeline
	var checked localapi.Checked
	for i, x := range []any{&sent, &timeline, &checked} {
		randomly(rand.New(rand.NewPCG(seed, uint64(i+3))), reflect.ValueOf(x).Elem())
	}
	plainly(t, "sent", Sent(sent, in))
	plainly(t, "events", Timeline(timeline, in))
	plainly(t, "proof", Reread(checked, in))
	sound(t, in, v)
}

// sound holds what must be so of every view.
func sound(t *testing.T, in Input, v View) {
	t.Helper()
	if v.Headline == "" || utf8.RuneCountInString(v.Headline) > 300 || v.Mood == "" {
		t.Errorf("headline %q, mood %q", v.Headline, v.Mood)
	}
	if !v.Until.IsZero() && !v.Until.After(in.Now) {
		t.Errorf("until %v is not in the future of %v", v.Until, in.Now)
	}
	if len(v.Apps) > maxApps || len(v.Faults) > maxFaults || len(v.Coming) > maxComing {
		t.Errorf("%d apps, %d faults, %d coming", len(v.Apps), len(v.Faults), len(v.Coming))
	}
	if v.Mood == MoodHealthy {
		healthy(t, in, v)
	}
	required := true
	for _, f := range v.Faults {
		if f.Required && !required {
			t.Errorf("a required fault after one that is not: %+v", v.Faults)
		}
		required = f.Required
		if f.Title == "" {
			t.Errorf("fault %+v", f)
		}
		if f.Fix.Page != "" && (in.HasPage == nil || !in.HasPage(f.Fix.Page)) {
			t.Errorf("page %q is not there", f.Fix.Page)
		}
	}
	for _, a := range v.Apps {
		if a.URL != "" && !strings.HasPrefix(a.URL, "http://") && !strings.HasPrefix(a.URL, "https://") {
			t.Errorf("a browser would be given %q", a.URL)
		}
		for _, r := range a.Why {
			if r.Text == "" {
				t.Errorf("%s is closed for %q, and nothing is said", a.ID, r.Code)
			}
		}
	}
}

// healthy holds what a view needs to be healthy: nothing that the person may
// have is closed, nothing failed, the broker is there.
func healthy(t *testing.T, in Input, v View) {
	t.Helper()
	s := in.Status
	if in.Trouble != NoTrouble || s.User == nil || s.Pause != nil || !s.Broker.Reachable || v.Person == "" ||
		s.State != localapi.StateCompliant && s.State != localapi.StateLimited {
		t.Errorf("healthy: %+v", s)
	}
	for _, c := range s.Posture.Checks {
		if c.Outcome != "pass" {
			t.Errorf("healthy with check %+v", c)
		}
	}
	for _, a := range v.Apps {
		if !a.Good && !a.NotMine {
			t.Errorf("healthy with %+v", a)
		}
	}
}

func TestAnything(t *testing.T) {
	n := uint64(600)
	if testing.Short() {
		n = 100
	}
	for seed := range n {
		shown(t, seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzNew(f *testing.F) {
	f.Add(uint64(0))
	f.Fuzz(func(t *testing.T, seed uint64) { shown(t, seed) })
}

// FuzzStatus reads statuses as they come over the socket.
func FuzzStatus(f *testing.F) {
	f.Add([]byte(`{"state":"compliant","user":{"sub":"a"},"apps":[{"id":"wiki","state":"ready"}]}`), "de")
	f.Add([]byte(`{"state":"limited","user":{"sub":"a"},"posture":{"checks":[{"code":"org/x","name":"x","outcome":"pass","from":"2026-12-01T00:00:00Z","parts":[{"outcome":"pass","one_of":[{"outcome":"fail","reads":["edr[*].running"]},{"outcome":"pass","reads":["key"]}]}]}]},"apps":[{"id":"wiki","state":"ready","needs":{"checks":["x"],"conditions":[{"code":"sign-in-too-weak","outcome":"pass"}]}}]}`), "de")
	f.Add([]byte(`{"state":"limited","user":{},"posture":{"checks":[{"code":"org/x","outcome":"fail","enforced":true,"remedy":{"target":"updates"}}]}}`), "")
	f.Fuzz(func(t *testing.T, data []byte, language string) {
		in := Input{Now: noon(), System: "linux", Language: language, HasPage: func(string) bool { return true }}
		if json.Unmarshal(data, &in.Status) != nil {
			return
		}
		v := New(in)
		plainly(t, "view", v)
		for _, a := range v.Apps[:min(len(v.Apps), 3)] {
			plainly(t, "explanation", Explain(in, a.ID))
		}
		sound(t, in, v)
	})
}
