package terminal

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postern-zt/postern/testfixtures/pty"
)

func open(t *testing.T) (control, file *os.File) {
	t.Helper()
	control, file, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close(); control.Close() })
	return control, file
}

func TestTerminal(t *testing.T) {
	control, file := open(t)
	if err := pty.Resize(control, 91, 33); err != nil {
		t.Fatal(err)
	}
	if columns, rows := Size(file); columns != 91 || rows != 33 {
		t.Errorf("%d columns, %d rows", columns, rows)
	}
	if !Is(file) || !Escapes(file) {
		t.Error("a terminal is none")
	}
	// It is not this process's own terminal, of whose foreground it could be.
	if Foreground(file) {
		t.Error("a terminal of nobody is in our foreground")
	}
}

func TestNoTerminal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	columns, rows := Size(r)
	if _, err := ReadUnseen(r); Is(r) || columns != 0 || rows != 0 || Foreground(r) || err == nil {
		t.Errorf("a pipe is a terminal of %d by %d, %v", columns, rows, err)
	}
}

func TestReadUnseen(t *testing.T) {
	control, file := open(t)
	before, err := pty.Settings(file)
	if err != nil {
		t.Fatal(err)
	}
	restore, err := ReadUnseen(file)
	if err != nil {
		t.Fatal(err)
	}
	during, _ := pty.Settings(file)
	long := strings.Repeat("x", 9000) // more than a line may have otherwise
	wrote := make(chan error, 1)
	go func() { _, err := control.WriteString(long); wrote <- err }()
	var got int
	for buf := make([]byte, 4096); got < len(long); {
		n, err := file.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got += n
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
	restore()
	if after, _ := pty.Settings(file); after != before || during == before {
		t.Errorf("settings before %s\nduring %s\nafter %s", before, during, after)
	}
}

func TestResized(t *testing.T) {
	told, stop := Resized()
	defer stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	select {
	case <-told:
	case <-time.After(20 * time.Second):
		t.Fatal("nobody told")
	}
}
