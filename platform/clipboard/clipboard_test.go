package clipboard

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for _, ok := range []string{"a", "https://app.example/", "grün 🌱\r\nsecond line", strings.Repeat("x", MaxText)} {
		if err := check(ok); err != nil {
			t.Errorf("%.20q: %v", ok, err)
		}
	}
	for _, bad := range []string{"", "secret\x00", "secret\xff", strings.Repeat("x", MaxText+1)} {
		err := check(bad)
		if !errors.Is(err, ErrText) {
			t.Errorf("%.20q: %v", bad, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error quotes the text: %v", err)
		}
	}
}

// TestUnsupported: where there is no clipboard, that is an error with a reason.
func TestUnsupported(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		if !Has() {
			t.Error("this system has a clipboard")
		}
		return
	}
	if Has() {
		t.Error("this system has no clipboard")
	}
	err := Copy("text")
	if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "window") {
		t.Errorf("%v", err)
	}
}
