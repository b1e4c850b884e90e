package edr

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// clamDir is where freshclam puts the definitions (clamd.conf(5),
// DatabaseDirectory).
const clamDir = "/var/lib/clamav"

// clamav reads when the daily definitions were made, or else the main ones.
// ClamAV itself says nothing of its health.
func clamav(ctx context.Context, q question) (answers, fact.Reason) {
	a := answers{}
	a.unknown("healthy", fact.ReasonUnsupported)
	why := fact.ReasonNotFound
	for _, name := range []string{"daily", "main"} {
		var newest time.Time
		for _, ending := range []string{".cld", ".cvd"} {
			essence, err := q.machine.Distil(ctx, clamDir+"/"+name+ending, "clamav-header", clamHeader)
			if err != nil {
				if reason := evidence.ReasonOf(err); reason != fact.ReasonNotFound {
					why = reason
				}
				continue
			}
			if at, ok := parseClamHeader(essence); ok && at.After(newest) {
				newest = at
			} else if !ok {
				why = fact.ReasonUnreadable
			}
		}
		if !newest.IsZero() {
			a.observe("signatures_at", fact.Time(newest))
			break
		}
	}
	return a, why
}

// clamHeader is the head of a file of definitions.
func clamHeader(r io.Reader) ([]byte, error) {
	head := make([]byte, 512)
	n, err := io.ReadFull(r, head)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = nil
	}
	return head[:n], err
}

// parseClamHeader reads "ClamAV-VDB:07 Feb 2026 08-22 +0000:27545:…" (ClamAV
// documentation, "CVD file format").
func parseClamHeader(head []byte) (time.Time, bool) {
	parts := strings.SplitN(string(head[:min(len(head), 512)]), ":", 3)
	if len(parts) < 3 || parts[0] != "ClamAV-VDB" {
		return time.Time{}, false
	}
	at, err := time.Parse("2 Jan 2006 15-04 -0700", strings.TrimSpace(parts[1]))
	return at, err == nil
}

// elasticState are the numbers of an Elastic Agent's and its components' states.
const (
	elasticHealthy = 2
	elasticStopped = 6
)

// elastic asks the Elastic Agent that runs Elastic Defend (Elastic Docs,
// "Elastic Agent command reference", status), which needs root.
func elastic(ctx context.Context, q question) (answers, fact.Reason) {
	text, why := q.run(ctx, "elastic-agent", "status", "--output", "json")
	return parseElastic(text), why
}

// parseElastic reads the state of the component that is Elastic Defend: the
// agent may be well without it.
func parseElastic(text string) answers {
	a := answers{}
	var said struct {
		Info       struct{ Version string }
		Components []struct {
			ID, Name string
			State    *int
		}
	}
	start := strings.IndexByte(text, '{')
	if start < 0 || json.NewDecoder(strings.NewReader(text[start:])).Decode(&said) != nil {
		return a
	}
	a.version(said.Info.Version)
	for _, c := range said.Components {
		if c.State == nil || c.Name != "endpoint" && !strings.HasPrefix(c.ID, "endpoint-") {
			continue
		}
		switch *c.State {
		case elasticHealthy:
			a.protects()
		case elasticStopped:
			a.ails(fact.ModeOff, fact.ReasonNotRunning)
		default:
			a.ails(fact.ModeReduced, fact.ReasonReduced)
		}
		break
	}
	return a
}

// carbonBlack asks repcli of the Carbon Black Cloud sensor.
func carbonBlack(ctx context.Context, q question) (answers, fact.Reason) {
	text, why := q.run(ctx, "repcli", "status")
	return parseRepcli(text), why
}

// parseRepcli reads the lines of `repcli status` that tell the sensor's state.
func parseRepcli(text string) answers {
	a := answers{}
	lines := pairs(text)
	version, _ := first(lines, "Sensor Version")
	a.version(version)
	if said, told := first(lines, "Registered"); told {
		if yes, ok := word(said, "Yes", "No"); ok {
			a.flag("registered", yes, fact.ReasonNotRegistered)
		}
	}
	state, told := first(lines, "State")
	extension, toldExtension := first(lines, "System Extension")
	switch {
	case !told:
	case strings.HasPrefix(strings.ToLower(state), "bypass"), strings.EqualFold(state, "Disabled"):
		a.ails(fact.ModeOff, fact.ReasonReduced)
	case !strings.EqualFold(state, "Enabled"):
		a.ails(fact.ModeReduced, fact.ReasonReduced)
	case toldExtension && (strings.EqualFold(extension, "Not Running") || strings.EqualFold(extension, "Stopped")):
		a.ails(fact.ModeReduced, fact.ReasonReduced)
	default:
		a.protects()
	}
	return a.registeredToo()
}

// cortex asks cytool of Cortex XDR which of the agent's programs run.
func cortex(ctx context.Context, q question) (answers, fact.Reason) {
	text, why := q.run(ctx, "cytool", "runtime", "query")
	return parseCytool(text), why
}

// parseCytool reads the row of pmd, which protects, from the table Name, PID,
// User, Status, Command.
func parseCytool(text string) answers {
	a := answers{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 4 || f[0] != "pmd" {
			continue
		}
		switch {
		case strings.EqualFold(f[3], "Running"):
			a.protects()
		case strings.EqualFold(f[3], "Stopped"), strings.EqualFold(f[1], "Stopped"):
			a.ails(fact.ModeOff, fact.ReasonNotRunning)
		}
		break
	}
	return a
}

// bitdefender asks bduitool of Bitdefender Endpoint Security Tools.
func bitdefender(ctx context.Context, q question) (answers, fact.Reason) {
	text, why := q.run(ctx, "bduitool", "get", "ps")
	return parseBduitool(text), why
}

// parseBduitool reads the product's status. Its time zone is written GMT+2.
func parseBduitool(text string) answers {
	a := answers{}
	lines := pairs(text)
	version, _ := first(lines, "Product version")
	a.version(version)
	for _, name := range []string{"- Antimalware status", "Antimalware status"} {
		said, told := first(lines, name)
		switch on, ok := word(said, "On", "Off"); {
		case told && ok && on:
			a.protects()
		case told && ok:
			a.ails(fact.ModeOff, fact.ReasonReduced)
		}
	}
	said, _ := first(lines, "Last security content update")
	if at, ok := zonedTime(said); ok {
		a.observe("signatures_at", fact.Time(at))
	}
	return a
}

var zoned = regexp.MustCompile(`^(\d{4}-\d\d-\d\d at \d\d:\d\d:\d\d) GMT(?:([+-])(\d{1,2})(?::?(\d\d))?)?$`)

// zonedTime reads "2023-08-24 at 11:44:37 GMT+2".
func zonedTime(s string) (time.Time, bool) {
	m := zoned.FindStringSubmatch(s)
	if m == nil {
		return time.Time{}, false
	}
	at, err := time.Parse("2006-01-02 at 15:04:05", m[1])
	hours, _ := strconv.Atoi(m[3])   // digits or nothing
	minutes, _ := strconv.Atoi(m[4]) // the same
	ahead := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if m[2] == "-" {
		ahead = -ahead
	}
	return at.Add(-ahead), err == nil
}
