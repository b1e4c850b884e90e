//go:build unix

package osexec

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// parentPipe tells a child which of its descriptors closes when we end.
const parentPipe = "POSTERN_PARENT_PIPE"

func minimalEnv() []string {
	return []string{"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
}

func rootDir() string { return "/" }

func executable(info fs.FileInfo) bool {
	return info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

func ownGroup(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true // the group's id is then the child's
}

func killGroup(p *os.Process) error {
	err := syscall.Kill(-p.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

func terminate(p *os.Process) error { return p.Signal(syscall.SIGTERM) }

// startTied starts cmd with the read end of a pipe whose write end is only in
// our hands; closing what is returned lets go of it.
func startTied(cmd *exec.Cmd) (io.Closer, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd.ExtraFiles = []*os.File{r}
	cmd.Env = append(cmd.Env, parentPipe+"=3") // the first after 0, 1 and 2
	dieWithThread(cmd)
	if err := cmd.Start(); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// DieWithParent makes this process kill itself when the process that started it
// with Start or StartSelf ends. It does nothing in a process started otherwise.
// Call it first thing in main; it matters on systems without a parent-death
// signal (macOS). A second call does nothing.
func DieWithParent() {
	fd, err := strconv.Atoi(os.Getenv(parentPipe))
	os.Unsetenv(parentPipe) // it means us, not what we start
	if err != nil || fd < 3 {
		return
	}
	syscall.CloseOnExec(fd)
	pipe := os.NewFile(uintptr(fd), "parent")
	go func() { // ends with the process
		io.Copy(io.Discard, pipe) // nothing is ever written: it returns when the pipe closes
		syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	}()
}
