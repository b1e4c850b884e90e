package patch

import (
	"strconv"
	"strings"
)

// candidate is what apt could choose for one installed package.
type candidate struct {
	have  int // priority of the installed version
	newer []aptVersion
}

type aptVersion struct {
	text     string
	priority int
	security bool
}

func (o listOffer) weigh(waits map[string]*candidate, in installed, pins []pin, target string) {
	at := func(key string) *candidate {
		if waits[key] == nil {
			waits[key] = &candidate{have: 100} // of a version that no archive has
		}
		return waits[key]
	}
	for _, n := range o.Newer {
		percent, err := strconv.Atoi(n[2])
		if err == nil && percent < 100 && !o.security() {
			continue
		}
		name, _, _ := strings.Cut(n[0], ":")
		at(n[0]).newer = append(at(n[0]).newer, aptVersion{n[1], priority(pins, target, o.archive, name, n[1]), o.security()})
	}
	for _, key := range o.Same {
		if len(pins) == 0 && !o.NotAutomatic && target == "" {
			at(key).have = max(at(key).have, 500)
			continue
		}
		name, _, _ := strings.Cut(key, ":")
		at(key).have = max(at(key).have, priority(pins, target, o.archive, name, in.versions[key]))
	}
}

// choose takes the version with the highest priority, of these the newest. It
// is a security update too when it leaps over one.
func (c *candidate) choose() (pending, security bool) {
	if len(c.newer) == 0 {
		return false, false
	}
	best := aptVersion{priority: c.have}
	for _, v := range c.newer {
		if v.priority > best.priority || v.priority == best.priority && (best.text == "" || debianOrder(v.text, best.text) > 0) {
			best = v
		}
	}
	if best.text == "" || best.priority < 0 {
		return false, false
	}
	for _, v := range c.newer {
		security = security || v.security && v.priority >= 0 && debianOrder(v.text, best.text) <= 0
	}
	return true, security
}
