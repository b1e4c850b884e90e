package machine

import (
	"bytes"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
)

// parseCodesign makes an answer of what codesign(1) said: of `codesign
// --verify PATH`, which ends with 0 for a good signature, and of `codesign -dv
// --verbose=2 PATH`, which writes the details to standard error as NAME=value.
// The first Authority is the signer's own certificate. A program that is
// signed ad hoc has neither signer nor team.
func parseCodesign(verify, details evidence.Output) signature {
	s := signature{Valid: verify.Code == 0}
	for line := range strings.Lines(string(details.Stderr) + "\n" + string(details.Stdout)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || details.Code != 0 {
			continue
		}
		switch name {
		case "Identifier":
			s.Identifier = value
		case "TeamIdentifier":
			if value != "not set" {
				s.TeamID = value
			}
		case "Authority":
			if s.Signer == "" {
				s.Signer = value
			}
		}
	}
	if !s.Valid {
		s.Error = lastWords(verify)
	}
	return s
}

// lastWords is why codesign refused: the first line, behind the path.
func lastWords(out evidence.Output) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(out.Stderr), []byte("\n"))
	text := string(line)
	if _, after, ok := strings.Cut(text, ": "); ok {
		text = after
	}
	const most = 200
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}
