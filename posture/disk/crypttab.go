package disk

import (
	"path"
	"strings"

	"github.com/postern-zt/postern/posture/fact"
)

const crypttabFile = "/etc/crypttab"

// crypttabEntry is one line of crypttab(5): which device is opened under which
// name, and with what.
type crypttabEntry struct {
	name, device, key string
	options           []string
}

// parseCrypttab reads the lines; cut tells that the last one has no end, so that
// it, and others, may say more than is there.
func parseCrypttab(text string) (out []crypttabEntry, cut bool) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if cut = len(f) > 0 && !strings.HasPrefix(f[0], "#") && !whole(line); cut {
			break
		}
		if len(f) < 2 || strings.HasPrefix(f[0], "#") || len(out) >= maxBlocks {
			continue
		}
		e := crypttabEntry{name: f[0], device: f[1]}
		if len(f) > 2 {
			e.key = f[2]
		}
		if len(f) > 3 {
			e.options = strings.Split(f[3], ",")
		}
		if e.key == "-" || e.key == "none" {
			e.key = ""
		}
		out = append(out, e)
	}
	return out, cut
}

// option is the value of an option, and whether it is there.
func (e crypttabEntry) option(name string) (string, bool) {
	for _, o := range e.options {
		if key, value, _ := strings.Cut(o, "="); key == name {
			return value, true
		}
	}
	return "", false
}

// entryFor finds the line of an open mapping: by its name, or by the header's
// uuid (systemd's generator and dracut name mappings luks-UUID).
func entryFor(table []crypttabEntry, b *block) (crypttabEntry, bool) {
	for _, e := range table {
		if e.name == b.cryptName {
			return e, true
		}
	}
	for _, e := range table {
		if b.cryptUUID != "" && strings.EqualFold(strings.Trim(strings.TrimPrefix(e.device, "UUID="), `"`), b.cryptUUID) {
			return e, true
		}
	}
	return crypttabEntry{}, false
}

// keySource is where the key of a mapping comes from.
type keySource struct {
	way  string // how it is opened; empty: not told
	file string // path of a key file; empty: none
	lost bool   // random, forgotten when the machine goes off
	odd  bool   // a program nobody knows gives the key
}

// source reads where the key comes from.
func (e crypttabEntry) source() keySource {
	if script, ok := e.option("keyscript"); ok {
		return scriptSource(script)
	}
	switch e.key {
	case "/dev/urandom", "/dev/random", "/dev/hw_random", "/dev/hwrng":
		return keySource{lost: true}
	}
	if _, ok := e.option("tpm2-device"); ok {
		if pin, _ := e.option("tpm2-pin"); pin == "yes" || pin == "true" || pin == "1" || pin == "on" {
			return keySource{way: fact.UnlockTPMPin}
		}
		return keySource{way: fact.UnlockTPM}
	}
	for _, token := range []string{"fido2-device", "pkcs11-uri"} {
		if _, ok := e.option(token); ok {
			return keySource{way: fact.UnlockToken}
		}
	}
	file, device, _ := strings.Cut(e.key, ":")
	switch {
	case e.key == "":
		return keySource{way: fact.UnlockPassword}
	case device != "", strings.HasPrefix(e.key, "/dev/"): // on, or the start of, another device
		return keySource{way: fact.UnlockKeyFile}
	case strings.HasPrefix(file, "/"):
		return keySource{way: fact.UnlockKeyFile, file: path.Clean(file)}
	}
	return keySource{odd: true}
}

// scriptSource knows the key scripts of Debian's cryptsetup package.
func scriptSource(script string) keySource {
	switch path.Base(script) {
	case "decrypt_keyctl", "askpass", "decrypt_ssl", "decrypt_gnupg":
		return keySource{way: fact.UnlockPassword}
	case "decrypt_opensc", "decrypt_gnupg-sc":
		return keySource{way: fact.UnlockToken}
	case "passdev":
		return keySource{way: fact.UnlockKeyFile}
	}
	return keySource{odd: true}
}
