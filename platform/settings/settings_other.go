//go:build !linux && !darwin && !windows

package settings

import "runtime"

func find(p Page) (place, error) {
	return nil, noPage(p, "settings are not opened on %s", runtime.GOOS)
}
