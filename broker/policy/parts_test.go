package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/posture/fact"
)

// said writes parts down: "pass disk.system_status; fail (pass edr[*].running | …)".
func said(parts []api.Part) string {
	var out []string
	for _, p := range parts {
		what := strings.Join(p.Reads, "+")
		if len(p.OneOf) > 0 {
			var alts []string
			for _, c := range p.OneOf {
				alts = append(alts, fmt.Sprint(c.Outcome, " ", strings.Join(c.Reads, "+")))
			}
			what = "(" + strings.Join(alts, " | ") + ")"
		}
		out = append(out, fmt.Sprint(p.Outcome, " ", what))
	}
	return strings.Join(out, "; ")
}

func TestParts(t *testing.T) {
	for expr, want := range map[string]string{
		`device.firewall.enabled`:                                                          "pass firewall.enabled",
		`!device.patch.reboot_pending`:                                                     "pass patch.reboot_pending",
		`device.firewall.enabled && device.encryption_status == "ENCRYPTED"`:               "pass firewall.enabled; pass disk.system_status",
		`device.firewall.enabled || device.encryption_status == "UNENCRYPTED"`:             "pass (pass firewall.enabled | fail disk.system_status)",
		`!(device.patch.reboot_pending || device.patch.security_pending)`:                  "pass patch.reboot_pending; pass patch.security_pending",
		`!(device.firewall.enabled && device.patch.reboot_pending)`:                        "pass (fail firewall.enabled | pass patch.reboot_pending)",
		`device.os_version == "1" || (device.firewall.enabled && device.edr["x"].running)`: "unknown (fail os_version.version | unknown edr[*].running+firewall.enabled)",
		// The same things looked at twice are one, so that no number of values is told.
		`device.os.product == "debian" || device.os.product == "ubuntu"`:       "pass os_version.product",
		`device.os.product in ["debian", "ubuntu"]`:                            "pass os_version.product",
		`device.os_version != "13" && versionAtLeast(device.os_version, "12")`: "pass os_version.version",
		// Which entry of a list is the administrator's word.
		`device.edr["acme-guard"].running || device.edr["other-av"].running`: "pass edr[*].running",
		`device.edr["acme-guard"].running && device.edr["other-av"].running`: "fail edr[*].running",
		`device.edr.exists(k, device.edr[k].running)`:                        "pass edr[*].running",
		// The age of a fact is that fact's; a time alone is the time.
		`request.time - device.patch.last_update_at < duration("720h")`:               "pass patch.last_update_at",
		`request.time > timestamp("2026-01-01T00:00:00Z") && device.firewall.enabled`: "pass time; pass firewall.enabled",
		`user.email == "x" || "eng" in user.groups`:                                   "pass person",
		`inIpRange(origin.ip, ["192.0.2.0/24"]) || device.key.attested == "ek-chain"`: "pass (pass network | pass key)",
		`device.hardware_id != "none"`:                                                "pass hardware",
		// What is neither "and" nor "or" is looked at as a whole.
		`device.os_type == "DESKTOP_LINUX" ? device.firewall.enabled : device.firewall.stealth`: "pass firewall.enabled+firewall.stealth+os_version.type",
		`(device.firewall.enabled || device.patch.reboot_pending) == true`:                      "pass firewall.enabled+patch.reboot_pending",
		// What looks at nothing would be left out of a list that claims to be whole.
		`device.firewall.enabled && 1 == 1`: "",
		`device.firewall.enabled || 1 == 2`: "",
	} {
		c, _ := only(t, load(t, oneCheck(expr)).Decide(input(healthy())))
		if got := said(c.Parts); got != want {
			t.Errorf("%s\n got %q\nwant %q", expr, got, want)
		}
	}
}

// What is too long is not told, rather than in part.
func TestPartsAreWhole(t *testing.T) {
	var ands, ors []string
	defs := fact.Defs()
	for i := range api.MaxParts + 1 {
		a := Attributes()[slices.IndexFunc(Attributes(), func(a Attribute) bool {
			return !a.keyed() && a.Fact == fact.Address(singles(defs)[i].Signal, "", singles(defs)[i].Field)
		})]
		cond := a.Name + " == " + a.Name
		ands = append(ands, cond)
		if i <= api.MaxChoices {
			ors = append(ors, cond)
		}
	}
	for _, c := range []struct {
		expr string
		want int
	}{
		{strings.Join(ands[:api.MaxParts], " && "), api.MaxParts}, {strings.Join(ands, " && "), 0},
		{strings.Join(ors[:api.MaxChoices], " || "), 1}, {strings.Join(ors, " || "), 0},
		{"!(" + strings.Join(ors[:api.MaxChoices], " || ") + ") == true", 1},
	} {
		got, _ := only(t, load(t, oneCheck(c.expr)).Decide(input(healthy())))
		if len(got.Parts) != c.want {
			t.Errorf("%d parts, want %d: %s", len(got.Parts), c.want, c.expr)
		}
	}
}

func singles(defs []fact.Def) []fact.Def {
	return slices.DeleteFunc(slices.Clone(defs), func(d fact.Def) bool { return d.Keyed })
}

// TestPartsAgree: together the parts of a check come out as the check does,
// whatever the report is like.
func TestPartsAgree(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	told := 0
	for _, text := range []string{leaky, office, oneCheck(`(device.firewall.enabled || !device.patch.reboot_pending) && !(device.edr["acme-guard"].running && device.os_version == "1") && (device.encryption_status == "ENCRYPTED" || device.edr.all(k, device.edr[k].running) || "x" in user.groups)`)} {
		p := load(t, text)
		for range 500 {
			in := input(spoilt(random))
			for _, c := range p.Decide(in).Checks {
				if len(c.Parts) == 0 {
					continue
				}
				told++
				whole := api.Pass
				for _, part := range c.Parts {
					if part.Outcome == api.Fail || whole == api.Pass {
						whole = part.Outcome
					}
					if (len(part.OneOf) > 0) == (len(part.Reads) > 0) || len(part.OneOf) == 1 {
						t.Fatalf("%s: %+v", c.Name, part)
					}
				}
				if whole != c.Outcome {
					t.Fatalf("%s is %s, its parts %s", c.Name, c.Outcome, said(c.Parts))
				}
			}
		}
	}
	if told < 3000 {
		t.Errorf("only %d checks told their parts", told)
	}
}

func TestNeeds(t *testing.T) {
	p := load(t, head+`checks:
  disk: {expr: device.encryption_status == "ENCRYPTED", code: org/disk}
  later: {expr: device.firewall.enabled, code: org/firewall, from: 2026-12-01}
  watch: {expr: device.firewall.stealth, code: org/stealth, enforce: report, from: 2027-01-01}
  away: {expr: device.os_version != "", code: org/os}
apps:
  - {id: wiki, name: Wiki, destinations: ["tcp:10.0.0.1:80"], ports: [80], checks: [disk, later, watch, away]}
  - {id: payroll, name: Payroll, destinations: ["tcp:10.0.0.1:80"], ports: [80], checks: [disk], min_key_assurance: verified, acr: strong, max_age: 5s}
  - {id: status, name: Status, destinations: ["tcp:10.0.0.1:80"], ports: [80], posture: none, min_key_assurance: none}
  - {id: secret, name: Secret, destinations: ["tcp:10.0.0.1:80"], ports: [80], checks: [disk], groups: [board]}
exceptions: [{check: away, device: dev-1, until: 2026-08-01, granted_by: Joan, reason: x}]
`)
	d := p.Decide(input(healthy()))
	want := []string{"wiki [disk later watch away] []", "payroll [disk] [{posture-too-old fail} {key-assurance-too-low fail} {sign-in-too-weak fail}]", "status [] []"}
	var got []string
	for _, n := range d.Needs {
		got = append(got, fmt.Sprint(n.App, " ", n.Checks, " ", n.Conditions))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	from := map[string]string{}
	for _, c := range d.Checks {
		from[c.Name] = c.From
	}
	if from["disk"] != "" || from["later"] != "2026-12-01T00:00:00Z" || from["watch"] != "" || from["away"] != "2026-08-01T00:00:00Z" {
		t.Errorf("from %v", from)
	}
	in := input(healthy())
	in.ACR, in.Device.KeyAttested = "strong", api.AttestedVerified
	for i := range in.Report.Signals {
		in.Report.Signals[i].ObservedAt = noon
	}
	if n := p.Decide(in).Needs[1]; fmt.Sprint(n.Conditions) != "[{posture-too-old pass} {key-assurance-too-low pass} {sign-in-too-weak pass}]" {
		t.Errorf("all met: %+v", n)
	}
}

// TestNeedsFit: an answer does not grow with a policy beyond what is allowed,
// and what is told of an app is whole.
func TestNeedsFit(t *testing.T) {
	var b strings.Builder
	b.WriteString(head + "checks:\n")
	var names []string
	for i := range api.MaxNeedsChecks + 1 {
		name := fmt.Sprintf("check %d %s", i, strings.Repeat("x", 40))
		names = append(names, name)
		fmt.Fprintf(&b, "  %s: {expr: device.firewall.enabled && device.os_version != \"\", code: org/it}\n", name)
	}
	b.WriteString("apps:\n")
	app := func(id string, checks []string) {
		fmt.Fprintf(&b, "  - {id: %s, name: A, destinations: [\"tcp:10.0.0.1:80\"], ports: [80], checks: [%s]}\n", id, strings.Join(checks, ", "))
	}
	app("toomany", names)
	for i := range api.MaxNeedsApps + 20 {
		app(fmt.Sprintf("app%d", i), names[:i%8+1])
	}
	d := load(t, b.String()).Decide(input(healthy()))
	size := 0
	for _, n := range d.Needs {
		a, _ := d.appOf(n.App)
		if n.App == "toomany" || !slices.Equal(n.Checks, a.App.Checks) {
			t.Errorf("%s tells %d of %d checks", n.App, len(n.Checks), len(a.App.Checks))
		}
		size += len(n.App) + textBytes(n.Checks)
	}
	for _, c := range d.Checks {
		size += partsBytes(c.Parts)
	}
	if len(d.Needs) < 200 || len(d.Needs) > api.MaxNeedsApps || size > api.MaxNeedsBytes || len(d.Checks) != len(names) {
		t.Errorf("%d apps tell %d bytes, %d checks", len(d.Needs), size, len(d.Checks))
	}
}

func (d Decision) appOf(id string) (AppDecision, bool) {
	i := slices.IndexFunc(d.Apps, func(a AppDecision) bool { return a.App.ID == id })
	if i < 0 {
		return AppDecision{}, false
	}
	return d.Apps[i], true
}

// BenchmarkParts is a decision with and without what is told of parts.
func BenchmarkParts(b *testing.B) {
	for _, told := range []bool{true, false} {
		b.Run(fmt.Sprint("told ", told), func(b *testing.B) {
			p := load(b, office)
			for _, c := range p.checks {
				if !told {
					c.expr.parts = nil
				}
			}
			in := input(healthy())
			for b.Loop() {
				p.Decide(in)
			}
		})
	}
}
