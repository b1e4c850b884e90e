package observe

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode"

	"github.com/postern-zt/postern/posture/fact"
)

// Readable checks that a path is an absolute one without anything to resolve,
// and that it leads neither to what the kernel makes up, nor into people's
// folders, nor to what keeps secrets. It is asked again for what a path turns
// out to lead to.
func Readable(p string) error {
	if err := line("path", p, 2); err != nil {
		return err
	}
	if strings.ContainsAny(p, `*?[]{}"<>|%$`) {
		return fmt.Errorf("path %q: nothing in it may stand for something else", p)
	}
	if drive(p) {
		return readableOnWindows(p)
	}
	if !path.IsAbs(p) || path.Clean(p) != p || strings.Contains(p, `\`) {
		return fmt.Errorf("path %q: want a clean absolute path, /opt/x/y or C:\\x\\y", p)
	}
	return closed(p, plainPOSIX(p), closedFolders())
}

// plainPOSIX is a path in lower case without the second names that macOS has
// for its folders (firmlinks, /private).
func plainPOSIX(p string) string {
	p = strings.ToLower(p)
	for again := true; again; {
		again = false
		for _, prefix := range []string{"/system/volumes/data", "/private"} {
			if rest, ok := strings.CutPrefix(p, prefix); ok && (rest == "" || rest[0] == '/') {
				p, again = rest, true
			}
		}
	}
	return p
}

// shortName is the second name that Windows gives to long ones (8.3).
var shortName = regexp.MustCompile(`~[0-9]`)

func readableOnWindows(p string) error {
	if len(p) < 4 || p[2] != '\\' || strings.ContainsAny(p[2:], ":/") {
		return fmt.Errorf("path %q: want a drive letter and a clean absolute path, as C:\\x\\y", p)
	}
	for _, part := range strings.Split(p[3:], `\`) {
		if part == "" || part == "." || part == ".." || strings.TrimRight(part, ". ") != part || shortName.MatchString(part) {
			return fmt.Errorf("path %q: want a drive letter and a clean absolute path with long names", p)
		}
	}
	return closed(p, strings.ReplaceAll(strings.ToLower(p[2:]), `\`, "/"), closedOnWindows())
}

// closedFolders are files and folders of Linux and macOS that nobody may ask
// for, in lower case, with why.
func closedFolders() map[string]string {
	const kernel, people, secrets = "what the kernel makes up", "people's folders", "what keeps secrets"
	return map[string]string{
		"/proc": kernel, "/sys": kernel, "/dev": kernel, "/.vol": kernel,
		"/home": people, "/root": people, "/users": people, "/var/home": people, "/var/root": people, "/export/home": people, "/usr/home": people, "/run/user": people,
		"/etc/shadow": secrets, "/etc/shadow-": secrets, "/etc/gshadow": secrets, "/etc/gshadow-": secrets, "/etc/master.passwd": secrets, "/etc/kcpassword": secrets,
		"/etc/ssl/private": secrets, "/etc/pki/tls/private": secrets, "/etc/pki/private": secrets, "/etc/wireguard": secrets, "/etc/cryptsetup-keys.d": secrets,
		"/etc/networkmanager/system-connections": secrets, "/var/lib/iwd": secrets, "/etc/credstore": secrets, "/etc/credstore.encrypted": secrets,
		"/var/lib/systemd/credential.secret": secrets, "/var/lib/tpm2-tss": secrets, "/var/lib/sss/secrets": secrets, "/var/lib/samba/private": secrets,
		"/etc/postern": secrets, "/var/lib/postern": secrets, "/run/secrets": secrets, "/run/credentials": secrets, "/run/postern": secrets,
		"/library/keychains": secrets, "/var/db/dslocal": secrets, "/var/db/systemkey": secrets, "/var/db/sudo": secrets, "/library/application support/postern": secrets,
	}
}

// closedOnWindows is closedFolders for Windows, below any drive.
func closedOnWindows() map[string]string {
	const people, secrets = "people's folders", "what keeps secrets"
	return map[string]string{
		"/users": people, "/documents and settings": people, "/windows/serviceprofiles": people, "/windows/system32/config": secrets,
		"/windows/system32/microsoft/protect": secrets, "/windows/ntds": secrets, "/windows/repair": secrets, "/windows/panther": secrets,
		"/programdata/microsoft/crypto": secrets, "/programdata/microsoft/wlansvc": secrets, "/programdata/microsoft/vault": secrets,
		"/programdata/postern": secrets, "/programdata/application data": people, "/system volume information": secrets,
	}
}

// keyMaterial finds files that hold private keys or passwords by their names,
// in lower case.
var keyMaterial = regexp.MustCompile(`^(ssh_host_.*_key|id_(rsa|dsa|ecdsa|ed25519)(_sk)?|(.*[-_.])?(priv(ate)?[-_.]?)?key\.pem|privkey.*\.pem|.*\.(key|p12|pfx|jks|keystore|keytab|keychain|keychain-db|kdbx|ppk|dit|age|gpg))$`)

// closed refuses a path for where it leads; plain is it in lower case, with
// slashes.
func closed(p, plain string, folders map[string]string) error {
	for folder, why := range folders {
		if plain == folder || strings.HasPrefix(plain, folder+"/") {
			return fmt.Errorf("path %q: %s are not for observations", p, why)
		}
	}
	if keyMaterial.MatchString(path.Base(plain)) {
		return fmt.Errorf("path %q: files that hold keys are not for observations", p)
	}
	return nil
}

// ReadableKey checks a key of the registry: of the machine, and none that keeps
// passwords.
func ReadableKey(key string) error {
	if err := line("key", key, 6); err != nil {
		return err
	}
	rest, ok := strings.CutPrefix(strings.ToUpper(key), `HKLM\`)
	if !ok || strings.ContainsFunc(key, unicode.IsControl) || strings.ContainsAny(key, "/*?") {
		return fmt.Errorf("key %q: want a key below HKLM\\", key)
	}
	parts := strings.Split(rest, `\`)
	for _, part := range parts {
		if part == "" || strings.TrimSpace(part) != part || part == "." || part == ".." {
			return fmt.Errorf("key %q: want a key below HKLM\\ without empty parts", key)
		}
	}
	switch parts[0] {
	case "SAM", "SECURITY":
		return fmt.Errorf("key %q: keys that keep secrets are not for observations", key)
	}
	return nil
}

// Forbid is what settings keep from being read, whoever asks for it. What it
// forbids stays listed as unknown, and so never passes.
type Forbid struct {
	Kinds []string // Kind…
	Paths []string // files, folders with all below them, keys of the registry with all below them
}

// Validate checks the words.
func (f Forbid) Validate() error {
	if err := words("kinds", f.Kinds, append(Kinds(), KindEDR)); err != nil {
		return err
	}
	for _, p := range f.Paths {
		if err := line("paths", p, 1); err != nil {
			return err
		}
		if !path.IsAbs(p) && !drive(p) && !strings.HasPrefix(strings.ToUpper(p), "HKLM") {
			return fmt.Errorf("paths: %q begins neither with / nor with a drive letter nor with HKLM", p)
		}
	}
	if len(f.Paths) > fact.MaxEntries {
		return errors.New("paths: too many")
	}
	return nil
}

// Observation reports whether an observation is forbidden by what it says. A
// path may still lead to somewhere else, see Path.
func (f Forbid) Observation(o Observation) bool {
	for _, k := range f.Kinds {
		if k == o.Kind {
			return true
		}
	}
	return o.Path != "" && f.Path(o.Path) || o.Key != "" && f.Path(o.Key)
}

// Path reports whether a path or a key is forbidden. Case never counts: what
// is forbidden shall not be had by another spelling.
func (f Forbid) Path(p string) bool {
	plain := plainPOSIX(strings.ReplaceAll(p, `\`, "/"))
	for _, forbidden := range f.Paths {
		folder := strings.TrimRight(plainPOSIX(strings.ReplaceAll(forbidden, `\`, "/")), "/")
		if plain == folder || strings.HasPrefix(plain, folder+"/") {
			return true
		}
	}
	return false
}

// Rows takes out of the rows that came from outside those that are forbidden.
func (f Forbid) Rows(rows []EDRRow) (kept, out []EDRRow) {
	for _, r := range rows {
		if r.Origin != fact.OriginBuiltIn && f.row(r) {
			out = append(out, r)
			continue
		}
		kept = append(kept, r)
	}
	return kept, out
}

func (f Forbid) row(r EDRRow) bool {
	for _, k := range f.Kinds {
		if k == KindEDR {
			return true
		}
	}
	for _, p := range r.programs() {
		if f.Path(p.Executable) {
			return true
		}
	}
	for _, app := range r.Apps {
		if f.Path(app) {
			return true
		}
	}
	return false
}
