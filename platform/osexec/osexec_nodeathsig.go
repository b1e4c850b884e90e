//go:build unix && !linux

package osexec

import "os/exec"

func lockToThread() (release func()) { return func() {} }

// dieWithThread does nothing: DieWithParent, called by the child, is what ties
// it to us on this system.
func dieWithThread(*exec.Cmd) {}
