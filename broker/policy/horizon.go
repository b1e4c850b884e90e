package policy

import (
	"slices"
	"time"
)

// flipPrecision is how exactly the moment is found at which a check turns.
const flipPrecision = time.Millisecond

// validFor is how long an allowed app stays allowed, as far as can be seen.
// left is what is left of its max_age.
func (d *decider) validFor(a *appRule, left time.Duration) time.Duration {
	valid := time.Duration(0)
	if a.MaxAge > 0 {
		valid = left
	}
	for _, c := range a.checks {
		flip, done := d.flips[c]
		if !done {
			flip = d.flip(c)
			d.flips[c] = flip
		}
		if flip > 0 && (valid == 0 || flip < valid) {
			valid = flip
		}
	}
	return valid
}

// ageLeft is how much of an app's max_age is left; without max_age it is zero.
func (d *decider) ageLeft(a *appRule, standsOn []string) time.Duration {
	if a.MaxAge == 0 {
		return 0
	}
	oldest, known := d.view.oldest(standsOn, d.in.ReportAt)
	if !known {
		return 0
	}
	return a.MaxAge - d.in.Now.Sub(oldest)
}

// denies says whether a check closes its apps at the instant t.
func (d *decider) denies(c *check, t time.Time) bool {
	if !d.enforced(c, t) {
		return false
	}
	f := d.find(c)
	if c.expr.timed {
		f = d.view.judge(c.expr, t)
	}
	return !c.accepted(f)
}

// flip is how long from now a check that lets apps through goes on doing so,
// zero when it does to the end of the horizon. The horizon is cut at the dates
// of the file; a rule that turns and turns back between two of these cuts is
// not noticed, which within the length of a lease no sensible rule does.
func (d *decider) flip(c *check) time.Duration {
	now := d.in.Now
	end := now.Add(d.in.Horizon)
	marks := d.marks(c, end)
	if d.in.Horizon <= 0 || (len(marks) == 0 && !c.expr.timed) {
		return 0
	}
	good := now
	for _, t := range append(marks, end) {
		if !d.denies(c, t) {
			good = t
			continue
		}
		for bad := t; bad.Sub(good) > flipPrecision; {
			middle := good.Add(bad.Sub(good) / 2)
			if d.denies(c, middle) {
				bad = middle
			} else {
				good = middle
			}
		}
		return max(good.Sub(now), flipPrecision)
	}
	return 0
}

// marks are the dates up to end at which a check starts or stops deciding.
func (d *decider) marks(c *check, end time.Time) []time.Time {
	var out []time.Time
	if c.report {
		return nil
	}
	if c.from.After(d.in.Now) && c.from.Before(end) {
		out = append(out, c.from)
	}
	for _, x := range d.p.exceptions {
		if x.Check == c.name && d.concerns(x) && x.Until.After(d.in.Now) && x.Until.Before(end) {
			out = append(out, x.Until)
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return out
}
