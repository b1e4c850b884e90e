package paths

import "os"

func systemSet() Set { return linuxSystem() }

func userSet() (Set, error) { return linuxUser(os.Getenv) }
