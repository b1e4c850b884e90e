package machine

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// sysctlText writes the bytes of a sysctl as sysctl(8) prints them. The kernel
// tells the type of a value only by a call of its own, so the few that are
// structures are known by name; a text ends with its only zero byte, and what
// is as long as a number is one.
func sysctlText(name string, raw []byte) (string, error) {
	switch name {
	case "kern.boottime":
		return sysctlTime(raw)
	case "vm.swapusage":
		return sysctlSwap(raw)
	}
	if n := len(raw); n > 0 && bytes.IndexByte(raw, 0) == n-1 && printable(raw[:n-1]) {
		return string(raw[:n-1]), nil
	}
	switch len(raw) {
	case 0:
		return "", nil
	case 4:
		return fmt.Sprint(int32(binary.LittleEndian.Uint32(raw))), nil
	case 8:
		return fmt.Sprint(int64(binary.LittleEndian.Uint64(raw))), nil
	}
	return "", fmt.Errorf("value of %d bytes is neither text nor a number", len(raw))
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// sysctlTime is struct timeval: seconds in 8 bytes, microseconds in 4. The
// date that sysctl(8) adds behind is left out.
func sysctlTime(raw []byte) (string, error) {
	if len(raw) < 12 {
		return "", fmt.Errorf("time of %d bytes", len(raw))
	}
	return fmt.Sprintf("{ sec = %d, usec = %d }", int64(binary.LittleEndian.Uint64(raw)), int32(binary.LittleEndian.Uint32(raw[8:]))), nil
}

// sysctlSwap is struct xsw_usage (sys/sysctl.h): total, free and used bytes,
// the size of a page, and whether swap is encrypted.
func sysctlSwap(raw []byte) (string, error) {
	if len(raw) < 32 {
		return "", fmt.Errorf("usage of %d bytes", len(raw))
	}
	mib := func(at int) float64 { return float64(binary.LittleEndian.Uint64(raw[at:])) / (1 << 20) }
	text := fmt.Sprintf("total = %.2fM  used = %.2fM  free = %.2fM", mib(0), mib(16), mib(8))
	if binary.LittleEndian.Uint32(raw[28:]) != 0 {
		text += "  (encrypted)"
	}
	return text, nil
}
