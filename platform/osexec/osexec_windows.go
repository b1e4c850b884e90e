package osexec

import (
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/windows"
)

// minimalEnv has no LC_ALL, which Windows does not know. Programs do not start
// without SystemRoot.
func minimalEnv() []string {
	dir, err := windows.GetSystemWindowsDirectory()
	if err != nil {
		dir = `C:\Windows`
	}
	return []string{
		"SystemRoot=" + dir, "windir=" + dir,
		"PATH=" + filepath.Join(dir, "System32") + ";" + dir,
	}
}

func rootDir() string {
	dir, err := windows.GetSystemDirectory()
	if err != nil {
		return `C:\`
	}
	return filepath.VolumeName(dir) + `\`
}

func executable(info fs.FileInfo) bool { return info.Mode().IsRegular() }

// ownGroup keeps a console window from opening.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &windows.SysProcAttr{
		HideWindow:    true,
		CreationFlags: windows.CREATE_NO_WINDOW | windows.CREATE_NEW_PROCESS_GROUP,
	}
}

func killGroup(p *os.Process) error { return p.Kill() }
func terminate(p *os.Process) error { return p.Kill() }

func lockToThread() (release func()) { return func() {} }

// job is a job object; the system kills what is in it when its last handle,
// ours, is closed.
type job windows.Handle

func (j job) Close() error { return windows.CloseHandle(windows.Handle(j)) }

// startTied starts cmd and puts it into a job of its own. A child that cannot
// be put there would outlive us, so it is killed.
func startTied(cmd *exec.Cmd) (io.Closer, error) {
	h, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return nil, err
	}
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{
			LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
		},
	}
	_, err = windows.SetInformationJobObject(h, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if err != nil {
		windows.CloseHandle(h)
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		windows.CloseHandle(h)
		return nil, err
	}
	if err := assign(h, cmd.Process.Pid); err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		windows.CloseHandle(h)
		return nil, err
	}
	return job(h), nil
}

func assign(h windows.Handle, pid int) error {
	p, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(pid))
	if err != nil {
		return err
	}
	defer windows.CloseHandle(p)
	return windows.AssignProcessToJobObject(h, p)
}

// DieWithParent does nothing: the job object that Start puts a child into ends
// it.
func DieWithParent() {}
