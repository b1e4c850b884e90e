package observe

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/postern-zt/postern/posture/fact"
)

// Limits of what a form may say.
const (
	minFind = 3  // characters to find a certificate by; fewer find too much
	maxKeys = 16 // dictionaries on the way to a property list's value
)

var (
	packageName = regexp.MustCompile(`^[\pL\pN][\pL\pN +._&()@:,'-]*$`)
	linuxName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9+._-]*$`)
)

func byPath(o Observation) []string {
	switch {
	case !drive(o.Path):
		return []string{Linux, MacOS}
	default:
		return []string{Windows}
	}
}

func byStore(o Observation) []string {
	switch o.Store {
	case StoreRoot:
		return []string{Linux, Windows, MacOS}
	case StoreMachine:
		return []string{Windows, MacOS}
	}
	return []string{Windows}
}

func byManager(o Observation) []string {
	switch o.Manager {
	case "":
		return []string{Linux, Windows, MacOS}
	case ManagerUninstall:
		return []string{Windows}
	case ManagerApp, ManagerReceipt:
		return []string{MacOS}
	}
	return []string{Linux}
}

func needPath(o Observation) error { return Readable(o.Path) }

func checkPlist(o Observation) error {
	if drive(o.Path) {
		return errors.New("path: a property list is on macOS, and its path begins with /")
	}
	if len(o.Keys) == 0 || len(o.Keys) > maxKeys {
		return fmt.Errorf("keys: want 1 to %d, from the outermost dictionary to the value", maxKeys)
	}
	for _, k := range o.Keys {
		if err := line("keys", k, 1); err != nil {
			return err
		}
	}
	return Readable(o.Path)
}

func checkRegistry(o Observation) error {
	if err := ReadableKey(o.Key); err != nil {
		return err
	}
	if o.Name == "" {
		return nil
	}
	return line("name", o.Name, 1)
}

func checkCertificate(o Observation) error {
	if err := words("store", []string{o.Store}, []string{StoreRoot, StoreIntermediate, StoreMachine, StorePublisher}); err != nil {
		return err
	}
	if o.Subject == "" && o.Issuer == "" {
		return errors.New("say how to find the certificate: a part of its subject, of its issuer, or both")
	}
	for name, text := range map[string]string{"subject": o.Subject, "issuer": o.Issuer} {
		if text == "" {
			continue
		}
		if err := line(name, text, minFind); err != nil {
			return err
		}
	}
	return nil
}

func checkPackage(o Observation) error {
	if err := line("name", o.Name, 1); err != nil {
		return err
	}
	if o.Manager != "" {
		managers := []string{ManagerDpkg, ManagerRPM, ManagerPacman, ManagerAPK, ManagerUninstall, ManagerApp, ManagerReceipt}
		if err := words("manager", []string{o.Manager}, managers); err != nil {
			return err
		}
	}
	form := packageName
	if where := o.Where(); len(where) == 1 && where[0] == Linux {
		form = linuxName
	}
	if !form.MatchString(o.Name) {
		return fmt.Errorf("name: %q is no name of a package", fact.Clip(o.Name))
	}
	return nil
}

// line checks a text of one line.
func line(name, text string, least int) error {
	switch {
	case len(strings.TrimSpace(text)) < least:
		return fmt.Errorf("%s: want at least %d characters", name, least)
	case len(text) > fact.MaxString:
		return fmt.Errorf("%s: longer than %d bytes", name, fact.MaxString)
	case strings.ContainsFunc(text, unicode.IsControl) || strings.ToValidUTF8(text, "") != text:
		return fmt.Errorf("%s: it holds a control character", name)
	}
	return nil
}

// secretWord finds names of values that may hold a secret.
var secretWord = regexp.MustCompile(`(?i)passw(or)?d|passphrase|secret|token|credential|(private|api|license|licence|product|recovery|encryption)[ _-]?key|communit`)

// SpeaksOfSecret reports whether the name of a value speaks of a secret. Such a
// value is read only where it is a number or true or false, as that of a rule
// about passwords is.
func SpeaksOfSecret(name string) bool { return secretWord.MatchString(name) }

// drive reports whether a path is one of Windows, with a drive letter.
func drive(p string) bool {
	return len(p) > 1 && p[1] == ':' && (p[0]|0x20) >= 'a' && (p[0]|0x20) <= 'z'
}
