package attest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/postern-zt/postern/platform/jws"
)

// TestPauseClaim: both ends refuse a reason that would not read as what it is,
// and a pause that wants something all the same. A device that is not ours signs
// what it likes, so the verifier is asked alone, too.
func TestPauseClaim(t *testing.T) {
	k, jkt := newKey(t)
	want := Expected{JKT: jkt, Audience: "https://broker", Now: now}
	key := []Wanted{{App: "wiki", PublicKey: tunnelKey(1)}}
	for _, tc := range []struct {
		name   string
		reason string
		wanted []Wanted
		good   bool
	}{
		{"none", "", key, true},
		{"a reason", "a talk in room 7", nil, true},
		{"200 wide characters", strings.Repeat("𝄞", 200), nil, true},
		{"more", strings.Repeat("𝄞", 200) + "a", nil, false},
		{"a line break", "lunch\nlevel=error", nil, false},
		{"a control character", "lunch\x1b[2J", nil, false},
		{"C1", "lunch\u009b2J", nil, false},
		{"another direction", "lunch\u202e", nil, false},
		{"with a key", "lunch", key, false},
	} {
		c := claims()
		c.Pause, c.Wanted = tc.reason, tc.wanted
		if _, err := Sign(k, c); (err == nil) != tc.good {
			t.Errorf("%s: sign: %v", tc.name, err)
		}
		c.Profile, c.Confirm = Profile, Confirm{JKT: jkt}
		tok, err := jws.Sign(k, c, jws.Options{Type: Type, Embed: true})
		if err != nil {
			t.Fatal(err)
		}
		got, err := Verify(tok, want)
		if (err == nil) != tc.good || err == nil && got.Pause != tc.reason {
			t.Errorf("%s: verify: %q, %v", tc.name, got.Pause, err)
		}
	}
}

func TestPayloadIsWhatWasSigned(t *testing.T) {
	k, _ := newKey(t)
	tok, err := Sign(k, claims())
	if err != nil {
		t.Fatal(err)
	}
	var c Claims
	payload, err := Payload(tok)
	if err != nil || json.Unmarshal(payload, &c) != nil || c.Nonce != claims().Nonce || c.Profile != Profile {
		t.Errorf("%s, %v", payload, err)
	}
	for _, bad := range []string{"", "a", "a.b", "a.!.c", "..."} {
		if payload, err := Payload(bad); err == nil && len(payload) > 0 {
			t.Errorf("%q has the payload %q", bad, payload)
		}
	}
}
