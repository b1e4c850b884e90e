package machine

import (
	"context"
	"encoding/json"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/postern-zt/postern/posture/evidence"
)

// Ask implements evidence.Machine.
func (m *live) Ask(ctx context.Context, q evidence.Question, args ...string) ([]byte, error) {
	op := "ask " + string(q)
	if err := ctx.Err(); err != nil {
		return nil, evidence.Wrap(op, err)
	}
	switch {
	case q == evidence.AskPlatform && len(args) == 0:
		return platform(op)
	case q == evidence.AskNFTables && len(args) == 0:
		return askNFTables(ctx)
	case q == evidence.AskFilesystem && len(args) == 1:
		return await(ctx, &m.native, op, func() ([]byte, error) { return filesystem(op, args[0]) })
	}
	return nil, unsupported(op)
}

// platform is uname(2).
func platform(op string) ([]byte, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return nil, wrap(op, err)
	}
	return json.Marshal(map[string]string{
		"sysname": unix.ByteSliceToString(u.Sysname[:]), "release": unix.ByteSliceToString(u.Release[:]),
		"version": unix.ByteSliceToString(u.Version[:]), "machine": unix.ByteSliceToString(u.Machine[:]),
	})
}

// filesystem is statfs(2): its type as the magic number and its flags by name.
func filesystem(op, path string) ([]byte, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return nil, wrap(op, err)
	}
	flags := []string{}
	for _, f := range []struct {
		bit  int64
		name string
	}{{unix.ST_RDONLY, "rdonly"}, {unix.ST_NOSUID, "nosuid"}, {unix.ST_NODEV, "nodev"}, {unix.ST_NOEXEC, "noexec"}} {
		if int64(s.Flags)&f.bit != 0 {
			flags = append(flags, f.name)
		}
	}
	return json.Marshal(map[string]any{"type": fmt.Sprintf("%#x", uint32(s.Type)), "flags": flags})
}
