package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
)

// identity tells one state of one file from every other: device, inode, size,
// and the times of the last change of content and of inode (stat(2)). The last
// cannot be set by a program.
func identity(info os.FileInfo) (string, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", false
	}
	return fmt.Sprintf("%d/%d/%d/%d.%d/%d.%d", st.Dev, st.Ino, st.Size,
		st.Mtim.Sec, st.Mtim.Nsec, st.Ctim.Sec, st.Ctim.Nsec), true
}

func changed(info os.FileInfo) time.Time {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(st.Ctim.Unix())
	}
	return info.ModTime()
}

func tryAgain(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EINTR)
}

// Processes reads /proc/PID/comm and /proc/PID/exe (proc(5)). Processes that
// end meanwhile are left out; kernel threads have no executable.
func (m *live) Processes(ctx context.Context) ([]evidence.Process, error) {
	names, err := m.ReadDir(ctx, "/proc")
	if err != nil {
		return nil, err
	}
	var out []evidence.Process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, evidence.Wrap("list processes", err)
		}
		if p, ok := readProcess(pid); ok {
			out = append(out, p)
		}
	}
	return out, nil
}

func readProcess(pid int) (evidence.Process, bool) {
	dir := "/proc/" + strconv.Itoa(pid)
	comm, err := os.ReadFile(dir + "/comm")
	if err != nil {
		return evidence.Process{}, false
	}
	p := evidence.Process{PID: pid, Name: strings.TrimSuffix(string(comm), "\n")}
	if ended(dir) {
		return evidence.Process{}, false
	}
	exe, err := os.Readlink(dir + "/exe")
	if err != nil { // refused, or a kernel thread
		return p, true
	}
	p.Executable, p.Deleted = strings.CutSuffix(exe, " (deleted)")
	p.Deleted = p.Deleted || replaced(dir+"/exe", p.Executable)
	return p, true
}

// ended is true of a zombie, which has ended but was not yet waited for: state
// Z or X in /proc/PID/stat, after the name in parentheses.
func ended(dir string) bool {
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
	}
	rest := string(stat[strings.LastIndexByte(string(stat), ')')+1:])
	state := strings.TrimSpace(rest)
	return strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X")
}

// replaced is true when the path does not lead to the file that the process
// runs: it was replaced, or the process sees other mounts than we do and only
// its path looks the same. What may not be looked at stays as the link says.
func replaced(link, path string) bool {
	running, err := os.Stat(link)
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	return !os.SameFile(running, there)
}
