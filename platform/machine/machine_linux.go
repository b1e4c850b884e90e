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
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return evidence.Process{}, false
	}
	p, alive := parseStatus(string(status))
	if !alive {
		return evidence.Process{}, false
	}
	p.PID = pid
	exe, err := os.Readlink(dir + "/exe")
	if err != nil { // a kernel thread, or refused: then the unit still tells
		if !errors.Is(err, fs.ErrNotExist) {
			p.Unit = unitOf(dir)
		}
		return p, true
	}
	p.Unit = unitOf(dir)
	p.Executable, p.Deleted = strings.CutSuffix(exe, " (deleted)")
	p.Deleted = p.Deleted || replaced(dir+"/exe", p.Executable)
	return p, true
}

// parseStatus reads /proc/PID/status (proc_pid_status(5)): the name, the
// effective user id, and whether the process is alive. A zombie (Z) has ended
// but was not yet waited for.
func parseStatus(status string) (p evidence.Process, alive bool) {
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "Name":
			p.Name = strings.NewReplacer(`\n`, "\n", `\\`, `\`).Replace(strings.Trim(value, "\t\n"))
		case "State":
			value = strings.TrimSpace(value)
			if alive = value != "" && !strings.ContainsAny(value[:1], "ZXx"); !alive {
				return p, false
			}
		case "Uid":
			if f := strings.Fields(value); len(f) >= 2 {
				p.Owner = f[1]
			}
			return p, alive
		}
	}
	return p, alive
}

// unitOf is the systemd unit of a process: the last part of its control group
// that is a service or a scope (proc_pid_cgroup(5), systemd.unit(5)).
func unitOf(dir string) string {
	groups, err := os.ReadFile(dir + "/cgroup")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(groups)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 || f[0] != "0" && f[1] != "name=systemd" {
			continue
		}
		parts := strings.Split(f[2], "/")
		for i := len(parts) - 1; i >= 0; i-- {
			if strings.HasSuffix(parts[i], ".service") || strings.HasSuffix(parts[i], ".scope") {
				return parts[i]
			}
		}
	}
	return ""
}

// owner is the user id a file belongs to.
func owner(_ string, info os.FileInfo) string {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return strconv.FormatUint(uint64(st.Uid), 10)
	}
	return ""
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
