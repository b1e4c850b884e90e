package bind

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/platform/jws"
)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

type world struct {
	now time.Time
	c   *Checker
}

func newWorld() *world {
	w := &world{now: time.Unix(1_800_000_000, 0)}
	w.c = NewChecker(func() time.Time { return w.now })
	return w
}

func anybody(Proven) error { return nil }

var call = Request{Method: "POST", URL: "https://b/v1/x?q=1", AccessToken: "tok"}

func (w *world) proof(t testing.TB, k *ecdsa.PrivateKey, r Request) string {
	t.Helper()
	p, err := MakeProof(k, r, w.c.Nonce(), w.now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProof(t *testing.T) {
	w, k := newWorld(), newKey(t)
	p := w.proof(t, k, call)
	got, err := w.c.Check([]string{p}, Request{Method: "POST", URL: "https://b/v1/x", AccessToken: "tok"}, anybody)
	if err != nil {
		t.Fatal(err)
	}
	if jkt, _ := jws.Thumbprint(&k.PublicKey); got.JKT != jkt {
		t.Error("another key was reported")
	}
	if _, err := w.c.Check([]string{p}, call, anybody); err == nil || !strings.Contains(err.Error(), "used before") {
		t.Error("a replay was accepted:", err)
	}
}

func TestProofRefused(t *testing.T) {
	w, k := newWorld(), newKey(t)
	for _, c := range []struct {
		name string
		made Request
		want string
	}{
		{"method", Request{Method: "GET", URL: call.URL, AccessToken: "tok"}, "another method"},
		{"host", Request{Method: "POST", URL: "https://evil/v1/x", AccessToken: "tok"}, "another address"},
		{"path", Request{Method: "POST", URL: "https://b/v1/y", AccessToken: "tok"}, "another address"},
		{"token", Request{Method: "POST", URL: call.URL, AccessToken: "other"}, "another access token"},
		{"no token", Request{Method: "POST", URL: call.URL}, "another access token"},
	} {
		if _, err := w.c.Check([]string{w.proof(t, k, c.made)}, call, anybody); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
	p := w.proof(t, k, call)
	if _, err := w.c.Check([]string{p, p}, call, anybody); err == nil {
		t.Error("two proofs were accepted")
	}
	if _, err := w.c.Check(nil, call, anybody); err == nil {
		t.Error("no proof was accepted")
	}
	other, _ := jws.Sign(k, map[string]any{"jti": jws.Random(16), "htm": "POST", "htu": "https://b/v1/x", "iat": w.now.Unix()}, jws.Options{Type: "JWT", Embed: true})
	if _, err := w.c.Check([]string{other}, call, anybody); err == nil {
		t.Error("another type was accepted")
	}
}

func TestStrangersAreNotRemembered(t *testing.T) {
	w, k := newWorld(), newKey(t)
	no := errors.New("not admitted")
	p := w.proof(t, k, call)
	for range 2 {
		if _, err := w.c.Check([]string{p}, call, func(Proven) error { return no }); !errors.Is(err, no) {
			t.Fatal(err)
		}
	}
	if len(w.c.seen[w.c.minute()]) != 0 {
		t.Error("a proof of a stranger is remembered")
	}
	if _, err := w.c.Check([]string{p}, call, anybody); err != nil {
		t.Error("after that the proof is refused:", err)
	}
}

func TestServerNonce(t *testing.T) {
	w, k := newWorld(), newKey(t)
	none, _ := MakeProof(k, call, "", w.now)
	if _, err := w.c.Check([]string{none}, call, anybody); !errors.Is(err, ErrUseNonce) {
		t.Error("no nonce:", err)
	}
	elsewhere := NewChecker(func() time.Time { return w.now })
	foreign, _ := MakeProof(k, call, elsewhere.Nonce(), w.now)
	if _, err := w.c.Check([]string{foreign}, call, anybody); !errors.Is(err, ErrUseNonce) {
		t.Error("another replica's nonce:", err)
	}
	old := w.c.Nonce()
	w.now = w.now.Add(3 * time.Minute)
	late, _ := MakeProof(k, call, old, w.now)
	if _, err := w.c.Check([]string{late}, call, anybody); !errors.Is(err, ErrUseNonce) {
		t.Error("an old nonce:", err)
	}
	skewed, _ := MakeProof(k, call, w.c.Nonce(), w.now.Add(-24*time.Hour))
	if _, err := w.c.Check([]string{skewed}, call, anybody); err == nil || errors.Is(err, ErrUseNonce) {
		t.Error("a proof of yesterday:", err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	w := newWorld()
	for i := range 10 {
		if err := w.c.once(w.c.minute(), "k", string(rune('a'+i))); err != nil {
			t.Fatal(err)
		}
	}
	w.now = w.now.Add(5 * time.Minute)
	if err := w.c.once(w.c.minute(), "k", "z"); err != nil {
		t.Fatal(err)
	}
	if len(w.c.seen) != 1 {
		t.Errorf("%d minutes remembered, want 1", len(w.c.seen))
	}
}

// TestOneKeyCannotSilenceOthers: a device that calls without end is told that
// the server is busy, and the others are not.
func TestOneKeyCannotSilenceOthers(t *testing.T) {
	w := newWorld()
	var err error
	for n := 0; err == nil && n <= maxRemember; n++ {
		err = w.c.once(w.c.minute(), "loud", strconv.Itoa(n))
	}
	if !errors.Is(err, ErrBusy) {
		t.Errorf("after %d proofs of one key: %v", maxRemember, err)
	}
	if err := w.c.once(w.c.minute(), "quiet", "one"); err != nil {
		t.Error("another key:", err)
	}
	if err := w.c.once(w.c.minute(), "loud", "0"); err == nil || errors.Is(err, ErrBusy) {
		t.Error("a proof used before:", err)
	}
}

func TestCommitNonceSeparates(t *testing.T) {
	a := CommitNonce("j", "i", "c", "s")
	for _, b := range []string{CommitNonce("x", "i", "c", "s"), CommitNonce("j", "x", "c", "s"), CommitNonce("j", "i", "x", "s"), CommitNonce("j", "i", "c", "x"), CommitNonce("ji", "", "c", "s")} {
		if a == b {
			t.Error("two commitments are equal")
		}
	}
}

func FuzzCheck(f *testing.F) {
	w := newWorld()
	k := newKey(f)
	f.Add(w.proof(f, k, call))
	f.Fuzz(func(t *testing.T, p string) { _, _ = w.c.Check([]string{p}, call, anybody) })
}
