package notify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/godbus/dbus/v5"
)

// busAddress finds the person's session bus: by the address in the environment
// or else at its usual place (D-Bus Specification, "Well-known Message Bus
// Instances"). It never starts a bus, as libraries do when there is none: that
// one would have no service, and would stay behind.
func busAddress(env func(string) string) (string, error) {
	if a := env("DBUS_SESSION_BUS_ADDRESS"); a != "" {
		for one := range strings.SplitSeq(a, ";") {
			transport, _, _ := strings.Cut(one, ":")
			if transport != "unix" && transport != "tcp" && transport != "nonce-tcp" {
				return "", fmt.Errorf("session bus by %q, which would start a program: %w", transport, errors.ErrUnsupported)
			}
		}
		return a, nil
	}
	if dir := env("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		path := filepath.Join(dir, "bus")
		if info, err := os.Stat(path); err == nil && info.Mode().Type() == os.ModeSocket {
			return "unix:path=" + dbus.EscapeBusAddressValue(path), nil
		}
	}
	return "", fmt.Errorf("this session has no bus: neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR leads to one: %w", errors.ErrUnsupported)
}

// escapeMarkup writes the characters that mean something in a body, where the
// service knows markup, so that they stand for themselves.
func escapeMarkup(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
