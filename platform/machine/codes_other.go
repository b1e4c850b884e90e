//go:build !windows

package machine

func systemCode(error) (code, bool) { return 0, false }
