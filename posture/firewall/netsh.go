package firewall

import (
	"context"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// runNetsh reads what netsh shows of the profiles, where neither the system's
// interface nor the registry can be read, as in a recording of its output.
func runNetsh(ctx context.Context, r *evidence.Reading) told {
	why := fact.ReasonToolMissing
	for _, args := range [][]string{{"advfirewall", "show", "allprofiles"}, {"advfirewall", "show", "allprofiles", "state"}} {
		out, err := evidence.Text(ctx, r.Machine(), "netsh", args...)
		if err != nil {
			why = evidence.ReasonOf(err)
			continue
		}
		shown := told{source: "netsh " + strings.Join(args, " "), live: true, profiles: parseNetsh(string(out))}
		if len(shown.profiles) > 0 {
			r.From(shown.source)
			return shown
		}
		why = fact.ReasonUnreadable
	}
	return told{why: why}
}

// parseNetsh reads `netsh advfirewall show allprofiles` in any language. A
// profile's block begins with its name and a colon; its first line is the
// state, a word that is translated; the policy's words are not (netsh's syntax:
// set allprofiles firewallpolicy blockinbound,allowoutbound). What is cut off,
// or said in a word that is not known, stays unknown.
func parseNetsh(text string) map[string]profile {
	out := map[string]profile{}
	name, first := "", false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.Trim(line, "-") == "":
			continue
		case strings.HasSuffix(line, ":"):
			if next := profileOf(line); next != "" {
				if _, twice := out[next]; twice { // not the form of one answer
					return nil
				}
				name, first = next, true
				out[name] = profile{}
			} else {
				name = "" // logging
			}
			continue
		case name == "":
			continue
		}
		p := out[name]
		if first {
			p.enabled, first = switched(line), false
		} else if words := strings.Fields(line); p.block == nil {
			p.block, p.blockAll = inboundPolicy(words[len(words)-1])
		}
		out[name] = p
	}
	return out
}

// profileOf names the profile of a heading, by parts of words that Western
// European languages share, in whatever code page the letters around them are.
func profileOf(heading string) string {
	lower := strings.ToLower(heading)
	for _, part := range []struct{ text, name string }{
		{"dom", "domain"}, {"priv", "private"}, {"blic", "public"}, {"ffentlich", "public"},
	} {
		if strings.Contains(lower, part.text) {
			return part.name
		}
	}
	return ""
}

// switched reads the last word of the line on the state.
func switched(line string) *bool {
	words := strings.Fields(line)
	if len(words) < 2 {
		return nil
	}
	on := true
	switch strings.ToLower(words[len(words)-1]) {
	case "on", "ein", "actif", "activé", "activo", "activado", "activar", "ativado", "ativo", "attivo", "attivato", "aan":
		return &on
	case "off", "aus", "inactif", "désactivé", "inactivo", "desactivado", "desactivar", "desativado", "inativo", "inattivo", "disattivato", "uit":
		on = false
		return &on
	}
	return nil
}

// inboundPolicy reads "BlockInbound,AllowOutbound"; BlockInboundAlways leaves
// no exceptions.
func inboundPolicy(word string) (block, blockAll *bool) {
	in, _, _ := strings.Cut(word, ",")
	yes, no := true, false
	switch strings.ToLower(in) {
	case "blockinbound":
		return &yes, &no
	case "blockinboundalways":
		return &yes, &yes
	case "allowinbound":
		return &no, &no
	}
	return nil, nil
}
