package machine

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// identity knows nothing here that a program could not set, so that digests
// are computed each time.
func identity(os.FileInfo) (string, bool) { return "", false }

func changed(info os.FileInfo) time.Time { return info.ModTime() }

// owner is the SID that owns a file; empty when that may not be read.
func owner(path string, _ os.FileInfo) string {
	sd, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return ""
	}
	sid, _, err := sd.Owner()
	if err != nil || sid == nil {
		return ""
	}
	return sid.String()
}

// tryAgain is true of a file that another program keeps to itself for now.
func tryAgain(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_LOCK_VIOLATION)
}
