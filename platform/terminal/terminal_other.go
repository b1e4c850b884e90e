//go:build !linux && !darwin && !windows

package terminal

import (
	"errors"
	"os"
)

var errNoTerminal = errors.New("terminals are not supported on this system")

func Is(*os.File) bool { return false }

func Size(*os.File) (columns, rows int) { return 0, 0 }

func Escapes(*os.File) bool { return false }

func Resized() (<-chan os.Signal, func()) { return nil, func() {} }

func Foreground(*os.File) bool { return false }

func ReadUnseen(*os.File) (restore func(), err error) { return nil, errNoTerminal }
