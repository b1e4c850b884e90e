package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/fact"
)

const (
	// maxEntries bounds the files of a recorded folder, and each of its lists.
	maxEntries = 8192
	// maxFolder bounds the bytes of a recorded folder.
	maxFolder = 2 * MaxRecording
)

// Open reads a recorded machine: a folder (os.DirFS) or an archive of one
// (archive/zip's Reader is an fs.FS), in which the folder may lie below one
// other. The machine answers from memory and is the same on every system.
// Errors name the file that is wrong and what is expected there.
func Open(folder fs.FS) (*Memory, error) {
	folder, err := root(folder)
	if err != nil {
		return nil, err
	}
	o := opener{folder: folder, left: maxFolder}
	if err := o.header(); err != nil {
		return nil, fmt.Errorf("recorded machine: %w", err)
	}
	if err := fs.WalkDir(folder, ".", o.visit); err != nil {
		return nil, fmt.Errorf("recorded machine: %w", err)
	}
	if err := o.finish(); err != nil {
		return nil, fmt.Errorf("recorded machine: %w", err)
	}
	return o.machine, nil
}

// root is the folder that holds machine.json.
func root(folder fs.FS) (fs.FS, error) {
	if _, err := fs.Stat(folder, headerFile); err == nil {
		return folder, nil
	}
	entries, err := fs.ReadDir(folder, ".")
	if err == nil && len(entries) == 1 && entries[0].IsDir() {
		if _, err := fs.Stat(folder, path.Join(entries[0].Name(), headerFile)); err == nil {
			return fs.Sub(folder, entries[0].Name())
		}
	}
	return nil, fmt.Errorf("recorded machine: there is no %s in it: a recording has one at its top", headerFile)
}

// opener fills a Memory from a folder.
type opener struct {
	folder  fs.FS
	machine *Memory
	left    int // bytes that may still be read
	files   int
	paths   []pathEntry
	errors  []failure
	keys    map[string]Registry
}

func (o *opener) header() error {
	var h header
	if err := o.json(headerFile, &h); err != nil {
		return err
	}
	switch {
	case h.Format != Format:
		return fmt.Errorf("%s: format %d, this version reads format %d", headerFile, h.Format, Format)
	case h.System != Linux && h.System != Windows && h.System != MacOS:
		return fmt.Errorf("%s: system %q, want linux, windows or darwin", headerFile, fact.Clip(string(h.System)))
	case h.Missing != MissingAbsent && h.Missing != MissingNotRecorded:
		return fmt.Errorf("%s: missing %q, want %s or %s", headerFile, fact.Clip(h.Missing), MissingAbsent, MissingNotRecorded)
	case h.Now.Year() < 2000 || h.Now.Year() > 2200:
		return fmt.Errorf("%s: now %s is no time of a recording", headerFile, h.Now.Format(time.RFC3339))
	}
	o.machine = NewMemory(h.System, h.Now)
	o.keys = map[string]Registry{}
	if h.Missing == MissingNotRecorded {
		o.machine.rest = fact.ReasonNotRecorded
		for _, list := range []string{ProcessList, ServiceList, SessionList} {
			o.machine.nothing[list] = true
		}
	}
	return nil
}

// read gives a whole file within the bounds.
func (o *opener) read(name string) ([]byte, error) {
	f, err := o.folder.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	limit := min(MaxFile, o.left)
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(data) > limit {
		return nil, fmt.Errorf("%s: a file may hold %d bytes, all of them %d", name, MaxFile, maxFolder)
	}
	o.left -= len(data)
	return data, nil
}

func (o *opener) json(name string, into any) error {
	data, err := o.read(name)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// visit takes one file of the folder over.
func (o *opener) visit(name string, entry fs.DirEntry, err error) error {
	switch {
	case err != nil:
		return err
	case entry.IsDir():
		if strings.Count(name, "/") > maxDepth {
			return fmt.Errorf("%s: folders lie deeper than %d", name, maxDepth)
		}
		return nil
	case !entry.Type().IsRegular():
		return fmt.Errorf("%s: is not a regular file", name)
	}
	if o.files++; o.files > maxEntries {
		return fmt.Errorf("more than %d files", maxEntries)
	}
	dir, rest, _ := strings.Cut(name, "/")
	take, ok := map[string]func(name, rest string) error{
		filesDir: o.takeFile, commandsDir: o.takeCommand, registryDir: o.takeRegistry,
		wmiDir: o.takeWMI, answersDir: o.takeAnswer, distilledDir: o.takeDistilled,
	}[dir]
	if ok && rest != "" {
		return take(name, rest)
	}
	return o.takeList(name)
}

const maxDepth = 64

// finish applies what files.json and errors.json say.
func (o *opener) finish() error {
	if len(o.paths) > maxEntries || len(o.errors) > maxEntries {
		return fmt.Errorf("%s and %s may hold %d entries each", filesFile, errorsFile, maxEntries)
	}
	for _, e := range o.paths {
		if err := o.machine.apply(e); err != nil {
			return fmt.Errorf("%s: %s: %w", filesFile, fact.Clip(e.Path), err)
		}
	}
	for _, f := range o.errors {
		if f.Target == "" || f.Reason == "" {
			return fmt.Errorf("%s: op %q: target and reason must be given", errorsFile, fact.Clip(f.Op))
		}
		o.machine.failures[f.Op+" "+f.Target] = f
	}
	return nil
}

// apply takes one entry of files.json over.
func (m *Memory) apply(e pathEntry) error {
	if e.Path == "" {
		return errors.New("path is empty")
	}
	if e.Link != "" {
		m.links[e.Path] = e.Link
	}
	if e.Listed || len(e.Listing) > 0 {
		m.listings[e.Path] = e.Listing
	}
	if e.SHA256 == "" && e.Mode == "" && e.Kind == "" && e.Owner == nil && e.Size == nil && e.ModTime == nil && (!e.Dir || m.rest != "") {
		return nil
	}
	f, there := m.files[e.Path]
	if !there {
		f = memoryFile{absent: true, info: Info{Mode: 0o644, ModTime: m.now, Owner: "0"}}
		if e.Dir {
			f.info.Mode = 0o755
		}
	}
	if e.Mode != "" {
		bits, err := strconv.ParseUint(e.Mode, 8, 32)
		if err != nil || bits > 0o7777 {
			return fmt.Errorf("mode %q is not an octal mode", fact.Clip(e.Mode))
		}
		f.info.Mode = modeOf(bits)
	}
	if e.Dir {
		f.info.Mode |= fs.ModeDir
	}
	if e.Kind != "" {
		bits, ok := kinds[e.Kind]
		if !ok {
			return fmt.Errorf("kind %q is not known", fact.Clip(e.Kind))
		}
		f.info.Mode |= bits
	}
	if e.Owner != nil {
		f.info.Owner = *e.Owner
	}
	if e.Size != nil {
		f.info.Size = *e.Size
	}
	if e.ModTime != nil {
		f.info.ModTime = *e.ModTime
	}
	f.sum = e.SHA256
	m.files[e.Path] = f
	return nil
}

// recordedFailure is the error that the recording holds for a reading.
func (m *Memory) recordedFailure(op, target string) error {
	f, ok := m.failures[op+" "+target]
	if !ok {
		return nil
	}
	e := &Error{Reason: f.Reason, Op: op + " " + target, Code: f.Code}
	if f.Reason == fact.ReasonNotFound {
		e.Err = fs.ErrNotExist
	}
	return e
}

// What is a Machine.
var _ Machine = (*Memory)(nil)
var _ Machine = (*Recording)(nil)
var _ Machine = (*Recorder)(nil)
