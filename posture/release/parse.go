package release

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Limits of a table that somebody sends.
const (
	MaxBytes = 1 << 20
	MaxRows  = 8192
	maxText  = 64 // bytes of one cell
)

// format begins the first line, which ends with the table's day.
const format = "postern-releases\t1\t"

const day = "2006-01-02"

// Parse reads a table: a first line with format, version and day, then rows of
// cells between tabs, in UTF-8, each ended by a line feed.
//
//	release  product  version  variant  name  released  support  extended
//	build    product  number   code     released  kind
//
// Days are YYYY-MM-DD and the last ones with support; support and extended may
// be "open" or "over" instead; cells may be empty where the fields of Release
// and Build say so. A table with anything else in it is refused whole: half a
// table would call a release unknown or a build the newest.
func Parse(data []byte) (Table, error) {
	text := string(data)
	if len(data) > MaxBytes || strings.Count(text, "\n") > MaxRows {
		return Table{}, fmt.Errorf("release table: more than %d bytes or %d rows", MaxBytes, MaxRows)
	}
	first, rest, ok := strings.Cut(text, "\n")
	date, isTable := strings.CutPrefix(first, format)
	if !ok || !isTable {
		return Table{}, errors.New("release table: the first line does not say that it is one of version 1")
	}
	dated, err := parseDay(date)
	if err != nil || dated.IsZero() {
		return Table{}, fmt.Errorf("release table: day %.20q", date)
	}
	t := Table{
		dated: dated, releases: map[place][]Release{}, builds: map[place]Build{}, newest: map[place]Build{},
		codes: map[place]Build{}, products: map[string]bool{}, divided: map[place]bool{},
	}
	n := 1
	for line := range strings.Lines(rest) {
		n++
		if err := t.add(line); err != nil {
			return Table{}, fmt.Errorf("release table: line %d: %w", n, err)
		}
	}
	if len(t.releases) == 0 {
		return Table{}, errors.New("release table: no release")
	}
	return t, nil
}

func (t *Table) add(line string) error {
	row, ended := strings.CutSuffix(line, "\n")
	if !ended {
		return errors.New("the row does not end")
	}
	cells := strings.Split(row, "\t")
	for _, c := range cells {
		if err := checkCell(c); err != nil {
			return err
		}
	}
	switch {
	case cells[0] == "release" && len(cells) == 8:
		return t.addRelease(cells[1:])
	case cells[0] == "build" && len(cells) == 6:
		return t.addBuild(cells[1:])
	}
	return fmt.Errorf("%.20q with %d cells is not a row", cells[0], len(cells))
}

func checkCell(c string) error {
	if len(c) > maxText {
		return fmt.Errorf("a cell of %d bytes", len(c))
	}
	if strings.TrimSpace(c) != c || strings.ToValidUTF8(c, "") != c {
		return fmt.Errorf("cell %q", c)
	}
	for _, r := range c {
		if r < ' ' || r == 0x7f {
			return fmt.Errorf("cell %q", c)
		}
	}
	return nil
}

func (t *Table) addRelease(c []string) error {
	r := Release{Product: c[0], Version: c[1], Variant: c[2], Name: c[3]}
	if !isKey(r.Product) || !isKey(r.Version) {
		return fmt.Errorf("release %q of %q", r.Version, r.Product)
	}
	var errs [3]error
	r.Released, errs[0] = parseDay(c[4])
	r.Support, errs[1] = parseEnd(c[5])
	r.Extended, errs[2] = parseEnd(c[6])
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	if r.Support == (End{}) {
		return fmt.Errorf("release %s of %s without support", r.Version, r.Product)
	}
	at := place{r.Product, r.Version}
	for _, other := range t.releases[at] {
		if other.Variant == r.Variant {
			return fmt.Errorf("release %s %s of %s is there twice", r.Version, r.Variant, r.Product)
		}
	}
	t.releases[at] = append(t.releases[at], r)
	t.products[r.Product] = true
	for key := shorter(r.Version); key != ""; key = shorter(key) {
		t.divided[place{r.Product, key}] = true
	}
	return nil
}

// addBuild expects the release of a build in an earlier row.
func (t *Table) addBuild(c []string) error {
	b := Build{Product: c[0], Number: c[1], Code: c[2], Kind: Kind(c[4])}
	switch b.Kind {
	case Regular, OutOfBand, Preview, Hotpatch:
	default:
		return fmt.Errorf("build %q is of kind %q", b.Number, b.Kind)
	}
	var err error
	if b.Released, err = parseDay(c[3]); err != nil {
		return err
	}
	at := place{b.Product, b.Number}
	if _, twice := t.builds[at]; twice || !isKey(b.Number) {
		return fmt.Errorf("build %q of %q is there twice, or no build", b.Number, b.Product)
	}
	key := t.release(b.Product, b.Number)
	if key == "" {
		return fmt.Errorf("build %s of %s is of no release", b.Number, b.Product)
	}
	t.builds[at] = b
	if _, there := t.codes[place{b.Product, b.Code}]; b.Code != "" && !there {
		t.codes[place{b.Product, b.Code}] = b
	}
	newest, some := t.newest[place{b.Product, key}]
	if (b.Kind == Regular || b.Kind == OutOfBand) && (!some || AtLeast(b.Number, newest.Number)) {
		t.newest[place{b.Product, key}] = b
	}
	return nil
}

func parseDay(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(day, s)
	if err != nil || at.Year() < 1990 || at.Year() > 2100 {
		return time.Time{}, fmt.Errorf("day %.20q", s)
	}
	return at, nil
}

// parseEnd turns the last day with support into the first moment without it.
func parseEnd(s string) (End, error) {
	switch s {
	case "open":
		return End{Open: true}, nil
	case "over":
		return End{Over: true}, nil
	}
	at, err := parseDay(s)
	if err != nil || at.IsZero() {
		return End{}, err
	}
	return End{At: at.AddDate(0, 0, 1)}, nil
}

// isKey is true of what products and versions are made of.
func isKey(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && s[0] != '.'
}
