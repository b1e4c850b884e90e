package policy

import "github.com/postern-zt/postern/broker/api"

// needsOf says what an app asks for. What it does not ask for is not there,
// and a condition never says how much of it would be enough.
func (d *decider) needsOf(a *appRule, tooOld bool) (api.AppNeeds, bool) {
	n := api.AppNeeds{App: a.ID, Checks: append([]string{}, a.Checks...)}
	ask := func(asked bool, code string, met bool) {
		if !asked {
			return
		}
		c := api.Condition{Code: code, Outcome: api.Fail}
		if met {
			c.Outcome = api.Pass
		}
		n.Conditions = append(n.Conditions, c)
	}
	ask(a.MaxAge > 0, api.ReasonTooOld, !tooOld)
	ask(a.MinKeyAssurance.Level() > 0, api.ReasonKeyAssurance, d.keyIsEnough(a))
	ask(a.ACR != "", ReasonACR, d.in.ACR == a.ACR)
	return n, len(n.Checks) <= api.MaxNeedsChecks
}

func (d *decider) keyIsEnough(a *appRule) bool {
	return a.MinKeyAssurance == "" || d.in.Device.KeyAttested.Level() >= a.MinKeyAssurance.Level()
}

// fit takes out of a decision what is told of needs beyond the limits, from
// the end: what apps ask for has room before the parts of checks.
func (o *Decision) fit() {
	room := api.MaxNeedsBytes
	for i := range o.Needs {
		n := &o.Needs[i]
		room -= len(n.App) + textBytes(n.Checks)
		for _, c := range n.Conditions {
			room -= len(c.Code)
		}
		if room < 0 || i == api.MaxNeedsApps {
			o.Needs = o.Needs[:i]
			room = 0
			break
		}
	}
	for i := range o.Checks {
		if room -= partsBytes(o.Checks[i].Parts); room < 0 {
			o.Checks[i].Parts, room = nil, 0
		}
	}
}

func partsBytes(list []api.Part) int {
	n := 0
	for _, p := range list {
		n += textBytes(p.Reads)
		for _, c := range p.OneOf {
			n += textBytes(c.Reads)
		}
	}
	return n
}

func textBytes(list []string) int {
	n := 0
	for _, s := range list {
		n += len(s)
	}
	return n
}
