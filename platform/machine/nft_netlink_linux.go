package machine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// maxNetlink bounds how much of one answer of the kernel is read, in bytes.
const maxNetlink = 16 << 20

var (
	errInterrupted = errors.New("the ruleset changed while it was read")
	errTooLong     = errors.New("more than may be read")
	errMalformed   = errors.New("a message is not of the form of netlink")
)

// nftDump asks nf_tables for all objects of a kind and gives each one's
// attributes to f. A socket serves one question, so that an answer can be left
// unread: f ends it early by returning false (netlink(7), nfnetlink).
func nftDump(ctx context.Context, kind uint16, f func(family uint8, a attributes) bool) error {
	return nftDumpFamily(ctx, kind, unix.NFPROTO_UNSPEC, nil, f)
}

// nftDumpFamily asks about objects of one family, which attrs name further.
func nftDumpFamily(ctx context.Context, kind uint16, family uint8, attrs []byte, f func(uint8, attributes) bool) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_NETFILTER)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer unix.Close(fd)
	return nftAsk(ctx, fd, kind, unix.NLM_F_DUMP, family, attrs, f)
}

// nftGeneration is the number of the ruleset's present state.
func nftGeneration(ctx context.Context) (uint32, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_NETFILTER)
	if err != nil {
		return 0, fmt.Errorf("open netlink: %w", err)
	}
	defer unix.Close(fd)
	var id uint32
	const generationID = 1 // NFTA_GEN_ID
	err = nftAsk(ctx, fd, unix.NFT_MSG_GETGEN, 0, unix.NFPROTO_UNSPEC, nil, func(_ uint8, a attributes) bool {
		id, _ = a.be32(generationID)
		return false
	})
	return id, err
}

func nftAsk(ctx context.Context, fd int, kind, flags uint16, family uint8, attrs []byte, f func(uint8, attributes) bool) error {
	request := make([]byte, 20, 20+len(attrs))
	binary.NativeEndian.PutUint32(request, uint32(20+len(attrs)))
	binary.NativeEndian.PutUint16(request[4:], unix.NFNL_SUBSYS_NFTABLES<<8|kind)
	binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST|flags)
	request[16] = family // nfgenmsg
	if err := unix.Sendto(fd, append(request, attrs...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask nf_tables: %w", err)
	}
	buffer := make([]byte, 32<<10) // the kernel's answers are not longer
	for total := 0; total <= maxNetlink; {
		if err := readable(ctx, fd); err != nil {
			return err
		}
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read nf_tables: %w", err)
		}
		total += n
		if done, err := nftMessages(buffer[:n], f); done || err != nil {
			return err
		}
	}
	return errTooLong
}

// readable waits for an answer, for as long as ctx lasts.
func readable(ctx context.Context, fd int) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		wait := 50 * time.Millisecond // ctx may also be ended by hand
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(wait.Milliseconds()))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for nf_tables: %w", err)
		}
		if n > 0 {
			return nil
		}
	}
}

// nftMessages goes through the messages of one packet; done is true after the
// last one, or when f wants no more.
func nftMessages(data []byte, f func(uint8, attributes) bool) (done bool, err error) {
	for len(data) >= 16 {
		size := int(binary.NativeEndian.Uint32(data))
		kind, flags := binary.NativeEndian.Uint16(data[4:]), binary.NativeEndian.Uint16(data[6:])
		if size < 16 || size > len(data) {
			return false, errMalformed
		}
		body := data[16:size]
		switch {
		case kind == unix.NLMSG_DONE:
			return true, nil
		case flags&unix.NLM_F_DUMP_INTR != 0:
			return false, errInterrupted
		case kind == unix.NLMSG_ERROR:
			if len(body) < 4 {
				return false, errMalformed
			}
			if code := int32(binary.NativeEndian.Uint32(body)); code != 0 {
				return false, fmt.Errorf("nf_tables answers: %w", unix.Errno(-code))
			}
			return true, nil
		case kind>>8 == unix.NFNL_SUBSYS_NFTABLES:
			if len(body) < 4 {
				return false, errMalformed
			}
			if !f(body[0], attributes(body[4:])) {
				return true, nil
			}
		}
		data = data[min((size+3)&^3, len(data)):]
	}
	return false, nil
}

// attributes are netlink attributes one after another (netlink(7): nlattr).
type attributes []byte

// each gives every attribute to f until that returns false.
func (a attributes) each(f func(kind uint16, value []byte) bool) {
	for len(a) >= 4 {
		size := int(binary.NativeEndian.Uint16(a))
		if size < 4 || size > len(a) {
			return
		}
		const flags = unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER
		if !f(binary.NativeEndian.Uint16(a[2:])&^flags, a[4:size]) {
			return
		}
		a = a[min((size+3)&^3, len(a)):]
	}
}

// get is one attribute, nil where it is not there.
func (a attributes) get(kind uint16) attributes {
	var found attributes
	a.each(func(k uint16, value []byte) bool {
		if k == kind {
			found = value
			return false
		}
		return true
	})
	return found
}

func (a attributes) text(kind uint16) string {
	return unix.ByteSliceToString(a.get(kind))
}

func (a attributes) be32(kind uint16) (uint32, bool) {
	v := a.get(kind)
	if len(v) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(v), true
}

// number is be32, 0 where it is not there.
func (a attributes) number(kind uint16) uint32 {
	n, _ := a.be32(kind)
	return n
}

// attribute writes one attribute of text.
func attribute(kind uint16, text string) []byte {
	size := 4 + len(text) + 1
	out := make([]byte, (size+3)&^3)
	binary.NativeEndian.PutUint16(out, uint16(size))
	binary.NativeEndian.PutUint16(out[2:], kind)
	copy(out[4:], text)
	return out
}

// nftError gives the reason of a failed question.
func nftError(op string, err error) error {
	reason := fact.Reason("")
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		reason = fact.ReasonNeedsPrivilege
	case errors.Is(err, errInterrupted), errors.Is(err, unix.ENOENT), errors.Is(err, unix.EBUSY), errors.Is(err, unix.ENOBUFS):
		reason = fact.ReasonBusy
	case errors.Is(err, errTooLong):
		reason = fact.ReasonTruncated
	default:
		return evidence.Wrap(op, err)
	}
	return &evidence.Error{Reason: reason, Op: op, Err: err}
}
