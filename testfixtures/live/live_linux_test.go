package live

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/machine"
	"github.com/postern-zt/postern/posture/collect"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// counting is a machine that notes which commands were really run.
type counting struct {
	evidence.Machine
	mu  sync.Mutex
	ran []string
}

func (c *counting) Run(ctx context.Context, name string, args ...string) (evidence.Output, error) {
	began := c.Now()
	out, err := c.Machine.Run(ctx, name, args...)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && !out.At.Before(began) {
		c.ran = append(c.ran, name)
	}
	return out, err
}

func (c *counting) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	ran := c.ran
	c.ran = nil
	return ran
}

func collector(t testing.TB, m evidence.Machine) *collect.Collector {
	t.Helper()
	rows, err := observe.BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	return collect.New(collect.Config{Machine: m, Catalogue: rows, Clock: clock.System(), Version: "test"})
}

// TestThisMachine reads this machine: every signal comes back, fit to be sent,
// and what files and system calls tell starts no other program.
func TestThisMachine(t *testing.T) {
	m := &counting{Machine: machine.New(machine.Config{})}
	r := collector(t, m).Read(t.Context())
	if err := r.Validate(); err != nil {
		t.Error(err)
	}
	for _, s := range r.Signals {
		if s.State == fact.Unknown && (s.Reason == fact.ReasonTimeout || s.Reason == fact.ReasonUnreadable) {
			t.Errorf("%s: %s", s.Name, s.Reason)
		}
	}
	for _, a := range []string{"os_version.product", "os_version.kernel", "disk.system_status", "firewall.enabled", "integrity.secure_boot"} {
		signal, key, field, err := fact.SplitAddress(a)
		if err != nil {
			t.Fatal(err)
		}
		s, _ := r.Signal(signal)
		if f, ok := s.Find(key, field); !ok || !s.StateOf(f).Usable() {
			t.Errorf("%s is not known here: %+v of %s %s", a, f, s.State, s.Source)
		}
	}
	if ran := m.take(); len(ran) > 0 {
		t.Errorf("commands were run: %q", ran)
	}
}

// TestRecordingOfThisMachine records this machine while it is read: the
// recording gives the same report, byte for byte.
func TestRecordingOfThisMachine(t *testing.T) {
	recording := evidence.NewRecording(machine.New(machine.Config{}), nil)
	want, err := json.Marshal(collector(t, recording).Read(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := recording.Write(folder(dir)); err != nil {
		t.Fatal(err)
	}
	again, err := evidence.Open(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(collector(t, again).Read(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

type folder string

func (f folder) WriteFile(name string, content []byte) error {
	path := filepath.Join(string(f), filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

// TestThisMachineWithoutRights reads it as a user who may do nothing special:
// what only root may see is not known, and never taken for off.
func TestThisMachineWithoutRights(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test starts a program as another user and needs root")
	}
	dir, err := os.MkdirTemp("/tmp", "postern-live-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "postern")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../client/cmd/postern")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), program, "posture", "--local", "--json")
	cmd.Dir, cmd.Env = "/", []string{"HOME=/nonexistent", "PATH=/usr/bin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var answer struct{ Report fact.Report }
	if err := json.Unmarshal(stdout.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	s, _ := answer.Report.Signal(fact.SignalFirewall)
	f, _ := s.Find("", "enabled")
	why := f.Reason
	if why == "" {
		why = s.Reason
	}
	if s.StateOf(f) != fact.Unknown || why != fact.ReasonNeedsPrivilege {
		t.Errorf("firewall.enabled without rights: %s %s %s", s.StateOf(f), f.Value, why)
	}
	disk, _ := answer.Report.Signal(fact.SignalDisk)
	if f, ok := disk.Find("", "system_status"); !ok || disk.StateOf(f) != fact.Observed {
		t.Errorf("disk.system_status needs no rights, but is %s %s", disk.StateOf(f), f.Reason)
	}
}
