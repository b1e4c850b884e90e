package desktop

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// busConfig is a session bus on which everybody may do everything, and which
// starts nothing by itself but what lies in one folder: no accessibility bus, no
// settings service, no keyring.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=%[1]s/bus</listen>
  <servicedir>%[1]s/services</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`

// xfconf is the service from which Xfce's programs have their settings.
const xfconf = "/usr/share/dbus-1/services/org.xfce.Xfconf.service"

// startBus starts a session bus in the folder and gives its address.
func startBus(dir, log string, env []string) (*Process, string, error) {
	service, err := os.ReadFile(xfconf)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrMissing, err)
	}
	config := filepath.Join(dir, "bus.conf")
	for path, data := range map[string][]byte{
		config: fmt.Appendf(nil, busConfig, dir),
		filepath.Join(dir, "services", filepath.Base(xfconf)): service,
	} {
		if err := writeFile(path, data); err != nil {
			return nil, "", err
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, "", fmt.Errorf("start bus: %w", err)
	}
	defer r.Close()
	out, err := os.Create(log)
	if err != nil {
		w.Close()
		return nil, "", fmt.Errorf("start bus: %w", err)
	}
	defer out.Close()
	cmd := exec.Command("dbus-daemon", "--config-file="+config, "--nofork", "--nopidfile", "--nosyslog", "--print-address=3")
	cmd.Env, cmd.ExtraFiles, cmd.Stderr = env, []*os.File{w}, out
	bus, err := begin(cmd)
	w.Close()
	if err != nil {
		return nil, "", err
	}
	if err := r.SetReadDeadline(time.Now().Add(Patience)); err != nil {
		bus.Kill()
		return nil, "", fmt.Errorf("start bus: %w", err)
	}
	address, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		bus.Kill()
		return nil, "", fmt.Errorf("start bus: it gave no address: %w", err)
	}
	return bus, strings.TrimSpace(address), nil
}

// Connect makes a connection to the desktop's session bus, which the caller
// closes.
func (d *Desktop) Connect() (*dbus.Conn, error) {
	conn, err := dbus.Connect(d.address)
	if err != nil {
		return nil, fmt.Errorf("connect to the desktop's bus: %w", err)
	}
	return conn, nil
}

// Owned reports whether somebody has a name on the session bus.
func (d *Desktop) Owned(name string) (bool, error) {
	var owned bool
	err := d.bus.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, name).Store(&owned)
	if err != nil {
		return false, fmt.Errorf("ask who has %s: %w", name, err)
	}
	return owned, nil
}

func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	return nil
}
