package osexec

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
	case "orphan":
		fmt.Println("child", os.Getpid())
		<-time.After(time.Minute)
	}
}

// echo starts the echo child and returns its input and its output.
func echo(t *testing.T, ctx context.Context) (*Child, io.WriteCloser, *bufio.Reader) {
	t.Helper()
	inR, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW := io.Pipe()
	t.Cleanup(func() { inW.Close(); outR.Close() })
	t.Setenv("HOME", `C:\secret`)
	child, err := StartSelf(ctx, Self{Args: []string{"one", "two three"}, Env: []string{asChild + "=echo"}, Stdin: inR, Stdout: outW})
	inR.Close()
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
		if err := child.Wait(); !errors.As(err, &exit) || exit.Code == 0 {
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
}

func TestStartRefuses(t *testing.T) {
	for _, path := range []string{"cmd.exe", `\windows\system32\cmd.exe`} {
		if _, err := Start(t.Context(), path, Self{}); !errors.Is(err, ErrNotAllowed) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := Start(t.Context(), filepath.Join(t.TempDir(), "none.exe"), Self{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing program: %v", err)
	}
}

func TestRun(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tools := List{"self": {`C:\nowhere\self.exe`, self}, "missing": {`C:\nowhere\missing.exe`, `C:\`}}
	out, err := tools.Run(t.Context(), "self", "-test.list", "^TestRun$")
	if err != nil || !strings.Contains(string(out.Stdout), "TestRun") || out.Truncated {
		t.Errorf("got %q, %q, %v", out.Stdout, out.Stderr, err)
	}
	var missing *MissingError
	if _, err := tools.Run(t.Context(), "missing"); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
	if _, err := tools.Run(t.Context(), "cmd"); !errors.Is(err, ErrNotAllowed) {
		t.Errorf("got %v", err)
	}
}

// TestChildDiesWithKilledParent kills a parent and waits for the pipe that only
// the parent and its child hold to close.
func TestChildDiesWithKilledParent(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(self)
	parent.Env = append(os.Environ(), asChild+"=parent")
	parent.Stdout, parent.Stderr = w, w
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	out := bufio.NewReader(r)
	if line, err := out.ReadString('\n'); !strings.HasPrefix(line, "child ") {
		t.Fatalf("parent said %q, %v", line, err)
	}
	parent.Process.Kill()
	parent.Wait()
	closed := make(chan error, 1)
	go func() { // ends with the child, at the latest after its minute
		rest, err := io.ReadAll(out)
		if len(rest) > 0 {
			err = fmt.Errorf("it said %q", rest)
		}
		closed <- err
	}()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(40 * time.Second):
		t.Error("the child lives on")
	}
}
