//go:build !linux && !darwin

package localserver

// descriptors is what a process may be taken to have: Windows limits handles by
// memory alone (2^24 for a process, "Kernel Objects").
func descriptors() uint64 { return 2 * mostConns }
