package disk

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/fact"
)

// luksHeader is what a LUKS header tells beyond the kernel.
type luksHeader struct {
	cipher string // such as aes-xts-plain64
	ways   []string
	moving bool // encryption, decryption or encryption anew is running
	open   bool // a part of the data is not encrypted, or with a cipher that does nothing
}

// parseLUKSJSON reads `cryptsetup luksDump --dump-json-metadata` ("LUKS2
// On-Disk Format Specification", JSON area).
func parseLUKSJSON(data []byte) (luksHeader, bool) {
	var doc struct {
		Keyslots map[string]struct {
			Type string `json:"type"`
		} `json:"keyslots"`
		Tokens map[string]struct {
			Type     string   `json:"type"`
			Keyslots []string `json:"keyslots"`
			PIN      bool     `json:"tpm2-pin"`
			JWE      struct {
				Protected string `json:"protected"`
			} `json:"jwe"`
		} `json:"tokens"`
		Segments map[string]struct {
			Type       string   `json:"type"`
			Encryption string   `json:"encryption"`
			Flags      []string `json:"flags"`
		} `json:"segments"`
		Config struct {
			Requirements struct {
				Mandatory []string `json:"mandatory"`
			} `json:"requirements"`
		} `json:"config"`
	}
	if json.Unmarshal(data, &doc) != nil || len(doc.Segments) == 0 {
		return luksHeader{}, false
	}
	var h luksHeader
	for _, s := range doc.Segments {
		backup := slices.ContainsFunc(s.Flags, func(f string) bool { return strings.HasPrefix(f, "backup-") })
		h.moving = h.moving || backup || slices.Contains(s.Flags, "in-reencryption")
		h.segment(s.Type, s.Encryption, backup)
	}
	for _, need := range doc.Config.Requirements.Mandatory {
		h.moving = h.moving || strings.Contains(need, "reencrypt")
	}
	taken := map[string]bool{}
	for _, t := range doc.Tokens {
		h.ways = append(h.ways, tokenWay(t.Type, t.PIN, t.JWE.Protected))
		for _, slot := range t.Keyslots {
			taken[slot] = true
		}
	}
	for id, slot := range doc.Keyslots {
		switch {
		case slot.Type == "reencrypt":
			h.moving = true
		case !taken[id]:
			h.ways = append(h.ways, fact.UnlockPassword)
		}
	}
	return h, true
}

// segment takes one part of the device: backups describe how it was before.
func (h *luksHeader) segment(kind, cipher string, backup bool) {
	if backup {
		return
	}
	if kind == "linear" || strings.HasPrefix(cipher, "cipher_null") {
		h.open = true
		return
	}
	if cipher != "" && (h.cipher == "" || cipher < h.cipher) {
		h.cipher = cipher
	}
}

// tokenWay maps a token's type (systemd-cryptenroll(1), clevis-luks-bind(1)).
func tokenWay(kind string, pin bool, jwe string) string {
	switch {
	case kind == "systemd-tpm2" && pin:
		return fact.UnlockTPMPin
	case kind == "systemd-tpm2":
		return fact.UnlockTPM
	case kind == "systemd-recovery":
		return fact.UnlockRecovery
	case kind == "clevis":
		if plain, err := base64.RawURLEncoding.DecodeString(jwe); err == nil && strings.Contains(string(plain), `"pin":"tpm2"`) {
			return fact.UnlockTPM
		}
	case kind == "luks2-keyring":
		return fact.UnlockPassword
	}
	return fact.UnlockToken
}

// parseLUKSText reads what luksDump prints for people, of both versions.
func parseLUKSText(text string) (luksHeader, bool) {
	if !strings.Contains(text, "LUKS header information") {
		return luksHeader{}, false
	}
	d := luksText{taken: map[string]bool{}}
	for line := range strings.Lines(text) {
		d.line(strings.TrimRight(line, "\r\n"))
	}
	d.endSegment()
	d.endToken()
	for _, slot := range d.slots {
		if !d.taken[slot] {
			d.ways = append(d.ways, fact.UnlockPassword)
		}
	}
	return d.luksHeader, d.version != ""
}

// luksText is a text half read.
type luksText struct {
	luksHeader
	version, section string
	slots            []string
	taken            map[string]bool
	kind, cipher     string // of the segment
	backup           bool
	token            string
	tokenPIN         bool
	name             string // of the cipher, in LUKS1
}

func (d *luksText) line(line string) {
	label, value, ok := strings.Cut(line, ":")
	label, value = strings.TrimSpace(label), strings.TrimSpace(value)
	switch {
	case !ok:
		return
	case line[0] != ' ' && line[0] != '\t':
		d.heading(label, value)
	case strings.Trim(label, "0123456789") == "" && strings.HasPrefix(line, "  "):
		d.entry(label, value)
	case d.section == "Data segments" && label == "cipher":
		d.cipher = value
	case d.section == "Data segments" && label == "flags":
		d.backup = strings.Contains(value, "backup-")
		d.moving = d.moving || d.backup || strings.Contains(value, "in-reencryption")
	case d.section == "Tokens" && label == "Keyslot":
		d.taken[value] = true
	case d.section == "Tokens" && label == "tpm2-pin":
		d.tokenPIN = value == "true"
	}
}

// heading takes a line that is not indented.
func (d *luksText) heading(label, value string) {
	d.section = label
	slot, isSlot := strings.CutPrefix(label, "Key Slot ")
	switch {
	case label == "Version":
		d.version = value
	case label == "Cipher name":
		d.name = value
	case label == "Cipher mode":
		d.segmentText("crypt", d.name+"-"+value)
	case isSlot && value == "ENABLED":
		d.slots = append(d.slots, slot)
	case label == "Requirements" && strings.Contains(value, "reencrypt"):
		d.moving = true
	}
}

// entry begins a numbered segment, key slot or token.
func (d *luksText) entry(id, value string) {
	kind, _, _ := strings.Cut(value, " ")
	switch d.section {
	case "Data segments":
		d.endSegment()
		d.kind, d.cipher, d.backup = kind, "", false
	case "Keyslots":
		if kind == "reencrypt" {
			d.moving = true
		} else if len(d.slots) < 64 {
			d.slots = append(d.slots, id)
		}
	case "Tokens":
		d.endToken()
		d.token, d.tokenPIN = kind, false
	}
}

func (d *luksText) endSegment() {
	if d.kind != "" {
		d.segmentText(d.kind, d.cipher)
	}
	d.kind = ""
}

// segmentText takes one segment unless it is a backup.
func (d *luksText) segmentText(kind, cipher string) { d.luksHeader.segment(kind, cipher, d.backup) }

func (d *luksText) endToken() {
	if d.token != "" && len(d.ways) < 64 {
		d.ways = append(d.ways, tokenWay(d.token, d.tokenPIN, ""))
	}
	d.token = ""
}
