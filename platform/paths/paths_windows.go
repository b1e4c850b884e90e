package paths

import (
	"fmt"

	"golang.org/x/sys/windows"
)

// systemSet asks the shell, not the environment, which whoever starts the
// process can write.
func systemSet() Set {
	base, err := windows.KnownFolderPath(windows.FOLDERID_ProgramData, windows.KF_FLAG_DEFAULT)
	if err != nil {
		base = `C:\ProgramData` // the default of FOLDERID_ProgramData
	}
	return windowsUnder(base, systemPipe)
}

func userSet() (Set, error) {
	base, err := windows.KnownFolderPath(windows.FOLDERID_LocalAppData, windows.KF_FLAG_DEFAULT)
	if err != nil {
		return Set{}, fmt.Errorf("%w: %w", errNoHome, err)
	}
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return Set{}, fmt.Errorf("find own user: %w", err)
	}
	return windowsUnder(base, userPipe(user.User.Sid.String())), nil
}

func socketIn(dir string) string { return statePipe(dir) }
