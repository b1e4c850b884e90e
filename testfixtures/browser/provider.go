package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// providerStart bounds the provider's start and its answers to commands.
const providerStart = time.Minute

// Somebody is a person that the provider knows.
type Somebody struct {
	Password string `json:"password"`
	// Fails is the error code with which the provider ends this person's
	// sign-ins (RFC 6749 section 4.1.2.1), "" for none.
	Fails string `json:"fails,omitempty"`
}

// Provider is a running OpenID provider.
type Provider struct {
	Issuer string

	child   *child
	answers chan providerLine
	mu      sync.Mutex
	codes   []string
}

type providerLine struct {
	Issuer string `json:"issuer"`
	Code   string `json:"code"`
	Done   *int   `json:"done"`
}

// StartProvider starts a provider with one public client and some people by
// their user names.
func (k *Kit) StartProvider(ctx context.Context, log io.Writer, client string, people map[string]Somebody) (*Provider, error) {
	settings, err := json.Marshal(map[string]any{"client": client, "people": people})
	if err != nil {
		return nil, err
	}
	p := &Provider{answers: make(chan providerLine, 1)}
	if p.child, err = k.start(ctx, log, p.take, "provider.mjs", string(settings)); err != nil {
		return nil, err
	}
	first, err := p.answer(ctx)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	p.Issuer = first.Issuer
	return p, nil
}

func (p *Provider) take(data []byte) {
	var l providerLine
	if json.Unmarshal(data, &l) != nil {
		return
	}
	if l.Code == "" {
		p.answers <- l
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.codes = append(p.codes, l.Code)
}

func (p *Provider) answer(ctx context.Context) (providerLine, error) {
	t := time.NewTimer(providerStart)
	defer t.Stop()
	select {
	case l := <-p.answers:
		return l, nil
	case <-p.child.proc.Done():
		return providerLine{}, fmt.Errorf("the provider ended: %w", p.child.proc.Wait())
	case <-t.C:
		return providerLine{}, errors.New("the provider does not answer")
	case <-ctx.Done():
		return providerLine{}, ctx.Err()
	}
}

// Expire ends the sign-in page of the authorization request with that state,
// as if it had been left for too long. One caller at a time.
func (p *Provider) Expire(ctx context.Context, state string) error {
	if err := p.child.send(map[string]string{"expire": state}); err != nil {
		return err
	}
	l, err := p.answer(ctx)
	if err != nil {
		return err
	}
	if l.Done == nil || *l.Done == 0 {
		return errors.New("no sign-in page waits for that state")
	}
	return nil
}

// Codes are all that the provider has issued.
func (p *Provider) Codes() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.codes)
}

// Close ends the provider.
func (p *Provider) Close() error { return p.child.Close() }
