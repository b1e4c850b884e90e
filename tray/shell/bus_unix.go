//go:build !windows && !darwin

package shell

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// busVariable names the session bus (dbus-daemon(1)).
const busVariable = "DBUS_SESSION_BUS_ADDRESS"

// busAnswer is how long a peer on the bus has to answer.
const busAnswer = 5 * time.Second

// sessionBus returns the address of the session bus that is there, or
// ErrNoSessionBus with the reason. An address that means "start one" is refused:
// such a bus would outlive us and belong to nobody's session.
func sessionBus() (string, error) {
	if address := os.Getenv(busVariable); address != "" {
		for _, one := range strings.Split(address, ";") {
			if strings.HasPrefix(one, "autolaunch:") {
				return "", fmt.Errorf("%w: %s asks to start one", ErrNoSessionBus, busVariable)
			}
		}
		return address, nil
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		return "", fmt.Errorf("%w: neither %s nor XDG_RUNTIME_DIR is set", ErrNoSessionBus, busVariable)
	}
	socket := filepath.Join(dir, "bus")
	info, err := os.Stat(socket)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoSessionBus, err)
	}
	if info.Mode().Type() != os.ModeSocket {
		return "", fmt.Errorf("%w: %s is not a socket", ErrNoSessionBus, socket)
	}
	return "unix:path=" + dbus.EscapeBusAddressValue(socket), nil
}

// ownConnection connects to the session bus for us alone.
func ownConnection(ctx context.Context) (*dbus.Conn, error) {
	address, err := sessionBus()
	if err != nil {
		return nil, err
	}
	conn, err := dbus.Connect(address, dbus.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoSessionBus, err)
	}
	return conn, nil
}

// property reads a property, given as interface.name, of an object; it starts
// no service that is not running.
func property(ctx context.Context, conn *dbus.Conn, name string, path dbus.ObjectPath, full string) (dbus.Variant, error) {
	ctx, cancel := context.WithTimeout(ctx, busAnswer)
	defer cancel()
	dot := strings.LastIndexByte(full, '.')
	var value dbus.Variant
	err := conn.Object(name, path).CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", dbus.FlagNoAutoStart, full[:dot], full[dot+1:]).Store(&value)
	if err != nil {
		return dbus.Variant{}, fmt.Errorf("read %s of %s: %w", full, name, err)
	}
	return value, nil
}
