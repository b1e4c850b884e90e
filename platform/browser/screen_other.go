//go:build !linux

package browser

// screen finds nothing to object to: the system's own opener knows whether it
// has a screen, and says so.
func screen() error { return nil }
