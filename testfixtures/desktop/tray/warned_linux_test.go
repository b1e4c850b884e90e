package tray

import (
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/testfixtures/desktop"
	"github.com/postern-zt/postern/tray/view"
)

// TestWarnedOnce has a tray that starts anew not repeat a warning of a rule that
// begins later, nor of the end of the sign-in.
func TestWarnedOnce(t *testing.T) {
	t.Parallel()
	soon := func(st *localapi.Status) {
		st.SessionEnds = time.Now().Add(8 * time.Minute).Truncate(time.Second)
		st.Forecast = []localapi.Forecast{{Code: "org/backup", Name: "backup", From: time.Now().Add(5 * time.Hour).Format(time.RFC3339)}}
	}
	first := changed(soon)
	p, w := newPerson(t, desktop.Options{}), newTwin(t, first)
	w.serve(p)
	tray := p.start(w.socket)
	p.find()
	p.notes.expect("backup")
	p.notes.expect("sign-in ends")
	both := p.notes.all()
	if len(both) != 2 {
		t.Fatalf("told %+v", both)
	}
	for range 2 {
		ok(t, tray.Stop())
		ok(t, p.WaitForNoIcon())
		tray = p.start(w.socket)
		p.find()
		p.wears(view.IconAttention, "2 apps open")
	}
	// What is told comes in turn: with this, nothing came before it.
	closed := denied()
	closed.SessionEnds, closed.Forecast = first.SessionEnds, first.Forecast
	w.says(closed)
	news := p.notes.expect("Payroll was closed")
	p.notes.only(both[0].Title, both[1].Title, news.Title)
}
