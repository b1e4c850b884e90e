package watch

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const (
	// nftablesGroup is NFNLGRP_NFTABLES of linux/netfilter/nfnetlink.h: every
	// change of tables, chains, rules, sets and objects.
	nftablesGroup = 7
	// kernelGroup has the kernel's own messages about devices; what udev makes
	// of them comes in another.
	kernelGroup = 1
	// maxMessages bounds how many messages are taken before others get a turn.
	maxMessages = 4096
)

// netlink waits for the messages of one netlink(7) multicast group. What they
// say is not read further than to tell whether they are wanted.
type netlink struct {
	loop     *loop
	protocol int
	group    int
	cause    string
	wanted   func(message []byte) bool
	kinds    map[string]bool
	fd       int
	buf      []byte
}

func newNetlink(l *loop, protocol, group int, cause string, wanted func([]byte) bool) netlink {
	return netlink{loop: l, protocol: protocol, group: group, cause: cause, wanted: wanted, kinds: map[string]bool{}, fd: -1}
}

func (n *netlink) set(kind string) error {
	if n.fd < 0 {
		if err := n.open(); err != nil {
			return fmt.Errorf("watch %s changes: %w", n.cause, err)
		}
	}
	n.kinds[kind] = true
	return nil
}

func (n *netlink) open() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, n.protocol)
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		return fmt.Errorf("this kernel does not have it: %w: %w", errors.ErrUnsupported, os.NewSyscallError("socket", err))
	}
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (n.group - 1)})
	if errors.Is(err, os.ErrPermission) {
		unix.Close(fd)
		return fmt.Errorf("listening to the kernel's netlink group needs the capability CAP_NET_ADMIN: %w", os.NewSyscallError("bind", err))
	}
	if err != nil {
		unix.Close(fd)
		return os.NewSyscallError("bind", err)
	}
	n.buf = make([]byte, 8<<10)
	if err := n.loop.add(&source{fd: fd, events: unix.EPOLLIN, held: true, take: n.take}); err != nil {
		return err
	}
	n.fd = fd
	return nil
}

// take reads what is waiting. When the kernel had to drop messages, the next
// read says ENOBUFS (netlink(7), "BUGS" and NETLINK_NO_ENOBUFS).
func (n *netlink) take() {
	changed, lost := false, false
	for range maxMessages {
		size, from, err := unix.Recvfrom(n.fd, n.buf, unix.MSG_DONTWAIT)
		switch {
		case err == unix.ENOBUFS:
			lost = true
			continue
		case err == unix.EINTR:
			continue
		case err != nil:
			n.announce(changed, lost)
			return
		}
		changed = changed || fromKernel(from) && n.wanted(n.buf[:size])
	}
	n.announce(changed, lost)
}

// fromKernel tells kernel messages from those of other processes.
func fromKernel(from unix.Sockaddr) bool {
	s, ok := from.(*unix.SockaddrNetlink)
	return ok && s.Pid == 0
}

func (n *netlink) announce(changed, lost bool) {
	for kind := range n.kinds {
		if changed {
			n.loop.tell(kind, n.cause, "", 0)
		}
		if lost {
			n.loop.tell(kind, CauseLost, "", 0)
		}
	}
}

// always wants every message: in the group of nftables each tells of a change.
func always([]byte) bool { return true }
