package machine

// mountFlags names the flags of a mounted volume of macOS (sys/mount.h) in the
// words of mount(8).
func mountFlags(flags uint32) []string {
	out := []string{}
	for _, f := range []struct {
		bit  uint32
		name string
	}{
		{0x1, "read-only"}, {0x2, "synchronous"}, {0x4, "noexec"}, {0x8, "nosuid"}, {0x10, "nodev"}, {0x20, "union"},
		{0x40, "asynchronous"}, {0x80, "protect"}, {0x100, "exported"}, {0x200, "removable"}, {0x400, "quarantine"},
		{0x1000, "local"}, {0x2000, "quota"}, {0x4000, "rootfs"}, {0x100000, "nobrowse"}, {0x200000, "noowners"},
		{0x400000, "automounted"}, {0x800000, "journaled"}, {0x2000000, "defwrite"}, {0x10000000, "noatime"},
		{0x40000000, "snapshot"}, {0x80000000, "strictatime"},
	} {
		if flags&f.bit != 0 {
			out = append(out, f.name)
		}
	}
	return out
}
