package waiting

import (
	"errors"
	"fmt"
	"strings"

	"github.com/postern-zt/postern/client/config"
	"github.com/postern-zt/postern/client/localapi"
)

// look is what came of loading the settings once.
type look struct {
	settings config.Settings
	err      error
}

// leads reports whether an agent can go by these settings.
func (l look) leads() bool { return l.err == nil && l.settings.NeedBroker() == nil }

// same reports whether both looks found the same.
func (l look) same(m look) bool {
	return l.settings.Same(m.settings) && fmt.Sprint(l.err) == fmt.Sprint(m.err)
}

// problems are what is wrong, one sentence each; none when only the broker's
// address is missing.
func (l look) problems() []string {
	var wrong *config.Error
	switch {
	case l.err == nil:
		return nil
	case !errors.As(l.err, &wrong):
		return []string{l.err.Error()}
	}
	out := make([]string, len(wrong.Problems))
	for i, p := range wrong.Problems {
		out[i] = p.String()
	}
	return out
}

// words are what people are told: a stable code, what is so, and what to do.
type words struct{ code, sentence, hint string }

// scopeSystem is the scope of an agent that an administrator looks after.
const scopeSystem = "system"

const byItself = "the agent then goes on by itself."

func (l look) words(scope string) words {
	file, wrong := l.settings.File, l.problems()
	w := words{code: localapi.CodeSettings, sentence: "The settings of Postern on this computer have a mistake: "}
	todo := "put it right"
	switch len(wrong) {
	case 0:
		w.code, w.sentence = localapi.CodeNoBroker, "Postern is not set up on this computer yet: no broker is configured."
		todo = "write the broker's address as `" + config.KeyBroker + "` into " + file
	case 1:
		w.sentence += closed(wrong[0])
	default:
		w.sentence = fmt.Sprintf("The settings of Postern on this computer have %d mistakes. The first: %s", len(wrong), closed(wrong[0]))
		todo = "put them right, postern config shows them all"
	}
	if scope == scopeSystem {
		w.hint = fmt.Sprintf("Ask your helpdesk%s. Administrators: %s; %s", l.support(), todo, byItself)
	} else {
		w.hint = fmt.Sprintf("%s%s; %s If you do not know how, ask your helpdesk%s.", strings.ToUpper(todo[:1]), todo[1:], byItself, l.support())
	}
	return w
}

// support is how to reach the helpdesk, where the settings say that.
func (l look) support() string {
	if s := l.settings.Support.V; s != "" {
		return " (" + s + ")"
	}
	return ""
}

// closed ends a text with a full stop.
func closed(text string) string { return strings.TrimRight(text, ".") + "." }

// mostTold is how many mistakes are told; a file of another kind has one in
// each of its lines.
const mostTold = 20

// config tells the settings as the agent does, with what is wrong with them as
// warnings.
func (l look) config() localapi.Config {
	out := Shown(l.settings)
	wrong := l.problems()
	if len(wrong) == 0 {
		wrong = []string{fmt.Sprint(l.settings.NeedBroker())}
	}
	if n := len(wrong); n > mostTold {
		wrong = append(wrong[:mostTold:mostTold], fmt.Sprintf("and %d more", n-mostTold))
	}
	out.Warnings = append(wrong, out.Warnings...)
	return out.Filled()
}

// Shown is the effective settings as the local socket tells them, without
// secrets.
func Shown(s config.Settings) localapi.Config {
	out := localapi.Config{File: s.File}
	for _, e := range s.Effective() {
		out.Settings = append(out.Settings, localapi.Setting{Name: e.Key, Value: e.Value, Origin: string(e.Origin), Source: e.Source})
	}
	for _, w := range s.Warnings {
		out.Warnings = append(out.Warnings, w.String())
	}
	return out
}
