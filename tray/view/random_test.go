package view

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
)

// anyText is a text of up to so many words, in several scripts.
func anyText(r *rand.Rand, most int) string {
	some := []string{"disk", "Turn", "the", "firewall", "漢字漢字", "e\u0301te\u0301", "Festplattenverschlüsselung",
		strings.Repeat("long", 30), "https://broker.example.com/a/b", "–", "&", "_x", "org/disk"}
	var words []string
	for range 1 + r.IntN(most) {
		words = append(words, some[r.IntN(len(some))])
	}
	return strings.Join(words, " ")
}

func anyFix(r *rand.Rand) view.Fix {
	return view.Fix{Text: []string{"", anyText(r, 60)}[r.IntN(2)], Page: []string{"", "disk-encryption"}[r.IntN(2)]}
}

// anyApps are up to 500 applications, some with the ids of other entries.
func anyApps(r *rand.Rand) []view.App {
	n := []int{0, 1, 2, 7, 8, 9, 20, 21, 28, 29, 60, 400, 410, 500, r.IntN(501)}[r.IntN(15)]
	share := r.IntN(11) // of ten: how many are closed
	states := []string{localapi.AppOpen, localapi.AppReady, localapi.AppConnecting, "new"}
	shut := []string{localapi.AppClosed, localapi.AppDenied}
	var out []view.App
	for i := range n {
		a := view.App{ID: fmt.Sprint("app", i), Name: anyText(r, 6), State: states[r.IntN(len(states))], Says: "so"}
		if i < 4 {
			a.ID = []string{"a", "a.open", "a.why.0", "a#2"}[i]
		}
		if r.IntN(10) < share {
			a.State, a.NotMine = shut[r.IntN(2)], r.IntN(10) == 0
		}
		if a.Good = a.State == localapi.AppOpen || a.State == localapi.AppReady; a.Good {
			a.URL, a.Address = []string{"", "http://127.0.0.1:1/"}[r.IntN(2)], []string{"", "127.0.0.1:1"}[r.IntN(2)]
		}
		for range r.IntN(5) {
			a.Why = append(a.Why, view.Reason{Code: fmt.Sprint("org/", r.IntN(9)), Text: anyText(r, 20), Fix: anyFix(r)})
		}
		out = append(out, a)
	}
	return out
}

// anyView is a view with as much in it as there can be.
func anyView(seed uint64) (view.View, Options) {
	r := rand.New(rand.NewPCG(seed, 7))
	yes := func() bool { return r.IntN(2) == 0 }
	v := view.View{Language: []string{"en", "de"}[r.IntN(2)], Mood: view.MoodClosed, Headline: anyText(r, 40),
		SignIn: "Sign in again", Person: []string{"", "Kim"}[r.IntN(2)], Code: []string{"", "org/1", "device_revoked"}[r.IntN(3)], Apps: anyApps(r),
		Actions: view.Actions{SignIn: yes(), Cancel: yes(), SignOut: yes(), Switch: yes(), Check: yes(), Pause: yes(), Resume: yes(), Sent: yes(), Timeline: yes(), Retry: yes()}}
	if yes() {
		v.Detail, v.Hint, v.Ends, v.EndsNote = anyText(r, 30), anyText(r, 50), anyText(r, 9), anyText(r, 9)
	}
	if r.IntN(4) == 0 {
		v.Pause = &view.Pause{}
	}
	v.Wrong = "What is wrong"
	for i := range []int{0, 1, 2, 10, 11, 64}[r.IntN(6)] {
		v.Faults = append(v.Faults, view.Fault{Code: fmt.Sprint("org/", i), Title: anyText(r, 30), Required: yes(),
			Why: []string{anyText(r, 40), anyText(r, 40), "z"}, Apps: []string{anyText(r, 20)}, Fix: anyFix(r)})
	}
	for i := range r.IntN(5) {
		v.Coming = append(v.Coming, view.Coming{Code: fmt.Sprint(i), Title: anyText(r, 20), When: "soon"})
	}
	for _, id := range []string{view.RowOlder, view.RowClock, view.RowRead} {
		v.Notes = append(v.Notes, view.Row{ID: id, Name: id, Value: anyText(r, 30)})
	}
	for i := range r.IntN(12) {
		v.About = append(v.About, view.Row{ID: fmt.Sprint("row", i), Name: "Row", Value: anyText(r, 30)})
	}
	o := Options{Clipboard: yes(), Checking: yes()}
	if yes() {
		o.Proof, o.Sent = &view.Proof{Says: anyText(r, 20), Told: anyText(r, 20)}, &view.Posted{Says: anyText(r, 40)}
	}
	return v, o
}

// TestAnyView holds what is true of every menu against views of all sizes.
func TestAnyView(t *testing.T) {
	for seed := range uint64(600) {
		v, o := anyView(seed)
		m := New(v, o)
		for _, f := range slices.Concat(faultsOf(m), lost(v, m), hidden(v, o, m)) {
			t.Errorf("seed %d, %d applications: %s", seed, len(v.Apps), f)
		}
		if !m.Equal(New(v, o)) {
			t.Errorf("seed %d: the same view gives two menus", seed)
		}
		if t.Failed() {
			return
		}
	}
}

// lost are the applications that the menu has not, or twice, or that cannot be
// opened in it though they could be.
func lost(v view.View, m Menu) []string {
	there, opens := map[string]int{}, map[string]int{}
	walk(m.Items, func(i Item) {
		there[i.ID]++
		if i.Do.Kind == DoOpenApp {
			opens[i.Do.Argument]++
		}
	})
	var out []string
	for _, a := range v.Apps {
		if want := map[bool]int{true: 1}[a.URL != ""]; opens[a.ID] != want {
			out = append(out, fmt.Sprintf("%s is opened by %d entries, want %d", a.ID, opens[a.ID], want))
		}
		if there["app:"+a.ID] == 0 {
			out = append(out, a.ID+" is not in the menu")
		}
	}
	return out
}

// hidden are the acts that are not where they are seen at once.
func hidden(v view.View, o Options, m Menu) []string {
	a := v.Actions
	want := map[string]bool{"details": true, "quit": true, "headline": true, "check": a.Check, "sign_in": a.SignIn,
		"person": a.SignOut, "pause": a.Pause, "resume": a.Resume, "cancel": a.Cancel, "retry": a.Retry}
	var out []string
	for id, wanted := range want {
		if slices.ContainsFunc(m.Items, func(i Item) bool { return i.ID == id }) != wanted {
			out = append(out, fmt.Sprintf("at the top %s is to be there: %t", id, wanted))
		}
	}
	return out
}

// TestClosedFirst has what is closed before what is open, both in the agent's
// order, at the top and all in all.
func TestClosedFirst(t *testing.T) {
	for seed := range uint64(300) {
		v, o := anyView(seed)
		place := map[string]int{}
		for i, a := range v.Apps {
			place["app:"+a.ID] = i
		}
		rows, last, open := 0, -1, false
		for _, i := range New(v, o).Items {
			if i.ID == "closed.more" || i.ID == "apps.more" {
				rows++
			}
			at, is := place[i.ID]
			if !is {
				continue
			}
			rows++
			if a := v.Apps[at]; !shut(a) && !open {
				open, last = true, -1
			} else if shut(a) && open {
				t.Errorf("seed %d: %s is closed and after what is open", seed, a.ID)
			} else if at < last && v.Apps[at].NotMine == v.Apps[last].NotMine {
				t.Errorf("seed %d: %s is not in the agent's order", seed, a.ID)
			}
			last = at
		}
		if rows > 8 {
			t.Errorf("seed %d: %d rows of applications", seed, rows)
		}
	}
}
