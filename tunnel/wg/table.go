package wg

import (
	"maps"
	"net/netip"
	"sync"
	"sync/atomic"
)

// member is one far end as the packet filter sees it. It never changes;
// an update is a new member with the same gate.
type member struct {
	gate   *Gate
	key    PublicKey
	admits func(packet) bool // may this inbound packet pass, the gate apart
}

// directory finds the far end that an inner address belongs to, nil if none.
// It is asked for every packet and must take no lock.
type directory interface{ lookup(netip.Addr) *member }

// only is the client's directory: there is one far end.
type only member

func (o *only) lookup(netip.Addr) *member { return (*member)(o) }

// tableShards bounds what one change copies. Inner addresses are given out in
// sequence, so that their last byte spreads them evenly.
const tableShards = 256

// table is the gateway's directory: immutable maps, replaced whole, one per
// value of an address's last byte.
type table struct {
	mu     sync.Mutex // one writer at a time
	shards [tableShards]atomic.Pointer[map[netip.Addr]*member]
}

func (t *table) shard(a netip.Addr) *atomic.Pointer[map[netip.Addr]*member] {
	b := a.As16()
	return &t.shards[b[15]]
}

func (t *table) lookup(a netip.Addr) *member {
	if m := t.shard(a).Load(); m != nil {
		return (*m)[a]
	}
	return nil
}

// put makes every address lead to m.
func (t *table) put(addrs []netip.Addr, m *member) {
	t.change(addrs, func(shard map[netip.Addr]*member, a netip.Addr) { shard[a] = m })
}

// remove makes the addresses lead nowhere.
func (t *table) remove(addrs []netip.Addr) {
	t.change(addrs, func(shard map[netip.Addr]*member, a netip.Addr) { delete(shard, a) })
}

func (t *table) change(addrs []netip.Addr, do func(map[netip.Addr]*member, netip.Addr)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range addrs {
		slot := t.shard(a)
		next := map[netip.Addr]*member{}
		if old := slot.Load(); old != nil {
			next = maps.Clone(*old)
		}
		do(next, a)
		slot.Store(&next)
	}
}
