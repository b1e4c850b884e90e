package statuspage

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
)

// wish is what the person chose on the page.
type wish struct {
	Do     string `json:"do"`
	Page   string `json:"page,omitempty"`   // of do "fix"
	Reason string `json:"reason,omitempty"` // of do "pause"
	Length string `json:"length,omitempty"` // of do "pause": an ID of view.PauseLengths
}

// outcome is what came of a wish.
type outcome struct {
	Said   string      `json:",omitempty"` // one sentence, "" when the page shows enough
	Failed string      `json:",omitempty"` // why it did not work
	Proof  *view.Proof `json:",omitempty"` // of do "check"
}

var errUnknownWish = errors.New("no such wish")

// do carries a wish out.
func (p *Page) do(w http.ResponseWriter, r *http.Request) {
	var in wish
	if err := decode(r, &in); err != nil {
		answer(w, http.StatusBadRequest, refusal{"request"})
		return
	}
	out, err := p.carryOut(r.Context(), in)
	switch {
	case errors.Is(err, errUnknownWish):
		answer(w, http.StatusBadRequest, refusal{"request"})
	case err != nil:
		base := p.opts.Base
		base.Now = time.Now()
		said := view.Failed(err, base)
		answer(w, http.StatusOK, outcome{Failed: said.Title + ". " + said.Body})
	default:
		answer(w, http.StatusOK, out)
	}
}

func (p *Page) carryOut(ctx context.Context, in wish) (outcome, error) {
	a, words := p.opts.Agent, wordsFor(p.opts.Base.Language)
	var err error
	switch in.Do {
	case "check":
		return p.check(ctx)
	case "pause":
		lasts, ok := view.PauseFor(in.Length, p.now())
		if !ok {
			return outcome{}, errUnknownWish
		}
		_, err = a.Pause(ctx, localapi.PauseRequest{Reason: in.Reason, ForMS: lasts.Milliseconds()})
	case "resume":
		_, err = a.Resume(ctx)
	case "sign_out":
		_, err = a.SignOut(ctx)
	case "sign_in", "switch":
		if p.opts.SignIn == nil {
			return outcome{}, errUnknownWish
		}
		return outcome{Said: words.SignInOpened}, p.opts.SignIn(ctx, in.Do == "switch")
	case "fix":
		// What a script says names an entry of the table, and nothing else.
		if has := p.opts.Base.HasPage; p.opts.Fix == nil || has == nil || in.Page == "" || !has(in.Page) {
			return outcome{}, errUnknownWish
		}
		return outcome{Said: words.FixOpened}, p.opts.Fix(ctx, in.Page)
	default:
		return outcome{}, errUnknownWish
	}
	return outcome{}, err
}

// now is the wall clock in the person's zone.
func (p *Page) now() time.Time {
	if zone := p.opts.Base.Zone; zone != nil {
		return time.Now().In(zone)
	}
	return time.Now()
}

// check has the machine read again, and gives the proof.
func (p *Page) check(ctx context.Context) (outcome, error) {
	out, err := p.opts.Agent.Check(ctx)
	if err != nil {
		return outcome{}, err
	}
	base := p.opts.Base
	base.Now = time.Now()
	proof := view.Reread(out, base)
	return outcome{Said: proof.Says, Proof: &proof}, nil
}
