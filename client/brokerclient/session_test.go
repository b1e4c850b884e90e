package brokerclient

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/platform/secret"
	"github.com/postern-zt/postern/posture/attest"
)

func TestAccessTokenIsRefreshedAtThreeQuartersOfItsLife(t *testing.T) {
	b := newBroker(t)
	c := b.signedIn(newDevice(t))
	send := func(want string) {
		t.Helper()
		if _, _, err := c.Attest(t.Context(), Attestation{Report: report(true)}); err != nil {
			t.Fatal(err)
		}
		if got := b.tokens[len(b.tokens)-1]; got != "DPoP "+want {
			t.Errorf("sent %s, want %s", got, want)
		}
	}
	send("access-1")
	b.clock.SetWall(day.Add(24 * time.Hour)) // a person's doing: no matter
	send("access-1")
	b.clock.Advance(225*time.Second - 1)
	send("access-1")
	b.clock.Sleep(1) // asleep counts
	send("access-2")
	forms := b.granted()
	if len(forms) != 2 || forms[1].Get(api.ParamRefresh) != "handle-1" {
		t.Errorf("grants %v", forms)
	}
	b.clock.Advance(time.Hour)
	send("access-3")
	if got := b.granted()[2].Get(api.ParamRefresh); got != "handle-2" {
		t.Errorf("refreshed with %s", got)
	}
}

func TestRefusedRefreshMeansSignedOut(t *testing.T) {
	b := newBroker(t)
	c := b.signedIn(newDevice(t))
	b.clock.Advance(time.Hour)
	b.onToken = func(context.Context, url.Values, int) reply {
		return reply{status: 400, code: api.OAuthInvalidGrant, oauth: true}
	}
	_, _, err := c.Attest(t.Context(), Attestation{Report: report(true)})
	rejected(t, err, api.CodeSignedOut)
	b.onToken = func(context.Context, url.Values, int) reply {
		return reply{status: 500, code: api.OAuthServerError, oauth: true}
	}
	_, _, err = c.Attest(t.Context(), Attestation{Report: report(true)})
	unreachable(t, err)
	if _, ok := c.Session(); !ok {
		t.Error("the session was dropped; that is the agent's to do")
	}
	nobody := b.client(newDevice(t))
	_, _, err = nobody.Attest(t.Context(), Attestation{Report: report(true)})
	rejected(t, err, api.CodeSignedOut)
	rejected(t, nobody.Events(t.Context(), nil), api.CodeSignedOut)
}

// At the moment the broker sees a handle, it is on disk: a crash right then
// leaves one that is still good.
func TestHandleIsOnDiskBeforeItIsUsed(t *testing.T) {
	b := newBroker(t)
	d := newDevice(t)
	c := b.signedIn(d)
	b.onToken = func(_ context.Context, form url.Values, n int) reply {
		crashed := b.client(d)
		if s, ok := crashed.Session(); !ok || s.Refresh != form.Get(api.ParamRefresh) {
			t.Errorf("used %s, kept %s", form.Get(api.ParamRefresh), s.Refresh)
		}
		return reply{status: 200, body: b.answerN(n, false)}
	}
	for range 4 {
		b.clock.Advance(time.Hour)
		if _, _, err := c.Attest(t.Context(), Attestation{Report: report(true)}); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.granted()) != 5 {
		t.Errorf("%d grants", len(b.granted()))
	}
}

// broken refuses to keep anything while it is full.
type broken struct {
	secret.Store
	mu   sync.Mutex
	full bool
}

func (s *broken) Set(name string, v []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return errors.New("no space left")
	}
	return s.Store.Set(name, v)
}

func (s *broken) fill(full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = full
}

func TestHandleThatCannotBeKeptIsNotUsed(t *testing.T) {
	b := newBroker(t)
	store := &broken{Store: secret.NewMemory()}
	c := b.signedIn(device{t.TempDir(), store})
	store.fill(true)
	for range 3 {
		b.clock.Advance(time.Hour)
		if _, _, err := c.Attest(t.Context(), Attestation{Report: report(true)}); err != nil {
			t.Fatalf("a full disk ended the work: %v", err)
		}
	}
	for i, form := range b.granted()[1:] {
		if got := form.Get(api.ParamRefresh); got != "handle-1" {
			t.Errorf("refresh %d used %s, which is not on disk", i, got)
		}
	}
	store.fill(false)
	b.clock.Advance(time.Hour)
	if _, _, err := c.Attest(t.Context(), Attestation{Report: report(true)}); err != nil {
		t.Fatal(err)
	}
	if s, _ := c.Session(); s.Refresh != "handle-5" {
		t.Errorf("session %q", s.Refresh)
	}
	// A sign-in that cannot be kept does not begin, and leaves what there was.
	store.fill(true)
	s, err := c.Exchange(t.Context(), "id", "salt", "uid:2")
	if err != nil {
		t.Fatal(err)
	}
	if c.Begin(s) == nil {
		t.Error("a session began that is not on disk")
	}
	if now, _ := c.Session(); now.Owner != "uid:1" {
		t.Errorf("session of %s", now.Owner)
	}
}

func TestSessionLastsOverARestart(t *testing.T) {
	b := newBroker(t)
	d := newDevice(t)
	c := b.signedIn(d)
	apps := []api.AppInfo{{ID: "wiki", Name: "Wiki"}}
	if err := c.RememberApps(apps); err != nil {
		t.Fatal(err)
	}
	again := b.client(d)
	s, ok := again.Session()
	if !ok || s.Owner != "uid:1" || s.Person.Subject != "kim" || len(s.Apps) != 1 || s.Apps[0] != apps[0] || !s.Ends.Equal(day.Add(time.Hour)) {
		t.Errorf("session %+v", s)
	}
	if again.Record() != c.Record() || again.Record().DeviceID != "dev_1" {
		t.Errorf("record %+v, was %+v", again.Record(), c.Record())
	}
	if err := again.Enrol(t.Context()); err != nil || len(b.enrols) != 1 {
		t.Errorf("enrolled %d times, %v", len(b.enrols), err)
	}
	handle, err := again.Forget()
	if err != nil || handle != "handle-1" {
		t.Errorf("forgot %q, %v", handle, err)
	}
	if _, ok := b.client(d).Session(); ok {
		t.Error("the session came back")
	}
	if err := again.RememberApps(apps); err != nil {
		t.Error(err)
	}
	if _, ok := b.client(d).Session(); ok {
		t.Error("remembering apps made a session")
	}
	if err := again.Revoke(t.Context(), handle); err != nil || len(b.revoked) != 1 || b.revoked[0] != handle {
		t.Errorf("revoked %v, %v", b.revoked, err)
	}
}

func TestSessionNamesNoSecret(t *testing.T) {
	b := newBroker(t)
	c := b.signedIn(newDevice(t))
	s, _ := c.Session()
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v", s, s)} {
		if strings.Contains(text, "handle-") || strings.Contains(text, "access-") {
			t.Errorf("printed: %s", text)
		}
	}
}

// The answer to a refresh may leave out what did not change.
func TestSparseRefreshAnswer(t *testing.T) {
	b := newBroker(t)
	c := b.signedIn(newDevice(t))
	was, _ := c.Session()
	b.clock.Advance(time.Hour)
	b.onToken = func(context.Context, url.Values, int) reply {
		return reply{status: 200, body: api.TokenAnswer{AccessToken: "bare", ExpiresIn: 1 << 62}}
	}
	if _, _, err := c.Attest(t.Context(), Attestation{Report: report(true)}); err != nil {
		t.Fatal(err)
	}
	if s, ok := c.Session(); !ok || s.Refresh != was.Refresh || !s.Ends.Equal(was.Ends) {
		t.Errorf("session %+v, was %+v", s, was)
	}
	b.clock.Advance(time.Hour)
	b.onToken = func(context.Context, url.Values, int) reply { return reply{status: 200, body: api.TokenAnswer{}} }
	_, _, err := c.Attest(t.Context(), Attestation{Report: report(true)})
	unreachable(t, err)
	_, err = c.Exchange(t.Context(), "id", "salt", "uid:1")
	unreachable(t, err)
}

// While one call hangs in a refresh, nobody who only asks what is known waits,
// and what is forgotten meanwhile stays forgotten.
func TestNothingWaitsForAHangingRefresh(t *testing.T) {
	b := newBroker(t)
	d := newDevice(t)
	c := b.signedIn(d)
	b.clock.Advance(time.Hour)
	asked, answer := make(chan struct{}), make(chan struct{})
	b.onToken = func(_ context.Context, _ url.Values, n int) reply {
		close(asked)
		<-answer
		return reply{status: 200, body: b.answerN(n, false)}
	}
	failed := make(chan error)
	go func() {
		_, _, err := c.Attest(context.Background(), Attestation{Report: report(true)})
		failed <- err
	}()
	<-asked
	if _, ok := c.Session(); !ok || c.Record().DeviceID == "" {
		t.Error("what is known is gone")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	unreachable(t, c.Events(ctx, nil)) // waits for its turn, and gives up
	if handle, err := c.Forget(); err != nil || handle != "handle-1" {
		t.Errorf("forgot %q, %v", handle, err)
	}
	close(answer)
	rejected(t, <-failed, api.CodeSignedOut)
	if _, ok := b.client(d).Session(); ok {
		t.Error("the answer brought the session back")
	}
}

// The next person's session is not overwritten by what was under way for the
// one before.
func TestLateRefreshDoesNotReachTheNextSession(t *testing.T) {
	b := newBroker(t)
	d := newDevice(t)
	c := b.signedIn(d)
	b.clock.Advance(time.Hour)
	asked, answer := make(chan struct{}), make(chan struct{})
	first := b.onToken
	b.onToken = func(ctx context.Context, form url.Values, n int) reply {
		if form.Get(api.ParamGrantType) == api.GrantRefresh {
			close(asked)
			<-answer
		}
		return first(ctx, form, n)
	}
	failed := make(chan error)
	go func() {
		_, _, err := c.Attest(context.Background(), Attestation{Report: report(true)})
		failed <- err
	}()
	<-asked
	s := b.exchange(c)
	close(answer)
	rejected(t, <-failed, api.CodeSignedOut)
	if now, _ := c.Session(); now.Refresh != s.Refresh {
		t.Errorf("session %s, want %s", now.Refresh, s.Refresh)
	}
}

func TestAnotherBrokerStartsOver(t *testing.T) {
	one, two := newBroker(t), newBroker(t)
	two.key, two.clock = one.key, one.clock
	d := newDevice(t)
	c := one.signedIn(d)
	moved := two.client(d)
	if _, ok := moved.Session(); ok || moved.Record().DeviceID != "" || moved.Record().Broker != two.URL {
		t.Errorf("moved with %+v", moved.Record())
	}
	if moved.Record().UEID != c.Record().UEID {
		t.Error("the identity changed, and the first broker would not take it back")
	}
	// The session goes before the record: were it the other way round, an
	// interruption between the two would show its handle to the new broker.
	d2 := newDevice(t)
	one.signedIn(d2)
	if _, err := two.open(device{d2.dir, undying{d2.secrets}}); err == nil {
		t.Error("moved although the session could not be forgotten")
	}
	if r := one.client(d2).Record(); r.Broker != one.URL || r.DeviceID == "" {
		t.Errorf("record %+v", r)
	}
}

// undying secrets cannot be deleted.
type undying struct{ secret.Store }

func (undying) Delete(string) error { return errors.New("read-only") }

func TestDamagedState(t *testing.T) {
	b := newBroker(t)
	d := newDevice(t)
	b.signedIn(d)
	if err := d.secrets.Set(sessionName, []byte(`{"refresh":`)); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.client(d).Session(); ok {
		t.Error("half a session is one")
	}
	if _, err := d.secrets.Get(sessionName); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("the damaged session stays: %v", err)
	}
	if err := os.WriteFile(d.file(recordFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.open(d); err == nil || !strings.Contains(err.Error(), d.file(recordFile)) {
		t.Errorf("damaged record: %v", err)
	}
}

func TestEnrolOnceWhoeverAsks(t *testing.T) {
	b := newBroker(t)
	c := b.client(newDevice(t))
	b.onEnrol = func(int) reply { return reply{status: 403, code: api.CodeAdmission} }
	rejected(t, c.Enrol(t.Context()), api.CodeAdmission)
	b.onEnrol = newBroker(t).onEnrol
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := c.Enrol(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(b.enrols) != 2 || c.Record().HardwareReason != "why" {
		t.Errorf("%d enrolments, record %+v", len(b.enrols), c.Record())
	}
	if p, err := c.Providers(t.Context()); err != nil || len(p) != 1 {
		t.Errorf("providers %v, %v", p, err)
	}
}

func TestManyCallersAtOnce(t *testing.T) {
	b := newBroker(t)
	c := b.signedIn(newDevice(t))
	b.onToken = func(_ context.Context, form url.Values, _ int) reply {
		a := b.answerN(1, form.Get(api.ParamGrantType) == api.GrantExchange)
		a.ExpiresIn = 0 // every call refreshes
		return reply{status: 200, body: a}
	}
	b.onAttest = func(attest.Claims, int) reply { return reply{status: 200, body: api.Answer{NextNonce: "n"}} }
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 8 {
				_, _, _ = c.Attest(t.Context(), Attestation{Report: report(true)})
			}
		})
		all.Go(func() {
			for range 8 {
				c.Session()
				c.Record()
				c.Skew()
				_ = c.RememberApps([]api.AppInfo{{ID: "a"}})
			}
		})
	}
	all.Go(func() {
		for range 4 {
			if s, err := c.Exchange(t.Context(), "id", "salt", "uid:1"); err == nil {
				_ = c.Begin(s)
			}
			_, _ = c.Forget()
		}
	})
	all.Wait()
	seen := map[int64]bool{}
	for _, got := range b.attested() {
		if seen[got.Seq] {
			t.Fatalf("sequence number %d twice", got.Seq)
		}
		seen[got.Seq] = true
	}
}
