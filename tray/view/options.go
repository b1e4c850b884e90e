package view

import "github.com/postern-zt/postern/client/view"

// Options are what a menu depends on beside the view.
type Options struct {
	// Clipboard is true where the system can copy without a child process.
	Clipboard bool
	// Checking is true while the machine is being read again at the person's
	// wish.
	Checking bool
	// Proof is what the last such reading came to, nil before there was one.
	Proof *view.Proof
	// Sent is what last left this computer, nil if the agent was not asked.
	Sent *view.Posted
}
