package brokerclient

import (
	"encoding/json"
	"testing"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/posture/attest"
)

// A pause travels in each attestation, a renewal too, and whoever wants to know
// what leaves the machine is told exactly that, each time.
func TestPauseAndWhatIsSent(t *testing.T) {
	b := newBroker(t)
	c := b.signedIn(newDevice(t))
	var sent []attest.Claims
	a := Attestation{Report: report(true), Pause: "lunch", OnSend: func(payload []byte) {
		var one attest.Claims
		if err := json.Unmarshal(payload, &one); err != nil {
			t.Error(err)
		}
		sent = append(sent, one)
	}}
	b.onAttest = func(_ attest.Claims, n int) reply {
		if n == 1 {
			return reply{status: 400, code: api.CodeUseNonce, nonce: "fresh"}
		}
		return reply{status: 200, body: api.Answer{NextNonce: "next"}}
	}
	if _, _, err := c.Attest(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	a.LastDigest = a.Report.Digest()
	if _, _, err := c.Attest(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	got := b.attested()
	if len(got) != 3 || len(sent) != 3 {
		t.Fatalf("%d were sent, %d were told", len(got), len(sent))
	}
	for i := range got {
		if got[i].Pause != "lunch" || sent[i].Pause != "lunch" || sent[i].Seq != got[i].Seq || sent[i].Nonce != got[i].Nonce {
			t.Errorf("sent %+v, told %+v", got[i], sent[i])
		}
	}
	if got[2].Renewal == nil {
		t.Error("the last one is no renewal")
	}
}
