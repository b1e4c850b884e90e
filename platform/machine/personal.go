//go:build !darwin

package machine

import "context"

// personal is for macOS.
func (m *live) personal(_ context.Context, name string, args []string) (string, []string, error) {
	return name, args, nil
}
