//go:build linux || darwin

package watch

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// target is one path watched for one kind.
type target struct{ kind, path string }

// part is what a watch on something says of a target.
type part int

const (
	partSelf  part = iota // it is what the path leads to
	partWay               // it is a folder on the way: matters when it moves or goes
	partLink              // it is a symbolic link on the way
	partNames             // it is the folder in which the path's last name that can be looked up is, or would be
)

// what a notice says of a node.
type what int

const (
	whatContent what = 1 << iota // its contents, or where a name is given, the entry's
	whatMeta                     // its metadata, how many links it has among them
	whatOpened
	whatGone  // moved, removed or replaced: the watch no longer stands for the path
	whatEntry // a name appeared or went in the folder
)

// notice is one thing that the system told of a watch.
type notice struct {
	node int32
	what what
	name string // the entry, where the system gives it
}

// watches puts watches on what paths are, never on what a link leads to. One
// file or folder has one number, however often and for whatever part it is asked.
type watches interface {
	add(path string, p part) (int32, error)
	// addContents also asks for changes of a folder's entries, for one that
	// this user may not watch by itself.
	addContents(folder string) error
	remove(node int32)
	// namesEntries tells whether notices name the entry, and entries' contents
	// are told by the folder's watch.
	namesEntries() bool
}

// held is one part of a target that a node serves.
type held struct {
	node int32
	part part
	name string
	was  os.FileInfo // what the name was, for systems that do not name entries
}

// node is one watch and whom it serves.
type node struct {
	path  string
	self  map[target]bool
	way   map[target]bool
	names map[string]map[target]bool
}

// files are the watched paths of one loop. Each is walked from the root: every
// folder and link on the way is watched for being moved or removed, the last
// folder that is there for names, and what the path leads to for itself.
type files struct {
	watches watches
	cause   string // of its events: file or replaced
	tell    tell
	targets map[target][]held
	broken  map[target]bool // could not be watched in full; tried again with each set
	nodes   map[int32]*node
	stale   map[target]bool // must be walked anew
}

func newFiles(w watches, cause string, tell tell) *files {
	return &files{watches: w, cause: cause, tell: tell, targets: map[target][]held{},
		broken: map[target]bool{}, nodes: map[int32]*node{}, stale: map[target]bool{}}
}

// set replaces the paths of a kind. What was watched before and still is stays
// as it is.
func (f *files) set(kind string, paths []string) error {
	var errs []error
	wanted := make(map[target]bool, len(paths))
	for _, p := range paths {
		if !filepath.IsAbs(p) {
			errs = append(errs, fmt.Errorf("watch %s: not an absolute path", p))
			continue
		}
		wanted[target{kind, filepath.Clean(p)}] = true
	}
	var idle []held
	for t, parts := range f.targets {
		if t.kind == kind && !wanted[t] {
			idle = append(idle, parts...)
			f.release(t)
			delete(f.targets, t)
			delete(f.broken, t)
			delete(f.stale, t)
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

// walk watches a target anew and returns the parts it had before.
func (f *files) walk(t target) (old []held, err error) {
	old = f.targets[t]
	f.release(t)
	w := walk{files: f, target: t}
	err = w.run()
	f.targets[t] = w.parts
	delete(f.broken, t)
	if err != nil {
		f.broken[t] = true
	}
	return old, err
}

// release takes a target out of the nodes that serve it.
func (f *files) release(t target) {
	for _, h := range f.targets[t] {
		n, ok := f.nodes[h.node]
		if !ok {
			continue
		}
		switch h.part {
		case partSelf:
			delete(n.self, t)
		case partNames:
			delete(n.names[h.name], t)
			if len(n.names[h.name]) == 0 {
				delete(n.names, h.name)
			}
		default:
			delete(n.way, t)
		}
	}
}

// sweep removes watches that serve nobody any more.
func (f *files) sweep(idle []held) {
	for _, h := range idle {
		n, ok := f.nodes[h.node]
		if ok && len(n.self) == 0 && len(n.way) == 0 && len(n.names) == 0 {
			f.forget(h.node)
			f.watches.remove(h.node)
		}
	}
}

// forget drops a node that the system has dropped.
func (f *files) forget(id int32) { delete(f.nodes, id) }

// serve notes that a node says something of a target.
func (f *files) serve(t target, path string, h held) {
	n, ok := f.nodes[h.node]
	if !ok {
		n = &node{path: path, self: map[target]bool{}, way: map[target]bool{}, names: map[string]map[target]bool{}}
		f.nodes[h.node] = n
	}
	switch h.part {
	case partSelf:
		n.self[t] = true
	case partNames:
		if n.names[h.name] == nil {
			n.names[h.name] = map[target]bool{}
		}
		n.names[h.name][t] = true
	default:
		n.way[t] = true
	}
}

// notice tells whom a notice concerns.
func (f *files) notice(e notice) {
	n, ok := f.nodes[e.node]
	if !ok {
		return // of a watch that was removed after the system had put it
	}
	for t := range n.self {
		f.noticeSelf(t, e.what)
	}
	if e.what&whatGone != 0 {
		for t := range n.way {
			f.changed(t)
		}
	}
	if e.name != "" {
		f.entry(n.names[e.name], e.what)
	} else if e.what&whatEntry != 0 {
		f.entries(e.node, n)
	}
}

func (f *files) noticeSelf(t target, w what) {
	if w&whatOpened != 0 && f.cause == CauseReplaced {
		f.tell(t.kind, CauseExec, t.path, 0)
	}
	switch {
	case w&(whatGone|whatMeta) != 0:
		f.changed(t)
	case w&(whatEntry|whatContent) != 0:
		f.tell(t.kind, f.cause, t.path, 0)
		if w&whatEntry != 0 && !f.watches.namesEntries() {
			f.stale[t] = true // the entries have watches of their own
		}
	}
}

// entry handles a notice of a name that some targets look for.
func (f *files) entry(targets map[target]bool, w what) {
	for t := range targets {
		switch {
		case w&whatEntry != 0:
			f.changed(t)
		case w&(whatContent|whatMeta) != 0:
			f.tell(t.kind, f.cause, t.path, 0)
		case w&whatOpened != 0 && f.cause == CauseReplaced:
			f.tell(t.kind, CauseExec, t.path, 0)
		}
	}
}

// entries looks which of the names in a folder are no longer what they were.
func (f *files) entries(id int32, n *node) {
	for name, targets := range n.names {
		is, err := os.Lstat(filepath.Join(n.path, name))
		for t := range targets {
			if !same(f.was(t, id, name), is, err) {
				f.changed(t)
			}
		}
	}
}

// was is what a name was when it was looked at last.
func (f *files) was(t target, id int32, name string) os.FileInfo {
	for _, h := range slices.Backward(f.targets[t]) {
		if h.node == id && h.part == partNames && h.name == name {
			return h.was
		}
	}
	return nil
}

// same tells whether a name stands for what it stood for.
func same(was, is os.FileInfo, err error) bool {
	if was == nil || err != nil {
		return was == nil && err != nil
	}
	return os.SameFile(was, is)
}

// changed tells of a target that may lead to something else now.
func (f *files) changed(t target) {
	f.tell(t.kind, f.cause, t.path, 0)
	f.stale[t] = true
}

// settle walks anew what may have moved. It comes after the notices were taken
// and before the events leave.
func (f *files) settle() {
	var idle []held
	for t := range f.stale {
		old, err := f.walk(t)
		if err != nil {
			f.tell(t.kind, CauseLost, t.path, 0) // notices may not come for it any more
		}
		idle = append(idle, old...)
	}
	clear(f.stale)
	f.sweep(idle)
}

// remounted walks every target, since a mount gives no notice to what it
// covers, and tells of those that lead to something else now.
func (f *files) remounted() {
	var idle []held
	for _, t := range slices.Collect(maps.Keys(f.targets)) {
		old, err := f.walk(t)
		switch {
		case err != nil:
			f.tell(t.kind, CauseLost, t.path, 0)
		case !slices.EqualFunc(old, f.targets[t], func(a, b held) bool {
			return a.node == b.node && a.part == b.part && a.name == b.name
		}):
			f.tell(t.kind, f.cause, t.path, 0)
		}
		idle = append(idle, old...)
	}
	f.sweep(idle)
}
