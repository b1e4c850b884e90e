package loopback

import (
	"errors"
	"strings"
	"testing"
)

func TestParseAnswer(t *testing.T) {
	want := Result{Code: "c0de", State: state, Iss: "https://idp.example"}
	const query = "code=c0de&state=" + state + "&iss=https%3A%2F%2Fidp.example"
	for _, good := range []string{
		"http://127.0.0.1:40123/callback?" + query, "http://[::1]:40123/callback?" + query, "http://127.0.0.1:40123/callback?" + query + "#_=_",
		"127.0.0.1:40123/callback?" + query, "[::1]:40123/callback?" + query,
		"  http://127.0.0.1:40123/callback?" + query + " \r\n", `"http://127.0.0.1:40123/callback?` + query + `"`, "<http://127.0.0.1:1/callback?" + query + ">",
		query, "?" + query, query + "\n", query + "&session_state=x",
	} {
		if got, err := ParseAnswer(good, state); err != nil || got != want {
			t.Errorf("%q: %+v %v", good, got, err)
		}
	}
	if got, err := ParseAnswer("error=access_denied&state="+state, state); err != nil || got.Error != "access_denied" {
		t.Errorf("an error: %+v %v", got, err)
	}
	for bad, why := range map[string]error{
		"": ErrNotAnswer, "c0de": ErrNotAnswer, "c0de#" + state: ErrNotAnswer, "?": ErrNotAnswer, "#": ErrNotAnswer,
		"https://idp.example/authorize?" + query: ErrNotAnswer, "http://127.0.0.1:1/done": ErrNotAnswer, "http://127.0.0.1:1/callback": ErrNotAnswer,
		"http://127.0.0.1/callback?" + query: ErrNotAnswer, "https://127.0.0.1:1/callback?" + query: ErrNotAnswer, "http://localhost:1/callback?" + query: ErrNotAnswer,
		"http://10.0.0.1:1/callback?" + query: ErrNotAnswer, "http://u@127.0.0.1:1/callback?" + query: ErrNotAnswer, "http://127.0.0.1:1/callback/?" + query: ErrNotAnswer,
		"idp.example/callback?" + query: ErrNotAnswer, "file:///callback?" + query: ErrNotAnswer,
		"code=c0de\nstate=" + state: ErrNotAnswer, "code=c 0de&state=" + state: ErrNotAnswer, "code=\x1b[31m&state=" + state: ErrNotAnswer, "code=ü&state=" + state: ErrNotAnswer,
		query + "&code=d": ErrNotAnswer, query + "&error=e": ErrNotAnswer, "state=" + state: ErrNotAnswer, "code=%zz&state=" + state: ErrNotAnswer,
		"code=c0de": ErrOtherSignIn, "code=c0de&state=": ErrOtherSignIn, "code=c0de&state=" + state + "x": ErrOtherSignIn, "code=c0de&state=" + strings.ToUpper(state): ErrOtherSignIn,
		query + "&padding=" + strings.Repeat("x", maxAnswer): ErrNotAnswer,
	} {
		got, err := ParseAnswer(bad, state)
		if !errors.Is(err, why) || got != (Result{}) {
			t.Errorf("%.80q: %+v %v, want %v", bad, got, err, why)
		} else if strings.Contains(err.Error(), "c0de") || strings.Contains(err.Error(), state) {
			t.Errorf("%.80q: the error quotes it: %v", bad, err)
		}
	}
	if _, err := ParseAnswer("code=c0de&state=", ""); !errors.Is(err, ErrOtherSignIn) {
		t.Errorf("an empty state matches: %v", err)
	}
}

func FuzzParseAnswer(f *testing.F) {
	for _, seed := range []string{
		"http://127.0.0.1:1/callback?code=c&state=" + state, "code=c&state=" + state, "[::1]:1/callback?error=e&state=" + state, "?code=c&state=" + state + "#x", "<>",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		res, err := ParseAnswer(text, state)
		switch {
		case err != nil && !errors.Is(err, ErrNotAnswer) && !errors.Is(err, ErrOtherSignIn):
			t.Errorf("%q: %v", text, err)
		case err == nil && (res.State != state || (res.Code == "") == (res.Error == "")):
			t.Errorf("%q gives %+v", text, res)
		}
	})
}
