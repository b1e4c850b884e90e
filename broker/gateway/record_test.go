package gateway

import (
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/audit"
)

// valve is a disk that takes nothing while it is shut.
type valve chan struct{}

func (v valve) Write(p []byte) (int, error) {
	v <- struct{}{}
	<-v
	return len(p), nil
}

// TestClosesWhileTheRecordHangs: a disk that takes nothing must not keep one
// tunnel open, neither at its own end nor when it is revoked.
func TestClosesWhileTheRecordHangs(t *testing.T) {
	disk := make(valve, 1)
	s, l, one := scriptWith(t, audit.New(disk, time.Now)).begin()
	two, three := tunnelAt(t, 2, 20*time.Second), tunnelAt(t, 3, 40*time.Second)
	l.event(api.FeedGrant, grantOf(2, "second", two))
	l.event(api.FeedGrant, grantOf(3, "third", three))
	s.applied(3)
	disk <- struct{}{}
	open := func() (n int) {
		for _, tun := range []api.GatewayTunnel{one, two, three} {
			if s.admitted(tun) {
				n++
			}
		}
		return n
	}
	if open() != 3 {
		t.Error("not all are open at the beginning")
	}
	s.clock.Advance(20 * time.Second)
	l.event(api.FeedGrant, grantOf(4, "third"))
	late := time.After(5 * time.Second)
	for n := open(); n > 0; n = open() {
		select {
		case <-late:
			<-disk
			t.Fatalf("%d tunnels are still open", n)
		case <-time.After(5 * time.Millisecond):
		}
	}
	<-disk
}
