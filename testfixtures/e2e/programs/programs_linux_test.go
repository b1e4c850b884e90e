// Package programs tests the real programs together, from outside, through what can go wrong around them.
package programs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/testfixtures/lab"
)

// lease of these tests, in which several wait for its end.
const lease = 4 * time.Second

// patience bounds what comes about by itself.
const patience = 20 * time.Second

// built are the programs, compiled once for all tests.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "postern-programs-")
	if err != nil {
		return "", err
	}
	// Another OS user of these tests runs the programs too.
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	return dir, lab.Build(context.Background(), filepath.Join("..", "..", ".."), dir)
})

func TestMain(m *testing.M) {
	if os.Getenv(dialAs) != "" {
		os.Exit(dialOnly())
	}
	code := m.Run()
	if dir, err := built(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

const policy = `version: 1
providers:
  - {issuer: "${IDP}", client_id: postern, scopes: [openid, email]}
checks:
  edr-runs:
    expr: device.edr["local/test-edr"].running
    code: org/edr-not-running
    remedy: {text: start it}
apps:
  - {id: wiki, name: Wiki, gateway: dev, destinations: ["unix:${APPS}/wiki.sock"], ports: [80], checks: [edr-runs]}
  - {id: status, name: Status, gateway: dev, destinations: ["unix:${APPS}/status.sock"], ports: [80], posture: none}
`

// rig is a world with one agent and its product running.
type rig struct {
	*lab.World
	t     *testing.T
	agent *lab.Agent
	edr   lab.Product
	alive *lab.Running
}

// testLog passes the programs' logs to the test that they belong to.
type testLog struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// newWorld starts the broker's side and prepares an agent, not yet started.
func newWorld(t *testing.T) *rig {
	t.Helper()
	return newWorldOf(t, policy)
}

// newWorldOf is newWorld with a policy of its own.
func newWorldOf(t *testing.T, policy string) *rig {
	t.Helper()
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	log := &testLog{}
	w := lab.New(ctx, bin, t.TempDir(), lease, log)
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		cancel()
		if t.Failed() {
			log.mu.Lock()
			defer log.mu.Unlock()
			t.Logf("logs of the programs:\n%s", log.b.String())
		}
	})
	if err := w.Start(policy); err != nil {
		t.Fatal(err)
	}
	r := &rig{World: w, t: t}
	if r.edr, err = w.InstallEDR("local/test-edr", "Test EDR"); err != nil {
		t.Fatal(err)
	}
	if r.alive, err = w.StartEDR(r.edr); err != nil {
		t.Fatal(err)
	}
	if r.agent, err = w.NewAgent("agent", r.edr); err != nil {
		t.Fatal(err)
	}
	return r
}

// signedIn is newWorld with the agent started and the sample person signed in.
func signedIn(t *testing.T) *rig {
	t.Helper()
	r := newWorld(t)
	r.must(r.agent.Start(t.Context()))
	_, err := r.agent.Login(t.Context())
	r.must(err)
	r.fetch("wiki")
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// until waits for something outside this process.
func (r *rig) until(what string, ask func() (bool, error)) {
	r.t.Helper()
	r.must(lab.Until(r.t.Context(), patience, what, ask))
}

// fetch waits until an app can be fetched at its local address.
func (r *rig) fetch(app string) {
	r.t.Helper()
	r.until(app+" being fetched", func() (bool, error) {
		a, err := r.agent.App(r.t.Context(), app)
		if err != nil || a.LeaseRemainingMS == 0 {
			return false, errors.Join(err, fmt.Errorf("%s is %s %v", app, a.State, a.Reasons))
		}
		_, err = lab.Fetch(r.t.Context(), a.LocalAddress)
		return err == nil, err
	})
}

func (r *rig) stream(app, id string) *lab.Stream {
	r.t.Helper()
	a, err := r.agent.App(r.t.Context(), app)
	r.must(err)
	s, err := r.OpenStream(r.t.Context(), a.LocalAddress, "/slow", id)
	r.must(err)
	r.t.Cleanup(s.Close)
	return s
}

// goesOn waits until a stream has brought bytes for another while.
func (r *rig) goesOn(s *lab.Stream, during time.Duration) {
	r.t.Helper()
	from := r.Clock.Boot()
	r.until("the stream going on", func() (bool, error) {
		seen := s.Seen()
		if seen.Err != nil {
			return true, nil
		}
		return seen.LastByte > from+during, nil
	})
	if seen := s.Seen(); seen.Err != nil {
		r.t.Fatalf("the stream ended: %v", seen.Err)
	}
}

func (r *rig) status() localapi.Status {
	r.t.Helper()
	s, err := r.agent.Status(r.t.Context())
	r.must(err)
	return s
}

func TestBrokerDownAtStart(t *testing.T) {
	r := newWorld(t)
	r.must(r.Command("stop broker"))
	r.must(r.agent.Start(t.Context()))
	if s := r.status(); s.State != localapi.StateSignedOut || s.Device.Enrolled {
		t.Fatalf("without a broker the agent is %s, enrolled %v", s.State, s.Device.Enrolled)
	}
	r.must(r.Command("start broker"))
	r.until("enrolment by itself", func() (bool, error) { return r.status().Device.Enrolled, nil })
	_, err := r.agent.Login(t.Context())
	r.must(err)
	r.fetch("wiki")
}

func TestBrokerRestartMidLease(t *testing.T) {
	r := signedIn(t)
	s := r.stream("wiki", "restart")
	r.must(r.Command("stop broker"))
	r.must(r.Command("start broker"))
	r.goesOn(s, 2*lease) // far beyond the lease that ran when the broker went
}

func TestGatewayRestart(t *testing.T) {
	r := signedIn(t)
	s := r.stream("wiki", "gateway")
	r.must(r.Command("stop gateway"))
	r.must(r.Command("start gateway"))
	r.fetch("wiki")
	s.Close()
	if r.status().User == nil {
		t.Fatal("the restart of a gateway signed the person out")
	}
}

func TestAgentRestart(t *testing.T) {
	r := signedIn(t)
	before, err := r.agent.App(t.Context(), "wiki")
	r.must(err)
	r.must(r.agent.Stop())
	r.must(r.agent.Start(t.Context()))
	r.fetch("wiki")
	after, err := r.agent.App(t.Context(), "wiki")
	r.must(err)
	if after.LocalAddress != before.LocalAddress {
		t.Errorf("the wiki moved from %s to %s", before.LocalAddress, after.LocalAddress)
	}
	if after.TunnelPublicKey == before.TunnelPublicKey {
		t.Error("the tunnel key was used again after a restart")
	}
}

// A process that does not run cannot end its leases: the gateway does.
func TestFrozenAgent(t *testing.T) {
	r := signedIn(t)
	s := r.stream("wiki", "frozen")
	r.must(syscall.Kill(r.agent.PID(), syscall.SIGSTOP))
	frozen := true
	defer func() {
		if frozen {
			syscall.Kill(r.agent.PID(), syscall.SIGCONT)
		}
	}()
	if _, err := r.WaitAppCut(t.Context(), "frozen", 2*lease); err != nil {
		t.Fatal(err)
	}
	r.must(syscall.Kill(r.agent.PID(), syscall.SIGCONT))
	frozen = false
	if _, err := s.WaitEnd(t.Context(), patience); err != nil {
		t.Fatal(err)
	}
	r.fetch("wiki")
}

func TestSignOutClosesBothEndsAtOnce(t *testing.T) {
	r := signedIn(t)
	s := r.stream("wiki", "logout")
	began := r.Clock.Boot()
	res, err := r.agent.Postern(t.Context(), "logout")
	r.must(err)
	if res.Code != 0 {
		t.Fatalf("logout: exit %d: %s", res.Code, res.ErrOut)
	}
	if _, err := s.WaitEnd(t.Context(), patience); err != nil {
		t.Fatal(err)
	}
	cut, err := r.WaitAppCut(t.Context(), "logout", patience)
	r.must(err)
	if took := cut - began; took > lease/2 {
		t.Errorf("the gateway closed %s after the sign-out, as if nobody had told it", took)
	}
	res, err = r.agent.Postern(t.Context(), "status")
	r.must(err)
	if res.Code != 4 {
		t.Errorf("status after logout: exit %d, want 4", res.Code)
	}
}

func TestPolicyReload(t *testing.T) {
	r := signedIn(t)
	path := r.File("dev/policy.yaml")
	old, err := os.ReadFile(path)
	r.must(err)
	kept := r.stream("status", "kept")
	r.must(os.WriteFile(path, []byte("version: 1\napps: nonsense\n"), 0o600))
	r.goesOn(kept, 2500*time.Millisecond) // two looks of the broker at its file
	r.fetch("wiki")
	gone := r.stream("wiki", "gone")
	text := string(old)
	from, to := strings.Index(text, "  - {id: wiki"), strings.Index(text, "  - {id: status")
	r.must(os.WriteFile(path, []byte(text[:from]+text[to:]), 0o600))
	if _, err := gone.WaitEnd(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	if _, err := r.WaitAppCut(t.Context(), "gone", patience); err != nil {
		t.Fatal(err)
	}
	r.goesOn(kept, time.Second)
}

func TestWrongCA(t *testing.T) {
	r := newWorld(t)
	other := newWorld(t)
	settings := filepath.Join(r.agent.State, "settings.yaml")
	text, err := os.ReadFile(settings)
	r.must(err)
	r.must(os.WriteFile(settings, []byte(strings.ReplaceAll(string(text), r.Info.BrokerCA, other.Info.BrokerCA)), 0o600))
	r.must(r.agent.Start(t.Context()))
	r.until("the agent's complaint", func() (bool, error) { return strings.Contains(r.status().Message, "certificate"), nil })
	if r.status().Device.Enrolled {
		t.Fatal("the agent enrolled at a broker with a foreign certificate")
	}
}

func TestTwoAgentsOnOneState(t *testing.T) {
	r := newWorld(t)
	r.must(r.agent.Start(t.Context()))
	first := r.agent.PID()
	cmd := exec.CommandContext(t.Context(), filepath.Join(r.Bin, "posternd"), "--user", "--state", r.agent.State)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), fmt.Sprint(first)) {
		t.Fatalf("the second agent: %v, said %q, want exit 1 and the first one's process %d", err, out, first)
	}
	r.must(r.agent.Kill())
	r.must(r.agent.Start(t.Context()))
}

// dialAs makes this test binary only dial: "network address".
const dialAs = "POSTERN_TEST_DIAL"

func dialOnly() int {
	network, address, _ := strings.Cut(os.Getenv(dialAs), " ")
	if err := lab.Refused(context.Background(), network, address); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// otherUser dials as another OS user, in a process of its own.
func (r *rig) otherUser(network, address string) (string, error) {
	self, err := os.Executable()
	r.must(err)
	dir, err := os.MkdirTemp("", "postern-other-user-")
	r.must(err)
	defer os.RemoveAll(dir)
	r.must(os.Chmod(dir, 0o755))
	src, err := os.Open(self)
	r.must(err)
	defer src.Close()
	path := filepath.Join(dir, "dial")
	dst, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	r.must(err)
	_, err = io.Copy(dst, src)
	r.must(errors.Join(err, dst.Close()))
	cmd := exec.CommandContext(r.t.Context(), path)
	cmd.Dir, cmd.Env = "/", []string{dialAs + "=" + network + " " + address}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: person, Gid: person}}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestAnotherUserOfTheMachine(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test plays a second OS user and needs root")
	}
	r := signedIn(t)
	a, err := r.agent.App(t.Context(), "wiki")
	r.must(err)
	for _, c := range [][2]string{{"tcp", a.LocalAddress}, {"unix", r.agent.Socket()}, {"unix", filepath.Join(r.Info.Apps, "wiki.sock")}} {
		if out, err := r.otherUser(c[0], c[1]); err != nil {
			t.Errorf("another user at %s: %v %s", c[1], err, out)
		}
	}
	r.fetch("wiki") // and the owner goes on
}

// person is an OS user who is nobody here, and no service (platform/ipc).
const person = 4242

// The system's agent belongs to whoever signed in, be it the lesser user: root
// does not use the session, and may end it.
func TestSystemAgentBelongsToWhoSignedIn(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test plays a second OS user and needs root")
	}
	r := newWorld(t)
	run, err := os.MkdirTemp("", "postern-run-")
	r.must(err)
	t.Cleanup(func() { os.RemoveAll(run) })
	r.must(os.Chmod(run, 0o755))
	r.agent.RunDir = run
	r.must(r.agent.Start(t.Context()))
	r.agent.As = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: person, Gid: person}}
	_, err = r.agent.Login(t.Context())
	r.must(err)
	var a localapi.App
	r.until("the lease of the other user", func() (bool, error) {
		var err error
		a, err = r.agent.App(t.Context(), "wiki")
		return a.LeaseRemainingMS > 0, err
	})
	// dialOnly says that it was not refused: exactly this user is served.
	if out, err := r.otherUser("tcp", a.LocalAddress); err == nil || !strings.Contains(out, "answered with data") {
		t.Errorf("the user who signed in is not served: %v %s", err, out)
	}
	if err := lab.Refused(t.Context(), "tcp", a.LocalAddress); err != nil {
		t.Errorf("root uses another user's tunnel: %v", err)
	}
	r.agent.As = nil
	if res, err := r.agent.Postern(t.Context(), "pause", "--for", "1h", "--reason", "root wants it"); err != nil || res.Code == 0 {
		t.Errorf("root paused another user's session: %v %+v", err, res)
	}
	if s := r.status(); s.User == nil || s.Pause != nil {
		t.Errorf("after root's pause: %+v", s)
	}
	if res, err := r.agent.Postern(t.Context(), "logout"); err != nil || res.Code != 0 {
		t.Errorf("root cannot end another user's session: %v %+v", err, res)
	}
	if s := r.status(); s.User != nil {
		t.Error("the session goes on")
	}
}

func TestDriftAndRepair(t *testing.T) {
	r := signedIn(t)
	s := r.stream("wiki", "drift")
	kept := r.stream("status", "drift-kept")
	killed := r.Clock.Boot()
	r.must(r.alive.Kill())
	seen, err := s.WaitEnd(t.Context(), patience)
	r.must(err)
	cut, err := r.WaitAppCut(t.Context(), "drift", patience)
	r.must(err)
	t.Logf("after the kill: client closed %.1f ms, gateway closed %.1f ms", lab.Since(killed, seen.ErrorAt), lab.Since(killed, cut))
	if seen.CleanStop {
		t.Error("the reader saw an orderly end")
	}
	r.goesOn(kept, time.Second)
	r.alive, err = r.StartEDR(r.edr)
	r.must(err)
	r.fetch("wiki")
}
