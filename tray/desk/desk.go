// Package desk is the employee's side of the agent: it follows it, shows the menu, tells what changed and does what is chosen.
//
// It runs in the person's own process and decides nothing: what is shown comes
// from client/view and tray/view, what may be done from the agent.
package desk

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/login"
	"github.com/postern-zt/postern/client/view"
	menu "github.com/postern-zt/postern/tray/view"
)

// Agent is what the desk asks of the agent (localapi.Client).
type Agent interface {
	login.Agent
	WaitStatus(ctx context.Context, after int64, wait time.Duration) (localapi.Status, error)
	Posture(ctx context.Context) (localapi.Reading, error)
	Timeline(ctx context.Context) (localapi.Timeline, error)
	Sent(ctx context.Context) (localapi.Sent, error)
	Check(ctx context.Context) (localapi.Checked, error)
	Pause(ctx context.Context, p localapi.PauseRequest) (localapi.Status, error)
	Resume(ctx context.Context) (localapi.Status, error)
	SignOut(ctx context.Context) (localapi.Status, error)
}

// Options of a Desk. Functions that are nil are things this system cannot do.
type Options struct {
	Agent Agent
	// Base is the input of every view: Version, System, Language, Zone and
	// HasPage. What the agent says and the time are filled in.
	Base view.Input
	// Draw shows a menu; it must not block.
	Draw func(menu.Menu)
	// Tell shows a notice, Withdraw takes one away that is over.
	Tell     func(ctx context.Context, n view.Notice) error
	Withdraw func(ctx context.Context, id string) error
	// Open shows a web address in the person's browser.
	Open func(ctx context.Context, url string) error
	// Fix opens a page of the system's settings by its id.
	Fix func(ctx context.Context, page string) error
	// Copy puts a text on the clipboard.
	Copy func(text string) error
	// Details opens the status page at a section.
	Details func(ctx context.Context, section string) error
	// Quit ends the program.
	Quit func()
	Log  *slog.Logger // nil for none
}

// Desk follows one agent. Run is its one writer; everything else posts to it.
type Desk struct {
	opts  Options
	posts chan func(*desktop)
	again chan struct{} // asks the follower to look now; holds one
	work  sync.WaitGroup
}

// desktop is the state, which only Run's goroutine touches.
type desktop struct {
	in      view.Input
	told    view.Told
	proof   *view.Proof
	sent    *localapi.Sent
	checks  int                // readings that the person asked for and that have not ended
	signing context.CancelFunc // of the sign-in under way
	drawn   menu.Menu
	person  string          // whose session was shown last
	notices map[string]bool // ids of what they were told
	noted   chan struct{}   // closed when all of that is done
	timer   *time.Timer     // when the view has to be made anew by time alone
}

// New makes a desk; First and Run use it.
func New(o Options) *Desk {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Desk{opts: o, posts: make(chan func(*desktop), 16), again: make(chan struct{}, 1)}
}

// firstLook bounds how long the first menu may be waited for.
const firstLook = 2 * time.Second

// First asks the agent once, so that the first menu is a true one. It is for
// before Run, and before anything is on the screen.
func (d *Desk) First(ctx context.Context) menu.Menu {
	ctx, cancel := context.WithTimeout(ctx, firstLook)
	defer cancel()
	s := &desktop{in: d.opts.Base}
	st, err := d.opts.Agent.WaitStatus(ctx, 0, 0)
	d.seen(ctx, st, err)(s)
	v := d.look(s)
	return menu.New(v, d.menuOptions(s))
}

// Run works until ctx ends.
func (d *Desk) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	s := &desktop{in: d.opts.Base, timer: time.NewTimer(time.Hour)}
	s.in.Trouble = view.Connecting
	defer func() {
		cancel()
		s.timer.Stop()
		d.work.Wait()
	}()
	d.work.Go(func() { d.follow(ctx) })
	for {
		select {
		case <-ctx.Done():
			return
		case change := <-d.posts:
			change(s)
		case <-s.timer.C:
		}
		d.show(ctx, s)
	}
}

// post hands a change to Run's goroutine; it is dropped when ctx ends.
func (d *Desk) post(ctx context.Context, change func(*desktop)) {
	select {
	case d.posts <- change:
	case <-ctx.Done():
	}
}

func (d *Desk) look(s *desktop) view.View {
	s.in.Now = time.Now()
	s.in.SigningIn = s.signing != nil
	return view.New(s.in)
}

func (d *Desk) menuOptions(s *desktop) menu.Options {
	o := menu.Options{Clipboard: d.opts.Copy != nil, Checking: s.checks > 0, Proof: s.proof}
	if s.sent != nil {
		posted := view.Sent(*s.sent, s.in)
		o.Sent = &posted
	}
	return o
}

// show draws the menu if it is another, tells what changed, and sets the timer
// for what time alone will change.
func (d *Desk) show(ctx context.Context, s *desktop) {
	d.passOn(ctx, s)
	v := d.look(s)
	if m := menu.New(v, d.menuOptions(s)); !m.Equal(s.drawn) {
		s.drawn = m
		d.opts.Draw(m)
	}
	told, notices, wake := view.Next(s.told, s.in, v)
	s.told = told
	for _, n := range notices {
		d.tell(ctx, s, n)
	}
	if wake.IsZero() || !v.Until.IsZero() && v.Until.Before(wake) {
		wake = v.Until
	}
	// Later than an hour is not waited for at once: the wall clock may be set.
	next := time.Hour
	if !wake.IsZero() {
		next = min(max(time.Until(wake), 10*time.Millisecond), next)
	}
	s.timer.Reset(next)
}

// passOn takes away what was told to one person once the session is nobody's, or
// another's: it names their applications, and stays on the screen.
func (d *Desk) passOn(ctx context.Context, s *desktop) {
	now := s.person
	switch s.in.Trouble {
	case view.NoTrouble:
		if now = ""; s.in.Status.User != nil {
			now = s.in.Status.User.Subject
		}
	case view.NotOwner:
		now = ""
	}
	before := s.person
	if s.person = now; before == "" || before == now {
		return
	}
	d.withdraw(ctx, s, s.notices)
	s.notices, s.proof = nil, nil
	if now != "" { // nothing of what was told counts for who is there now
		s.told = view.Did(view.Told{}, view.ActSignIn, time.Now())
	}
}

func (d *Desk) withdraw(ctx context.Context, s *desktop, ids map[string]bool) {
	if d.opts.Withdraw == nil || len(ids) == 0 {
		return
	}
	d.inTurn(s, func() {
		for id := range ids {
			if err := d.opts.Withdraw(ctx, id); err != nil {
				d.opts.Log.Debug("take a notice away", "error", err)
			}
		}
	})
}

func (d *Desk) tell(ctx context.Context, s *desktop, n view.Notice) {
	if d.opts.Tell == nil {
		return
	}
	if s.notices == nil {
		s.notices = map[string]bool{}
	}
	s.notices[n.ID] = true
	d.inTurn(s, func() {
		if err := d.opts.Tell(ctx, n); err != nil {
			d.opts.Log.Debug("show a notice", "error", err)
		}
	})
}

// inTurn does something about notices beside the loop, after what was to be
// done before it: else one that is taken away could come after.
func (d *Desk) inTurn(s *desktop, do func()) {
	before, done := s.noted, make(chan struct{})
	s.noted = done
	d.work.Go(func() {
		defer close(done)
		if before != nil {
			<-before
		}
		do()
	})
}
