package lab

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// OffLoopback lists every TCP and UDP socket of the processes that is bound or
// connected to an address that is not loopback, from /proc (proc(5),
// /proc/net/tcp): nothing of a world may leave the machine.
func OffLoopback(pids []int) ([]string, error) {
	var out []string
	for _, pid := range pids {
		inodes, err := sockets(pid)
		if err != nil {
			return nil, err
		}
		for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
			data, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
			if os.IsNotExist(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			for _, line := range strings.Split(string(data), "\n")[1:] {
				f := strings.Fields(line)
				if len(f) < 10 || !slices.Contains(inodes, f[9]) {
					continue
				}
				local, err1 := procAddr(f[1])
				remote, err2 := procAddr(f[2])
				if err1 != nil || err2 != nil {
					return nil, fmt.Errorf("read /proc/%d/net/%s: %q", pid, table, line)
				}
				if !local.Unmap().IsLoopback() || !(remote.IsUnspecified() || remote.Unmap().IsLoopback()) {
					out = append(out, fmt.Sprintf("process %d, %s: %s → %s", pid, table, local, remote))
				}
			}
		}
	}
	return out, nil
}

// sockets lists the inodes of a process's sockets.
func sockets(pid int) ([]string, error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		link, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		if inode, ok := strings.CutPrefix(link, "socket:["); ok {
			out = append(out, strings.TrimSuffix(inode, "]"))
		}
	}
	return out, nil
}

// procAddr reads the address of "0100007F:1F90": 32-bit words in the host's
// byte order, which is little-endian on every machine this runs on.
func procAddr(s string) (netip.Addr, error) {
	text, _, _ := strings.Cut(s, ":")
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw)%4 != 0 {
		return netip.Addr{}, fmt.Errorf("%q is not an address", s)
	}
	for i := 0; i < len(raw); i += 4 {
		slices.Reverse(raw[i : i+4])
	}
	a, ok := netip.AddrFromSlice(raw)
	if !ok {
		return netip.Addr{}, fmt.Errorf("%q is not an address", s)
	}
	return a, nil
}
