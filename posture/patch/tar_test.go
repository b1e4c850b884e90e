package patch

import (
	"archive/tar"
	"bytes"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
)

// tarred is a tar file of names and contents.
func tarred(end bool, parts ...string) string {
	var b bytes.Buffer
	z := tar.NewWriter(&b)
	for i := 0; i+1 < len(parts); i += 2 {
		_ = z.WriteHeader(&tar.Header{Name: parts[i], Mode: 0o644, Size: int64(len(parts[i+1]))})
		_, _ = z.Write([]byte(parts[i+1]))
	}
	if end {
		_ = z.Close()
	} else {
		_ = z.Flush()
	}
	return b.String()
}

func TestPacman(t *testing.T) {
	core := tarred(true, "bash-5.2.037-1/desc", "x", "linux-6.12.4.arch1-1/desc", "x", "zsh-5.9-5/desc", "x")
	extra := tarred(true, "linux-7.0-1/desc", "x", "a-b-1:2.0-1/desc", "x")
	tests := []struct {
		name              string
		installed         []string
		edit              func(*evidence.Memory)
		pending, security string
	}{
		{"nothing", []string{"bash-5.2.037-1", "linux-6.12.4.arch1-1", "a-b-1:2.0-1", "local-1-1"}, nil, "false", "false"},
		{"one", []string{"bash-5.2.037-1", "linux-6.12.1.arch1-1"}, nil, "true", "unknown: unsupported-system"},
		{"by epoch", []string{"a-b-3.0-1"}, nil, "true", "unknown: unsupported-system"},
		{"the first repository counts", []string{"linux-6.12.4.arch1-1"}, nil, "false", "false"},
		{"old", []string{"bash-5.2.037-1"}, func(m *evidence.Memory) { m.SetNow(day.AddDate(0, 0, 8)) }, "unknown: stale", "unknown: stale"},
		{"old, one", []string{"bash-5.2.030-1"}, func(m *evidence.Memory) { m.SetNow(day.AddDate(0, 0, 8)) }, "true", "unknown: unsupported-system"},
		{"one database is damaged", []string{"bash-5.2.037-1"}, func(m *evidence.Memory) { m.SetFile(pacmanSync+"/extra.db", packed(extra)[:40]) }, "unknown: unreadable-output", "unknown: unreadable-output"},
		{"never refreshed", []string{"bash-5.2.037-1"}, func(m *evidence.Memory) { m.Remove(pacmanSync + "/core.db"); m.Remove(pacmanSync + "/extra.db") }, "unknown: not-found", "unknown: not-found"},
	}
	for _, tt := range tests {
		m := linuxMachine(
			file{"/etc/pacman.conf", day, "[options]\nIgnorePkg = linux\n# [x]\n[core]\nInclude = /etc/pacman.d/mirrorlist\n[extra]\nServer = x\n"},
			file{pacmanSync + "/core.db", day, packed(core)}, file{pacmanSync + "/extra.db", day, packed(extra)}, file{pacmanSync + "/old.db", day, "x"},
			file{pacmanLocal + "/ALPM_DB_VERSION", day, "9\n"})
		for _, name := range tt.installed {
			m.SetFile(pacmanLocal+"/"+name+"/desc", "x")
		}
		if tt.edit != nil {
			tt.edit(m)
		}
		if g := got(t, m, "pending"); g != tt.pending {
			t.Errorf("%s: pending %s, want %s", tt.name, g, tt.pending)
		}
		if g := got(t, m, "security_pending"); g != tt.security {
			t.Errorf("%s: security_pending %s, want %s", tt.name, g, tt.security)
		}
	}
}

func TestAPK(t *testing.T) {
	const installed = "C:Q1x=\nP:musl\nV:1.2.5-r0\nA:x86_64\nF:lib\nR:x\n\nP:busybox\nV:1.36.1-r29\n\n"
	// an index is two tar files in two gzip streams, the first without an end
	index := func(records string) string {
		return packed(tarred(false, ".SIGN.RSA.x", "sig")) + packed(tarred(true, "DESCRIPTION", "v3.20", "APKINDEX", records))
	}
	same := index("P:musl\nV:1.2.5-r0\n\nP:busybox\nV:1.36.1-r29\n\nP:zsh\nV:9-r0\n\n")
	newer := index("P:musl\nV:1.2.5-r1\n\nP:musl\nV:1.2.4-r0\n\nP:busybox\nV:1.36.1-r29\n\n")
	tests := []struct{ name, index, repositories, pending, security string }{
		{"nothing", same, "https://x/main\n", "false", "false"},
		{"one", newer, "https://x/main\n", "true", "unknown: unsupported-system"},
		{"whose it is, nobody knows", newer, "https://x/main\n@edge https://x/edge\n", "unknown: unsupported-system", "unknown: unsupported-system"},
		{"damaged", same[:60], "", "unknown: unreadable-output", "unknown: unreadable-output"},
		{"without a cache", "", "", "unknown: not-found", "unknown: not-found"},
	}
	for _, tt := range tests {
		m := linuxMachine(file{"/lib/apk/db/installed", day, installed}, file{"/etc/apk/repositories", day, tt.repositories})
		if tt.index != "" {
			m.SetFile("/var/cache/apk/APKINDEX.c0ffee00.tar.gz", tt.index)
		}
		if g := got(t, m, "pending"); g != tt.pending {
			t.Errorf("%s: pending %s, want %s", tt.name, g, tt.pending)
		}
		if g := got(t, m, "security_pending"); g != tt.security {
			t.Errorf("%s: security_pending %s, want %s", tt.name, g, tt.security)
		}
	}
}
