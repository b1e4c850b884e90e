//go:build !unix && !windows

package osexec

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
)

func unsupported() error {
	return fmt.Errorf("programs are not run on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func minimalEnv() []string                   { return []string{"LC_ALL=C"} }
func rootDir() string                        { return "/" }
func executable(fs.FileInfo) bool            { return false } // so every command is missing
func ownGroup(*exec.Cmd)                     {}
func killGroup(*os.Process) error            { return unsupported() }
func terminate(*os.Process) error            { return unsupported() }
func lockToThread() (release func())         { return func() {} }
func startTied(*exec.Cmd) (io.Closer, error) { return nil, unsupported() }

// DieWithParent does nothing: no child is started on this system.
func DieWithParent() {}
