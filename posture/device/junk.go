package device

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/postern-zt/postern/posture/fact"
)

// junk recognises values that makers leave where an identifier belongs. Many
// machines share them, so they identify none.
func junk(v string) bool {
	plain := bare(v)
	if len(plain) < 4 || strings.Trim(plain, plain[:1]) == "" || repeats(plain) {
		return true
	}
	switch plain {
	case "DEFAULTSTRING", "SYSTEMSERIALNUMBER", "NOTSPECIFIED", "NOTAPPLICABLE", "NOTAVAILABLE", "NOTPROVIDED",
		"NONE", "NULL", "EMPTY", "UNKNOWN", "OEM", "INVALID", "SERIALNUMBER", "SYSTEMSERIAL", "CHASSISSERIALNUMBER",
		"BASEBOARDSERIALNUMBER", "MBSERIALNUMBER", "NOSERIAL", "NOSERIALNUMBER", "TBDBYOEM", "SERIAL", "DEFAULT",
		"SYSTEMUUID", "SYSTEMPRODUCTNAME", "EMPTYSTRING", "NOTSETTABLE", "TOBEFILLED", "INSYDE", "PHOENIX", "AMI":
		return true
	case "1234", "12345", "123456", "1234567", "12345678", "123456789", "1234567890", "0123456789", "0123456789ABCDEF",
		"01234567890123456789", "0123456789AB", "ABCDEF", "ABCDEFG", "SN12345", "SN1234567890", "SN123456789":
		return true
	case "03000200040005000006000700080009", "00020003000400050006000700080009", // boards of several makers
		"123456781234567890ABCDDEEFAABBCC", // boards of one more
		"4C4C454400002010802080C04F202020": // Dell without service tag
		return true
	}
	return strings.HasPrefix(plain, "TOBEFILLED")
}

// bare is v in upper case without what separates its parts.
func bare(v string) string {
	return strings.ToUpper(strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '.' || r == '_' || r == ':' || r == '/' || r == '\t' {
			return -1
		}
		return r
	}, v))
}

// repeats is true of one pair of characters over and over, as in FEFEFEFE. A
// pair of digits twice may be an identifier; four times is not.
func repeats(s string) bool {
	return len(s) >= 8 && len(s)%2 == 0 && strings.Repeat(s[:2], len(s)/2) == s
}

// placeholder recognises what stands in the place of a maker's or a model's
// name until somebody fills it in.
func placeholder(v string) bool {
	plain := bare(v)
	switch plain {
	case "SYSTEMMANUFACTURER", "SYSTEMPRODUCTNAME", "SYSTEMNAME", "MANUFACTURER", "PRODUCTNAME", "OEM", "NA", "TBD", "X":
		return true
	}
	return plain == "" || plain != "NULL" && len(plain) > 3 && junk(v)
}

// serialForm is what a serial number may look like: printable and short.
func serialForm(s string) bool { return printable(s) }

func printable(s string) bool {
	if len(s) > fact.MaxString || !utf8.ValidString(s) {
		return false
	}
	return strings.IndexFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) < 0
}

// uuidForm is the text form of RFC 9562, section 4, in lower case.
func uuidForm(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		hex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f'
		if dash != (c == '-') || !dash && !hex {
			return false
		}
	}
	return true
}
