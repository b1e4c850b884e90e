package osexec

import (
	"os/exec"
	"runtime"
	"syscall"
)

// lockToThread keeps the goroutine on its thread. The parent-death signal is
// sent when the *thread* that started the child ends (prctl(2),
// PR_SET_PDEATHSIG), and Go ends threads as it likes.
func lockToThread() (release func()) {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}

// dieWithThread asks for SIGKILL on the end of the starting thread. The runtime
// itself checks that the parent did not end before the request was made.
func dieWithThread(cmd *exec.Cmd) { cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL }
