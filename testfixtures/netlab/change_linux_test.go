package netlab

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestChangesAreTold opens and closes the firewall over and over: each time an
// event comes and the facts that are read then are the new ones. How long that
// took is logged. It runs before the tests that run side by side.
func TestChangesAreTold(t *testing.T) {
	if _, inside := machines(t, 1); !inside {
		return
	}
	h := newHost(t)
	h.change("closed", func() { do(t, closed, "nft", "-f", "-") })
	h.expect("closed", "true drop true drop")
	const flips = 100
	var atMost, atLeast, facts []time.Duration // since the change began, since it was done
	for i := range flips {
		accept, want := uint32(1), "false accept false accept"
		if i%2 == 1 {
			accept, want = 0, "true drop true drop"
		}
		h.drain()
		began := time.Now()
		if err := setPolicy("closed", "input", accept); err != nil {
			t.Fatal(err)
		}
		done := time.Now()
		if _, ok := h.told(bound); !ok {
			t.Fatalf("flip %d was not told within %v", i, bound)
		}
		atMost, atLeast = append(atMost, time.Since(began)), append(atLeast, time.Since(done))
		s := h.reread()
		facts = append(facts, time.Since(began))
		if got := verdicts(s); got != want {
			t.Fatalf("flip %d: %q, want %q", i, got, want)
		}
	}
	h.expect("closed again", "true drop true drop")
	t.Logf("%d changes: event %v (p50), %v (p99) after the change began, %v, %v after it was done; new facts %v, %v after it began", flips,
		quantile(atMost, 50), quantile(atMost, 99), quantile(atLeast, 50), quantile(atLeast, 99), quantile(facts, 50), quantile(facts, 99))
}

// drain takes what has been told already.
func (h *host) drain() {
	for {
		select {
		case <-h.watcher.Events():
		default:
			return
		}
	}
}

func quantile(all []time.Duration, percent int) time.Duration {
	all = slices.Sorted(slices.Values(all))
	return all[min(len(all)*percent/100, len(all)-1)].Round(10 * time.Microsecond)
}

// setPolicy changes the policy of a base chain of family inet (1 accepts, 0
// drops) in one step of the kernel, in force when it returns: NFT_MSG_NEWCHAIN
// between the begin and end of a batch (linux/netfilter/nf_tables.h).
func setPolicy(table, chain string, policy uint32) error {
	var batch bytes.Buffer
	message := func(kind, flags uint16, family byte, resource uint16, attributes []byte) {
		binary.Write(&batch, binary.NativeEndian, uint32(20+len(attributes)))
		binary.Write(&batch, binary.NativeEndian, [2]uint16{kind, flags | unix.NLM_F_REQUEST})
		binary.Write(&batch, binary.NativeEndian, [2]uint32{1, 0}) // sequence, port
		batch.Write([]byte{family, 0})
		binary.Write(&batch, binary.BigEndian, resource)
		batch.Write(attributes)
	}
	var all []byte
	for _, a := range []struct {
		kind  uint16
		value []byte
	}{
		{unix.NFTA_CHAIN_TABLE, append([]byte(table), 0)}, {unix.NFTA_CHAIN_NAME, append([]byte(chain), 0)},
		{unix.NFTA_CHAIN_POLICY, binary.BigEndian.AppendUint32(nil, policy)},
	} {
		all = binary.NativeEndian.AppendUint16(all, uint16(4+len(a.value)))
		all = binary.NativeEndian.AppendUint16(all, a.kind)
		all = append(all, a.value...)
		all = append(all, make([]byte, -len(all)&3)...)
	}
	message(unix.NFNL_MSG_BATCH_BEGIN, 0, 0, unix.NFNL_SUBSYS_NFTABLES, nil)
	message(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWCHAIN, unix.NLM_F_ACK, unix.NFPROTO_INET, 0, all)
	message(unix.NFNL_MSG_BATCH_END, 0, 0, unix.NFNL_SUBSYS_NFTABLES, nil)

	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, batch.Bytes(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return err
	}
	if n >= 20 {
		if code := -int32(binary.NativeEndian.Uint32(answer[16:])); code != 0 {
			return unix.Errno(code)
		}
	}
	return nil
}
