//go:build !windows && !darwin

package locale

// systemLanguage is not known beyond the environment: "" is English.
func systemLanguage() string { return "" }
