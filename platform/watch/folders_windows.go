package watch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/windows"
)

// target is one path watched for one kind.
type target struct{ kind, path string }

// folders are the watched files, by the folders that they are in, or by the
// nearest ones above that are there. A folder that is watched for its entries
// has a watch on itself too.
type folders struct {
	pool    *pool
	cause   string // of its events: file or replaced
	targets map[target][]*folder
	broken  map[target]bool
	open    map[string]*folder // by path, in lower case
}

// folder is one watch (ReadDirectoryChangesW) and whom it serves.
type folder struct {
	path   string
	handle windows.Handle
	source *source
	over   *windows.Overlapped
	buf    []byte
	pin    runtime.Pinner // the system writes to over and buf
	self   map[target]bool
	names  map[string]map[target]bool // by entry, in lower case
}

const (
	// folderFilter: names, contents, metadata.
	folderFilter = windows.FILE_NOTIFY_CHANGE_FILE_NAME | windows.FILE_NOTIFY_CHANGE_DIR_NAME |
		windows.FILE_NOTIFY_CHANGE_ATTRIBUTES | windows.FILE_NOTIFY_CHANGE_SIZE | windows.FILE_NOTIFY_CHANGE_LAST_WRITE |
		windows.FILE_NOTIFY_CHANGE_CREATION | fileNotifyChangeSecurity
	// fileNotifyChangeSecurity is FILE_NOTIFY_CHANGE_SECURITY of winnt.h.
	fileNotifyChangeSecurity = 0x100
	// folderBuffer is below the 64 KiB that network file systems allow.
	folderBuffer = 32 << 10
)

func newFolders(p *pool, cause string) *folders {
	return &folders{pool: p, cause: cause, targets: map[target][]*folder{}, broken: map[target]bool{}, open: map[string]*folder{}}
}

// set replaces the paths of a kind. What was watched before and still is stays
// as it is.
func (f *folders) set(kind string, paths []string) error {
	var errs []error
	wanted := make(map[target]bool, len(paths))
	for _, p := range paths {
		if !filepath.IsAbs(p) {
			errs = append(errs, fmt.Errorf("watch %s: not an absolute path", p))
			continue
		}
		wanted[target{kind, filepath.Clean(p)}] = true
	}
	var idle []*folder
	for t, in := range f.targets {
		if t.kind == kind && !wanted[t] {
			idle = append(idle, in...)
			f.release(t)
			delete(f.targets, t)
			delete(f.broken, t)
		}
	}
	for t := range wanted {
		if _, ok := f.targets[t]; ok && !f.broken[t] {
			continue
		}
		old, err := f.walk(t)
		idle, errs = append(idle, old...), append(errs, err)
	}
	f.sweep(idle)
	return errors.Join(errs...)
}

// walk watches a target anew and returns the folders that served it before.
func (f *folders) walk(t target) (old []*folder, err error) {
	old = f.targets[t]
	f.release(t)
	f.targets[t] = nil
	delete(f.broken, t)
	if err = f.arm(t); err != nil {
		f.broken[t] = true
	}
	return old, err
}

func (f *folders) release(t target) {
	for _, d := range f.targets[t] {
		delete(d.self, t)
		for name, targets := range d.names {
			if delete(targets, t); len(targets) == 0 {
				delete(d.names, name)
			}
		}
	}
}

func (f *folders) sweep(idle []*folder) {
	for _, d := range idle {
		if len(d.self) == 0 && len(d.names) == 0 {
			f.drop(d)
		}
	}
}

// arm puts the watches of one target: first that of the folder, so that what
// appears meanwhile is seen by one or the other. Where a folder may not be
// watched, one above it is, and the refusal is returned.
func (f *folders) arm(t target) error {
	for range maxReopens {
		name, refused := f.above(t)
		if refused != nil {
			return fmt.Errorf("watch %s: %w", t.path, refused)
		}
		if name == t.path {
			return f.entries(t)
		}
		if info, err := os.Stat(name); err != nil || !info.IsDir() {
			return nil // a folder on the way is not there yet
		}
		f.release(t) // it appeared just now: begin again below it
		f.targets[t] = nil
	}
	return fmt.Errorf("watch %s: folders on its way keep coming and going", t.path)
}

// above watches the nearest folder that is there for the name in it that leads
// to the target, and returns that name's path.
func (f *folders) above(t target) (name string, refused error) {
	name = t.path
	for dir := filepath.Dir(name); dir != name; name, dir = dir, filepath.Dir(dir) {
		d, err := f.watch(dir)
		if err == nil {
			f.serveName(d, filepath.Base(name), t)
			return name, refused
		}
		if refused == nil && (!missing(err) || filepath.Dir(dir) == dir) {
			refused = err
		}
	}
	if name == t.path {
		return name, nil // the root of a volume is in no folder
	}
	return name, refused
}

// entries watches a target that is a folder for its entries.
func (f *folders) entries(t target) error {
	if info, err := os.Stat(t.path); f.cause != CauseFile || err != nil || !info.IsDir() {
		return nil
	}
	d, err := f.watch(t.path)
	switch {
	case missing(err):
		return nil
	case err != nil:
		return fmt.Errorf("watch %s: %w", t.path, err)
	}
	d.self[t] = true
	f.targets[t] = append(f.targets[t], d)
	return nil
}

func (f *folders) serveName(d *folder, name string, t target) {
	name = strings.ToLower(name)
	if d.names[name] == nil {
		d.names[name] = map[target]bool{}
	}
	d.names[name][t] = true
	f.targets[t] = append(f.targets[t], d)
}

func missing(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, windows.ERROR_DIRECTORY) || errors.Is(err, windows.ERROR_BAD_PATHNAME)
}

// watch opens a folder, unless it is open. Others may rename and remove it.
func (f *folders) watch(path string) (*folder, error) {
	if d, ok := f.open[strings.ToLower(path)]; ok {
		return d, nil
	}
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := windows.CreateFile(name, windows.FILE_LIST_DIRECTORY, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE,
		nil, windows.OPEN_EXISTING, windows.FILE_FLAG_BACKUP_SEMANTICS|windows.FILE_FLAG_OVERLAPPED, 0)
	if err != nil {
		return nil, os.NewSyscallError("CreateFile", err)
	}
	d := &folder{path: path, handle: h, buf: make([]byte, folderBuffer), self: map[target]bool{}, names: map[string]map[target]bool{}}
	if err := f.start(d); err != nil {
		return nil, err
	}
	f.open[strings.ToLower(path)] = d
	return d, nil
}

// start asks for the first notices of a folder; on an error it closes it.
func (f *folders) start(d *folder) error {
	event, err := windows.CreateEvent(nil, 1, 0, nil) // the system resets it when asked again
	if err != nil {
		windows.CloseHandle(d.handle)
		return os.NewSyscallError("CreateEvent", err)
	}
	d.over = &windows.Overlapped{HEvent: event}
	d.pin.Pin(d.over)
	d.pin.Pin(&d.buf[0])
	d.source = &source{handle: event, held: true, take: func() { f.take(d) }}
	if err := d.ask(); err != nil {
		windows.CloseHandle(d.handle)
		windows.CloseHandle(event)
		d.pin.Unpin()
		return err
	}
	if err := f.pool.add(d.source); err != nil {
		d.close()
		return err
	}
	return nil
}

func (d *folder) ask() error {
	err := windows.ReadDirectoryChanges(d.handle, &d.buf[0], uint32(len(d.buf)), false, folderFilter, nil, d.over, 0)
	return os.NewSyscallError("ReadDirectoryChangesW", err)
}

// close waits until the system no longer writes to the buffer; the pool closes
// the event.
func (d *folder) close() {
	var n uint32
	if windows.CancelIoEx(d.handle, d.over) == nil {
		windows.GetOverlappedResult(d.handle, d.over, &n, true)
	}
	windows.CloseHandle(d.handle)
	d.pin.Unpin()
}

func (f *folders) drop(d *folder) {
	if key := strings.ToLower(d.path); f.open[key] == d {
		delete(f.open, key)
		d.close()
		f.pool.drop(d.source)
	}
}

func (f *folders) closeAll() {
	for _, d := range f.open {
		f.drop(d)
	}
}

// take handles the notices of a folder: it asks for the next, watches anew what
// moved, and tells.
func (f *folders) take(d *folder) {
	var n uint32
	err := windows.GetOverlappedResult(d.handle, d.over, &n, false)
	stale := map[target]bool{}
	switch {
	case err == nil && n > 0:
		eachFolderNotice(d.buf[:n], func(action uint32, name string) { f.entry(d, name, action, stale) })
	case err == nil || errors.Is(err, windows.ERROR_NOTIFY_ENUM_DIR):
		f.lost(d, stale) // there was more than the buffer holds
	default: // the folder has gone
		f.all(d, stale)
	}
	if err != nil && !errors.Is(err, windows.ERROR_NOTIFY_ENUM_DIR) || d.ask() != nil {
		f.all(d, stale)
		f.drop(d)
	}
	var idle []*folder
	for t := range stale {
		old, err := f.walk(t)
		if err != nil {
			f.pool.tell(t.kind, CauseLost, t.path, 0) // notices may not come for it any more
		}
		idle = append(idle, old...)
	}
	f.sweep(idle)
}

// entry tells of one entry. A short name (8.3) may be any entry's.
func (f *folders) entry(d *folder, name string, action uint32, stale map[target]bool) {
	for t := range d.self {
		f.pool.tell(t.kind, f.cause, t.path, 0)
	}
	name = strings.ToLower(name)
	for want, targets := range d.names {
		if want != name && !strings.Contains(name, "~") {
			continue
		}
		for t := range targets {
			f.pool.tell(t.kind, f.cause, t.path, 0)
			if action != windows.FILE_ACTION_MODIFIED {
				stale[t] = true
			}
		}
	}
}

// all tells that every target of a folder may lead to something else now.
func (f *folders) all(d *folder, stale map[target]bool) {
	each(d, func(t target) {
		f.pool.tell(t.kind, f.cause, t.path, 0)
		stale[t] = true
	})
}

func (f *folders) lost(d *folder, stale map[target]bool) {
	each(d, func(t target) {
		f.pool.tell(t.kind, CauseLost, t.path, 0)
		stale[t] = true
	})
}

func each(d *folder, do func(target)) {
	for t := range d.self {
		do(t)
	}
	for _, targets := range d.names {
		for t := range targets {
			do(t)
		}
	}
}
