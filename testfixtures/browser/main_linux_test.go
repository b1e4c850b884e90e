package browser

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-zt/postern/testfixtures/lab"
)

// skipName leaves the suite out, on machines without a browser.
const skipName = "POSTERN_NO_BROWSER"

// patience bounds what comes about by itself.
const patience = time.Minute

// password of everybody; the provider answers only this machine.
const password = "through the looking-glass"

const policy = `version: 1
providers:
  - {issuer: "%s", client_id: postern, scopes: [openid, email, profile]}
apps:
  - {id: status, name: Status, gateway: dev, destinations: ["unix:${APPS}/status.sock"], ports: [80], posture: none}
`

// stage is what all tests share: provider, browser and broker. Each test has a
// person, an agent and a context of the browser of its own.
type stage struct {
	kit      *Kit
	provider *Provider
	driver   *Driver
	world    *lab.World
	log      *journal
	bin      string
}

// journal keeps what the programs say until somebody asks.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// people are the provider's: one for each test, so that none finds another's
// session.
func people() map[string]Somebody {
	out := map[string]Somebody{"denied": {password, "access_denied"}, "broken": {password, "server_error"}}
	for _, name := range []string{"alice", "wrong", "closed", "cancel", "second", "expired", "late", "restart", "opener", "nobody", "shared", "colleague", "address", "back", "pasted"} {
		out[name] = Somebody{Password: password}
	}
	return out
}

// on is the stage of this run, made by TestMain.
var on *stage

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Getenv(skipName) != "" {
		fmt.Println("left out by " + skipName + ": sign-in in a browser")
		return 0
	}
	// The tests mostly wait for the browser.
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Println(err)
		return 1
	}
	mark := strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	os.Setenv(markName, mark)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dir, err := os.MkdirTemp("", "postern-signin-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	on = &stage{log: &journal{}, bin: filepath.Join(dir, "bin")}
	code := 1
	if err := on.set(ctx, dir); err != nil {
		fmt.Printf("%v\n%s", err, on.log)
	} else {
		code = m.Run()
	}
	if err := on.strike(); err != nil {
		fmt.Println(err)
		code = 1
	}
	if err := nothingStays(ctx, mark); err != nil {
		fmt.Println(err)
		code = 1
	}
	if code != 0 && testing.Verbose() {
		fmt.Printf("logs of the programs:\n%s", on.log)
	}
	return code
}

// set starts everything, side by side where it can.
func (s *stage) set(ctx context.Context, dir string) error {
	built := make(chan error, 1)
	go func() { built <- lab.Build(ctx, filepath.Join("..", ".."), s.bin) }()
	var err error
	if s.kit, err = Prepare(ctx, func(line string) { fmt.Println(line) }); err != nil {
		return errors.Join(err, <-built)
	}
	if s.provider, err = s.kit.StartProvider(ctx, s.log, "postern", people()); err != nil {
		return errors.Join(err, <-built)
	}
	if s.driver, err = s.kit.Start(ctx, s.log); err != nil {
		return errors.Join(err, <-built)
	}
	if err := <-built; err != nil {
		return err
	}
	s.world = lab.New(ctx, s.bin, dir, 30*time.Second, s.log)
	return s.world.Start(fmt.Sprintf(policy, s.provider.Issuer))
}

// strike ends everything.
func (s *stage) strike() error {
	var errs []error
	if s.driver != nil {
		errs = append(errs, s.driver.Close())
	}
	if s.provider != nil {
		errs = append(errs, s.provider.Close())
	}
	if s.world != nil {
		errs = append(errs, s.world.Close())
	}
	if s.kit != nil {
		errs = append(errs, s.kit.Close())
	}
	return errors.Join(errs...)
}

// nothingStays wants every process gone that carries the mark of this run in
// its environment: node, Chromium and whatever they started.
func nothingStays(ctx context.Context, mark string) error {
	return lab.Until(ctx, patience, "the end of everything that was started", func() (bool, error) {
		stay, err := marked(mark)
		if err == nil && len(stay) > 0 {
			err = fmt.Errorf("still there: %s", strings.Join(stay, "; "))
		}
		return err == nil, err
	})
}

// marked lists processes with the mark other than this one.
func marked(mark string) ([]string, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, path := range paths {
		env, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(env, []byte(markName+"="+mark)) {
			continue // gone, another user's, or nobody of ours
		}
		if path == fmt.Sprintf("/proc/%d/environ", os.Getpid()) {
			continue
		}
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		out = append(out, filepath.Base(filepath.Dir(path))+" "+string(bytes.ReplaceAll(command, []byte{0}, []byte(" "))))
	}
	return out, nil
}
