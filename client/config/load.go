package config

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/postern-zt/postern/platform/files"
	"github.com/postern-zt/postern/platform/paths"
	"github.com/postern-zt/postern/posture/observe"
)

// Limits in bytes.
const (
	maxFile  = 256 << 10
	maxCA    = 1 << 20
	maxToken = 1 << 10
	maxName  = 128
	maxShown = 256
)

// Load reads the settings of the agent that keeps its files where set says. A
// file that is not there is fine. Wrong settings are refused whole: the error
// is then an *Error that names file, line and key of everything that is wrong,
// and the Settings hold defaults only, without a broker, beside File and Files.
func Load(set paths.Set, o Overrides) (Settings, error) {
	shipped, err := observe.BuiltIn()
	if err != nil {
		return Settings{File: set.Config}, fmt.Errorf("read settings: %w", err)
	}
	file, must := set.Config, false
	if o.File != "" {
		if file, err = filepath.Abs(o.File); err != nil {
			return Settings{File: o.File}, fmt.Errorf("read settings: %w", err)
		}
		must = true
	}
	l := loader{d: document{file: file}, shipped: shipped, read: sha256.New()}
	l.s = defaults(file, shipped)
	if top := l.open(must); top != nil {
		l.take(top)
	}
	l.override(o)
	l.loadRoots()
	out := l.s
	if len(l.d.problems) > 0 {
		slices.SortStableFunc(l.d.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
		out, err = defaults(file, shipped), &Error{Problems: l.d.problems}
		l.note("", nil, err)
	}
	out.Files, out.sum = l.files, [sha256.Size]byte(l.read.Sum(nil))
	return out, err
}

func defaults(file string, shipped []observe.EDRRow) Settings {
	name, err := os.Hostname()
	if err != nil {
		name = ""
	}
	return Settings{
		File:           file,
		Broker:         Value[string]{Origin: OriginDefault},
		BrokerCA:       Value[string]{Origin: OriginDefault},
		EnrolmentToken: Value[Secret]{Origin: OriginDefault},
		DeviceName:     Value[string]{V: name, Origin: OriginDefault},
		LogLevel:       Value[slog.Level]{V: slog.LevelInfo, Origin: OriginDefault},
		ManagedBy:      Value[string]{Origin: OriginDefault},
		Support:        Value[string]{Origin: OriginDefault},
		Catalogue:      slices.Clone(shipped),
		Forbid:         Value[observe.Forbid]{Origin: OriginDefault},
	}
}

// loader builds the settings and collects what is wrong on the way.
type loader struct {
	d       document
	s       Settings
	shipped []observe.EDRRow
	shared  bool // others may read the settings file
	caLine  int
	files   []string  // that were looked at
	read    hash.Hash // of what was found in them
}

// note remembers what came of looking at a file.
func (l *loader) note(path string, data []byte, err error) {
	if path != "" && !slices.Contains(l.files, path) {
		l.files = append(l.files, path)
	}
	fmt.Fprintf(l.read, "%q %d %q\n", path, len(data), fmt.Sprint(err))
	l.read.Write(data)
}

// open gives the top mapping of the settings file, nil when there is none.
func (l *loader) open(must bool) *yaml.Node {
	info, err := trusted(l.d.file)
	l.note(l.d.file, nil, err)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if must {
			l.d.wrong(0, "", "name a file that is there", "there is no such file")
		}
		return nil
	case err != nil:
		l.d.wrong(0, "", "the file and its folder must belong to the user the agent runs as, and nobody else may write to them", "%v", err)
		return nil
	case writable(info):
		l.d.wrong(0, "", "run: chmod go-w "+l.d.file, "its mode %04o lets others change it", info.Mode().Perm())
		return nil
	}
	l.shared = hasModes() && info.Mode().Perm()&0o077 != 0
	data, err := files.ReadLimited(l.d.file, maxFile)
	l.note(l.d.file, data, err)
	switch {
	case errors.Is(err, fs.ErrPermission):
		l.d.wrong(0, "", "let the user that the agent runs as read it", "the agent may not read it (%v)", err)
		return nil
	case err != nil:
		l.d.wrong(0, "", "make it a readable text file", "%v", err)
		return nil
	}
	return l.d.parse(data)
}

// take reads every key of the file.
func (l *loader) take(top *yaml.Node) {
	m := l.d.mapping(top, "", KeyBroker, KeyBrokerCA, KeyToken, KeyTokenFile, KeyCatalogue, KeyName, KeyLogLevel, KeyObserve, KeyManagedBy, KeySupport)
	folder := filepath.Dir(l.d.file)
	for key, set := range map[string]func(at place, v string){
		KeyBroker:    l.broker,
		KeyBrokerCA:  func(at place, v string) { l.brokerCA(at, inFolder(folder, v)) },
		KeyToken:     l.token,
		KeyTokenFile: func(at place, v string) { l.tokenFile(at, inFolder(folder, v)) },
		KeyName:      l.name,
		KeyLogLevel:  l.logLevel,
		KeyManagedBy: l.shown(&l.s.ManagedBy),
		KeySupport:   l.shown(&l.s.Support),
	} {
		if e, ok := m[key]; ok {
			if v, ok := l.d.text(e); ok {
				set(place{e.key.Line, key, OriginFile}, v)
			}
		}
	}
	if e, ok := m[KeyTokenFile]; ok && m[KeyToken].key != nil {
		l.d.wrong(e.key.Line, KeyTokenFile, "keep one of the two", "%s is set as well", KeyToken)
	}
	if e, ok := m[KeyCatalogue]; ok {
		l.s.Catalogue = l.d.catalogue(e, l.shipped)
	}
	if e, ok := m[KeyObserve]; ok {
		l.observations(e)
	}
}

// override puts the command line's values over the file's.
func (l *loader) override(o Overrides) {
	file := l.d.file
	l.d.file = ""
	defer func() { l.d.file = file }()
	for _, v := range []struct {
		key, value string
		set        func(at place, v string)
	}{
		{KeyBroker, o.Broker, l.broker},
		{KeyBrokerCA, o.BrokerCA, func(at place, v string) { l.brokerCA(at, inFolder("", v)) }},
		{KeyTokenFile, o.EnrolmentTokenFile, func(at place, v string) { l.tokenFile(at, inFolder("", v)) }},
		{KeyName, o.DeviceName, l.name},
		{KeyLogLevel, o.LogLevel, l.logLevel},
	} {
		if v.value != "" {
			v.set(place{0, v.key, OriginFlag}, v.value)
		}
	}
}

// inFolder takes a relative path from folder, "" being the working folder.
func inFolder(folder, path string) string {
	if filepath.IsAbs(path) || path == "" {
		return path
	}
	if abs, err := filepath.Abs(filepath.Join(folder, path)); err == nil {
		return abs
	}
	return path
}

// place is where a value was written.
type place struct {
	line   int
	key    string
	origin Origin
}

func (l *loader) wrong(at place, hint, format string, args ...any) {
	l.d.wrong(at.line, at.key, hint, format, args...)
}

func (l *loader) broker(at place, v string) {
	const hint = "write https://host or https://host:port"
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		l.wrong(at, hint, "this is not a web address")
	case u.Scheme != "https":
		l.wrong(at, hint, "a broker is reached by https only")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		l.wrong(at, hint, "the address has more than a host and a port")
	case !validPort(u.Port()):
		l.wrong(at, hint, "ports are numbers from 1 to 65535")
	default:
		l.s.Broker = Value[string]{strings.TrimRight(v, "/"), at.origin}
	}
}

// validPort is true of no port, too.
func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

func (l *loader) name(at place, v string) {
	if v == "" || len(v) > maxName || strings.ContainsFunc(v, unicode.IsControl) {
		l.wrong(at, "choose a short name", "a name has 1 to %d bytes and no control characters", maxName)
		return
	}
	l.s.DeviceName = Value[string]{v, at.origin}
}

// shown sets a text that people are shown as it is.
func (l *loader) shown(to *Value[string]) func(at place, v string) {
	return func(at place, v string) {
		if v == "" || len(v) > maxShown || !utf8.ValidString(v) || strings.ContainsFunc(v, func(c rune) bool { return !unicode.IsPrint(c) }) {
			l.wrong(at, "write one short line", "a text for people has 1 to %d bytes and no control characters", maxShown)
			return
		}
		*to = Value[string]{v, at.origin}
	}
}

func (l *loader) logLevel(at place, v string) {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	level, ok := levels[v]
	if !ok {
		l.wrong(at, "use debug, info, warn or error", "no such level")
		return
	}
	l.s.LogLevel = Value[slog.Level]{level, at.origin}
}
