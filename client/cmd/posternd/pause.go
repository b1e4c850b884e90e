package main

import (
	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/platform/files"
)

// pauseFile is where the note of a pause is kept, for the agent alone to read.
type pauseFile string

// Read returns the note; fs.ErrNotExist is in the error's chain if there is none.
func (p pauseFile) Read() ([]byte, error) { return files.ReadOwnerOnly(string(p), state.MaxKeptPause) }

// Write puts a note in place of the one before, durably.
func (p pauseFile) Write(note []byte) error { return files.WriteOwnerOnly(string(p), note) }

// Remove deletes the note, durably.
func (p pauseFile) Remove() error { return files.Remove(string(p)) }
