// Package terminal says what a file that a person sits at can do, and reads from it unseen.
//
// Each function is for each system:
//
//	Is          reports whether the file is a terminal
//	Size        is how many columns and rows it has; 0 when it does not say
//	Escapes     reports whether it understands control sequences (ECMA-48), and
//	            switches them on where that is needed
//	Resized     tells on the channel when its size changes, until stop; a nil
//	            channel where the system does not tell
//	Foreground  reports whether this process may read from it
//	ReadUnseen  lets lines of any length be read and does not show them; the
//	            function it returns gives the terminal back as it was
package terminal
