package enrolment

import (
	"context"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// macos asks profiles(1), which needs no rights for this and contacts nobody.
func macos(ctx context.Context, r *evidence.Reading) fact.Signal {
	const source = "profiles status -type enrollment"
	out, err := evidence.Text(ctx, r.Machine(), "profiles", "status", "-type", "enrollment")
	if err != nil {
		return r.Conclude(fact.Unknown, evidence.ReasonOf(err))
	}
	s := parseProfiles(string(out))
	if s.mdm == "" && s.dep == "" {
		return r.Conclude(fact.Unknown, fact.ReasonUnreadable)
	}
	s.report(r, source)
	return r.Signal(fact.ReasonUnsupported)
}

// profilesStatus holds the words behind the lines of profiles status; empty:
// there was no such line.
type profilesStatus struct {
	dep, mdm, server string
	oddServer        bool // a line about the server of another form
}

func (s profilesStatus) report(r *evidence.Reading, source string) {
	mdm := said(s.mdm, source)
	mdm.observe(r, "mdm")
	approved, automated := unknown(fact.ReasonNotFound), unknown(fact.ReasonNotFound)
	switch dep := said(s.dep, source); {
	case !dep.known:
		automated = dep
	case mdm.known:
		automated = yesNo(mdm.yes && dep.yes, source)
	}
	if mdm.known {
		// "Yes (User Approved)"; without the addition nobody has (macOS 10.13.4 and later).
		words := strings.ToLower(strings.ReplaceAll(s.mdm, " ", ""))
		approved = yesNo(mdm.yes && strings.Contains(words, "(userapproved)"), source)
	}
	approved.observe(r, "user_approved")
	automated.observe(r, "automated")
	switch {
	case s.oddServer:
		r.Unknown("mdm_server", "", fact.ReasonMalformed)
	case mdm.known && !mdm.yes:
		r.Unknown("mdm_server", "", fact.ReasonNotFound)
	default:
		server(r, s.server, source)
	}
}

// said reads the first word of a line: Yes or No.
func said(words, source string) answer {
	word, _, _ := strings.Cut(strings.ToLower(words), " ")
	word, _, _ = strings.Cut(word, "(")
	switch word {
	case "yes":
		return yesNo(true, source)
	case "no":
		return yesNo(false, source)
	case "":
		return unknown(fact.ReasonNotFound)
	}
	return unknown(fact.ReasonMalformed)
}

// parseProfiles reads the lines of profiles status -type enrollment. A name
// that comes twice with different values makes neither count.
func parseProfiles(text string) profilesStatus {
	var s profilesStatus
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		var into *string
		switch {
		case ok && name == "enrolled via dep":
			into = &s.dep
		case ok && name == "mdm enrollment":
			into = &s.mdm
		case ok && name == "mdm server":
			into = &s.server
		case strings.HasPrefix(name, "mdm server"):
			s.oddServer = true
			continue
		default:
			continue
		}
		if *into != "" && *into != value {
			value = "twice"
		}
		*into = value
	}
	return s
}
