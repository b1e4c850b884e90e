package e2e

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/posture/attest"
	"github.com/postern-zt/postern/testfixtures/rig"
)

func TestNonces(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	d, other := w.Enrolled(rig.DeviceOptions{}), w.Enrolled(rig.DeviceOptions{})
	access, foreign := d.Tokens().AccessToken, other.Tokens().AccessToken

	once := d.Sign(d.Claims(d.Nonce(access), 1, "wiki"))
	a, err := d.Post(access, once)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Post(access, once)
	if no := wantNo(t, err, api.CodeUseNonce); no.Nonce == "" {
		t.Error("a replay is not answered with a fresh nonce")
	}
	_, err = d.Post(access, d.Sign(d.Claims(other.Nonce(foreign), 2, "wiki")))
	wantNo(t, err, api.CodeUseNonce)
	_, err = d.Post(access, d.Sign(d.Claims("made-up-nonce-of-nobody", 2, "wiki")))
	wantNo(t, err, api.CodeUseNonce)
	// Two nonces in hand, one generation: only one of them may be spent.
	kept := d.Nonce(access)
	if _, err := d.Post(access, d.Sign(d.Claims(a.NextNonce, 2, "wiki"))); err != nil {
		t.Fatal("the nonce of the answer:", err)
	}
	_, err = d.Post(access, d.Sign(d.Claims(kept, 3, "wiki")))
	wantNo(t, err, api.CodeUseNonce)
	// Expired.
	late := d.Nonce(access)
	w.Clock.Advance(61 * time.Second)
	if _, err := d.API.Discover(w.Context()); err != nil { // brings the broker's time
		t.Fatal(err)
	}
	_, err = d.Post(access, d.Sign(d.Claims(late, 3, "wiki")))
	wantNo(t, err, api.CodeUseNonce)
	// What is refused spends nothing.
	if _, err := d.Post(access, d.Sign(d.Claims(d.Nonce(access), 3, "wiki"))); err != nil {
		t.Fatal(err)
	}
}

func TestLostAnswer(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	d := w.SignedIn(rig.DeviceOptions{})
	first := d.Lease("wiki")
	var lost atomic.Bool
	w.SetFault(func(rw http.ResponseWriter, r *http.Request, broker http.Handler) {
		if r.URL.Path != api.PathAttestations || !lost.CompareAndSwap(false, true) {
			broker.ServeHTTP(rw, r)
			return
		}
		broker.ServeHTTP(deaf{rw}, r) // done, but nobody hears of it
		rw.WriteHeader(http.StatusBadGateway)
	})
	_, err := d.Attest(d.Healthy(), "wiki")
	wantUnreachable(t, err)
	again := d.Lease("wiki")
	if again.ID != first.ID {
		t.Errorf("after a lost answer the lease is %s, was %s", again.ID, first.ID)
	}
	opens(t, d, again)
}

// deaf takes an answer and gives it to nobody.
type deaf struct{ http.ResponseWriter }

func (deaf) Header() http.Header         { return http.Header{} }
func (deaf) Write(p []byte) (int, error) { return len(p), nil }
func (deaf) WriteHeader(int)             {}

func TestSequence(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	d := w.Enrolled(rig.DeviceOptions{})
	access := d.Tokens().AccessToken
	post := func(seq int64) error {
		_, err := d.Post(access, d.Sign(d.Claims(d.Nonce(access), seq, "wiki")))
		return err
	}
	if err := post(5); err != nil {
		t.Fatal(err)
	}
	wantNo(t, post(5), api.CodeSequence)
	wantNo(t, post(4), api.CodeSequence)
	if err := post(6); err != nil { // it is the same machine: nothing else happened
		t.Fatal(err)
	}
}

func TestCloneIsQuarantined(t *testing.T) {
	for _, c := range []struct {
		name  string
		clone func(*testing.T, *rig.World, *rig.Device) error
	}{
		{"enrols", func(t *testing.T, w *rig.World, d *rig.Device) error {
			return w.Device(rig.DeviceOptions{Key: d.Key}).Broker.Enrol(w.Context())
		}},
		{"attests", func(t *testing.T, w *rig.World, d *rig.Device) error {
			h := d.Hardware
			h.Serial = jws.Random(32)
			d.Hardware = h // the copied key, on another board
			handle, ok := d.Broker.Session()
			if !ok {
				t.Fatal("no session")
			}
			tok, err := d.Refresh(handle.Refresh)
			if err != nil {
				t.Fatal(err)
			}
			_, err = d.Post(tok.AccessToken, d.Sign(d.Claims(d.Nonce(tok.AccessToken), 1<<30, "wiki")))
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := rig.New(t, rig.Options{Policy: wikiPolicy})
			d := w.SignedIn(rig.DeviceOptions{})
			l := d.Lease("wiki")
			d.Stream(d.Tunnel(l), l)
			w.Await("the flow is there", func() bool { return w.Apps["wiki"].Open() == 1 })
			ended := d.Events(func(string, api.Event) {})
			wantNo(t, c.clone(t, w, d), api.CodeQuarantined)
			w.Await("the flow has ended at the app", func() bool { return w.Apps["wiki"].Open() == 0 })
			shut(t, d, l)
			select {
			case <-ended:
			case <-time.After(5 * time.Second):
				t.Error("the event stream outlived its session")
			}
			_, err := d.Attest(d.Healthy(), "wiki")
			wantNo(t, err, api.CodeQuarantined)
			wantNo(t, w.Device(rig.DeviceOptions{Key: d.Key, Hardware: &d.Hardware}).Broker.Enrol(w.Context()), api.CodeQuarantined)
		})
	}
}

// TestMoreHardwareIsNoClone: an identifier that can be read today and could
// not yesterday is no other machine.
func TestMoreHardwareIsNoClone(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	d := w.SignedIn(rig.DeviceOptions{})
	tok := d.Tokens()
	d.Hardware.EKHash = jws.Random(32)
	if _, err := d.Post(tok.AccessToken, d.Sign(d.Claims(d.Nonce(tok.AccessToken), 1, "wiki"))); err != nil {
		t.Error("one identifier more:", err)
	}
	d.Hardware.Serial = ""
	if _, err := d.Post(tok.AccessToken, d.Sign(d.Claims(d.Nonce(tok.AccessToken), 2, "wiki"))); err != nil {
		t.Error("one identifier less:", err)
	}
	d.Hardware = attest.Hardware{}
	if _, err := d.Post(tok.AccessToken, d.Sign(d.Claims(d.Nonce(tok.AccessToken), 3, "wiki"))); err != nil {
		t.Error("none of them:", err)
	}
}

func TestTunnelKeyOnce(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	d := w.SignedIn(rig.DeviceOptions{})
	l := d.Lease("wiki")
	deniedKey := func(who *rig.Device) {
		t.Helper()
		a, err := who.Attest(who.Healthy(), "wiki")
		if err != nil {
			t.Fatal(err)
		}
		if why := rig.Refused(a, "wiki"); !slices.Equal(why, []string{"tunnel-key-used"}) {
			t.Fatalf("reasons %v", why)
		}
	}
	// Another device with the same key pair, while the first tunnel lives.
	thief := w.SignedIn(rig.DeviceOptions{})
	thief.Keys["wiki"] = d.Keys["wiki"]
	deniedKey(thief)
	opens(t, d, l)
	// The same device, after its tunnel was closed.
	if _, err := d.Attest(rig.Without(d.Healthy(), "disk"), "wiki"); err != nil {
		t.Fatal(err)
	}
	deniedKey(d)
	shut(t, d, l)
	// A gateway's own key would be admitted nowhere.
	all, err := w.Store.Gateways(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	access := d.Tokens().AccessToken
	c := d.Claims(d.Nonce(access), 1<<30)
	c.Wanted = []attest.Wanted{{App: "wiki", PublicKey: all[0].PublicKey}}
	a, err := d.Post(access, d.Sign(c))
	if err != nil || !slices.Equal(rig.Refused(a, "wiki"), []string{"tunnel-key-used"}) {
		t.Errorf("the gateway's own key: %v, %v", a.Denied, err)
	}
}

// TestHostileTunnelKeys: a key that a gateway would refuse must not get as far,
// and one key must not pass for two.
func TestHostileTunnelKeys(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	d, honest := w.Enrolled(rig.DeviceOptions{}), w.SignedIn(rig.DeviceOptions{})
	good := honest.Lease("wiki")
	access := d.Tokens().AccessToken
	key := honest.PublicKey("wiki")
	for _, hostile := range map[string]string{
		"zero":          base64.StdEncoding.EncodeToString(make([]byte, 32)),
		"line end":      key + "\n",
		"trailing bits": key[:42] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[indexB64(key[42])|1]) + "=",
	} {
		c := d.Claims(d.Nonce(access), 1<<30)
		c.Wanted = []attest.Wanted{{App: "wiki", PublicKey: hostile}}
		_, err := d.Post(access, d.Sign(c))
		wantNo(t, err, api.CodeBadAttestation)
		opens(t, honest, good)
	}
}

func indexB64(c byte) int {
	return strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", c)
}

// TestNoOvertaking sends attestations of one device at once. What the last
// accepted one said is what is in force, at the store and at the gateway.
func TestNoOvertaking(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	d := w.SignedIn(rig.DeviceOptions{})
	tok := d.Tokens()
	for round := range 5 {
		delete(d.Keys, "wiki")
		d.PublicKey("wiki")
		type answered struct {
			seq    int64
			leases int
		}
		var mu sync.Mutex
		var last answered
		var work sync.WaitGroup
		for n := range 8 {
			seq := int64(round*100 + n + 1)
			c := d.Claims("none-yet", seq, "wiki")
			if n%2 == 0 { // every other one is ill
				r := rig.Without(*c.Report, "disk")
				c.Report = &r
			}
			work.Go(func() {
				for range 20 {
					a, err := d.Post(tok.AccessToken, d.Sign(c))
					no, refused := err.(*apiclient.Rejected)
					if refused && no.Code == api.CodeUseNonce {
						c.Nonce = no.Nonce
						continue
					}
					if refused && no.Code == api.CodeSequence {
						return // a newer one was first
					}
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					defer mu.Unlock()
					if seq > last.seq {
						last = answered{seq, len(a.Leases)}
					}
					return
				}
			})
		}
		work.Wait()
		live, err := w.Store.LiveTunnels(t.Context(), "", w.Clock.Now().UnixMilli())
		if err != nil {
			t.Fatal(err)
		}
		if len(live) != last.leases {
			t.Fatalf("round %d: the last decision gave %d leases, %d tunnels live", round, last.leases, len(live))
		}
		if last.leases == 0 {
			continue
		}
		if _, err := d.Post(tok.AccessToken, d.Sign(d.Claims(d.Nonce(tok.AccessToken), int64(round*100+50), "wiki"))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTTLEndsWithTheSession(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	d := w.SignedIn(rig.DeviceOptions{})
	w.Clock.Advance(12*time.Hour - 20*time.Second)
	l := d.Lease("wiki")
	if l.TTLMS <= 0 || l.TTLMS > 20_000 {
		t.Errorf("a lease of %d ms in a session of 20 s", l.TTLMS)
	}
	w.Clock.Advance(30 * time.Second)
	_, err := d.Attest(d.Healthy(), "wiki")
	wantNo(t, err, api.CodeSignedOut)
}
