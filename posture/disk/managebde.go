package disk

import (
	"bytes"
	"context"
	"strings"
	"unicode"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// manageBDE adds what `manage-bde -status` prints. It needs an administrator
// too, and it is translated: only what the words certainly say is taken. That
// it was refused, it says by its exit code in every language. The reason is why
// it told nothing.
func (d *drives) manageBDE(ctx context.Context, r *evidence.Reading) fact.Reason {
	out, err := r.Machine().Run(ctx, "manage-bde", "-status")
	if why := evidence.ReasonOf(err); err != nil && (why == fact.ReasonNeedsPrivilege || why.Transient()) {
		return why
	} else if err != nil {
		return ""
	}
	switch uint32(out.Code) {
	case 0:
	case 0x80041003, 0x80070005: // WBEM_E_ACCESS_DENIED, E_ACCESSDENIED
		return fact.ReasonNeedsPrivilege
	default:
		return ""
	}
	said := false
	for _, b := range parseManageBDE(string(out.Stdout)) {
		if b.letter != "" {
			v := b.volume()
			v.key = b.letter
			d.add(v, "manage-bde")
			said = true
		}
	}
	if said {
		r.From("manage-bde -status")
	} else if len(bytes.TrimSpace(out.Stdout)) > 0 {
		return fact.ReasonUnreadable
	}
	return ""
}

// bdeBlock is what manage-bde prints of one volume.
type bdeBlock struct {
	letter  string
	lines   []bdeLine
	percent int // index of the line with the percentage; -1: none
	keys    int // index of the line above the key protectors; -1: none
}

// bdeLine is "label: value", or a value alone.
type bdeLine struct {
	label, value string
	alone        bool
}

// parseManageBDE cuts the output into volumes. A volume begins with a line such
// as `Volume C: [Windows]` in any language; its lines are known by their order,
// which no translation changes: version, conversion, percentage, method,
// protection, lock, identification, (automatic unlock,) protectors.
func parseManageBDE(text string) []bdeBlock {
	var out []bdeBlock
	block := bdeBlock{percent: -1, keys: -1}
	end := func() {
		if len(block.lines) > 0 && len(out) < 4*fact.MaxEntries {
			out = append(out, block)
		}
		block = bdeBlock{percent: -1, keys: -1}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n \t\x00")
		if letter, ok := volumeHeader(line); ok {
			end()
			block.letter = letter
			continue
		}
		block.line(line)
	}
	end()
	return out
}

// volumeHeader finds the drive letter of a line that begins a volume: the only
// one with a letter and a colon before a label in brackets. A label may hold
// brackets itself, and in code page 932 the byte of one is half of a character.
func volumeHeader(line string) (string, bool) {
	if !strings.HasSuffix(line, "]") {
		return "", false
	}
	for i := range min(len(line), maxHeader) {
		if line[i] != '[' {
			continue
		}
		head := strings.TrimRight(line[:i], " \t\"")
		word := head[max(0, len(head)-3):] // no word of one letter is longer
		word = word[strings.LastIndexAny(word, " \t\"")+1:]
		if letter := driveLetter(word); letter != "" && strings.HasSuffix(word, ":") {
			return letter, true
		}
	}
	return "", false
}

// maxHeader bounds the part of a line that is looked through for a letter.
const maxHeader = 256

func (b *bdeBlock) line(line string) {
	trimmed := strings.TrimSpace(line)
	if trimmed == "" || strings.HasPrefix(trimmed, "[") || len(b.lines) > 64 {
		return
	}
	label, value, ok := strings.Cut(strings.ReplaceAll(trimmed, "：", ":"), ":")
	l := bdeLine{label: strings.TrimSpace(label), value: strings.TrimSpace(value)}
	if !ok {
		l = bdeLine{value: strings.TrimLeft(trimmed, "- "), alone: true}
	}
	switch {
	case b.percent < 0 && ok && percentage(l.value) >= 0:
		b.percent = len(b.lines)
	case b.percent >= 0 && ok && len(b.lines) > b.percent:
		b.keys = len(b.lines) // the last line with a label
	}
	b.lines = append(b.lines, l)
}

// at gives the value of the line that many lines after the percentage.
func (b bdeBlock) at(offset int) string {
	i := b.percent + offset
	if b.percent < 0 || i < 0 || i >= len(b.lines) || b.lines[i].alone {
		return ""
	}
	return b.lines[i].value
}

// percentage is the value of "100,0 %" or "%100,0" in tenths, or -1.
func percentage(s string) int {
	if !strings.HasPrefix(s, "%") && !strings.HasSuffix(s, "%") {
		return -1
	}
	s = strings.TrimSpace(strings.Trim(s, "%"))
	whole, part, _ := strings.Cut(strings.ReplaceAll(s, ",", "."), ".")
	if whole == "" || len(whole) > 3 || len(part) > 4 {
		return -1
	}
	n := 0
	for _, c := range whole + (part + "0")[:1] {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	if n > 1000 {
		return -1
	}
	return n
}

// volume interprets a block.
func (b bdeBlock) volume() volume {
	var v volume
	v.unknown(fact.ReasonUnreadable)
	s := bitlockerState{protection: protectionWord(b.at(2)), conversion: conversionWord(b.at(-1)), method: -1}
	done := percentage(b.at(0))
	s.protectors, s.listed = b.protectors()
	s.suspended = strings.ContainsAny(b.at(2), "(") // "(1 reboots left)"
	switch {
	case done < 0:
		return v
	case done == 0 && s.conversion < 0, s.conversion == 0 && done == 0:
		v.open()
		return v
	case done == 0 && s.conversion == 1:
		return v
	case done > 0 && done < 1000 && (s.conversion < 0 || s.conversion == 1):
		v.partly("") // which way cannot be told
		v.unlock = s.unlock(v)
	case s.conversion < 0, s.conversion == 0: // 100.0 % may be rounded, and a language nobody taught us
		if s.protection == 0 {
			v.protected = no("")
		}
		return v
	default:
		v = s.volume()
	}
	v.method = bdeMethod(b.at(1))
	return v
}

// protectors lists the kinds of key protectors that can be told in any
// language; complete says that there are none besides. Text beside the label is
// "none found".
func (b bdeBlock) protectors() (list []string, complete bool) {
	if b.keys <= b.percent+3 || b.keys < 0 {
		return nil, false
	}
	if b.lines[b.keys].value != "" {
		return nil, b.keys == len(b.lines)-1
	}
	complete = true
	for _, l := range b.lines[b.keys+1:] {
		way := bdeProtector(l.value)
		complete = complete && way != ""
		list = append(list, way)
	}
	return list, complete && len(list) > 0
}

func bdeProtector(name string) string {
	words := skeleton(name)
	has := func(stems ...string) bool {
		for _, w := range words {
			for _, stem := range stems {
				if strings.HasPrefix(w, stem) {
					return true
				}
			}
		}
		return false
	}
	switch {
	case has("tpm") && has("pin"):
		return "4"
	case has("tpm") && len(words) == 1:
		return "1"
	case has("tpm"):
		return "5"
	case has("numeri", "numri"):
		return "3"
	case len(words) == 1 && has("password", "passphrase", "kennwort", "contrasea", "senha", "wachtwoord"), len(words) == 3 && words[0] == "mot":
		return "8"
	case has("external", "externe", "externer", "externa", "esterna"):
		return "2"
	}
	return ""
}

// skeleton cuts a text into lower-case words of ASCII letters. All else inside
// a word is dropped, so that a word is the same whatever code page its accents
// went through.
func skeleton(s string) []string {
	var b strings.Builder
	for _, c := range strings.ToLower(s) {
		switch {
		case c >= 'a' && c <= 'z':
			b.WriteRune(c)
		case unicode.IsSpace(c) || strings.ContainsRune("().,-", c):
			b.WriteByte(' ')
		}
	}
	return strings.Fields(b.String())
}

func anyWord(words []string, stems ...string) bool {
	for _, w := range words {
		for _, stem := range stems {
			if w == stem || strings.HasSuffix(stem, "*") && strings.HasPrefix(w, stem[:len(stem)-1]) {
				return true
			}
		}
	}
	return false
}

// protectionWord reads "Protection On", "Der Schutz ist deaktiviert." and the
// like in English, German, French, Spanish, Italian, Portuguese and Dutch: 0
// off, 1 on, -1 cannot be told.
func protectionWord(s string) int {
	words := skeleton(s)
	switch {
	case anyWord(words, "off", "deaktiv*", "dsactiv*", "desactiv*", "disattiv*", "desativ*", "dezactiv*", "uitgeschakeld", "suspen*", "angehalten"):
		return 0
	case anyWord(words, "not", "non", "no", "nicht", "pas", "niet", "unknown", "unbekannt"):
		return -1
	case strings.Contains(s, "("): // restarts until protection resumes
		return 0
	case anyWord(words, "on", "aktiv*", "activ*", "attiv*", "ativ*", "ingeschakeld"):
		return 1
	}
	return -1
}

// conversionWord reads the conversion status in the same languages: an index of
// conversionWords, or -1.
func conversionWord(s string) int {
	words := skeleton(s)
	decrypt := anyWord(words, "decrypt*", "entschl*", "dchiffr*", "dechiffr*", "descifr*", "desencript*", "decrittogr*", "descriptograf*", "ontsleutel*")
	encrypt := anyWord(words, "encrypt*", "verschl*", "chiffr*", "cifr*", "encript*", "crittogr*", "criptograf*", "versleutel*")
	running := anyWord(words, "progress", "wird", "cours", "curso", "corso", "andamento", "bezig", "wordt")
	paused := anyWord(words, "paus*", "angehalten", "interromp*", "suspend*", "sospes*", "onderbroken")
	complete := anyWord(words, "fully", "only", "vollst*", "nur", "intgral*", "integral*", "entirement", "totalement", "compl*", "uniquement", "seul*",
		"totalmente", "solo", "somente", "apenas", "volledig", "alleen")
	if encrypt == decrypt {
		return -1
	}
	switch {
	case paused && encrypt:
		return 4
	case paused:
		return 5
	case running && encrypt:
		return 2
	case running:
		return 3
	case complete && encrypt:
		return 1
	case complete:
		return 0
	}
	return -1
}

// bdeMethod is the method's name, which stays English but for "none" and
// "unknown".
func bdeMethod(s string) string {
	if words := skeleton(s); anyWord(words, "aes") {
		return "bitlocker " + strings.ToLower(strings.Join(strings.Fields(s), "-"))
	}
	return "bitlocker"
}
