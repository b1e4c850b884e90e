//go:build !linux

package machine

import (
	"context"
	"errors"
	"os"
	"runtime"
	"time"

	"github.com/shirou/gopsutil/v3/process"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// identity knows nothing here that a program could not set, so that digests
// are computed each time.
func identity(os.FileInfo) (string, bool) { return "", false }

func changed(info os.FileInfo) time.Time { return info.ModTime() }

func tryAgain(error) bool { return false }

// Processes asks gopsutil. A process that ends meanwhile is left out; one
// whose executable may not be seen has none.
func (m *live) Processes(ctx context.Context) ([]evidence.Process, error) {
	if runtime.GOOS != "windows" && runtime.GOOS != "darwin" {
		return nil, &evidence.Error{Reason: fact.ReasonUnsupported, Op: "list processes", Err: errors.ErrUnsupported}
	}
	list, err := process.ProcessesWithContext(ctx)
	if err != nil {
		return nil, evidence.Wrap("list processes", err)
	}
	var out []evidence.Process
	for _, p := range list {
		if err := ctx.Err(); err != nil {
			return nil, evidence.Wrap("list processes", err)
		}
		name, err := p.NameWithContext(ctx)
		if err != nil {
			continue
		}
		// Refused for another user's processes: then it stays empty.
		exe, _ := p.ExeWithContext(ctx)
		out = append(out, evidence.Process{PID: int(p.Pid), Name: name, Executable: exe})
	}
	return out, nil
}
