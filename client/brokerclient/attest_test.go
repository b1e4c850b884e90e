package brokerclient

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/posture/attest"
)

func nonces(cs []attest.Claims) (out []string) {
	for _, c := range cs {
		out = append(out, c.Nonce)
	}
	return out
}

func TestAttestCarriesNonceReportAndRisingSequence(t *testing.T) {
	b := newBroker(t)
	c := b.signedIn(newDevice(t))
	wanted := []attest.Wanted{{App: "wiki", PublicKey: base64.StdEncoding.EncodeToString(make([]byte, 32))}}
	r := report(true)
	b.clock.Advance(time.Second)
	boot := b.clock.Boot()
	a, sent, err := c.Attest(t.Context(), Attestation{Report: r, Wanted: wanted})
	if err != nil || a.Verdict != api.TierAffirming || sent != boot {
		t.Fatalf("answer %+v sent at %v, %v", a, sent, err)
	}
	// The same report again, under the digest that the broker accepted.
	if _, _, err := c.Attest(t.Context(), Attestation{Report: r, LastDigest: r.Digest()}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Attest(t.Context(), Attestation{Report: report(false), LastDigest: r.Digest()}); err != nil {
		t.Fatal(err)
	}
	got := b.attested()
	if n := nonces(got); !slices.Equal(n, []string{"first", "next", "next"}) {
		t.Errorf("nonces %v", n)
	}
	if got[0].Report == nil || got[1].Report != nil || got[1].Renewal == nil || got[1].Renewal.Digest != r.Digest() || got[2].Report == nil {
		t.Errorf("whole, renewal, whole: %+v", got)
	}
	if !got[1].Renewal.ObservedAt.Equal(day.Add(-time.Minute)) {
		t.Errorf("the renewal says %v, the oldest reading is a minute before noon", got[1].Renewal.ObservedAt)
	}
	if got[0].Seq >= got[1].Seq || got[1].Seq >= got[2].Seq || got[0].Wanted[0] != wanted[0] || got[0].UEID != c.Record().UEID {
		t.Errorf("claims %+v", got)
	}
}

func TestTimesMoveIntoBrokerTime(t *testing.T) {
	b := newBroker(t)
	b.skew = 3 * time.Hour // this machine is ahead
	c := b.signedIn(newDevice(t))
	if _, _, err := c.Attest(t.Context(), Attestation{Report: report(true)}); err != nil {
		t.Fatal(err)
	}
	got := b.attested()[0]
	if want := day.Add(-3 * time.Hour); !got.Report.Signals[0].ObservedAt.Equal(want) || got.IssuedAt != want.Unix() {
		t.Errorf("observed %v, issued %v, want %v", got.Report.Signals[0].ObservedAt, time.Unix(got.IssuedAt, 0).UTC(), want)
	}
	if got.Expires-got.IssuedAt != 60 {
		t.Errorf("lives for %d s", got.Expires-got.IssuedAt)
	}
	if r := report(true); !r.Signals[0].ObservedAt.Equal(day) {
		t.Error("the caller's report was changed")
	}
	if s, _ := c.Session(); !s.Ends.Equal(b.now().Add(time.Hour)) {
		t.Errorf("the session ends %v, broker time is %v", s.Ends, b.now())
	}
}

// Each answer of the broker that asks for something, in the order it comes;
// then it accepts. What must come out of it: the nonces and forms sent.
func TestRepetitions(t *testing.T) {
	fresh := reply{status: 400, code: api.CodeUseNonce, nonce: "fresh"}
	needed := reply{status: 409, code: api.CodeNeedReport}
	expired := reply{status: 401, code: api.CodeUnauthorized}
	tests := []struct {
		name    string
		answers []reply
		nonces  []string
		whole   []bool
		fails   string // "" accepted, "unreachable", or a code
	}{
		{"accepted", nil, []string{"first"}, []bool{false}, ""},
		{"stale nonce", []reply{fresh}, []string{"first", "fresh"}, []bool{false, false}, ""},
		{"nonce twice", []reply{fresh, fresh}, []string{"first", "fresh"}, []bool{false, false}, "unreachable"},
		{"report unknown: the nonce was not spent", []reply{needed}, []string{"first", "first"}, []bool{false, true}, ""},
		{"both", []reply{fresh, needed}, []string{"first", "fresh", "fresh"}, []bool{false, false, true}, ""},
		{"the nonce once more for the whole report", []reply{fresh, needed, fresh}, []string{"first", "fresh", "fresh", "fresh"}, []bool{false, false, true, true}, ""},
		{"report twice", []reply{needed, needed}, []string{"first", "first"}, []bool{false, true}, "unreachable"},
		{"token", []reply{expired}, []string{"first", "first"}, []bool{false, false}, ""},
		{"token twice", []reply{expired, expired}, []string{"first", "first"}, []bool{false, false}, api.CodeUnauthorized},
		{"everything", []reply{fresh, expired, needed, fresh, fresh}, []string{"first", "fresh", "fresh", "fresh", "fresh"}, []bool{false, false, false, true, true}, "unreachable"},
		{"a no is a no", []reply{{status: 403, code: api.CodeDeviceRevoked}}, []string{"first"}, []bool{false}, api.CodeDeviceRevoked},
		{"busy", []reply{{status: 503, code: api.CodeBusy}}, []string{"first"}, []bool{false}, "unreachable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBroker(t)
			c := b.signedIn(newDevice(t))
			b.onAttest = func(_ attest.Claims, n int) reply {
				if n <= len(tt.answers) {
					return tt.answers[n-1]
				}
				return reply{status: 200, body: api.Answer{NextNonce: "next"}}
			}
			r := report(true)
			_, _, err := c.Attest(t.Context(), Attestation{Report: r, LastDigest: r.Digest()})
			switch tt.fails {
			case "":
				if err != nil {
					t.Error(err)
				}
			case "unreachable":
				unreachable(t, err)
			default:
				rejected(t, err, tt.fails)
			}
			got := b.attested()
			var whole []bool
			for _, g := range got {
				whole = append(whole, g.Report != nil)
			}
			if !slices.Equal(nonces(got), tt.nonces) || !slices.Equal(whole, tt.whole) {
				t.Errorf("sent %v %v, want %v %v", nonces(got), whole, tt.nonces, tt.whole)
			}
		})
	}
}

// A broker that does not hold our report and whose nonce we lost must be
// satisfied by the next attempt, not refuse us for ever.
func TestLostNonceAndLostReport(t *testing.T) {
	b := newBroker(t)
	c := b.signedIn(newDevice(t))
	c.setNonce("")
	held := false
	b.onAttest = func(got attest.Claims, _ int) reply {
		switch {
		case got.Nonce != "good":
			return reply{status: 400, code: api.CodeUseNonce, nonce: "good"}
		case got.Report == nil && !held:
			return reply{status: 409, code: api.CodeNeedReport}
		}
		held = true
		return reply{status: 200, body: api.Answer{NextNonce: "good"}}
	}
	r := report(true)
	if _, _, err := c.Attest(t.Context(), Attestation{Report: r, LastDigest: r.Digest()}); err != nil || !held {
		t.Errorf("%v", err)
	}
	if n := len(b.attested()); n != 3 {
		t.Errorf("%d attempts", n)
	}
}

// A cancelled attempt gives its nonce back: the next one need not ask.
func TestCancelledAttemptKeepsTheNonce(t *testing.T) {
	b := newBroker(t)
	c := b.signedIn(newDevice(t))
	ctx, cancel := context.WithCancel(t.Context())
	answer := make(chan struct{})
	b.onAttest = func(attest.Claims, int) reply {
		cancel()
		<-answer
		return reply{status: 500, code: api.CodeInternal}
	}
	_, _, err := c.Attest(ctx, Attestation{Report: report(true)})
	close(answer)
	unreachable(t, err)
	b.onAttest = func(attest.Claims, int) reply { return reply{status: 200, body: api.Answer{}} }
	if _, _, err := c.Attest(t.Context(), Attestation{Report: report(true)}); err != nil {
		t.Fatal(err)
	}
	if n := nonces(b.attested()); !slices.Equal(n, []string{"first", "first"}) {
		t.Errorf("nonces %v", n)
	}
}

// A broker that lost its memory is met anew.
func TestUnknownDeviceEnrolsAgain(t *testing.T) {
	b := newBroker(t)
	d := newDevice(t)
	c := b.signedIn(d)
	ueid := c.Record().UEID
	b.onAttest = func(attest.Claims, int) reply { return reply{status: 403, code: api.CodeUnknownDevice} }
	_, _, err := c.Attest(t.Context(), Attestation{Report: report(true)})
	rejected(t, err, api.CodeUnknownDevice)
	if r := b.client(d).Record(); r.DeviceID != "" || r.UEID != ueid {
		t.Errorf("kept record %+v", r)
	}
	if err := c.Enrol(t.Context()); err != nil || c.Record().DeviceID != "dev_1" || len(b.enrols) != 2 {
		t.Errorf("%v, %+v, %d enrolments", err, c.Record(), len(b.enrols))
	}
}

func TestEventsSkipTheUnreadableAndForgetARefusedToken(t *testing.T) {
	b := newBroker(t)
	c := b.signedIn(newDevice(t))
	b.onEvents = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", api.TypeEvents)
		w.Write([]byte(": ping\n\nevent: attest_now\ndata: not json\n\nevent: lease_revoked\ndata: {\"lease\":\"l1\"}\n\n"))
	}
	var got []string
	err := c.Events(t.Context(), func(name string, e api.Event) { got = append(got, name+" "+e.Lease) })
	unreachable(t, err) // the stream ended
	if !slices.Equal(got, []string{EventOpened + " ", "lease_revoked l1"}) {
		t.Errorf("events %q", got)
	}
	b.onEvents = func(w http.ResponseWriter, r *http.Request) {
		b.send(w, reply{status: 401, code: api.CodeUnauthorized})
	}
	before := len(b.granted())
	for range 2 {
		rejected(t, c.Events(t.Context(), nil), api.CodeUnauthorized)
	}
	if n := len(b.granted()) - before; n != 1 { // by the second call
		t.Errorf("%d refreshes", n)
	}
}
