package policy

import (
	"strings"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/posture/fact"
)

// Attribute is one name that an expression may use.
type Attribute struct {
	Name string    // as written in an expression; [*] stands for the key of a list entry
	Fact string    // address of the fact behind it; empty: not a fact of the report
	Kind fact.Kind // type of its value

	list bool                             // a list of texts
	read func(Input) (value any, ok bool) // for what is not a fact
	path []string                         // Name, taken apart
}

// Attributes is the one table of what expressions can see. Names follow the
// attributes of Google's access levels where one exists (Access Context
// Manager, "Custom access level specification").
func Attributes() []Attribute {
	out := append(factAttributes(),
		Attribute{Name: "device.key.attested", Kind: fact.Enum, read: func(in Input) (any, bool) {
			return string(in.Device.KeyAttested), in.Device.KeyAttested.Level() >= 0
		}},
		Attribute{Name: "device.key.protection", Kind: fact.Enum, read: func(in Input) (any, bool) {
			return string(in.Device.KeyProtection), in.Device.KeyProtection != ""
		}},
		Attribute{Name: "device.hardware_id", Kind: fact.Text, read: func(in Input) (any, bool) {
			return in.Device.HardwareID, in.Device.HardwareID != ""
		}},
		Attribute{Name: "user.sub", Kind: fact.Text, read: func(in Input) (any, bool) { return in.Person.Subject, in.Person.Subject != "" }},
		Attribute{Name: "user.email", Kind: fact.Text, read: func(in Input) (any, bool) { return in.Person.Email, in.Person.Email != "" }},
		Attribute{Name: "user.groups", Kind: fact.Text, list: true, read: func(in Input) (any, bool) { return groupsOf(in.Person), in.Person.Subject != "" }},
		Attribute{Name: "origin.ip", Kind: fact.Text, read: func(in Input) (any, bool) { return in.Origin.Unmap().WithZone("").String(), in.Origin.IsValid() }},
		Attribute{Name: "request.time", Kind: fact.Timestamp, read: func(in Input) (any, bool) { return in.Now, !in.Now.IsZero() }},
	)
	for i := range out {
		out[i].path = splitName(out[i].Name)
		if out[i].Fact != "" {
			out[i].Kind = out[i].def().Kind
		}
	}
	return out
}

// factAttributes gives every fact its name: device.<place>.<field>, or the
// name of Google's access levels where one exists.
func factAttributes() []Attribute {
	google := map[string]string{
		"os_version.type": "device.os_type", "os_version.version": "device.os_version",
		"disk.system_status": "device.encryption_status",
	}
	single := map[string]string{fact.SignalOS: "os", fact.SignalDevice: "hardware"}
	keyed := map[string]string{fact.SignalDisk: "volumes", fact.SignalFirewall: "firewall_profiles"}
	var out []Attribute
	for _, d := range fact.Defs() {
		place, key, places := d.Signal, "", single
		if d.Keyed {
			key, places = anyKey, keyed
		}
		if named, ok := places[d.Signal]; ok {
			place = named
		}
		if d.Keyed {
			place += "[*]"
		}
		a := Attribute{Name: "device." + place + "." + d.Field, Fact: fact.Address(d.Signal, key, d.Field)}
		if name, ok := google[a.Fact]; ok {
			a.Name = name
		}
		out = append(out, a)
	}
	return out
}

func groupsOf(p api.Person) []string { return append([]string{}, p.Groups...) }

// def is the declaration of the fact behind the attribute.
func (a Attribute) def() fact.Def {
	signal, key, field, err := fact.SplitAddress(a.Fact)
	if err != nil {
		return fact.Def{}
	}
	d, _ := fact.Lookup(signal, field, key != "")
	return d
}

// keyed says whether the attribute exists once per list entry.
func (a Attribute) keyed() bool { return len(a.path) > 2 && a.path[2] == anyKey }

// anyKey stands for any list entry in a path and an address.
const anyKey = "*"

// splitName takes "device.edr[*].running" apart into device, edr, *, running.
func splitName(name string) []string {
	return strings.Split(strings.ReplaceAll(name, "[*]", "."+anyKey), ".")
}

// address is the fact address that the attribute has for one list entry.
func (a Attribute) address(key string) string {
	if !a.keyed() {
		return a.Fact
	}
	d := a.def()
	return fact.Address(d.Signal, key, d.Field)
}
