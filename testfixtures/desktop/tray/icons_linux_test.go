package tray

import (
	"image"
	"testing"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/testfixtures/desktop"
	"github.com/postern-zt/postern/tray/icons"
	"github.com/postern-zt/postern/tray/view"
)

// TestIcons has every icon be seen, each for a state that asks for it.
func TestIcons(t *testing.T) {
	t.Parallel()
	p, w := newPerson(t, desktop.Options{}), newTwin(t, well())
	w.serve(p)
	p.start(w.socket)
	p.find()
	var before *image.RGBA
	for _, step := range []struct {
		icon, tooltip string
		st            localapi.Status
	}{
		{view.IconHealthy, "2 apps open · device healthy", well()},
		{view.IconClosed, "Payroll is closed", denied()},
		{view.IconAttention, "2 apps open", changed(func(st *localapi.Status) {
			st.Posture.Checks[0].Outcome, st.Posture.Checks[0].Enforced = "fail", false
		})},
		{view.IconConnecting, "Signed in · waiting", changed(func(st *localapi.Status) { st.State, st.Apps = localapi.StateStarting, nil })},
		{view.IconSignedOut, "Not signed in", changed(func(st *localapi.Status) { st.State, st.User, st.Apps = localapi.StateSignedOut, nil, nil })},
		{view.IconOffline, "The broker cannot be reached", changed(func(st *localapi.Status) { st.State, st.Broker.Reachable = localapi.StateOffline, false })},
	} {
		w.says(step.st)
		p.shows(step.tooltip)
		now := next(t, &p.Tray, "icon-", step.icon, before)
		p.wears(step.icon, step.tooltip)
		before = now
	}
	for _, a := range icons.Names() {
		for _, b := range icons.Names() {
			if m := picture(t, "icon-", b); a != b && apart(t, "icon-", a, m) < near/2 {
				t.Errorf("%s and %s are only %.3f apart", a, b, apart(t, "icon-", a, m))
			}
		}
	}
}
