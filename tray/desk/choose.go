package desk

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/login"
	"github.com/postern-zt/postern/client/view"
	menu "github.com/postern-zt/postern/tray/view"
)

// Choose does what an entry of the menu asks for. It returns at once; what
// comes of it is shown.
func (d *Desk) Choose(ctx context.Context, a menu.Action) {
	d.post(ctx, func(s *desktop) { d.chosen(ctx, s, a) })
}

// chosen starts the work of an action beside the loop.
func (d *Desk) chosen(ctx context.Context, s *desktop, a menu.Action) {
	switch a.Kind {
	case menu.DoSignIn:
		d.signIn(ctx, s, false)
	case menu.DoSwitch:
		d.signIn(ctx, s, true)
	case menu.DoCancel:
		if s.signing != nil {
			s.signing()
		}
	case menu.DoSignOut:
		d.own(ctx, s, view.ActSignOut, func() error { _, err := d.opts.Agent.SignOut(ctx); return err })
	case menu.DoPause:
		d.pauseFor(ctx, s, a.Argument)
	case menu.DoResume:
		d.own(ctx, s, view.ActResume, func() error { _, err := d.opts.Agent.Resume(ctx); return err })
	case menu.DoCheck:
		d.check(ctx, s)
	case menu.DoOpenApp:
		d.openApp(ctx, s, a.Argument)
	case menu.DoCopyApp:
		d.copyApp(ctx, s, a.Argument)
	case menu.DoFix:
		d.act(ctx, func() error { return optional(d.opts.Fix)(ctx, a.Argument) })
	case menu.DoDetails:
		d.act(ctx, func() error { return optional(d.opts.Details)(ctx, a.Argument) })
	case menu.DoRetry:
		select {
		case d.again <- struct{}{}:
		default:
		}
	case menu.DoQuitTray:
		d.opts.Quit()
	}
}

// errCannot is why nothing came of a choice that this system cannot do.
var errCannot = errors.New("this system has no way to do this")

func optional(f func(context.Context, string) error) func(context.Context, string) error {
	if f == nil {
		return func(context.Context, string) error { return errCannot }
	}
	return f
}

// act does something beside the loop and tells if it did not work.
func (d *Desk) act(ctx context.Context, do func() error) {
	d.work.Go(func() {
		if err := do(); err != nil && ctx.Err() == nil {
			d.failed(ctx, err)
		}
	})
}

// own is act for what the person will not want to be told of as news.
func (d *Desk) own(ctx context.Context, s *desktop, did string, do func() error) {
	s.told = view.Did(s.told, did, time.Now())
	d.act(ctx, do)
}

// failed tells in words why something that the person chose did not work.
func (d *Desk) failed(ctx context.Context, err error) {
	d.opts.Log.Info("what was chosen did not work", "error", err)
	d.post(ctx, func(s *desktop) { d.tell(ctx, s, view.Failed(err, s.in)) })
}

// signIn begins a sign-in. If somebody else is to come, the provider asks who,
// and who is signed in stays so until that has worked. A second choice while one
// is under way opens nothing new.
func (d *Desk) signIn(ctx context.Context, s *desktop, switching bool) {
	if s.signing != nil {
		return
	}
	s.told = view.Did(s.told, view.ActSignIn, time.Now())
	inner, cancel := context.WithCancel(ctx)
	s.signing = cancel
	d.work.Go(func() {
		defer cancel()
		err := d.runSignIn(inner, switching)
		d.post(ctx, func(s *desktop) {
			s.signing = nil
			s.told = view.Did(s.told, view.ActSignIn, time.Now())
		})
		if err != nil && inner.Err() == nil {
			d.failed(ctx, err)
		}
	})
}

func (d *Desk) runSignIn(ctx context.Context, switching bool) error {
	_, err := login.Flow{Agent: d.opts.Agent, Show: d.signInPage, Switch: switching}.Run(ctx)
	return err
}

func (d *Desk) signInPage(ctx context.Context, at login.Page) error {
	return optional(d.opts.Open)(ctx, at.Here)
}

// pauseFor pauses as one of the menu's choices says.
func (d *Desk) pauseFor(ctx context.Context, s *desktop, choice string) {
	p, ok := menu.PauseOf(choice, time.Now())
	if !ok {
		return
	}
	d.own(ctx, s, view.ActPause, func() error { _, err := d.opts.Agent.Pause(ctx, p); return err })
}

// check has everything read again and keeps the proof of it.
func (d *Desk) check(ctx context.Context, s *desktop) {
	s.checks++
	d.work.Go(func() {
		out, err := d.opts.Agent.Check(ctx)
		d.post(ctx, func(s *desktop) {
			s.checks--
			if err == nil {
				s.in.Now = time.Now()
				proof := view.Reread(out, s.in)
				s.proof = &proof
			}
		})
		if err != nil && ctx.Err() == nil {
			d.failed(ctx, err)
		}
	})
}

// app finds an application that the menu named.
func (s *desktop) app(id string) (localapi.App, bool) {
	for _, a := range s.in.Status.Apps {
		if a.ID == id {
			return a, true
		}
	}
	return localapi.App{}, false
}

func (d *Desk) openApp(ctx context.Context, s *desktop, id string) {
	a, ok := s.app(id)
	if !ok || a.URL == "" {
		return // it closed in the meantime, which the menu shows by now
	}
	d.act(ctx, func() error {
		if !here(a.URL) {
			return errElsewhere
		}
		return optional(d.opts.Open)(ctx, a.URL)
	})
}

// errElsewhere is why an application's address was not opened.
var errElsewhere = errors.New("the address is not one of this computer")

// here reports whether an address is that of an application: the agent's end of
// a tunnel is on this computer, on literal loopback, whatever a policy says.
func here(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.IsLoopback()
}

func (d *Desk) copyApp(ctx context.Context, s *desktop, id string) {
	a, ok := s.app(id)
	if !ok || a.LocalAddress == "" {
		return
	}
	d.act(ctx, func() error {
		if d.opts.Copy == nil {
			return errCannot
		}
		if !oneWord(a.LocalAddress) {
			return errNoAddress
		}
		return d.opts.Copy(a.LocalAddress)
	})
}

// errNoAddress is why an application's address was not copied.
var errNoAddress = errors.New("the application's address is none")

// maxAddress bounds what is copied, in bytes: a name of DNS and a port.
const maxAddress = 256

// oneWord reports whether a text can be pasted anywhere without doing more than
// stand there.
func oneWord(s string) bool {
	return len(s) <= maxAddress && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// NoticeChosen does what a choice of a notice asks for; "" is the notice itself.
func (d *Desk) NoticeChosen(ctx context.Context, choice string) {
	page, isFix := view.FixOf(choice)
	switch {
	case isFix:
		d.Choose(ctx, menu.Action{Kind: menu.DoFix, Argument: page})
	case choice == view.ChoiceSignIn:
		d.Choose(ctx, menu.Action{Kind: menu.DoSignIn})
	default:
		d.Choose(ctx, menu.Action{Kind: menu.DoDetails})
	}
}
