//go:build unix

package osexec

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asChild names the environment variable that turns this test binary into one
// of the programs below.
const asChild = "POSTERN_TEST_AS"

func TestMain(m *testing.M) {
	switch os.Getenv(asChild) {
	case "":
		os.Exit(m.Run())
	case "echo": // answers each line, until its input ends
		fmt.Println(strings.Join(os.Args[1:], " "), "HOME="+os.Getenv("HOME"))
		io.Copy(os.Stdout, os.Stdin)
	case "exit3":
		os.Exit(3)
	case "parent": // starts a child that holds our output, and waits to be killed
		child, err := StartSelf(context.Background(), Self{Env: []string{asChild + "=orphan"}, Stdout: os.Stdout, Stderr: os.Stderr})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		child.Wait()
	case "pipe-parent": // the same without a parent-death signal
		r, w, err := os.Pipe()
		if err == nil {
			_, err = os.StartProcess(os.Args[0], os.Args, &os.ProcAttr{
				Env:   []string{asChild + "=tied-orphan", parentPipe + "=3"},
				Files: []*os.File{nil, os.Stdout, os.Stderr, r},
			})
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		<-time.After(time.Minute)
		w.Close() // only so that it stays open until here
	case "orphan":
		fmt.Println("child", os.Getpid())
		<-time.After(time.Minute)
	case "tied-orphan":
		DieWithParent()
		DieWithParent()
		fmt.Println("child", os.Getpid(), os.Getenv(parentPipe))
		<-time.After(time.Minute)
	}
}

var tools = List{
	"sh":       {"/nowhere/sh", "/bin/sh"},
	"env":      {"/usr/bin/env", "/bin/env"},
	"missing":  {"/nowhere/missing", "/etc/passwd", "/etc"},
	"relative": {"sh"},
}

func TestRun(t *testing.T) {
	ctx := t.Context()
	out, err := tools.Run(ctx, "sh", "-c", "echo out; echo err >&2; pwd; cat")
	if err != nil || string(out.Stdout) != "out\n/\n" || string(out.Stderr) != "err\n" || out.Truncated {
		t.Errorf("got %q, %q, truncated %v, %v", out.Stdout, out.Stderr, out.Truncated, err)
	}

	t.Setenv("HOME", "/root")
	t.Setenv("LD_PRELOAD_LIKE", "secret")
	out, err = tools.Run(ctx, "env")
	if want := "LC_ALL=C\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n"; err != nil || string(out.Stdout) != want {
		t.Errorf("environment is %q, want %q (%v)", out.Stdout, want, err)
	}

	_, err = tools.Run(ctx, "sh", "-c", "echo why >&2; exit 7")
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 7 || string(exit.Stderr) != "why\n" || exit.Error() != "sh ended with exit status 7" {
		t.Errorf("got %v", err)
	}
	_, err = tools.Run(ctx, "sh", "-c", "kill -9 $$")
	if !errors.As(err, &exit) || exit.Code != -1 {
		t.Errorf("ended by a signal: %v", err)
	}
}

func TestRunRefuses(t *testing.T) {
	ctx := t.Context()
	for _, name := range []string{"ls", "/bin/sh", "", "relative"} {
		if _, err := tools.Run(ctx, name); !errors.Is(err, ErrNotAllowed) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := Run(ctx, Command{Name: "sh"}); !errors.Is(err, ErrNotAllowed) {
		t.Errorf("without a list: %v", err)
	}
	var missing *MissingError
	if _, err := tools.Run(ctx, "missing"); !errors.As(err, &missing) || missing.Name != "missing" {
		t.Errorf("got %v", err)
	}
}

func TestRunCapsOutput(t *testing.T) {
	for _, tc := range []struct {
		bytes     int
		truncated bool
	}{{MaxOutput, false}, {MaxOutput + 1, true}, {3 * MaxOutput, true}} {
		out, err := tools.Run(t.Context(), "sh", "-c", "head -c "+strconv.Itoa(tc.bytes)+" /dev/zero")
		if err != nil || len(out.Stdout) != MaxOutput || out.Truncated != tc.truncated {
			t.Errorf("%d bytes: kept %d, truncated %v, %v", tc.bytes, len(out.Stdout), out.Truncated, err)
		}
	}
}

func TestRunTimeoutKillsTheGroup(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	out, err := tools.Run(ctx, "sh", "-c", "sleep 600 & echo $!; wait")
	var timeout *TimeoutError
	if !errors.As(err, &timeout) || timeout.Name != "sh" || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want a TimeoutError", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	gone(t, strings.TrimSpace(string(out.Stdout)))
}

func TestRunDoesNotWaitForWhatIsLeftBehind(t *testing.T) {
	began := time.Now()
	out, err := tools.Run(t.Context(), "sh", "-c", "sleep 600 & echo $!")
	if err != nil || !out.Truncated {
		t.Errorf("truncated %v, %v", out.Truncated, err)
	}
	if took := time.Since(began); took > DefaultTimeout/2 {
		t.Errorf("took %v", took)
	}
	gone(t, strings.TrimSpace(string(out.Stdout)))
}

func TestRunCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	_, err := tools.Run(ctx, "sh", "-c", "sleep 600")
	var timeout *TimeoutError
	if !errors.Is(err, context.Canceled) || errors.As(err, &timeout) {
		t.Errorf("got %v", err)
	}
}

// gone waits until the process has ended. Its end is somebody else's business
// (init reaps it), so there is nothing to wait on but the process table.
func gone(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil || n <= 1 {
		t.Fatalf("%q is no process id", pid)
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
		if syscall.Kill(n, 0) == syscall.ESRCH {
			return
		}
		stat, _ := os.ReadFile("/proc/" + pid + "/stat")
		if _, after, ok := bytes.Cut(stat, []byte(") ")); ok && after[0] == 'Z' {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Errorf("process %d is still there", n)
	syscall.Kill(n, syscall.SIGKILL)
}

// echo starts the echo child and returns its input and its output.
func echo(t *testing.T, ctx context.Context) (*Child, *os.File, *bufio.Reader) {
	t.Helper()
	inR, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outR.SetReadDeadline(time.Now().Add(20 * time.Second))
	t.Cleanup(func() { inW.Close(); outR.Close() })
	child, err := StartSelf(ctx, Self{Args: []string{"one", "two three"}, Env: []string{asChild + "=echo"}, Stdin: inR, Stdout: outW})
	inR.Close()
	outW.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { child.Kill(); child.Wait() })
	out := bufio.NewReader(outR)
	if line, err := out.ReadString('\n'); line != "one two three HOME=\n" {
		t.Fatalf("child said %q, %v", line, err)
	}
	return child, inW, out
}

func TestChildTalksAndEnds(t *testing.T) {
	child, in, out := echo(t, t.Context())
	fmt.Fprintln(in, "ping")
	if line, err := out.ReadString('\n'); line != "ping\n" {
		t.Errorf("child said %q, %v", line, err)
	}
	in.Close()
	for range 2 {
		if err := child.Wait(); err != nil {
			t.Errorf("Wait: %v", err)
		}
	}
	if child.Kill() != nil || child.Terminate() != nil {
		t.Error("ending an ended child is an error")
	}
}

func TestChildOutlivesTheThreadThatAskedForIt(t *testing.T) {
	var child *Child
	var in *os.File
	var out *bufio.Reader
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		child, in, out = echo(t, t.Context())
	}()
	<-done
	for range 50 { // enough scheduling for the thread to be gone
		runtime.GC()
		fmt.Fprintln(in, "still there")
		if line, err := out.ReadString('\n'); err != nil {
			t.Fatalf("child said %q, %v", line, err)
		}
	}
	in.Close()
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
}

func TestChildIsToldToEnd(t *testing.T) {
	for name, end := range map[string]func(*Child, context.CancelFunc){
		"Terminate": func(c *Child, _ context.CancelFunc) { c.Terminate() },
		"Kill":      func(c *Child, _ context.CancelFunc) { c.Kill() },
		"cancel":    func(_ *Child, cancel context.CancelFunc) { cancel() },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		child, _, _ := echo(t, ctx)
		end(child, cancel)
		var exit *ExitError
		if err := child.Wait(); !errors.As(err, &exit) || exit.Code != -1 {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}

func TestChildExitCode(t *testing.T) {
	child, err := StartSelf(t.Context(), Self{Env: []string{asChild + "=exit3"}})
	if err != nil {
		t.Fatal(err)
	}
	var exit *ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.Code != 3 {
		t.Errorf("got %v", err)
	}
	<-child.Done()
}

func TestStartRefuses(t *testing.T) {
	if _, err := Start(t.Context(), "sh", Self{}); !errors.Is(err, ErrNotAllowed) {
		t.Errorf("relative path: %v", err)
	}
	if _, err := Start(t.Context(), filepath.Join(t.TempDir(), "none"), Self{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing program: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := StartSelf(ctx, Self{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestChildDiesWithKilledParent kills a parent with SIGKILL and waits for the
// pipe that only the parent and its child hold to close.
func TestChildDiesWithKilledParent(t *testing.T) {
	modes := []string{"pipe-parent"}
	if runtime.GOOS == "linux" {
		modes = append(modes, "parent")
	}
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			r.SetReadDeadline(time.Now().Add(20 * time.Second))
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			parent := exec.Command(self)
			parent.Env = []string{asChild + "=" + mode}
			parent.Stdout, parent.Stderr = w, w
			if err := parent.Start(); err != nil {
				t.Fatal(err)
			}
			w.Close()
			out := bufio.NewReader(r)
			line, err := out.ReadString('\n')
			pid, found := strings.CutPrefix(strings.TrimSpace(line), "child ")
			if !found {
				t.Fatalf("parent said %q, %v", line, err)
			}
			parent.Process.Kill()
			parent.Wait()
			if rest, err := io.ReadAll(out); err != nil || len(rest) > 0 {
				t.Errorf("the child lived on: %q, %v", rest, err)
			}
			gone(t, pid)
		})
	}
}
