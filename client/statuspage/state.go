package statuspage

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/posture/catalogue"
)

const (
	// longest is how long a question for the state waits for a change.
	longest = 25 * time.Second
	// away is how soon the agent is asked again while it is not there.
	away = 300 * time.Millisecond
	// soon bounds what is asked beside the status: a person sees at once that
	// something is closed. What takes longer comes with the next answer, for
	// which it has late.
	soon = 300 * time.Millisecond
	late = 5 * time.Second
)

// state is everything the page draws from, in the person's language.
type state struct {
	// Revision is what the page asks with next: the agent's, or one of the
	// numbers below.
	Revision int64
	Partial  bool // there are no Signals, Timeline and Sent yet
	View     view.View
	Signals  []signal
	Timeline []view.Event
	Sent     *view.Posted
	Needs    map[string][]view.Need // what applications need, by their ids, where that is known
	Words    words
	Can      can
}

// Revisions of what is not a whole status. Agents count up from above zero.
const (
	none    = 0
	partial = -1
	unknown = -2 // a trouble that is not among those below
)

// revisionOf tells troubles apart, so that the page hears of another one.
func revisionOf(t view.Trouble) int64 {
	switch t {
	case view.NotRunning:
		return -3
	case view.NoAccess:
		return -4
	case view.NotOwner:
		return -5
	case view.Refused:
		return -6
	case view.NotAnswering:
		return -7
	}
	return unknown
}

// signal is one part of the reading of this machine.
type signal struct {
	Name, Title string
	Read        string // when, in words; "" when it is not known
	At          time.Time
	Source      string // where it was read: files, registry keys, commands
	Remarks     []view.Remark
}

// can says what this page can do here.
type can struct{ SignIn, Fix bool }

// state answers when something is other than what the page has, or after a
// while with the same again.
func (p *Page) state(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	if err != nil {
		after = none
	}
	s := p.look(r.Context(), after)
	if r.Context().Err() != nil { // the server ends, or who asked has gone
		answer(w, http.StatusGone, refusal{"ended"})
		return
	}
	answer(w, http.StatusOK, s)
}

// look asks the agent for a state other than the one that the page has.
func (p *Page) look(ctx context.Context, after int64) state {
	in := p.opts.Base
	st, err := p.wait(ctx, after)
	if err != nil {
		in.Now = time.Now()
		in.Trouble, in.Code, in.Message = view.TroubleOf(err)
		return p.drawn(revisionOf(in.Trouble), in, nil)
	}
	in.Status, in.Trouble = st, view.Whose(st)
	within := soon
	if after == partial {
		within = late
	}
	beside := p.beside(ctx, within)
	in.Now, in.Reading, in.Timeline = time.Now(), beside.reading, beside.timeline
	if beside.cut && within == soon {
		s := p.drawn(partial, in, beside.sent)
		s.Partial = true
		return s
	}
	return p.drawn(st.Revision, in, beside.sent)
}

// wait waits for another status or another trouble than the page has, but no
// longer than the longest.
func (p *Page) wait(ctx context.Context, after int64) (localapi.Status, error) {
	hold, end := longest, time.Now().Add(longest)
	if after <= none {
		hold = 0
	}
	for {
		st, err := p.opts.Agent.WaitStatus(ctx, max(after, none), hold)
		if err == nil {
			return st, nil
		}
		trouble, _, _ := view.TroubleOf(err)
		if revisionOf(trouble) != after || ctx.Err() != nil || !time.Now().Before(end) {
			return st, err
		}
		pause(ctx, away)
	}
}

// beside is what belongs to a status. What an older agent does not know, or may
// not tell, is left out.
type beside struct {
	reading  *localapi.Reading
	timeline *localapi.Timeline
	sent     *localapi.Sent
	cut      bool // it took too long
}

// beside asks for all of it side by side.
func (p *Page) beside(ctx context.Context, within time.Duration) beside {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var out beside
	var work sync.WaitGroup
	work.Go(func() { out.reading = gotten(p.opts.Agent.Posture(ctx)) })
	work.Go(func() { out.timeline = gotten(p.opts.Agent.Timeline(ctx)) })
	work.Go(func() { out.sent = gotten(p.opts.Agent.Sent(ctx)) })
	work.Wait()
	out.cut = ctx.Err() != nil
	return out
}

func gotten[T any](what T, err error) *T {
	if err != nil {
		return nil
	}
	return &what
}

// drawn puts everything into words.
func (p *Page) drawn(revision int64, in view.Input, sent *localapi.Sent) state {
	s := state{Revision: revision, View: view.New(in), Words: wordsFor(in.Language), Can: can{p.opts.SignIn != nil, p.opts.Fix != nil}}
	for i := range s.View.Apps {
		s.View.Apps[i].URL = follow(s.View.Apps[i].URL)
	}
	s.Needs = map[string][]view.Need{}
	for _, a := range view.Needs(in) {
		if a.Told && len(a.Needs) > 0 {
			s.Needs[a.App] = a.Needs
		}
	}
	if in.Reading != nil {
		s.Signals = signals(in)
	}
	if in.Timeline != nil {
		s.Timeline = view.Timeline(*in.Timeline, in)
	}
	if sent != nil {
		posted := view.Sent(*sent, in)
		s.Sent = &posted
	}
	return s
}

// follow is an address that the page may link to, or "": https, or http to a
// literal address of loopback, where nobody on the way reads along.
func follow(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Hostname() == "" {
		return ""
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if u.Scheme == "https" || u.Scheme == "http" && err == nil && ip.IsLoopback() {
		return u.String()
	}
	return ""
}

// Most of what is shown of a reading, in signals and characters.
const (
	maxSignals = 64
	maxSource  = 300
)

func signals(in view.Input) []signal {
	texts, judged := catalogue.For(in.Language), view.Judged(in)
	zone := in.Now.Location()
	if in.Zone != nil {
		zone = in.Zone
	}
	list := in.Reading.Report.Signals
	var out []signal
	for _, s := range list[:min(len(list), maxSignals)] {
		line := signal{Name: plain(s.Name), Title: plain(texts.Title(s.Name)), Source: plain(s.Source), Remarks: remarks(judged(s), in)}
		if at := s.ObservedAt.In(zone); !s.ObservedAt.IsZero() {
			line.At, line.Read = at, at.Format(time.TimeOnly)
			if at.Format(time.DateOnly) != in.Now.In(zone).Format(time.DateOnly) {
				line.Read = at.Format(time.DateTime)
			}
		}
		out = append(out, line)
	}
	return out
}

// remarks are those of the view, with the settings pages that there are here.
func remarks(out []view.Remark, in view.Input) []view.Remark {
	for i := range out {
		if in.HasPage == nil || !in.HasPage(out[i].Page) {
			out[i].Page = ""
		}
	}
	return out
}
