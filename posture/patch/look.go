package patch

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"path"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// look is one reading of one machine, for as long as Collect runs.
type look struct {
	ctx context.Context
	r   *evidence.Reading
	m   evidence.Machine
}

// answer is what a source says to a question of yes or no; where why is set it
// could not say.
type answer struct {
	yes bool
	why fact.Reason
}

func known(yes bool) answer          { return answer{yes: yes} }
func unknown(why fact.Reason) answer { return answer{why: why} }
func (a answer) certain() bool       { return a.why == "" }
func (a answer) says(yes bool) bool  { return a.why == "" && a.yes == yes }
func (a answer) not() answer         { return answer{yes: a.why == "" && !a.yes, why: a.why} }
func (a answer) or(b answer) answer  { return either(a, b) }
func (a answer) and(b answer) answer { return either(a.not(), b.not()).not() }

// unless makes a no count only where b is a yes; otherwise b says why not.
func (a answer) unless(b answer) answer {
	switch {
	case !a.says(false) || b.says(true):
		return a
	case b.certain():
		return unknown(fact.ReasonNotFound)
	}
	return unknown(b.why)
}

// either is yes when one of them is, whatever the others could not say, and no
// only when all are.
func either(all ...answer) answer {
	var why fact.Reason
	for _, a := range all {
		if a.says(true) {
			return a
		}
		if why == "" {
			why = a.why
		}
	}
	return answer{why: why}
}

// ended tells whether a text ends with a line's end, or is empty: one that does
// not was cut, and what is missing may say more.
func ended(text string) answer {
	if text == "" || strings.HasSuffix(text, "\n") {
		return known(true)
	}
	return unknown(fact.ReasonUnreadable)
}

// moment is a point in time, or why it is not known.
type moment struct {
	at  time.Time
	why fact.Reason
}

// answer and moment set facts.
func (l *look) answer(field string, a answer) {
	if !a.certain() {
		l.r.Unknown(field, "", a.why)
		return
	}
	l.r.Observe(field, "", fact.Bool(a.yes))
}

func (l *look) moment(field string, t moment) {
	switch {
	case t.why != "":
		l.r.Unknown(field, "", t.why)
	case t.at.IsZero():
		l.r.Unknown(field, "", fact.ReasonNotFound)
	case future(t.at, l.m.Now()):
		l.r.Unknown(field, "", fact.ReasonUnreadable)
	default:
		l.r.Observe(field, "", fact.Time(t.at))
	}
}

// future is true of a time that no change of time zone explains (26 hours lie
// between the outermost zones): one of the two clocks was wrong.
func future(at, now time.Time) bool { return at.After(now.Add(26 * time.Hour)) }

// fresh tells whether metadata of that time may show that nothing waits.
func (l *look) fresh(at time.Time) answer {
	if at.IsZero() || future(at, l.m.Now()) || l.m.Now().Sub(at) > metadataAge {
		return unknown(fact.ReasonStale)
	}
	return known(true)
}

// there is true of what is certainly there.
func (l *look) there(path string) bool {
	_, err := l.m.Stat(l.ctx, path)
	return err == nil
}

// is tells whether path is there.
func (l *look) is(path string) answer {
	there, err := exists(l.ctx, l.m, path)
	if err != nil {
		return unknown(evidence.ReasonOf(err))
	}
	return known(there)
}

// changed is when a file was last written, zero when that is not known.
func (l *look) changed(path string) time.Time {
	info, err := l.m.Stat(l.ctx, path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime
}

// text reads a file; not-found is a reason too.
func (l *look) text(path string) (string, fact.Reason) {
	data, err := l.m.ReadFile(l.ctx, path)
	if err != nil {
		return "", evidence.ReasonOf(err)
	}
	if len(data) >= evidence.MaxFile {
		return "", fact.ReasonTruncated
	}
	return string(data), ""
}

// list names what is in a folder; a folder that is not there is empty.
func (l *look) list(dir string) ([]string, fact.Reason) {
	names, err := l.m.ReadDir(l.ctx, dir)
	if why := evidence.ReasonOf(err); err != nil && why != fact.ReasonNotFound {
		return nil, why
	}
	return names, ""
}

// part is a file among others of its kind.
type part struct{ path, text string }

// parts reads the files of a folder whose names one of the endings fits, in
// the order of their names; "" fits names without a dot. The reason is that of
// the first which could not be read.
func (l *look) parts(dir string, endings ...string) ([]part, fact.Reason) {
	names, first := l.list(dir)
	var all []part
	for _, name := range names {
		if !hasEnding(name, endings) {
			continue
		}
		text, why := l.text(path.Join(dir, name))
		if why == "" {
			all = append(all, part{path.Join(dir, name), text})
		} else if first == "" && why != fact.ReasonNotFound {
			first = why
		}
	}
	return all, first
}

func hasEnding(name string, endings []string) bool {
	for _, e := range endings {
		if e == "" && !strings.Contains(name, ".") || e != "" && strings.HasSuffix(name, e) {
			return true
		}
	}
	return false
}

// distil reads a file through f, after taking off a compression that its name
// tells of, and decodes the JSON that f made of it. what names f with all that
// it depends on.
func (l *look) distil(path, what string, into any, f func(io.Reader) (any, error)) ([]byte, fact.Reason) {
	essence, err := l.m.Distil(l.ctx, path, what, func(raw io.Reader) ([]byte, error) {
		plain, err := unpack(path, raw)
		if err != nil {
			return nil, err
		}
		made, err := f(plain)
		if err != nil {
			return nil, err
		}
		return json.Marshal(made)
	})
	if err != nil {
		return nil, evidence.ReasonOf(err)
	}
	if err := json.NewDecoder(bytes.NewReader(essence)).Decode(into); err != nil {
		return nil, fact.ReasonUnreadable
	}
	return essence, ""
}
