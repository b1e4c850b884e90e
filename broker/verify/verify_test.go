package verify

import (
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/store"
	"github.com/postern-zt/postern/posture/attest"
)

func TestHardwareIdentity(t *testing.T) {
	id := func(serial, uuid, ek string) string {
		s, _ := hardwareID(api.Hardware{Serial: serial, UUID: uuid, EKHash: ek})
		return s
	}
	for _, c := range []struct {
		name string
		a, b string
		want bool
	}{
		{"the same", id("s", "u", "e"), id("s", "u", "e"), false},
		{"one less", id("s", "u", "e"), id("s", "u", ""), false},
		{"another one less", id("s", "u", ""), id("", "u", "e"), false},
		{"another serial", id("s", "u", ""), id("x", "u", ""), true},
		{"another serial and one more", id("s", "u", ""), id("x", "u", "e"), true},
		{"none", id("s", "u", ""), id("s", "", ""), false},
		{"none that differs", id("s", "u", ""), id("x", "", ""), false},
		{"both none", id("", "", ""), id("x", "", ""), false},
		{"values that look like kinds", id("uuid-1", "serial-1", ""), id("uuid-1", "serial-1", ""), false},
	} {
		if differ(c.a, c.b) != c.want || differ(c.b, c.a) != c.want {
			t.Errorf("%s: %q and %q", c.name, c.a, c.b)
		}
	}
	if one, why := hardwareID(api.Hardware{UUID: "u"}); one != api.HardwareNone || !strings.Contains(why, "serial, ek") {
		t.Errorf("%q %q", one, why)
	}
	if strings.Contains(id("secret-serial", "u", ""), "secret") {
		t.Error("an identifier is readable")
	}
}

func TestNonce(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	v := &Verifier{now: func() time.Time { return now }, secret: []byte("one")}
	d := store.Device{ID: "dev_1", NonceGen: 7}
	n := v.Nonce(d)
	if len(n) < 8 || len(n) > 88 { // RFC 9711 section 4.1
		t.Errorf("%d characters", len(n))
	}
	if gen, ok := v.generation(d, n); !ok || gen != 8 {
		t.Error("its own nonce", gen, ok)
	}
	if _, ok := v.generation(store.Device{ID: "dev_2"}, n); ok {
		t.Error("another device's nonce")
	}
	if _, ok := (&Verifier{now: v.now, secret: []byte("two")}).generation(d, n); ok {
		t.Error("another broker's nonce")
	}
	for i := range n {
		spoilt := []byte(n)
		spoilt[i] ^= 1
		if _, ok := v.generation(d, string(spoilt)); ok {
			t.Errorf("spoilt at %d", i)
		}
	}
	now = now.Add(NonceLife + time.Millisecond)
	if _, ok := v.generation(d, n); ok {
		t.Error("expired")
	}
}

func TestEmailThatIsNotVerified(t *testing.T) {
	for verified, want := range map[string]string{"": "a@b", "true": "a@b", `"true"`: "a@b", "null": "a@b", "false": "", `"false"`: "", "0": "", "{}": ""} {
		if got := (idClaims{Email: "a@b", Verified: []byte(verified)}).email(); got != want {
			t.Errorf("email_verified %s gives %q", verified, got)
		}
	}
}

func FuzzTunnelKeys(f *testing.F) {
	f.Add("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	f.Add("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=")
	f.Fuzz(func(t *testing.T, key string) {
		got, err := tunnelKeys([]attest.Wanted{{App: "a", PublicKey: key}})
		if err == nil && got["a"] != key {
			t.Errorf("%q has two spellings", key)
		}
	})
}
