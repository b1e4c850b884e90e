//go:build !unix

package config

import "io/fs"

// ownerOf knows nothing: what describes a file does not say whose it is here.
func ownerOf(fs.FileInfo) (uid int64, known bool) { return 0, false }
