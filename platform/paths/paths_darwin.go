package paths

import "os"

func systemSet() Set { return darwinSystem() }

func userSet() (Set, error) { return darwinUser(os.Getenv) }
