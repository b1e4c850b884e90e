//go:build !windows && !darwin

package clipboard

import (
	"errors"
	"fmt"
	"runtime"
)

// supported says why nothing is copied here: on X11 and Wayland a text lies
// with the program that offers it, which must have a window and go on running.
func supported() error {
	return fmt.Errorf("on %s a program needs a window of its own for it: %w", runtime.GOOS, errors.ErrUnsupported)
}

func put(string) error { return supported() }
