package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// gather returns the events of files that came up to now. It changes a file
// of another kind: its notice comes after all of them.
func gather(t *testing.T, w *Watcher) []Event {
	t.Helper()
	const last = "last"
	marker := filepath.Join(t.TempDir(), "marker")
	if err := w.SetFiles(last, []string{marker}); err != nil {
		t.Fatal(err)
	}
	touch := func() {
		os.Remove(marker)
		if err := os.Symlink("nowhere", marker); err != nil {
			t.Fatal(err)
		}
	}
	touch()
	var all []Event
	late := time.After(10 * time.Second)
	for {
		select {
		case e := <-w.Events():
			switch {
			case e.Kind != last:
				all = append(all, e)
			case e.Path == marker:
				return all
			default: // the notice was lost, or joined with that of an earlier marker
				touch()
			}
		case <-late:
			t.Fatal("the marker was not told")
		}
	}
}

// told fails unless what happened was told of this path, by one event.
func told(t *testing.T, w *Watcher, name, path string) {
	t.Helper()
	all := gather(t, w)
	if len(all) != 1 || all[0].Cause != CauseFile || all[0].Path != path || all[0].Kind != kind || all[0].At <= 0 {
		t.Errorf("%s: told were %+v, want one event for %s", name, all, path)
	}
}

// untold fails if anything was told.
func untold(t *testing.T, w *Watcher, name string) {
	t.Helper()
	if all := gather(t, w); len(all) != 0 {
		t.Errorf("%s: told were %+v, want nothing", name, all)
	}
}

// count counts something of the watched files, between two turns of their loop:
// a mount anywhere on the machine makes it walk them.
func count(t *testing.T, w *Watcher, of func(f *files) int) (n int) {
	t.Helper()
	if err := w.sys.calm.do(func() error { n = of(w.sys.files); return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func setFiles(t *testing.T, w *Watcher, paths ...string) {
	t.Helper()
	if err := w.SetFiles(kind, paths); err != nil {
		t.Fatal(err)
	}
}

// step is something done to the files of a test, and whether it is to be told.
type step struct {
	name string
	do   func() error
	tell bool
}

func steps(t *testing.T, w *Watcher, path string, all []step) {
	t.Helper()
	for _, s := range all {
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if s.tell {
			told(t, w, s.name, path)
		} else {
			untold(t, w, s.name)
		}
	}
}

// nameless is inotify made to tell as kqueue(2) does: of a folder no more than
// that some entry came or went.
type nameless struct{ *inotify }

func (n nameless) namesEntries() bool       { return false }
func (n nameless) addContents(string) error { return os.ErrPermission }

func (n nameless) take() {
	for {
		size, err := unix.Read(n.fd, n.buf)
		if size <= 0 || err != nil {
			break
		}
		eachInotify(n.buf[:size], func(wd int32, mask uint32, name string) {
			switch {
			case name == "":
				n.one(wd, mask, "")
			case mask&namesMask != 0:
				n.files.notice(notice{node: wd, what: whatEntry | whatContent})
			}
		})
	}
	n.files.settle()
}

// bothWays runs a test with the notices of Linux, and with those of macOS.
func bothWays(t *testing.T, test func(t *testing.T, w *Watcher)) {
	t.Run("named", func(t *testing.T) { test(t, start(t)) })
	t.Run("nameless", func(t *testing.T) {
		w := start(t)
		in := w.sys.files.watches.(*inotify)
		w.sys.files.watches = nameless{in}
		w.sys.calm.sources[int32(in.fd)].take = nameless{in}.take
		test(t, w)
	})
}

func TestFile(t *testing.T) { bothWays(t, testFile) }

func testFile(t *testing.T, w *Watcher) {
	dir := filepath.Join(t.TempDir(), "etc")
	f, g, h := filepath.Join(dir, "conf"), filepath.Join(dir, "conf.new"), filepath.Join(dir, "other-name")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, f, "a")
	setFiles(t, w, f)
	put := func(path, text string) func() error {
		return func() error { return os.WriteFile(path, []byte(text), 0o644) }
	}
	steps(t, w, f, []step{
		{"read", func() error { _, err := os.ReadFile(f); return err }, false},
		{"listed", func() error { _, err := os.ReadDir(dir); return err }, false},
		{"a neighbour", put(g, "b"), false},
		{"written", put(f, "bb"), true},
		{"cut", func() error { return os.Truncate(f, 1) }, true},
		{"mode", func() error { return os.Chmod(f, 0o600) }, true},
		{"owner", func() error { return os.Chown(f, os.Getuid(), os.Getgid()) }, true},
		{"time", func() error { return os.Chtimes(f, time.Unix(1, 0), time.Unix(1, 0)) }, true},
		{"renamed over", func() error { return os.Rename(g, f) }, true},
		{"written after that", put(f, "c"), true},
		{"second name", func() error { return os.Link(f, h) }, true},
		{"written by the second name", put(h, "d"), true},
		{"removed", func() error { return os.Remove(f) }, true},
		{"written when it is not it any more", put(h, "e"), false},
		{"there again", put(f, "f"), true},
		{"moved away", func() error { return os.Rename(f, g) }, true},
		{"written where it was moved to", put(g, "g"), false},
		{"moved back", func() error { return os.Rename(g, f) }, true},
		{"exchanged", func() error { return unix.Renameat2(0, f, 0, h, unix.RENAME_EXCHANGE) }, true},
		{"written after the exchange", put(f, "h"), true},
		{"folder moved away", func() error { return os.Rename(dir, dir+"-gone") }, true},
		{"another folder there", func() error { return os.Mkdir(dir, 0o755) }, true},
		{"another file in it", put(f, "i"), true},
		{"all removed", func() error { return os.RemoveAll(dir) }, true},
		{"a file in place of the folder", put(dir, "j"), true},
		{"it is removed", func() error { return os.Remove(dir) }, true},
		{"as it began", func() error { return os.Rename(dir+"-gone", dir) }, true},
		{"written at last", put(f, "k"), true},
		{"folder in its place", func() error { os.Remove(f); return os.Mkdir(f, 0o755) }, true},
		{"entry in it", put(filepath.Join(f, "entry"), "l"), true},
	})
}

// TestFileWrittenThroughMemory changes a file without write(2).
func TestFileWrittenThroughMemory(t *testing.T) {
	w := start(t)
	f := filepath.Join(t.TempDir(), "db")
	write(t, f, "0123456789")
	file, err := os.OpenFile(f, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	setFiles(t, w, f)
	mem, err := unix.Mmap(int(file.Fd()), 0, 10, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	mem[0] = 'x'
	if err := unix.Munmap(mem); err != nil {
		t.Fatal(err)
	}
	untold(t, w, "written") // inotify(7), "Limitations and caveats"
	file.Close()
	told(t, w, "closed", f)
}

func TestFolder(t *testing.T) { bothWays(t, testFolder) }

func testFolder(t *testing.T, w *Watcher) {
	dir := filepath.Join(t.TempDir(), "conf.d")
	setFiles(t, w, dir)
	in := func(name string) string { return filepath.Join(dir, name) }
	steps(t, w, dir, []step{
		{"made", func() error { return os.Mkdir(dir, 0o755) }, true},
		{"entry made", func() error { return os.WriteFile(in("a"), nil, 0o644) }, true},
		{"entry written", func() error { return os.WriteFile(in("a"), []byte("a"), 0o644) }, true},
		{"entry's mode", func() error { return os.Chmod(in("a"), 0o600) }, true},
		{"entry read", func() error { _, err := os.ReadFile(in("a")); return err }, false},
		{"entry renamed", func() error { return os.Rename(in("a"), in("b")) }, true},
		{"entry removed", func() error { return os.Remove(in("b")) }, true},
		{"folder in it", func() error { return os.Mkdir(in("d"), 0o755) }, true},
		{"file below that", func() error { return os.WriteFile(in("d/e"), []byte("a"), 0o644) }, false},
		{"its mode", func() error { return os.Chmod(dir, 0o700) }, true},
		{"moved away", func() error { return os.Rename(dir, dir+"-gone") }, true},
		{"written there", func() error { return os.WriteFile(dir+"-gone/f", nil, 0o644) }, false},
		{"moved back", func() error { return os.Rename(dir+"-gone", dir) }, true},
		// One call each: on a busy machine several are told as several.
		{"file below removed", func() error { return os.Remove(in("d/e")) }, false},
		{"folder in it removed", func() error { return os.Remove(in("d")) }, true},
		{"last entry removed", func() error { return os.Remove(in("f")) }, true},
		{"removed", func() error { return os.Remove(dir) }, true},
	})
}

func TestLinks(t *testing.T) { bothWays(t, testLinks) }

func testLinks(t *testing.T, w *Watcher) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(top, name) }
	link := func(to, name string) func() error {
		return func() error {
			if err := os.Symlink(to, in("new")); err != nil {
				return err
			}
			return os.Rename(in("new"), in(name))
		}
	}
	put := func(name string) func() error {
		return func() error { return os.WriteFile(in(name), []byte(name), 0o644) }
	}
	for _, d := range []string{"etc", "run", "v1/lib", "v2/lib"} {
		if err := os.MkdirAll(in(d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	f := in("etc/resolv.conf") // leads to run/a, and on to vN/lib/x
	setFiles(t, w, f)
	steps(t, w, f, []step{
		{"link to nothing", link("../run/a", "etc/resolv.conf"), true},
		{"its target comes", put("run/a"), true},
		{"its target is written", put("run/a"), true},
		{"its target is replaced", func() error { put("run/b")(); return os.Rename(in("run/b"), in("run/a")) }, true},
		{"its target is removed", func() error { return os.Remove(in("run/a")) }, true},
		{"its target comes again", put("run/a"), true},
		{"its target's folder goes", func() error { return os.RemoveAll(in("run")) }, true},
		{"and comes", func() error { return os.Mkdir(in("run"), 0o755) }, true},
		{"its target is a link", link(in("current/lib/x"), "run/a"), true},
		{"the folder's link comes", link("v1", "current"), true},
		{"the file comes", put("v1/lib/x"), true},
		{"in the other folder", put("v2/lib/x"), false},
		{"the folder's link is put right", link("v2", "current"), true},
		{"in the folder it was", put("v1/lib/x"), false},
		{"in the folder it is", put("v2/lib/x"), true},
		{"the first link goes elsewhere", link("../v1/./lib/../lib/x", "etc/resolv.conf"), true},
		{"where it leads", put("v1/lib/x"), true},
		{"a link to itself", link("resolv.conf", "etc/resolv.conf"), true},
		{"to the root", link("/", "etc/resolv.conf"), true},
		{"to what gives no notices", link("/proc/self/mounts", "etc/resolv.conf"), true},
		{"a file at last", func() error { os.Remove(f); return put("etc/resolv.conf")() }, true},
	})
}

func TestPathsThatAreRefused(t *testing.T) {
	w := start(t)
	dir := t.TempDir()
	loop, f := filepath.Join(dir, "loop"), filepath.Join(dir, "file")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"etc/passwd", "", loop} {
		if err := w.SetFiles(kind, []string{p, f}); (err == nil) != (p == loop) {
			t.Errorf("%q: %v", p, err)
		}
		write(t, f, p)
		told(t, w, "the other path, beside "+p, f)
	}
	setFiles(t, w, "/proc/cmdline", "/sys/class", "/proc", f)
	if n := count(t, w, func(f *files) int { return len(f.targets[target{kind, "/proc/cmdline"}]) }); n != 0 {
		t.Errorf("%d watches for a file of /proc", n)
	}
}

func TestSetFilesReplacesAndKeeps(t *testing.T) {
	w := start(t)
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	write(t, a, "")
	write(t, b, "")
	setFiles(t, w, a)
	if err := w.SetFiles("other", []string{b}); err != nil {
		t.Fatal(err)
	}
	write(t, a, "1")
	setFiles(t, w, a, b) // a's notice is waiting
	told(t, w, "changed before it was set again", a)
	setFiles(t, w, b)
	write(t, a, "2")
	untold(t, w, "no longer watched")
	write(t, b, "1")
	got := map[string]string{}
	for _, e := range gather(t, w) {
		got[e.Kind] = e.Path
	}
	if len(got) != 2 || got[kind] != b || got["other"] != b {
		t.Errorf("told were %v, want both kinds", got)
	}
	setFiles(t, w)
	if err := w.SetFiles("other", nil); err != nil {
		t.Fatal(err)
	}
	if err := w.SetFiles("last", nil); err != nil {
		t.Fatal(err)
	}
	if n := count(t, w, func(f *files) int { return len(f.nodes) }); n != 0 {
		t.Errorf("%d watches are left for nobody", n)
	}
	// Each watch has a line in the descriptor's file (proc(5), "fdinfo").
	info, err := os.ReadFile(fmt.Sprint("/proc/self/fdinfo/", w.sys.files.watches.(*inotify).fd))
	if err != nil || strings.Contains(string(info), "inotify wd:") {
		t.Errorf("the kernel still watches: %s (%v)", info, err)
	}
}

func TestThousandFiles(t *testing.T) {
	w := start(t)
	dir := t.TempDir()
	var paths []string
	for i := range 1000 {
		d := filepath.Join(dir, fmt.Sprint(i%10))
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, filepath.Join(d, fmt.Sprint(i)))
		if i%2 == 0 {
			write(t, paths[i], "")
		}
	}
	began := time.Now()
	setFiles(t, w, paths...)
	t.Logf("1000 files set in %v", time.Since(began))
	began = time.Now()
	setFiles(t, w, paths...)
	t.Logf("the same again in %v", time.Since(began))
	for _, i := range []int{0, 1, 2, 499, 500, 999} {
		write(t, paths[i], "x")
		told(t, w, "one of many", paths[i])
	}
	// 500 files, 10 folders and the few above them.
	if n := count(t, w, func(f *files) int { return len(f.nodes) }); n > 530 {
		t.Errorf("%d watches for 1000 paths, half of them not there", n)
	}
	for _, p := range paths {
		if err := os.RemoveAll(p); err != nil {
			t.Fatal(err)
		}
	}
	if all := gather(t, w); len(all) < 1 || len(all) > 20 {
		t.Errorf("%d events for all of them at once", len(all))
	}
}

// TestUnreadableFile watches, without the rights of root, a file that may not
// be read, in a folder that may be passed but not listed.
func TestUnreadableFile(t *testing.T) {
	w := start(t)
	outer := t.TempDir()
	for d := outer; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	inner := filepath.Join(outer, "etc")
	if err := os.Mkdir(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	shadow, barred := filepath.Join(inner, "shadow"), filepath.Join(outer, "barred")
	write(t, shadow, "")
	if err := os.Chmod(shadow, 0); err != nil {
		t.Fatal(err)
	}
	type result struct{ shadow, barred error }
	done := make(chan result)
	go func() { // on a thread that ends with it
		defer close(done)
		runtime.LockOSThread()
		if os.Getuid() == 0 {
			unix.SetfsuidRetUid(65534) // of this thread; it takes the capabilities about files too
		}
		done <- result{w.SetFiles(kind, []string{shadow}), w.SetFiles("other", []string{barred})}
	}()
	r := <-done
	if r.shadow != nil {
		t.Errorf("a file that may not be read: %v", r.shadow)
	}
	if os.Getuid() == 0 && r.barred == nil { // for others it is their own folder
		t.Error("a name in a folder that may not be listed was not refused")
	}
	if err := os.Truncate(shadow, 100); os.Getuid() == 0 && err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		told(t, w, "written", shadow)
	}
	if err := os.Rename(shadow, shadow+"-"); err != nil {
		t.Fatal(err)
	}
	told(t, w, "moved", shadow)
}
