package shell

import (
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/postern-zt/postern/tray/view"
)

const (
	longestText = 200 // characters of an entry; more is wider than a screen
	// longestTip is the tooltip's length in UTF-16 units: NOTIFYICONDATAW.szTip
	// holds 128 with the NUL at the end (Windows documentation,
	// "NOTIFYICONDATAW structure").
	longestTip = 127
)

// tidy returns a copy of m that every system can draw, or ErrEmptyMenu. An
// administrator's text may hold anything: bytes that are not UTF-8 end the
// process on macOS (a nil NSString), a NUL makes Windows refuse the entry.
func tidy(m view.Menu) (view.Menu, error) {
	m.Tooltip = cutUnits(oneLine(m.Tooltip), longestTip)
	m.Items = tidyItems(m.Items)
	if len(m.Items) == 0 {
		return view.Menu{}, ErrEmptyMenu
	}
	return m, nil
}

// tidyItems drops separators at either end and doubled ones: a submenu that
// begins with one is refused by systray on Windows.
func tidyItems(items []view.Item) []view.Item {
	var out []view.Item
	separate := false
	for _, it := range items {
		if it.Separator {
			separate = len(out) > 0
			continue
		}
		if separate {
			out = append(out, view.Item{Separator: true})
			separate = false
		}
		it.Text = cutRunes(oneLine(it.Text), longestText)
		it.Items = tidyItems(it.Items)
		out = append(out, it)
	}
	return out
}

// oneLine makes s valid UTF-8 on one line without control characters.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.TrimSpace(s)
}

// cutRunes shortens s to n characters, the last of them an ellipsis.
func cutRunes(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}

// cutUnits shortens s to n UTF-16 units, the last of them an ellipsis.
func cutUnits(s string, n int) string {
	if len(utf16.Encode([]rune(s))) <= n {
		return s
	}
	units := 0
	for i, r := range s {
		units += utf16.RuneLen(r)
		if units > n-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// doubled writes each mark twice, for systems where one alone underlines the
// character behind it.
func doubled(s, mark string) string {
	if mark == "" {
		return s
	}
	return strings.ReplaceAll(s, mark, mark+mark)
}

// choosable reports whether it can be chosen: an entry with a submenu opens that.
func choosable(it view.Item) bool {
	return !it.Separator && it.Do != view.Action{} && len(it.Items) == 0
}

// enabled reports whether it is drawn as something that reacts.
func enabled(it view.Item) bool { return choosable(it) || len(it.Items) > 0 }
