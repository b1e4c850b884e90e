package enrolment

import (
	"strings"

	"github.com/postern-zt/postern/posture/fact"
)

const dsregSource = "dsregcmd /status"

// dsreg is what dsregcmd /status says, by lower-case name. Its names and its
// YES and NO are not translated (Microsoft, "Troubleshoot devices by using the
// dsregcmd command").
type dsreg map[string]string

// parseDsreg reads the lines "Name : value"; the first of a name counts, since
// later sections repeat some of them for other accounts.
func parseDsreg(text string) dsreg {
	values := dsreg{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if !ok || name == "" || strings.ContainsAny(name, "|+[") || len(values) >= 256 {
			continue
		}
		if _, there := values[name]; !there {
			values[name] = value
		}
	}
	return values
}

// flag is a YES or NO.
func (d dsreg) flag(name string) answer {
	value, there := d[strings.ToLower(name)]
	switch {
	case !there:
		return unknown(fact.ReasonNotFound)
	case strings.EqualFold(value, "YES"):
		return yesNo(true, dsregSource)
	case strings.EqualFold(value, "NO"):
		return yesNo(false, dsregSource)
	}
	return unknown(fact.ReasonMalformed)
}

// deviceAuth is whether the key of the join works: DeviceAuthStatus is
// SUCCESS, or begins with FAILED, where "ERROR" means that the test could not
// run; KeySignTest, which only administrators get, signs with the key.
func (d dsreg) deviceAuth() answer {
	sign := strings.ToUpper(d["keysigntest"])
	status, there := d["deviceauthstatus"]
	status = strings.ToUpper(status)
	switch {
	case strings.HasPrefix(sign, "FAILED"):
		return yesNo(false, dsregSource)
	case status == "SUCCESS":
		return yesNo(true, dsregSource)
	case strings.Contains(status, "ERROR"):
		return unknown(fact.ReasonUnreadable)
	case strings.HasPrefix(status, "FAILED"):
		return yesNo(false, dsregSource)
	case !there && sign == "PASSED":
		return yesNo(true, dsregSource)
	case !there:
		return unknown(fact.ReasonNotFound)
	}
	return unknown(fact.ReasonMalformed)
}
