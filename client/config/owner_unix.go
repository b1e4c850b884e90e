//go:build unix

package config

import (
	"io/fs"
	"syscall"
)

// ownerOf is the user id of a file's owner, as stat(2) tells it.
func ownerOf(info fs.FileInfo) (uid int64, known bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int64(st.Uid), true
}
