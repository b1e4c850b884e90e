package evidence

import (
	"bytes"
	"errors"
	"strconv"
	"time"
)

// Bounds of a property list. The binary form may refer to one object from many
// places, so that a short file stands for a very large tree: what is read is
// counted as often as it appears.
const (
	maxPlistDepth  = 32       // containers inside one another
	maxPlistValues = 1 << 18  // values, keys of dictionaries included
	maxPlistText   = 16 << 20 // bytes of all texts together
)

var errPlistTooMuch = errors.New("property list: holds more than is read")

// ParsePlist reads a property list in its XML form (Apple's plist(5)) or its
// binary form (bplist00), whatever its file is called. Booleans are bool, dates
// time.Time in UTC, arrays []any, dictionaries map[string]any; all other values
// are text without white space around it: numbers as the XML form writes them
// (integers in decimal, reals in the shortest form that is exact when the file
// is binary), data as base64 without line breaks. UIDs, which only archives of
// objects have, and nulls are left out. White space and a byte order mark
// before the XML form are passed over. The older form that looks like a
// program's text is an error.
func ParsePlist(data []byte) (any, error) {
	if bytes.HasPrefix(data, []byte("bplist")) {
		return parseBinaryPlist(data)
	}
	return parseXMLPlist(data)
}

// plistBudget counts what a property list has been found to hold.
type plistBudget struct{ values, text int }

// take accounts for one value with so many bytes of text.
func (b *plistBudget) take(text int) error {
	b.values++
	b.text += text
	if b.values > maxPlistValues || b.text > maxPlistText {
		return errPlistTooMuch
	}
	return nil
}

// plistEpoch is the moment from which the binary form counts seconds
// (CFDate, "absolute time").
var plistEpoch = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)

// plistDate is a moment so many seconds after plistEpoch; ok is false for what
// no calendar has (NaN, infinity, years with more than four digits).
func plistDate(seconds float64) (at time.Time, ok bool) {
	const year = 366 * 24 * 3600
	if !(seconds > -2000*year && seconds < 7000*year) {
		return time.Time{}, false
	}
	whole := int64(seconds)
	nanoseconds := int64((seconds - float64(whole)) * 1e9)
	return time.Unix(plistEpoch.Unix()+whole, nanoseconds).UTC(), true
}

// plistReal writes a real so that reading it gives the same real again.
func plistReal(v float64, bits int) string { return strconv.FormatFloat(v, 'g', -1, bits) }
