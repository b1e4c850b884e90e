package machine

import (
	"context"
	"errors"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/postern-zt/postern/posture/evidence"
)

// Processes takes a snapshot. Executable and owner stay empty where this user
// may not ask for them; the system's own first processes have none.
func (m *live) Processes(ctx context.Context) ([]evidence.Process, error) {
	return await(ctx, &m.native, "list processes", func() ([]evidence.Process, error) {
		snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
		if err != nil {
			return nil, err
		}
		defer windows.CloseHandle(snapshot)
		entry := windows.ProcessEntry32{}
		entry.Size = uint32(unsafe.Sizeof(entry))
		var out []evidence.Process
		for err = windows.Process32First(snapshot, &entry); err == nil; err = windows.Process32Next(snapshot, &entry) {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			p := evidence.Process{PID: int(entry.ProcessID), Name: windows.UTF16ToString(entry.ExeFile[:])}
			p.Executable, p.Owner = lookAt(entry.ProcessID)
			out = append(out, p)
		}
		if !errors.Is(err, windows.ERROR_NO_MORE_FILES) {
			return nil, err
		}
		return out, nil
	})
}

// lookAt asks for the program of a process and for the SID it runs as.
func lookAt(pid uint32) (executable, owner string) {
	p, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return "", ""
	}
	defer windows.CloseHandle(p)
	buf := make([]uint16, 32<<10) // the longest path there is
	size := uint32(len(buf))
	if err := windows.QueryFullProcessImageName(p, 0, &buf[0], &size); err == nil {
		executable = windows.UTF16ToString(buf[:size])
	}
	var token windows.Token
	if err := windows.OpenProcessToken(p, windows.TOKEN_QUERY, &token); err != nil {
		return executable, ""
	}
	defer token.Close()
	return executable, sidOf(token)
}

// sidOf is the SID of a token's user; empty when it may not be asked.
func sidOf(token windows.Token) string {
	user, err := token.GetTokenUser()
	if err != nil {
		return ""
	}
	return user.User.Sid.String()
}
