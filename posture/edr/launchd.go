package edr

import (
	"bufio"
	"bytes"
	"context"
	"strconv"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// launched asks launchd whether a job of the system runs (launchctl(1), print
// and, before macOS 10.10, list).
func launched(ctx context.Context, m evidence.Machine, label string) verdict {
	if out, err := m.Run(ctx, "launchctl", "print", "system/"+label); err == nil {
		if v := parseLaunchPrint(out.Stdout); v.known() {
			return v
		}
	}
	out, err := evidence.Text(ctx, m, "launchctl", "list")
	if err != nil {
		return unsure(evidence.ReasonOf(err))
	}
	return parseLaunchList(out, label)
}

// parseLaunchPrint reads the state of a job: "state = running" and "pid = 318",
// one level deep.
func parseLaunchPrint(data []byte) verdict {
	state, pid, depth := "", 0, 0
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch {
		case strings.HasSuffix(line, "{"):
			depth++
		case line == "}":
			depth--
		case depth == 1:
			name, value, _ := strings.Cut(line, "=")
			value = strings.TrimSpace(value)
			switch strings.TrimSpace(name) {
			case "state":
				state = value
			case "pid":
				pid, _ = strconv.Atoi(value)
			}
		}
	}
	switch {
	case state == "running" && pid > 0:
		return yes()
	case state != "" && state != "running" && pid == 0:
		return no(fact.ReasonNotRunning)
	}
	return unsure(fact.ReasonUnreadable)
}

// parseLaunchList reads the table of launchctl list: number of the process or a
// dash, last exit status, label. A job that is not in it may be out of sight.
func parseLaunchList(data []byte, label string) verdict {
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) != 3 || f[2] != label {
			continue
		}
		if f[0] == "-" {
			return no(fact.ReasonNotRunning)
		}
		if pid, err := strconv.Atoi(f[0]); err == nil && pid > 0 {
			return yes()
		}
		return unsure(fact.ReasonUnreadable)
	}
	return unsure(fact.ReasonNotFound)
}
