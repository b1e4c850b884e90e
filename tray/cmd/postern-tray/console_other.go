//go:build !windows

package main

import (
	"io"
	"os"
)

// streams are where the program writes: answers, errors, and its log.
type streams struct{ out, err, log io.Writer }

func openStreams() streams { return streams{os.Stdout, os.Stderr, os.Stderr} }

// shut is for systems where a program of the desktop has nowhere to write.
func (streams) shut(int) {}
