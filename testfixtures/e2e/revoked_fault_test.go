package e2e

import (
	"slices"
	"testing"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/store"
	"github.com/postern-zt/postern/testfixtures/rig"
)

// TestRevokedGateway: nobody is led to a gateway that was revoked, not even
// who had a tunnel there and even if there is no other.
func TestRevokedGateway(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	has, comes := w.SignedIn(rig.DeviceOptions{}), w.SignedIn(rig.DeviceOptions{})
	has.Lease("wiki")
	gw, err := w.Store.DeviceByJKT(t.Context(), w.Gateway.JKT)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Store.SetDeviceState(t.Context(), gw.ID, store.StateRevoked); err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]*rig.Device{"has": has, "comes": comes} {
		a, err := d.Attest(d.Healthy(), "wiki")
		if err != nil || len(a.Leases) != 0 || !slices.Equal(rig.Refused(a, "wiki"), []string{api.ReasonNoGateway}) {
			t.Errorf("%s: %d leases, denied %v, %v", name, len(a.Leases), a.Denied, err)
		}
	}
}
