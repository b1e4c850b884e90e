package machine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/postern-zt/postern/posture/evidence"
)

// Processes reads the kernel's table (sysctl kern.proc.all); a zombie has
// ended. The program comes from proc_pidpath; kernel_task has none.
func (m *live) Processes(ctx context.Context) ([]evidence.Process, error) {
	const op = "list processes"
	if err := ctx.Err(); err != nil {
		return nil, evidence.Wrap(op, err)
	}
	table, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return nil, wrap(op, err)
	}
	pathOf, err := libSystem("proc_pidpath")
	if err != nil {
		return nil, wrap(op, err)
	}
	const zombie = 5 // SZOMB, sys/proc.h
	var out []evidence.Process
	for _, k := range table {
		if err := ctx.Err(); err != nil {
			return nil, evidence.Wrap(op, err)
		}
		if k.Proc.P_stat == zombie {
			continue
		}
		p := evidence.Process{
			PID: int(k.Proc.P_pid), Name: unix.ByteSliceToString(k.Proc.P_comm[:]),
			Owner: strconv.FormatUint(uint64(k.Eproc.Ucred.Uid), 10),
		}
		if p.Executable, err = processPath(pathOf, p.PID); err != nil {
			// The file that it runs has no name any more.
			p.Deleted = errors.Is(err, fs.ErrNotExist)
		} else if _, err := os.Lstat(p.Executable); errors.Is(err, fs.ErrNotExist) {
			p.Deleted = true
		}
		out = append(out, p)
	}
	return out, nil
}
