package policy

import (
	"net/netip"
	"slices"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/posture/fact"
)

// Input is everything a decision is made from.
type Input struct {
	Report   fact.Report
	ReportAt time.Time // when the report arrived; zero: now
	Person   api.Person
	ACR      string // authentication context of the sign-in
	Device   Device
	Now      time.Time
	Horizon  time.Duration // how far ahead dated rules are looked at: the length of a lease
	Origin   netip.Addr    // where the request came from
}

// Device is what the broker itself knows of the device.
type Device struct {
	ID            string
	KeyAttested   api.KeyAttested   // proven
	KeyProtection api.KeyProtection // claimed
	HardwareID    string            // api.HardwareNone when none could be told
	Quarantined   bool              // gets nothing
}

// Decision is the answer for every app of the file.
type Decision struct {
	Tier     api.Tier
	Checks   []api.Check   // of the apps the person may have, in the order of the file
	Apps     []AppDecision // in the order of the file
	Forecast []api.Forecast
	// Needs are what the apps ask for that the person may have, as far as it
	// can be told, in the order of the file.
	Needs      []api.AppNeeds
	Exceptions []Exception // those that suspended one of Checks; for the audit log
}

// AppDecision is the answer for one app.
type AppDecision struct {
	App     App
	Allowed bool
	Reasons []string // codes, when it is not allowed
	// StandsOn are the addresses of the facts the decision used, sorted.
	StandsOn []string
	// ValidFor is how long the answer holds: until a date or time rule within
	// the horizon turns against it, or a fact gets older than max_age.
	// Zero means that nothing of the kind is in sight.
	ValidFor time.Duration
}

// Denied is what a client is told when the app is not allowed.
func (d AppDecision) Denied() api.DeniedApp {
	return api.DeniedApp{App: d.App.Info(), Reasons: d.Reasons}
}

// decider holds what one decision has worked out so far.
type decider struct {
	p     *Policy
	in    Input
	view  *view
	found map[*check]finding // at in.Now
	flips map[*check]time.Duration
}

// Decide judges every app for one device and one person. All checks of an app
// are judged, so that a person sees every failure at once.
func (p *Policy) Decide(in Input) Decision {
	if in.ReportAt.IsZero() || in.ReportAt.After(in.Now) {
		in.ReportAt = in.Now
	}
	d := &decider{p: p, in: in, view: newView(p.schema, in, p.literals),
		found: map[*check]finding{}, flips: map[*check]time.Duration{}}
	var out Decision
	var mine []judgedApp
	for _, a := range p.apps {
		j := d.app(a)
		out.Apps = append(out.Apps, j.AppDecision)
		if j.mine {
			mine = append(mine, j)
			if n, ok := d.needsOf(a, slices.Contains(j.Reasons, api.ReasonTooOld)); ok {
				out.Needs = append(out.Needs, n)
			}
		}
	}
	for _, c := range p.checks {
		if apps := appsWith(mine, c); len(apps) > 0 {
			d.tell(&out, c, apps)
		}
	}
	out.Tier = tier(mine, out.Checks)
	out.fit()
	return out
}

// judgedApp is an app's answer with what the overall verdict needs of it.
type judgedApp struct {
	AppDecision
	rule    *appRule
	mine    bool // the person may have it
	posture bool // denied for what the device is like
}

func (d *decider) app(a *appRule) judgedApp {
	j := judgedApp{AppDecision: AppDecision{App: a.App}, rule: a}
	if !mayHave(a, d.in.Person) {
		j.Reasons = []string{api.ReasonNotInGroup}
		return j
	}
	j.mine = true
	for _, c := range a.checks {
		if !d.enforced(c, d.in.Now) {
			continue
		}
		j.StandsOn = append(j.StandsOn, c.expr.standsOn...)
		if !c.accepted(d.find(c)) && !slices.Contains(j.Reasons, c.code) {
			j.Reasons = append(j.Reasons, c.code)
		}
	}
	slices.Sort(j.StandsOn)
	j.StandsOn = slices.Compact(j.StandsOn)
	left := d.ageLeft(a, j.StandsOn)
	if a.MaxAge > 0 && left <= 0 {
		j.Reasons = append(j.Reasons, api.ReasonTooOld)
	}
	if !d.keyIsEnough(a) {
		j.Reasons = append(j.Reasons, api.ReasonKeyAssurance)
	}
	if d.in.Device.Quarantined {
		j.Reasons = append(j.Reasons, api.CodeQuarantined)
	}
	j.posture = len(j.Reasons) > 0
	if a.ACR != "" && d.in.ACR != a.ACR {
		j.Reasons = append(j.Reasons, ReasonACR)
	}
	j.Allowed = len(j.Reasons) == 0
	if j.Allowed {
		j.ValidFor = d.validFor(a, left)
	}
	return j
}

// mayHave says whether an app is meant for the person at all.
func mayHave(a *appRule, who api.Person) bool {
	if who.Subject == "" {
		return false
	}
	return len(a.Groups) == 0 || slices.ContainsFunc(a.Groups, func(g string) bool { return slices.Contains(who.Groups, g) })
}

// find judges a check at the instant of the decision, once.
func (d *decider) find(c *check) finding {
	f, done := d.found[c]
	if !done {
		f = d.view.judge(c.expr, d.in.Now)
		d.found[c] = f
	}
	return f
}

// enforced says whether a check decides at the instant t: not when it only
// reports, has not started, or is suspended for this device or person.
func (d *decider) enforced(c *check, t time.Time) bool {
	if c.report {
		return false
	}
	if t.IsZero() {
		return true
	}
	_, excepted := d.exception(c, t)
	return !t.Before(c.from) && !excepted
}

// exception finds the longest exception that suspends a check at t.
func (d *decider) exception(c *check, t time.Time) (Exception, bool) {
	var out Exception
	for _, x := range d.p.exceptions {
		if x.Check == c.name && t.Before(x.Until) && x.Until.After(out.Until) && d.concerns(x) {
			out = x
		}
	}
	return out, !out.Until.IsZero()
}

func (d *decider) concerns(x Exception) bool {
	if x.Device != "" {
		return x.Device == d.in.Device.ID
	}
	return x.Person != "" && (x.Person == d.in.Person.Subject || x.Person == d.in.Person.Email)
}

// tell adds what a client may know of a check.
func (d *decider) tell(out *Decision, c *check, apps []string) {
	f := d.find(c)
	told := api.Check{Code: c.code, Name: c.name, Outcome: f.outcome, Enforced: d.enforced(c, d.in.Now), Missing: f.missing, Remedy: c.remedy, Parts: d.parts(c)}
	starts := c.from
	if x, excepted := d.exception(c, d.in.Now); excepted && !c.report {
		out.Exceptions = append(out.Exceptions, x)
		told.Remedy.Text = exceptionText(c.remedy.Text, x)
		if x.Until.After(starts) {
			starts = x.Until
		}
	}
	from := ""
	if starts.After(d.in.Now) {
		from = starts.UTC().Format(time.RFC3339)
	}
	if !c.report { // what only reports begins never
		told.From = from
	}
	out.Checks = append(out.Checks, told)
	if told.Enforced || c.accepted(f) {
		return
	}
	out.Forecast = append(out.Forecast, api.Forecast{Code: c.code, Name: c.name, From: from, Apps: apps, Remedy: c.remedy})
}

func exceptionText(remedy string, x Exception) string {
	text := "Excepted until " + x.Until.UTC().Format(time.RFC3339) + ", granted by " + x.GrantedBy + "."
	if remedy == "" {
		return text
	}
	return text + " " + remedy
}

func appsWith(apps []judgedApp, c *check) []string {
	var out []string
	for _, a := range apps {
		if slices.Contains(a.rule.checks, c) {
			out = append(out, a.App.ID)
		}
	}
	return out
}

// tier sums up the apps that the person may have.
func tier(mine []judgedApp, checks []api.Check) api.Tier {
	if len(mine) == 0 {
		return api.TierNone
	}
	bound := slices.DeleteFunc(slices.Clone(mine), func(a judgedApp) bool { return a.App.NoPosture })
	if len(bound) == 0 {
		bound = mine
	}
	denied := slices.ContainsFunc(mine, func(a judgedApp) bool { return !a.Allowed })
	failed := slices.ContainsFunc(checks, func(c api.Check) bool { return c.Outcome != api.Pass })
	accepted := slices.ContainsFunc(bound, func(a judgedApp) bool { return !a.posture })
	switch {
	case !denied && !failed:
		return api.TierAffirming
	case !accepted:
		return api.TierContraindicated
	}
	return api.TierWarning
}
