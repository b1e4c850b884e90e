package attest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/posture/fact"
)

var now = time.Unix(1_800_000_000, 0)

func newKey(t testing.TB) (*ecdsa.PrivateKey, string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jkt, err := jws.Thumbprint(&k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return k, jkt
}

func claims() Claims {
	return Claims{
		Nonce: "0123456789abcdef", UEID: NewUEID(), Audience: "https://broker", IssuedAt: now.Unix(), Expires: now.Add(time.Minute).Unix(),
		Software: "Postern", Version: []string{"1.0.0", "semver"}, Key: KeyClaims{Protection: "file", Scope: "user"}, Seq: 1,
		Report: &fact.Report{Signals: []fact.Signal{{Name: fact.SignalOS, State: fact.Observed, Collector: "test", ObservedAt: now}}},
	}
}

func tunnelKey(n byte) string {
	raw := make([]byte, 32)
	raw[0], raw[31] = n, 1
	return base64.StdEncoding.EncodeToString(raw)
}

func TestRoundTrip(t *testing.T) {
	k, jkt := newKey(t)
	tok, err := Sign(k, claims())
	if err != nil {
		t.Fatal(err)
	}
	got, err := Verify(tok, Expected{JKT: jkt, Audience: "https://broker", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if got.Seq != 1 || got.Report == nil || got.Confirm.JKT != jkt {
		t.Fatalf("%+v", got)
	}
}

func TestRefused(t *testing.T) {
	k, jkt := newKey(t)
	_, otherJKT := newKey(t)
	want := Expected{JKT: jkt, Audience: "https://broker", Now: now}
	for _, c := range []struct {
		name   string
		change func(*Claims, *Expected)
		reason string
	}{
		{"another key than the call's", func(_ *Claims, w *Expected) { w.JKT = otherJKT }, "another key"},
		{"another broker", func(_ *Claims, w *Expected) { w.Audience = "https://evil" }, "not for this broker"},
		{"old", func(_ *Claims, w *Expected) { w.Now = now.Add(2 * time.Minute) }, "away from the broker's clock"},
		{"from the future", func(_ *Claims, w *Expected) { w.Now = now.Add(-2 * time.Minute) }, "away from the broker's clock"},
		{"expired", func(c *Claims, _ *Expected) { c.Expires = now.Unix() }, "expired"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl, w := claims(), want
			c.change(&cl, &w)
			tok, err := Sign(k, cl)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Verify(tok, w); err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Fatalf("got %v, want %q", err, c.reason)
			}
		})
	}
}

func TestForeignForms(t *testing.T) {
	k, jkt := newKey(t)
	want := Expected{JKT: jkt, Audience: "https://broker", Now: now}
	full := func(change func(*Claims)) string {
		c := claims()
		c.Profile, c.Confirm = Profile, Confirm{JKT: jkt}
		change(&c)
		tok, err := jws.Sign(k, c, jws.Options{Type: Type, Embed: true})
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	for name, change := range map[string]func(*Claims){
		"unknown profile":    func(c *Claims) { c.Profile = "tag:other" },
		"cnf of another key": func(c *Claims) { c.Confirm.JKT = "x" },
		"no report":          func(c *Claims) { c.Report = nil },
		"both":               func(c *Claims) { c.Renewal = &Renewal{Digest: "x"} },
		"bad ueid":           func(c *Claims) { c.UEID = "AQ" },
		"no nonce":           func(c *Claims) { c.Nonce = "" },
		"seq zero":           func(c *Claims) { c.Seq = 0 },
		"bad tunnel key":     func(c *Claims) { c.Wanted = []Wanted{{App: "a", PublicKey: "x"}} },
		"one key, two apps": func(c *Claims) {
			c.Wanted = []Wanted{{App: "a", PublicKey: tunnelKey(1)}, {App: "b", PublicKey: tunnelKey(1)}}
		},
		"app twice": func(c *Claims) {
			c.Wanted = []Wanted{{App: "a", PublicKey: tunnelKey(1)}, {App: "a", PublicKey: tunnelKey(2)}}
		},
		"65 apps": func(c *Claims) {
			for i := range 65 {
				c.Wanted = append(c.Wanted, Wanted{App: fmt.Sprint(i), PublicKey: tunnelKey(byte(i))})
			}
		},
		"bad prefix":    func(c *Claims) { c.Unusable = []string{"everywhere"} },
		"invalid state": func(c *Claims) { c.Report.Signals[0].State = "fine" },
	} {
		if _, err := Verify(full(change), want); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	other, err := jws.Sign(k, claims(), jws.Options{Type: "dpop+jwt", Embed: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(other, want); err == nil {
		t.Error("another token type was accepted")
	}
}

// largest is the biggest report the limits allow to be useful, with 64 apps.
func largest() Claims {
	c := claims()
	long := strings.Repeat("x", 100)
	var r fact.Report
	for _, name := range []string{fact.SignalOS, fact.SignalPatch, fact.SignalDisk, fact.SignalFirewall, fact.SignalEDR} {
		s := fact.Signal{Name: name, State: fact.Observed, Source: strings.Repeat("s", fact.MaxString), Collector: strings.Repeat("c", fact.MaxString), ObservedAt: now, Digest: jws.Hash(nil)}
		if name == fact.SignalDisk || name == fact.SignalEDR {
			for i := range fact.MaxEntries {
				id := fmt.Sprintf("local/%s-%02d", long[:40], i)
				if name == fact.SignalDisk {
					s.Facts = append(s.Facts, fact.Fact{Field: "status", Key: id, Value: fact.Str(fact.Encrypted)})
					continue
				}
				s.Facts = append(s.Facts, fact.Fact{Field: "installed", Key: id, Value: fact.Bool(true)}, fact.Fact{Field: "running", Key: id, Value: fact.Bool(true)}, fact.Fact{Field: "origin", Key: id, Value: fact.Str(fact.OriginUserSettings)})
			}
		}
		r.Signals = append(r.Signals, s)
	}
	c.Report = &r
	for i := range MaxApps {
		c.Wanted = append(c.Wanted, Wanted{App: fmt.Sprintf("%s-%02d", long, i), PublicKey: tunnelKey(byte(i))})
	}
	return c
}

func TestLargestLegal(t *testing.T) {
	k, jkt := newKey(t)
	tok, err := Sign(k, largest())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("largest report with %d apps: %d bytes signed", MaxApps, len(tok))
	if _, err := Verify(tok, Expected{JKT: jkt, Audience: "https://broker", Now: now}); err != nil {
		t.Fatal(err)
	}
}

func FuzzVerify(f *testing.F) {
	k, jkt := newKey(f)
	tok, err := Sign(k, claims())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(tok)
	f.Add("e30.e30.")
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := Verify(s, Expected{JKT: jkt, Audience: "https://broker", Now: now}); err == nil && s != tok && c.Seq != 1 {
			t.Fatal("something else verified")
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	k, jkt := newKey(b)
	tok, err := Sign(k, claims())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Verify(tok, Expected{JKT: jkt, Audience: "https://broker", Now: now}); err != nil {
			b.Fatal(err)
		}
	}
}
