// Package device tells which machine this is, by identifiers that survive a new installation.
package device

import (
	"context"
	"strings"

	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/posture/attest"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// Identity is what could be read, hashed, and why the rest could not.
type Identity struct {
	Hardware attest.Hardware
	Reasons  map[string]fact.Reason // "serial", "uuid" → why it is missing
}

// Read asks the machine for serial number and hardware UUID. A machine without
// readable ones is not an error: it enrols, and its record says so.
func Read(ctx context.Context, m evidence.Machine) Identity {
	id := Identity{Reasons: map[string]fact.Reason{}}
	found := identify(ctx, m)
	id.Hardware.Serial = id.hash("serial", found.serial)
	id.Hardware.UUID = id.hash("uuid", found.uuid)
	return id
}

// hash names an identifier without telling it. Case is set aside because the
// systems differ in it: one machine has one hash, whichever system it runs.
func (id Identity) hash(what string, a answer) string {
	value := strings.ToUpper(a.text)
	switch {
	case value == "" && a.why != "":
		id.Reasons[what] = a.why
		return ""
	case junk(value):
		id.Reasons[what] = fact.ReasonNotFound
		return ""
	}
	return jws.Hash([]byte("postern/hardware/" + what + "\x00" + value))
}

// Collect reads which machine this is, for the report. Identifiers that many
// machines share are refused: two machines must never look like one.
func Collect(ctx context.Context, m evidence.Machine) fact.Signal {
	r := evidence.Begin(fact.SignalDevice, m)
	switch m.System() {
	case evidence.Linux, evidence.Windows, evidence.MacOS:
	default:
		return r.Conclude(fact.Unknown, fact.ReasonUnsupported)
	}
	found := identify(ctx, r.Machine())
	found.describe(ctx, r.Machine())
	identifier(r, "serial", found.serial, serialForm)
	identifier(r, "hardware_uuid", lower(found.uuid), uuidForm)
	name(r, "vendor", found.vendor)
	name(r, "model", found.model)
	virtual(r, found)
	return r.Signal(mainReason(found))
}

// answer is one text that a source gave, or why it gave none.
type answer struct {
	text   string
	source string
	why    fact.Reason
}

// machine is what the sources of one system say.
type machine struct {
	system        evidence.System
	serial, uuid  answer
	vendor, model answer
	chip          string // name of the processor, where a source told it by the way
	guest         answer // text "true" or "false": the system itself says whether it runs in a virtual machine
}

// identify reads serial number and UUID, and what comes with them at no cost.
func identify(ctx context.Context, m evidence.Machine) machine {
	switch m.System() {
	case evidence.Linux:
		return identifyLinux(ctx, m)
	case evidence.Windows:
		return identifyWindows(ctx, m)
	case evidence.MacOS:
		return identifyMac(ctx, m)
	}
	none := answer{why: fact.ReasonUnsupported}
	return machine{serial: none, uuid: none, vendor: none, model: none, guest: none}
}

// describe reads the rest.
func (d *machine) describe(ctx context.Context, m evidence.Machine) {
	d.system = m.System()
	switch d.system {
	case evidence.Linux:
		describeLinux(ctx, m, d)
	case evidence.Windows:
		describeWindows(ctx, m, d)
	case evidence.MacOS:
		describeMac(ctx, m, d)
	}
}

// or is a, or b where a has no text. Of two failures the one that says more
// stays: a source that answered and did not have it says more than one that is
// not installed, and one that broke says more than both.
func (a answer) or(b answer) answer {
	if a.text == "" && (b.text != "" || telling(b.why) > telling(a.why)) {
		return b
	}
	return a
}

func telling(why fact.Reason) int {
	switch why {
	case "":
		return 0
	case fact.ReasonToolMissing:
		return 1
	case fact.ReasonNotFound:
		return 2
	}
	return 3
}

func failed(err error) answer { return answer{why: evidence.ReasonOf(err)} }

// said is what a source wrote, without the space and the zero bytes around it.
func said(text, source string) answer {
	text = strings.TrimSpace(strings.Trim(text, "\x00"))
	if text == "" {
		return answer{why: fact.ReasonNotFound}
	}
	return answer{text: text, source: source}
}

func lower(a answer) answer {
	a.text = strings.ToLower(a.text)
	return a
}

func identifier(r *evidence.Reading, field string, a answer, form func(string) bool) {
	switch {
	case a.text == "":
		r.Unknown(field, "", a.why)
	case junk(a.text):
		r.Unknown(field, "", fact.ReasonJunk)
	case !form(a.text):
		r.Unknown(field, "", fact.ReasonMalformed)
	default:
		r.Observe(field, "", fact.Str(a.text))
		r.From(a.source)
	}
}

func name(r *evidence.Reading, field string, a answer) {
	switch {
	case a.text == "":
		r.Unknown(field, "", a.why)
	case placeholder(a.text):
		r.Unknown(field, "", fact.ReasonNotFound)
	case !printable(a.text):
		r.Unknown(field, "", fact.ReasonMalformed)
	default:
		r.Observe(field, "", fact.Str(a.text))
		r.From(a.source)
	}
}

// mainReason is the reason that stands for all when nothing could be read.
func mainReason(d machine) fact.Reason {
	for _, a := range []answer{d.serial, d.uuid, d.vendor, d.model} {
		if a.why != "" && a.why != fact.ReasonNotFound {
			return a.why
		}
	}
	return fact.ReasonNotFound
}
