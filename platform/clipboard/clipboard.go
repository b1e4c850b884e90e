// Package clipboard puts a text into the clipboard of the person this process runs as, where the system has an interface for it that needs no other program.
package clipboard

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxText is how many bytes of UTF-8 a text may have. What is copied here are
// addresses and short reports.
const MaxText = 1 << 20

// ErrText is in the chain of the error for a text that is not copied: empty, too
// long, not UTF-8, or with a NUL, at which other programs would cut it.
var ErrText = errors.New("not a text that can be copied")

// Has reports whether Copy can work on this system. It does not say that there
// is a person at the screen.
func Has() bool { return supported() == nil }

// Copy replaces what is in the clipboard by text. Where the system has no
// interface for it the error's chain has errors.ErrUnsupported.
func Copy(text string) error {
	if err := supported(); err != nil {
		return fmt.Errorf("copy text: %w", err)
	}
	if err := check(text); err != nil {
		return fmt.Errorf("copy text: %w", err)
	}
	if err := put(text); err != nil {
		return fmt.Errorf("copy text: %w", err)
	}
	return nil
}

// check never quotes the text, which is the person's.
func check(text string) error {
	switch {
	case text == "":
		return fmt.Errorf("it is empty: %w", ErrText)
	case len(text) > MaxText:
		return fmt.Errorf("%d bytes, at most %d: %w", len(text), MaxText, ErrText)
	case !utf8.ValidString(text):
		return fmt.Errorf("it is not UTF-8: %w", ErrText)
	case strings.Contains(text, "\x00"):
		return fmt.Errorf("it holds a NUL: %w", ErrText)
	}
	return nil
}
