package patch

import (
	"strconv"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
)

// aptSimulated asks apt-get where a list cannot be read here, such as one
// compressed with xz. A simulation changes nothing and asks no server.
func (l *look) aptSimulated() (pending, security, ok bool) {
	out, err := evidence.Text(l.ctx, l.m, "apt-get", "-s", "-o", "Debug::NoLocking=true", "dist-upgrade")
	if err != nil {
		return false, false, false
	}
	l.r.From("apt-get -s dist-upgrade")
	return parseAptSimulation(string(out))
}

// parseAptSimulation reads the lines "Inst name [old] (new origin:release/suite …)";
// one without an old version is a new package. They are not translated. At the
// end stands a line with four numbers, in whatever language; without it the
// output was cut.
func parseAptSimulation(text string) (pending, security, ok bool) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if rest, inst := strings.CutPrefix(line, "Inst "); inst {
			_, rest, _ = strings.Cut(rest, " ")
			if !strings.HasPrefix(rest, "[") {
				continue
			}
			_, rest, _ = strings.Cut(rest, "(")
			from, _, _ := strings.Cut(rest, ")")
			pending = true
			security = security || strings.Contains(strings.ToLower(from), "-security")
			continue
		}
		if n := numbers(line); len(n) == 4 && !strings.HasPrefix(line, "Conf ") {
			ok = true
			pending = pending || n[0] > 0 || n[3] > 0
		}
	}
	return pending, security, ok || pending
}

// numbers are the words of a line that are nothing but digits.
func numbers(line string) []int {
	var all []int
	for _, word := range strings.Fields(line) {
		if n, err := strconv.Atoi(strings.Trim(word, ".,;")); err == nil {
			all = append(all, n)
		}
	}
	return all
}
