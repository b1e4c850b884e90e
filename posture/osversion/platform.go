package osversion

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// platform is the answer to evidence.AskPlatform.
type platform struct {
	Release     string  `json:"release"` // uname(2)
	Machine     string  `json:"machine"`
	Major       *uint32 `json:"major"` // RtlGetVersion
	Minor       *uint32 `json:"minor"`
	Build       *uint32 `json:"build"`
	ProductType int     `json:"product_type"`
}

func askPlatform(ctx context.Context, m evidence.Machine) (platform, error) {
	answer, err := m.Ask(ctx, evidence.AskPlatform)
	if err != nil {
		return platform{}, err
	}
	return parsePlatform(answer)
}

func parsePlatform(answer []byte) (platform, error) {
	var p platform
	if err := json.Unmarshal(answer, &p); err != nil {
		return platform{}, &evidence.Error{Reason: fact.ReasonUnreadable, Op: "read the platform's answer", Err: err}
	}
	p.Release, p.Machine = clean(p.Release), clean(p.Machine)
	return p, nil
}

// clean gives text that a system printed in one line, without what surrounds
// it, and nothing for text of another form.
func clean(s string) string {
	s = strings.TrimSpace(s)
	for _, c := range s {
		if c < ' ' || c == 0x7f || c == '\uFFFD' {
			return ""
		}
	}
	return s
}

// architecture is a processor architecture by the name that Go has for it; the
// names of uname(2) and of Windows' PROCESSOR_ARCHITECTURE are known. Another
// one stays as it is, in lower case.
func architecture(machine string) string {
	name := strings.ToLower(machine)
	switch name {
	case "x86_64", "amd64", "x64":
		return "amd64"
	case "aarch64", "arm64", "arm64e", "aarch64_be":
		return "arm64"
	case "x86", "i386", "i486", "i586", "i686", "386":
		return "386"
	case "loongarch64":
		return "loong64"
	}
	if strings.HasPrefix(name, "armv") {
		return "arm"
	}
	return name
}
