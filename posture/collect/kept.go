package collect

import (
	"slices"
	"time"

	"github.com/postern-zt/postern/posture/fact"
)

// kept is what is known of one signal: what the report says, and when each of
// its values was truly read. It is a value; its methods return a new one.
type kept struct {
	signal fact.Signal
	began  time.Duration       // boot time at which the run that gave signal began
	read   map[string]readFact // by address, every fact of signal
	stands bool                // the last run failed; signal itself, without facts, stands
	from   time.Duration       // boot time at which signal itself was read
}

// readFact is a fact with its true time of reading.
type readFact struct {
	boot time.Duration
	wall time.Time
	held bool // stands although the last reading failed
}

// take joins a new answer with what was known: a value whose re-read failed
// transiently stands until its validity ends, everything else counts at once.
func (k kept) take(a answer, now time.Duration) kept {
	got := a.signal
	failed := got.State == fact.Unknown && got.Reason.Transient()
	next := kept{signal: got, began: a.began, from: a.began, read: map[string]readFact{}}
	if failed && len(k.signal.Facts) == 0 && k.signal.State == fact.Absent && now-k.from < fact.DefaultValidity {
		next.signal, next.from, next.stands = k.signal, k.from, true
		return next
	}
	next.signal.Facts = nil
	for _, f := range got.Facts {
		old, ok := k.standing(got.Name, f, now)
		if ok && transient(got, f) {
			next.add(old, k.read[addressOf(got.Name, f)].hold())
			continue
		}
		f.State = got.StateOf(f)
		next.add(f, readFact{boot: a.began, wall: got.ObservedAt})
	}
	if failed {
		next.fill(k, now)
	}
	return next.settle(k.signal, failed)
}

// fill adds the old facts that a run which failed as a whole did not mention.
func (k *kept) fill(old kept, now time.Duration) {
	for _, f := range old.signal.Facts {
		a := addressOf(k.signal.Name, f)
		if _, there := k.read[a]; there {
			continue
		}
		if good, ok := old.standing(k.signal.Name, f, now); ok {
			k.add(good, old.read[a].hold())
			continue
		}
		if f.State = old.signal.StateOf(f); !f.State.Usable() && f.Reason != "" && !f.Reason.Transient() {
			k.add(f, old.read[a]) // what could not be read for good is no news
			continue
		}
		k.add(fact.Fact{Field: f.Field, Key: f.Key, State: fact.Unknown, Reason: k.signal.Reason}, readFact{boot: k.began, wall: k.signal.ObservedAt})
	}
}

// standing returns the kept value of the fact if it is usable and still valid.
func (k kept) standing(signal string, f fact.Fact, now time.Duration) (fact.Fact, bool) {
	was, ok := k.signal.Find(f.Key, f.Field)
	if !ok {
		return fact.Fact{}, false
	}
	was.State = k.signal.StateOf(was)
	fresh := now-k.read[addressOf(signal, f)].boot < validity(signal, f)
	return was, was.State.Usable() && fresh
}

func (k *kept) add(f fact.Fact, r readFact) {
	k.signal.Facts = append(k.signal.Facts, f)
	k.read[addressOf(k.signal.Name, f)] = r
}

// settle gives the signal the state of its facts and, where values stand from
// before, their time: the oldest, so that nothing looks fresher than it is.
func (k kept) settle(before fact.Signal, failed bool) kept {
	held := false
	for _, f := range k.signal.Facts {
		r := k.read[addressOf(k.signal.Name, f)]
		if r.held && (!held || r.wall.Before(k.signal.ObservedAt)) {
			k.signal.ObservedAt, held = r.wall, true
		}
	}
	if held && failed {
		k.signal.State, k.signal.Reason = before.State, before.Reason
		k.signal.Source, k.signal.Digest, k.signal.Truncated = before.Source, before.Digest, before.Truncated
	}
	return k.compact()
}

// compact leaves a fact's state out where it is that of the signal.
func (k kept) compact() kept {
	for i, f := range k.signal.Facts {
		if f.State == k.signal.State {
			k.signal.Facts[i].State = ""
		}
	}
	return k
}

// expire makes held values unknown, reason stale, whose validity has ended.
func (k kept) expire(now time.Duration) kept {
	if k.stands && now-k.from >= fact.DefaultValidity {
		k.signal.State, k.signal.Reason, k.stands = fact.Unknown, fact.ReasonStale, false
	}
	facts := slices.Clone(k.signal.Facts)
	read := make(map[string]readFact, len(k.read))
	changed := false
	for i, f := range facts {
		a := addressOf(k.signal.Name, f)
		r := k.read[a]
		facts[i].State = k.signal.StateOf(f)
		if r.held && now-r.boot >= validity(k.signal.Name, f) {
			facts[i] = fact.Fact{Field: f.Field, Key: f.Key, State: fact.Unknown, Reason: fact.ReasonStale}
			r.held, changed = false, true
		}
		read[a] = r
	}
	if !changed {
		return k
	}
	k.signal.Facts, k.read = facts, read
	usable := func(f fact.Fact) bool { return f.State.Usable() }
	if !slices.ContainsFunc(facts, usable) {
		k.signal.State, k.signal.Reason = fact.Unknown, fact.ReasonStale
	}
	return k.compact()
}

// nextExpiry is when the first held value's validity ends.
func (k kept) nextExpiry() (time.Duration, bool) {
	var next time.Duration
	found := false
	consider := func(at time.Duration) {
		if !found || at < next {
			next, found = at, true
		}
	}
	if k.stands {
		consider(k.from + fact.DefaultValidity)
	}
	for _, f := range k.signal.Facts {
		if r := k.read[addressOf(k.signal.Name, f)]; r.held {
			consider(r.boot + validity(k.signal.Name, f))
		}
	}
	return next, found
}

func (r readFact) hold() readFact {
	r.held = true
	return r
}

func addressOf(signal string, f fact.Fact) string { return fact.Address(signal, f.Key, f.Field) }

func validity(signal string, f fact.Fact) time.Duration {
	if d, ok := fact.Lookup(signal, f.Field, f.Key != ""); ok {
		return d.Validity
	}
	return fact.DefaultValidity
}
