package locale

import "golang.org/x/sys/windows"

// systemLanguage is the first of the languages that the person chose for the
// system's own texts ("GetUserPreferredUILanguages", Microsoft Learn).
func systemLanguage() string {
	tags, err := windows.GetUserPreferredUILanguages(windows.MUI_LANGUAGE_NAME)
	if err != nil || len(tags) == 0 {
		return ""
	}
	return tags[0]
}
