package watch

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/windows"
)

// keyTarget is one key watched for one kind.
type keyTarget struct{ kind, cause, key string }

// keyWatch is the watch of one target: on the key with all below it, while it
// is there, and always on the names in the nearest key above, since not every
// system tells of a key's end to who watches it.
type keyWatch struct {
	target keyTarget
	root   windows.Handle
	path   []string // below the root
	depth  int      // how many of them the key above has
	self   asked
	above  asked
}

// asked is a key that a notice was asked for; without a key, none comes.
type asked struct {
	key    windows.Handle
	filter uint32
	below  bool // with all keys below
	source *source
}

// keys are the watched keys of the registry.
type keys struct {
	pool    *pool
	watched map[keyTarget]*keyWatch
}

const (
	anyChange  = windows.REG_NOTIFY_CHANGE_NAME | windows.REG_NOTIFY_CHANGE_ATTRIBUTES | windows.REG_NOTIFY_CHANGE_LAST_SET | windows.REG_NOTIFY_CHANGE_SECURITY
	nameChange = windows.REG_NOTIFY_CHANGE_NAME
	// maxReopens bounds how often something is looked for while it comes and goes.
	maxReopens = 64
)

// set replaces the keys that a kind has for a cause. What was watched before
// and still is stays as it is.
func (k *keys) set(kind, cause string, paths []string) error {
	wanted := make(map[keyTarget]bool, len(paths))
	for _, path := range paths {
		wanted[keyTarget{kind, cause, path}] = true
	}
	for t, w := range k.watched {
		if t.kind == kind && t.cause == cause && !wanted[t] {
			k.drop(w)
		}
	}
	var errs []error
	for t := range wanted {
		if _, ok := k.watched[t]; ok {
			continue
		}
		if err := k.add(t); err != nil {
			errs = append(errs, fmt.Errorf("watch key %s: %w", t.key, err))
		}
	}
	return errors.Join(errs...)
}

func (k *keys) add(t keyTarget) (err error) {
	w := &keyWatch{target: t}
	if w.root, w.path, err = splitKey(t.key); err != nil {
		return err
	}
	w.self = asked{filter: anyChange, below: true}
	w.above = asked{filter: nameChange}
	if err = errors.Join(k.listen(&w.self, func() { k.changed(w) }), k.listen(&w.above, func() { k.changedAbove(w) })); err == nil {
		err = w.open()
	}
	if err != nil {
		k.drop(w)
		return err
	}
	k.watched[t] = w
	return nil
}

// listen has notices of a key taken, when any was asked for.
func (k *keys) listen(a *asked, take func()) error {
	event, err := windows.CreateEvent(nil, 0, 0, nil)
	if err != nil {
		return os.NewSyscallError("CreateEvent", err)
	}
	s := &source{handle: event, held: true, take: take}
	if err := k.pool.add(s); err != nil {
		return err
	}
	a.source = s
	return nil
}

// changed asks for the next notice and then tells of this one. The same handle
// remembers what has changed since.
func (k *keys) changed(w *keyWatch) {
	switch {
	case w.self.key == 0: // a notice of before it was closed
	case w.self.ask() != nil: // the key has gone
		k.reopen(w)
	default:
		k.pool.tell(w.target.kind, w.target.cause, w.target.key, 0)
	}
}

// changedAbove looks whether a name that came or went above is on the key's way.
func (k *keys) changedAbove(w *keyWatch) {
	switch {
	case w.above.key == 0:
	case w.above.ask() != nil,
		w.self.key != 0 && deleted(w.self.key),
		w.self.key == 0 && exists(w.root, w.path[:w.depth+1]):
		k.reopen(w)
	}
}

// reopen looks for the key anew and tells that it may be another one now.
func (k *keys) reopen(w *keyWatch) {
	if w.open() != nil {
		k.pool.tell(w.target.kind, CauseLost, w.target.key, 0) // no notice will come for it any more
		k.drop(w)
		return
	}
	k.pool.tell(w.target.kind, w.target.cause, w.target.key, 0)
}

func (k *keys) drop(w *keyWatch) {
	delete(k.watched, w.target)
	for _, a := range []*asked{&w.self, &w.above} {
		if a.source != nil {
			a.close()
			k.pool.drop(a.source)
		}
	}
}

func (k *keys) closeAll() {
	for _, w := range k.watched {
		k.drop(w)
	}
}

// open asks for notices about the nearest key above and about the key itself.
// Where the key is not there it looks once more after having asked, in case the
// next one on its way came meanwhile.
func (w *keyWatch) open() error {
	for range maxReopens {
		err := w.openAbove()
		if err == nil && w.depth >= len(w.path)-1 {
			err = w.self.open(w.root, w.path)
		}
		switch {
		case err != nil && !gone(err):
			return err
		case w.self.key != 0 && err == nil:
			return nil
		case len(w.path) > w.depth && !exists(w.root, w.path[:w.depth+1]):
			return nil
		}
	}
	return errors.New("it keeps coming and going")
}

func (w *keyWatch) openAbove() (err error) {
	w.self.close()
	for w.depth = len(w.path) - 1; w.depth >= 0; w.depth-- {
		if err = w.above.open(w.root, w.path[:w.depth]); err == nil || !gone(err) {
			return err
		}
	}
	return err // none is above a root
}

// open asks for a notice about another key than before.
func (a *asked) open(root windows.Handle, path []string) (err error) {
	a.close()
	if a.key, err = openKey(root, path); err != nil {
		a.key = 0
		return err
	}
	if err = a.ask(); err != nil {
		a.close()
	}
	return err
}

// ask asks for one notice. The flag about threads keeps it when the thread that
// asked ends (RegNotifyChangeKeyValue, "REG_NOTIFY_THREAD_AGNOSTIC").
func (a *asked) ask() error {
	err := windows.RegNotifyChangeKeyValue(a.key, a.below, a.filter|windows.REG_NOTIFY_THREAD_AGNOSTIC, a.source.handle, true)
	return os.NewSyscallError("RegNotifyChangeKeyValue", err)
}

// close ends the notice that was asked for. That signals the event, which is
// not meant for anyone.
func (a *asked) close() {
	if a.key != 0 {
		windows.RegCloseKey(a.key)
		windows.ResetEvent(a.source.handle)
		a.key = 0
	}
}

// deleted tells whether an open key is no longer in the registry.
func deleted(key windows.Handle) bool {
	err := windows.RegQueryInfoKey(key, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil)
	return errors.Is(err, windows.ERROR_KEY_DELETED)
}

func openKey(root windows.Handle, path []string) (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString(strings.Join(path, `\`))
	if err != nil {
		return 0, err
	}
	var key windows.Handle
	err = windows.RegOpenKeyEx(root, name, 0, windows.KEY_NOTIFY|windows.KEY_WOW64_64KEY, &key)
	return key, os.NewSyscallError("RegOpenKeyEx", err)
}

func exists(root windows.Handle, path []string) bool {
	key, err := openKey(root, path)
	if err == nil {
		windows.RegCloseKey(key)
	}
	return err == nil
}

func gone(err error) bool {
	return errors.Is(err, windows.ERROR_FILE_NOT_FOUND) || errors.Is(err, windows.ERROR_PATH_NOT_FOUND) || errors.Is(err, windows.ERROR_KEY_DELETED)
}

// splitKey takes HKLM\A\B apart: the root, and the names below it.
func splitKey(key string) (windows.Handle, []string, error) {
	name, rest, _ := strings.Cut(key, `\`)
	names := strings.FieldsFunc(rest, func(c rune) bool { return c == '\\' })
	switch strings.ToUpper(name) {
	case "HKLM", "HKEY_LOCAL_MACHINE":
		return windows.HKEY_LOCAL_MACHINE, names, nil
	case "HKU", "HKEY_USERS":
		return windows.HKEY_USERS, names, nil
	case "HKCU", "HKEY_CURRENT_USER":
		return windows.HKEY_CURRENT_USER, names, nil
	case "HKCR", "HKEY_CLASSES_ROOT":
		return windows.HKEY_CLASSES_ROOT, names, nil
	case "HKCC", "HKEY_CURRENT_CONFIG":
		return windows.HKEY_CURRENT_CONFIG, names, nil
	}
	return 0, nil, errors.New("it begins with no root of the registry")
}
