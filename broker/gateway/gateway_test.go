package gateway

import (
	"math"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
)

// begin opens the first feed with one tunnel of 20 s.
func begin(t *testing.T) (*scripted, *line, api.GatewayTunnel) {
	t.Helper()
	return script(t).begin()
}

func (s *scripted) begin() (*scripted, *line, api.GatewayTunnel) {
	t := s.t
	t.Helper()
	l := s.feed()
	one := tunnelAt(t, 1, 20*time.Second)
	l.event(api.FeedSnapshot, api.Snapshot{Seq: 1, Grants: []api.Grant{grantOf(0, "ses", one)}})
	s.applied(1)
	if !s.admitted(one) {
		t.Fatal("the tunnel of the snapshot is not open")
	}
	return s, l, one
}

// sync is an event that changes nothing and is acknowledged.
func (s *scripted) sync(l *line, seq int64) []api.ClosedTunnel {
	s.t.Helper()
	l.event(api.FeedGrant, grantOf(seq, "nobody"))
	return s.applied(seq)
}

func TestEndsByItsOwnClock(t *testing.T) {
	s, l, one := begin(t)
	s.clock.Advance(19900 * time.Millisecond)
	s.sync(l, 2)
	if !s.admitted(one) {
		t.Fatal("it ended early")
	}
	s.clock.Sleep(100 * time.Millisecond) // and a machine that slept is no exception
	if cause := s.closed(one.ID); cause != api.CauseExpired || s.admitted(one) {
		t.Errorf("cause %s, admitted %t", cause, s.admitted(one))
	}
}

func TestRenewalExtends(t *testing.T) {
	s, l, one := begin(t)
	s.clock.Advance(10 * time.Second) // a heartbeat goes out
	s.echo(l)
	l.event(api.FeedRenew, api.Renewal{Seq: 3, Grant: "ses", TTLs: []api.RenewedTunnel{{ID: one.ID, TTLMS: 20_000}}})
	s.applied(3)
	s.clock.Advance(19 * time.Second) // 29 s after its beginning
	s.sync(l, 4)
	if !s.admitted(one) {
		t.Fatal("the renewal gave no time")
	}
	s.clock.Advance(time.Second)
	if cause := s.closed(one.ID); cause != api.CauseExpired {
		t.Error(cause)
	}
}

// TestStalledFeed: no echo comes, so it is not known how old a renewal is. It
// gives no time; and when the feed lives again, the broker is told once more
// that the tunnel has ended, so that it makes a new one.
func TestStalledFeed(t *testing.T) {
	s, l, one := begin(t)
	s.clock.Advance(15 * time.Second)
	l.event(api.FeedRenew, api.Renewal{Seq: 2, Grant: "ses", TTLs: []api.RenewedTunnel{{ID: one.ID, TTLMS: 20_000}}})
	s.applied(2)
	s.clock.Advance(5 * time.Second)
	if cause := s.closed(one.ID); cause != api.CauseExpired || s.admitted(one) {
		t.Fatalf("a renewal of unknown age gave time: %s", cause)
	}
	s.clock.Advance(5 * time.Second)
	s.echo(l)
	l.event(api.FeedRenew, api.Renewal{Seq: 3, Grant: "ses", TTLs: []api.RenewedTunnel{{ID: one.ID, TTLMS: 20_000}}})
	if cause := s.closed(one.ID); cause != api.CauseExpired || s.admitted(one) {
		t.Errorf("a tunnel that ended here came back: %s", cause)
	}
}

// TestRevivesNothing: an event that arrives together with the end is too late.
func TestRevivesNothing(t *testing.T) {
	s, l, one := begin(t)
	s.clock.Advance(15 * time.Second)
	s.echo(l)
	s.sync(l, 2)
	s.clock.Advance(5 * time.Second)
	l.event(api.FeedRenew, api.Renewal{Seq: 3, Grant: "ses", TTLs: []api.RenewedTunnel{{ID: one.ID, TTLMS: 20_000}}})
	if cause := s.closed(one.ID); cause != api.CauseExpired {
		t.Error(cause)
	}
	s.clock.Advance(time.Second)
	if s.admitted(one) {
		t.Error("it came back")
	}
}

func TestUnknownEventsAreIgnored(t *testing.T) {
	s, l, one := begin(t)
	l.raw("event: of_a_newer_broker\ndata: {not even JSON\n\n: a comment\n\n")
	l.raw("event: grant\ndata: {\"seq\":2,\"newer\":{\"a\":1},\ndata: \"id\":\"nobody\",\"tunnels\":[],\"audit\":{\"device\":\"\",\"person\":\"\"}}\n\n")
	s.applied(2)
	if !s.admitted(one) {
		t.Error("an unknown event ended a tunnel")
	}
}

func TestMalformedEventsStartOver(t *testing.T) {
	for _, bad := range []string{
		"event: grant\ndata: {\n\n",
		"event: grant\ndata: {\"id\":\"ses\",\"tunnels\":[]}\n\n", // a member is missing
		"event: renew\ndata: {\"seq\":2,\"seq\":2,\"grant\":\"ses\",\"tunnels\":[]}\n\n",
		"event: snapshot\ndata: []\n\n",
		"event: heartbeat\ndata: 7\n\n",
		"event: renew\ndata: {\"seq\":2,\"grant\":\"ses\",\"tunnels\":[{\"id\":\"tun_1\",\"ttl_ms\":9223372036854775807}]}\n\n",
		"event: renew\ndata: {\"seq\":2,\"grant\":\"ses\",\"tunnels\":[{\"id\":\"tun_1\",\"ttl_ms\":-1}]}\n\n",
	} {
		s, l, one := begin(t)
		l.raw(bad)
		again := s.feed()
		again.event(api.FeedSnapshot, api.Snapshot{Seq: 9, Grants: []api.Grant{grantOf(0, "ses", one)}})
		if closed := s.applied(9); len(closed) != 0 || !s.admitted(one) {
			t.Errorf("%q: what lives was ended: %v", bad, closed)
		}
		s.stop()
	}
}

// TestOneBadTunnel: what one device has spoilt must not cost the others theirs.
func TestOneBadTunnel(t *testing.T) {
	s, l, one := begin(t)
	bad, good := tunnelAt(t, 2, 20*time.Second), tunnelAt(t, 3, 20*time.Second)
	for n, spoil := range []func(*api.GatewayTunnel){
		func(g *api.GatewayTunnel) { g.PublicKey = s.gateway.wg.PublicKey().String() },
		func(g *api.GatewayTunnel) { g.PublicKey = "!" },
		func(g *api.GatewayTunnel) { g.Addresses = []string{"0.0.0.0"} },
		func(g *api.GatewayTunnel) { g.Addresses = nil },
		func(g *api.GatewayTunnel) { g.TTLMS = math.MaxInt64 },
		func(g *api.GatewayTunnel) { g.Routes[0].Destination = "file:/etc/passwd" },
		func(g *api.GatewayTunnel) { g.Routes[0].Port = 70000 },
	} {
		spoilt := bad
		spoilt.Routes = slices.Clone(bad.Routes)
		spoil(&spoilt)
		seq := int64(n + 2)
		l.event(api.FeedSnapshot, api.Snapshot{Seq: seq, Grants: []api.Grant{grantOf(0, "bad", spoilt), grantOf(0, "ses", one), grantOf(0, "more", good)}})
		s.applied(seq)
		if !s.admitted(one) || !s.admitted(good) || s.admitted(spoilt) {
			t.Fatalf("case %d: %t %t %t", n, s.admitted(one), s.admitted(good), s.admitted(spoilt))
		}
		// Renewing the refused one starts nothing over.
		l.event(api.FeedRenew, api.Renewal{Seq: seq, Grant: "bad", TTLs: []api.RenewedTunnel{{ID: bad.ID, TTLMS: 20_000}}})
	}
	s.sync(l, 20)
}

// TestAddressPasses: the news that an address is free may come behind the news
// of who has it now.
func TestAddressPasses(t *testing.T) {
	s, l, one := begin(t)
	heir := tunnelAt(t, 2, 20*time.Second)
	heir.Addresses = one.Addresses
	l.event(api.FeedGrant, grantOf(2, "heir", heir))
	if closed := s.applied(2); len(closed) != 1 || closed[0].ID != one.ID || !s.admitted(heir) || s.admitted(one) {
		t.Errorf("closed %v, heir %t, holder %t", closed, s.admitted(heir), s.admitted(one))
	}
	third := tunnelAt(t, 5, 20*time.Second)
	third.Addresses = one.Addresses
	l.event(api.FeedSnapshot, api.Snapshot{Seq: 3, Grants: []api.Grant{grantOf(0, "ses", tunnelAt(t, 4, time.Second), third)}})
	s.applied(3)
	if s.admitted(heir) || !s.admitted(third) {
		t.Error("a snapshot must end before it opens")
	}
}

func TestSnapshotRemovesAndKeeps(t *testing.T) {
	s, l, one := begin(t)
	two := tunnelAt(t, 2, 20*time.Second)
	l.event(api.FeedGrant, grantOf(2, "two", two))
	s.applied(2)
	close(l.hang)
	again := s.feed()
	again.event(api.FeedSnapshot, api.Snapshot{Seq: 5, Grants: []api.Grant{grantOf(0, "two", two)}})
	if closed := s.applied(5); len(closed) != 1 || closed[0].ID != one.ID || closed[0].Cause != api.CauseRevoked {
		t.Errorf("closed %v", closed)
	}
	if s.admitted(one) || !s.admitted(two) {
		t.Error("the snapshot is not in force")
	}
}

func TestGrantThatIsOverEnds(t *testing.T) {
	s, l, one := begin(t)
	one.TTLMS = 0
	l.event(api.FeedGrant, grantOf(2, "ses", one))
	if s.applied(2); s.admitted(one) {
		t.Error("no time left, and still open")
	}
	l.event(api.FeedGrant, grantOf(3, "ses", tunnelAt(t, 7, 0)))
	s.applied(3)
}

func problem(status int, code string) *api.Problem {
	return &api.Problem{Title: "no", Status: status, Code: code}
}

func (s *scripted) denyFeed(p *api.Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deny = p
}

func TestBrokerForgot(t *testing.T) {
	s, l, one := begin(t)
	next(t, "the enrolment", s.enrols)
	s.denyFeed(problem(http.StatusForbidden, api.CodeUnknownDevice))
	close(l.hang)
	again := s.feed()
	if s.admitted(one) {
		t.Error("the broker's no closed nothing")
	}
	next(t, "a new enrolment", s.enrols)
	again.event(api.FeedSnapshot, api.Snapshot{Seq: 9, Grants: []api.Grant{}})
	s.applied(9)
}

func TestRevokedGateway(t *testing.T) {
	s, l, one := begin(t)
	s.denyFeed(problem(http.StatusForbidden, api.CodeDeviceRevoked))
	close(l.hang)
	s.retry()
	if cause := s.closed(one.ID); cause != api.CauseRevoked || s.admitted(one) {
		t.Error("the broker's no closed nothing")
	}
}

func TestBrokerAwayChangesNothing(t *testing.T) {
	s, l, one := begin(t)
	s.denyFeed(problem(http.StatusBadGateway, api.CodeDeviceRevoked)) // no "no"
	close(l.hang)
	again := s.feed()
	again.event(api.FeedSnapshot, api.Snapshot{Seq: 2, Grants: []api.Grant{grantOf(0, "ses", one)}})
	if closed := s.applied(2); len(closed) != 0 || !s.admitted(one) {
		t.Errorf("closed %v", closed)
	}
}

func TestTokens(t *testing.T) {
	s, l, _ := begin(t)
	next(t, "the first token", s.tokens)
	s.denyFeed(problem(http.StatusUnauthorized, api.CodeUnauthorized))
	close(l.hang)
	s.feed()
	next(t, "a token in place of the one refused", s.tokens)
	s.clock.Advance(4*time.Minute + time.Second) // of five
	s.beatNow()
	next(t, "a token in place of the old one", s.tokens)
}

func TestStopShutsEverything(t *testing.T) {
	s, _, one := begin(t)
	s.stop()
	err := next(t, "the end", s.stopped)
	s.stopped <- err
	if err != nil {
		t.Error(err)
	}
	if all, err := s.gateway.wg.Peers(); err == nil && len(all) != 0 {
		t.Errorf("%v, %s", all, one.PublicKey)
	}
}

func TestHeartbeatAtOnce(t *testing.T) {
	s, _, _ := begin(t)
	h := next(t, "a heartbeat without waiting", s.beats)
	if len(h.Hello.Endpoints) != 1 || h.Hello.Endpoints[0] != s.gateway.Addr().String() || h.Hello.Epoch == "" {
		t.Errorf("%+v", h)
	}
}

func TestAcksBatchAndLoseNothing(t *testing.T) {
	g := &Gateway{epoch: "e", acks: make(chan ack, 4096)}
	const all = 2*maxClosed + 10
	for n := range all {
		g.acknowledge(ack{closed: &api.ClosedTunnel{ID: string(rune('a' + n%26))}})
		g.acknowledge(ack{seq: int64(n + 1)})
	}
	var got, messages int
	var last int64
	for len(g.acks) > 0 {
		b := g.gather(<-g.acks, last, nil)
		if b.Applied < last || len(b.Closed) > maxClosed {
			t.Fatalf("applied %d after %d, %d closed", b.Applied, last, len(b.Closed))
		}
		last = b.Applied
		got += len(b.Closed)
		messages++
	}
	if got != all || last != all || messages != 3 {
		t.Errorf("%d of %d closings, applied %d, in %d messages", got, all, last, messages)
	}
	for range 5000 {
		g.acknowledge(ack{seq: 1}) // a full queue never waits
	}
}

func TestListensWhereAgentsCanReach(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("an empty configuration was taken")
	}
}
