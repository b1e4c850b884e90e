package page

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
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

	"github.com/postern-zt/postern/testfixtures/browser"
	"github.com/postern-zt/postern/testfixtures/lab"
)

// skipName leaves the suite out, on machines without a browser; markName is in
// the environment of all that the browser's kit starts.
const (
	skipName = "POSTERN_NO_BROWSER"
	markName = "POSTERN_BROWSER_RUN"
)

// patience bounds what comes about by itself.
const patience = time.Minute

//go:embed tabs.mjs
var tabsScript []byte

// chrome is the browser of all tests.
type chrome struct {
	kit    *browser.Kit
	script *browser.Script

	mu   sync.Mutex
	last int
	open map[int]chan answer
	log  bytes.Buffer
}

type answer struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  string          `json:"error"`
}

// shared is the browser of this run, made by TestMain.
var shared *chrome

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Getenv(skipName) != "" {
		fmt.Println("left out by " + skipName + ": the status page in a browser")
		return 0
	}
	// The tests mostly wait for the browser.
	if err := flag.Set("test.parallel", "6"); err != nil {
		fmt.Println(err)
		return 1
	}
	mark := "page-" + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	os.Setenv(markName, mark)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	shared = &chrome{open: map[int]chan answer{}}
	code := 1
	if err := shared.start(ctx); err != nil {
		fmt.Println(err)
	} else {
		code = m.Run()
	}
	if err := errors.Join(shared.end(), nothingStays(ctx, mark)); err != nil {
		fmt.Println(err)
		code = 1
	}
	if code != 0 && testing.Verbose() {
		fmt.Printf("the browser's log:\n%s", shared.log.Bytes())
	}
	return code
}

func (c *chrome) start(ctx context.Context) (err error) {
	if c.kit, err = browser.Prepare(ctx, func(line string) { fmt.Println(line) }); err != nil {
		return err
	}
	c.script, err = c.kit.StartScript(ctx, &c.log, "tabs.mjs", tabsScript, c.take)
	return err
}

func (c *chrome) end() error {
	var errs []error
	if c.script != nil {
		errs = append(errs, c.script.Close())
	}
	if c.kit != nil {
		errs = append(errs, c.kit.Close())
	}
	return errors.Join(errs...)
}

func (c *chrome) take(line []byte) {
	var a answer
	if json.Unmarshal(line, &a) != nil {
		return // not of ours: a library's
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if to := c.open[a.ID]; to != nil {
		delete(c.open, a.ID)
		to <- a
	}
}

// do sends one command and decodes what came of it into out, unless that is nil.
func (c *chrome) do(ctx context.Context, command map[string]any, out any) error {
	to := make(chan answer, 1)
	c.mu.Lock()
	c.last++
	command["id"] = c.last
	c.open[c.last] = to
	c.mu.Unlock()
	if err := c.script.Send(command); err != nil {
		return fmt.Errorf("%v in the browser: %w", command["act"], err)
	}
	select {
	case a := <-to:
		if a.Error != "" {
			return fmt.Errorf("%v in the browser: %s", command["act"], a.Error)
		}
		if out == nil {
			return nil
		}
		return json.Unmarshal(a.Result, out)
	case <-c.script.Done():
		return fmt.Errorf("%v in the browser: it has ended", command["act"])
	case <-ctx.Done():
		return fmt.Errorf("%v in the browser: %w", command["act"], ctx.Err())
	}
}

// nothingStays wants every process gone that carries the mark of this run.
func nothingStays(ctx context.Context, mark string) error {
	return lab.Until(ctx, patience, "the end of everything that was started", func() (bool, error) {
		paths, err := filepath.Glob("/proc/[0-9]*/environ")
		if err != nil {
			return false, err
		}
		for _, path := range paths {
			env, err := os.ReadFile(path)
			if err == nil && bytes.Contains(env, []byte(markName+"="+mark)) && !strings.HasPrefix(path, fmt.Sprintf("/proc/%d/", os.Getpid())) {
				return false, fmt.Errorf("still there: %s", path)
			}
		}
		return true, nil
	})
}
