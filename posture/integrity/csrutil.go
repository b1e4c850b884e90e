package integrity

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// What system integrity protection lets pass, one bit each (XNU, bsd/sys/csr.h,
// CSR_ALLOW_…).
const (
	csrUntrustedKexts  = 1 << 0
	csrUnrestrictedFS  = 1 << 1
	csrTaskForPID      = 1 << 2
	csrKernelDebugger  = 1 << 3
	csrAppleInternal   = 1 << 4
	csrDtrace          = 1 << 5
	csrNVRAM           = 1 << 6
	csrUnauthenticated = 1 << 11 // a system volume whose seal is broken starts

	// csrClassic is everything that "csrutil disable" has switched off since
	// the first version.
	csrClassic = csrUntrustedKexts | csrUnrestrictedFS | csrTaskForPID | csrDtrace | csrNVRAM
)

const csrutilSource = "csrutil status"

// protection is what one source says of system integrity protection and of
// what follows from it.
type protection struct {
	sip    answer
	debug  answer // the kernel may be debugged, or takes code without a signature
	sealed answer // the seal of the system volume is checked
}

func nothingKnown(why fact.Reason) protection {
	return protection{unknown(why), unknown(why), unknown(why)}
}

// askCSR reads the bits that the kernel enforces.
func askCSR(ctx context.Context, m evidence.Machine) protection {
	data, err := m.Ask(ctx, evidence.AskCSR)
	if err != nil {
		return nothingKnown(evidence.ReasonOf(err))
	}
	return parseCSR(data)
}

func parseCSR(data []byte) protection {
	const source = "csr_get_active_config"
	var in struct {
		Config *uint32 `json:"config"`
	}
	if json.Unmarshal(data, &in) != nil || in.Config == nil {
		return nothingKnown(fact.ReasonUnreadable)
	}
	config := *in.Config
	word := fact.Custom
	switch {
	case config == 0:
		word = fact.Enabled
	case config&csrClassic == csrClassic || config == csrAppleInternal: // csrutil calls the latter disabled, too
		word = fact.Disabled
	}
	return protection{
		sip:    known(fact.Str(word), source),
		debug:  yesNo(config&(csrUntrustedKexts|csrKernelDebugger|csrAppleInternal) != 0, source),
		sealed: yesNo(config&csrUnauthenticated == 0, source),
	}
}

// runCsrutil asks csrutil(8) for its status, which needs no rights.
func runCsrutil(ctx context.Context, m evidence.Machine) protection {
	text, err := evidence.Text(ctx, m, "csrutil", "status")
	if err != nil {
		return nothingKnown(evidence.ReasonOf(err))
	}
	return parseCsrutil(string(text))
}

// parseCsrutil reads the headline and the rows below "Configuration:". The
// rows count: systems have said "enabled" above rows that were all disabled.
func parseCsrutil(text string) protection {
	headline, rows := csrutilLines(text)
	word, ok := sipWord(headline, rows)
	if !ok {
		return nothingKnown(fact.ReasonUnreadable)
	}
	p := protection{sip: known(fact.Str(word), csrutilSource), debug: unknown(fact.ReasonNotFound), sealed: unknown(fact.ReasonNotFound)}
	switch {
	case word == fact.Enabled:
		p.debug = yesNo(false, csrutilSource)
	case word == fact.Disabled || rows["kext signing"] == "disabled":
		p.debug = yesNo(true, csrutilSource)
	}
	if rows["authenticated root requirement"] == "disabled" {
		p.sealed = yesNo(false, csrutilSource)
	}
	return p
}

func csrutilLines(text string) (headline string, rows map[string]string) {
	rows = map[string]string{}
	for line := range strings.Lines(strings.ToLower(text)) {
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.TrimSpace(name), strings.TrimRight(strings.TrimSpace(value), ".")
		switch {
		case !ok || len(rows) >= 64:
		case name == "system integrity protection status":
			headline = value
		case value == "enabled" || value == "disabled":
			rows[name] = value
		}
	}
	return headline, rows
}

// sipWord decides between enabled, custom and disabled.
func sipWord(headline string, rows map[string]string) (string, bool) {
	off, on := 0, 0
	for _, name := range []string{"kext signing", "filesystem protections", "debugging restrictions", "dtrace restrictions", "nvram protections"} {
		switch rows[name] {
		case "disabled":
			off++
		case "enabled":
			on++
		}
	}
	anyOff := off > 0
	for name, value := range rows {
		good := "enabled"
		if name == "apple internal" { // enabled on Apple's own machines only
			good = "disabled"
		}
		anyOff = anyOff || value != good
	}
	switch {
	case off > 0 && on == 0:
		return fact.Disabled, true
	case anyOff:
		return fact.Custom, true
	case headline == "enabled":
		return fact.Enabled, true
	case len(rows) == 0 && (headline == "disabled" || headline == "disabled (apple internal)"):
		return fact.Disabled, true
	case strings.Contains(headline, "custom configuration"):
		return fact.Custom, true
	}
	return "", false
}
