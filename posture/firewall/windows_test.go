package firewall

import (
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const (
	localKey  = `HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\`
	policyKey = `HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall\`
)

// winKey puts one key with values such as "EnableFirewall=1".
func winKey(m *evidence.Memory, key string, values ...string) {
	text := "\r\n" + strings.Replace(key, "HKLM", "HKEY_LOCAL_MACHINE", 1) + "\r\n"
	for _, v := range values {
		name, data, _ := strings.Cut(v, "=")
		text += "    " + name + "    REG_DWORD    0x" + data + "\r\n"
	}
	m.SetRegistry(text)
}

func windowsServices(m *evidence.Memory, mpssvc, bfe string) {
	m.SetServices(evidence.Service{Name: "Dhcp", State: "running"},
		evidence.Service{Name: "mpssvc", State: mpssvc}, evidence.Service{Name: "BFE", State: bfe})
}

func windowsMachine() *evidence.Memory {
	m := evidence.NewMemory(evidence.Windows, day)
	windowsServices(m, "running", "running")
	for _, p := range []string{"DomainProfile", "StandardProfile", "PublicProfile"} {
		winKey(m, localKey+p, "EnableFirewall=1")
	}
	return m
}

// com is the answer of INetFwPolicy2 for all profiles alike, with changes.
func com(m *evidence.Memory, current int, change func(map[string]map[string]bool)) {
	all := map[string]map[string]bool{}
	answer := map[string]any{"current_profiles": current}
	for _, name := range profileNames() {
		all[name] = map[string]bool{"enabled": true, "default_inbound_block": true, "block_all": false, "notifications": true}
		answer[name] = all[name]
	}
	if change != nil {
		change(all)
	}
	m.SetAnswer(answer, evidence.AskFirewallPolicy)
}

func TestWindowsRegistry(t *testing.T) {
	tests := []struct {
		name  string
		setup func(*evidence.Memory)
		want  string
	}{
		{"all on", func(*evidence.Memory) {}, "enabled=true default_inbound=drop enabled:domain=true enabled:private=true enabled:public=true block_all=false manager=local stealth=?not-found active:public=-"},
		{"one off", func(m *evidence.Memory) { winKey(m, localKey+"PublicProfile", "EnableFirewall=0") }, "enabled=false default_inbound=accept enabled:public=false default_inbound:public=accept enabled:private=true"},
		{"standard is private", func(m *evidence.Memory) { winKey(m, localKey+"StandardProfile", "EnableFirewall=0") }, "enabled:private=false enabled:public=true enabled=false"},
		{"one lets all in", func(m *evidence.Memory) { winKey(m, localKey+"PublicProfile", "DefaultInboundAction=0") }, "enabled=true default_inbound=accept default_inbound:public=accept default_inbound:domain=drop"},
		{"policy switches off", func(m *evidence.Memory) { winKey(m, policyKey+"DomainProfile", "EnableFirewall=0") }, "enabled=false enabled:domain=false manager=group-policy"},
		{"policy switches on", func(m *evidence.Memory) {
			winKey(m, localKey+"StandardProfile", "EnableFirewall=0")
			winKey(m, policyKey+"StandardProfile", "EnableFirewall=1", "DefaultInboundAction=1")
		}, "enabled=true default_inbound=drop manager=group-policy"},
		{"policy by the profile's newer name", func(m *evidence.Memory) { winKey(m, policyKey+"PrivateProfile", "EnableFirewall=0") }, "enabled:private=false"},
		{"policy without the value", func(m *evidence.Memory) { winKey(m, policyKey+"DomainProfile", "DisableNotifications=1") }, "enabled=true manager=local"},
		{"device management", func(m *evidence.Memory) {
			winKey(m, localKey+"PublicProfile", "EnableFirewall=0")
			winKey(m, localKey+`Mdm\PublicProfile`, "EnableFirewall=1")
		}, "enabled=true manager=mdm"},
		{"policy may not be read", func(m *evidence.Memory) { m.Fail(policyKey+"DomainProfile", fact.ReasonNeedsPrivilege) }, "enabled=?not-found enabled:domain=?not-found enabled:public=true"},
		{"no exceptions", func(m *evidence.Memory) {
			for _, p := range []string{"DomainProfile", "StandardProfile", "PublicProfile"} {
				winKey(m, localKey+p, "DoNotAllowExceptions=1", "DefaultInboundAction=0", "DisableStealthMode=0")
			}
		}, "enabled=true default_inbound=drop block_all=true stealth=true"},
		{"value of another type", func(m *evidence.Memory) {
			m.SetRegistry("\r\nHKEY_LOCAL_MACHINE" + localKey[4:] + "PublicProfile\r\n    EnableFirewall    REG_SZ    1\r\n")
		}, "enabled=?not-found enabled:public=?not-found enabled:domain=true"},
		{"service stopped", func(m *evidence.Memory) { windowsServices(m, "stopped", "running") }, "enabled=false default_inbound=accept enabled:public=false block_all=false"},
		{"filtering engine stopped", func(m *evidence.Memory) { windowsServices(m, "running", "stopped") }, "enabled=false"},
		{"services not listed", func(m *evidence.Memory) { m.Fail(evidence.ServiceList, fact.ReasonTimeout) }, "enabled=?timeout default_inbound=?timeout"},
		{"services without it", func(m *evidence.Memory) { m.SetServices() }, "enabled=?not-found"},
		{"off does not depend on services", func(m *evidence.Memory) {
			m.Fail(evidence.ServiceList, fact.ReasonTimeout)
			winKey(m, localKey+"PublicProfile", "EnableFirewall=0")
		}, "enabled=false enabled:public=false enabled:domain=?timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := windowsMachine()
			tt.setup(m)
			expect(t, collect(t, m), tt.want)
		})
	}
	m := evidence.NewMemory(evidence.Windows, day)
	windowsServices(m, "running", "running")
	winKey(m, localKey+"PublicProfile", "DisableNotifications=0")
	expect(t, collect(t, m), "enabled=?not-found default_inbound=?not-found")
}

func TestWindowsInterface(t *testing.T) {
	m := windowsMachine()
	com(m, 4, nil)
	s := collect(t, m)
	expect(t, s, "enabled=true default_inbound=drop block_all=false active:public=true active:domain=false active:private=false")
	if !strings.HasPrefix(s.Source, "INetFwPolicy2") {
		t.Errorf("source %q", s.Source)
	}

	com(m, 6, func(p map[string]map[string]bool) { p["public"]["enabled"] = false })
	expect(t, collect(t, m), "enabled=conflict enabled:public=conflict enabled:domain=true active:private=true active:public=true")

	com(m, 1, func(p map[string]map[string]bool) { p["domain"]["default_inbound_block"] = false })
	expect(t, collect(t, m), "enabled=true default_inbound=conflict default_inbound:domain=conflict")

	m = evidence.NewMemory(evidence.Windows, day) // the interface alone, which its service answers
	com(m, 2, nil)
	m.Fail(evidence.ServiceList, fact.ReasonUnsupported)
	expect(t, collect(t, m), "enabled=true default_inbound=drop manager=local")
	for _, why := range []fact.Reason{fact.ReasonTimeout, fact.ReasonNeedsPrivilege, fact.ReasonUnreadable} { // one could be stopped
		m.Fail(evidence.ServiceList, why)
		expect(t, collect(t, m), "enabled=?"+string(why)+" default_inbound=?"+string(why))
	}
	m.Fail(evidence.ServiceList, "")
	windowsServices(m, "stopped", "running")
	s = collect(t, m)
	expect(t, s, "enabled=false")
	if f, _ := s.Find("public", "enabled"); f.Reason != fact.ReasonNotRunning {
		t.Errorf("reason %q", f.Reason)
	}

	m = windowsMachine()
	m.Fail("firewall-policy", fact.ReasonTimeout)
	expect(t, collect(t, m), "enabled=true")
	m.SetAnswer([]int{1}, evidence.AskFirewallPolicy)
	m.Fail("firewall-policy", "")
	expect(t, collect(t, m), "enabled=true")
	m = evidence.NewMemory(evidence.Windows, day)
	m.Fail("firewall-policy", fact.ReasonTimeout)
	m.Fail("netsh advfirewall show allprofiles", fact.ReasonToolMissing)
	expect(t, collect(t, m), "enabled=?not-found")
}

func TestWindowsThirdParty(t *testing.T) {
	off := func(m *evidence.Memory) {
		for _, p := range []string{"DomainProfile", "StandardProfile", "PublicProfile"} {
			winKey(m, localKey+p, "EnableFirewall=0")
		}
	}
	product := func(m *evidence.Memory) {
		m.SetWMI(`root\SecurityCenter2`, "FirewallProduct", evidence.Row{"displayName": {"Example Firewall"}, "productState": {"266240"}})
	}
	says := func(m *evidence.Memory, health string) {
		m.SetAnswer(map[string]string{"health": health}, evidence.AskSecurityProvider, "firewall")
	}
	tests := []struct {
		name  string
		setup func(*evidence.Memory)
		want  string
	}{
		{"good with a product, own one off", func(m *evidence.Memory) { off(m); product(m); says(m, "good") }, "enabled=true default_inbound=?unsupported-system enabled:public=false manager=Example_Firewall"},
		{"good without a product, own one off", func(m *evidence.Memory) { off(m); says(m, "good") }, "enabled=false manager=local"},
		{"product without a word", func(m *evidence.Memory) { off(m); product(m) }, "enabled=false manager=Example_Firewall"},
		{"poor with a product, own one off", func(m *evidence.Memory) { off(m); product(m); says(m, "poor") }, "enabled=false"},
		{"snoozing product", func(m *evidence.Memory) { off(m); product(m); says(m, "snooze") }, "enabled=false"},
		{"own one on, good", func(m *evidence.Memory) { says(m, "good") }, "enabled=true default_inbound=drop manager=local"},
		{"own one on, poor", func(m *evidence.Memory) { says(m, "poor") }, "enabled=conflict"},
		{"not monitored", func(m *evidence.Memory) { says(m, "not-monitored") }, "enabled=true"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := windowsMachine()
			tt.setup(m)
			expect(t, collect(t, m), tt.want)
		})
	}
}

func TestNetsh(t *testing.T) {
	tests := map[string]string{
		"de-state-aus.txt":                "enabled=false enabled:domain=false enabled:private=false enabled:public=false",
		"de-state-ein.txt":                "enabled=true enabled:domain=true enabled:private=true enabled:public=true default_inbound=?not-found",
		"en-allprofiles-off-abridged.txt": "enabled=false enabled:domain=false enabled:private=false enabled:public=?not-found",
		"en-current-public-on.txt":        "enabled:public=true default_inbound:public=drop enabled=?not-found enabled:domain=?not-found",
		"en-domain-on.txt":                "enabled:domain=true default_inbound:domain=drop enabled=?not-found",
		"fr-domain-profile.txt":           "enabled:domain=true default_inbound:domain=drop enabled=?not-found",
	}
	each(t, "windows/netsh-advfirewall", func(name, text string) {
		want, ok := tests[name]
		if !ok {
			t.Errorf("%s has no expectation", name)
		}
		m := evidence.NewMemory(evidence.Windows, day)
		line := "netsh advfirewall show allprofiles"
		if strings.HasPrefix(name, "de-") {
			line += " state"
		}
		m.SetCommand(line, text)
		t.Run(name, func(t *testing.T) { expect(t, collect(t, m), want) })
	})

	block := func(head, state, policy string) string {
		return "\r\n" + head + ": \r\n" + strings.Repeat("-", 70) + "\r\n" + state + "\r\n" + policy + "\r\n"
	}
	const in = "Firewall Policy                       BlockInbound,AllowOutbound"
	all := func(state, policy string) string {
		return block("Domain Profile Settings", state, policy) + block("Private Profile Settings", state, policy) + block("Public Profile Settings", state, policy) + "Ok.\r\n\r\n"
	}
	made := []struct{ name, text, want string }{
		{"on", all("State                                 ON", in), "enabled=true default_inbound=drop block_all=false"},
		{"allow", all("State    ON", "Firewall Policy   AllowInbound,AllowOutbound"), "enabled=true default_inbound=accept"},
		{"always", all("State    ON", "Firewall Policy   BlockInboundAlways,AllowOutbound"), "block_all=true default_inbound=drop"},
		{"not configured", all("State    ON", "Firewall Policy   NotConfigured,AllowOutbound"), "enabled=true default_inbound=?not-found"},
		{"a word that is not known", all("Tila    KÄYTÖSSÄ", in), "enabled=?not-found"},
		{"Spanish", block("Configuración de Perfil de dominio", "Estado    ACTIVAR", in) + block("Configuración de Perfil privado", "Estado   DESACTIVAR", in) + block("Configuración de Perfil público", "Estado   ACTIVAR", in), "enabled:domain=true enabled:private=false enabled:public=true enabled=false"},
		{"German in code page 850", "Dom\x84nenprofil-Einstellungen: \r\nStatus  EIN\r\n\r\nPrivates Profil-Einstellungen: \r\nStatus  EIN\r\n\r\n\x99ffentliches Profil-Einstellungen: \r\nStatus   EIN\r\n", "enabled=true"},
		{"one profile twice", block("Domain Profile Settings", "State ON", in) + block("Domain Profile Settings", "State OFF", in), "enabled=?unreadable-output"},
		{"an error", "An error occurred while attempting to contact the Windows Defender Firewall service.\r\n", "enabled=?unreadable-output"},
	}
	for _, tt := range made {
		t.Run(tt.name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.Windows, day)
			m.SetCommand("netsh advfirewall show allprofiles", tt.text)
			m.Fail("netsh advfirewall show allprofiles state", fact.ReasonUnreadable)
			for _, key := range []string{"DomainProfile", "StandardProfile", "PublicProfile"} {
				m.Fail(localKey+key, fact.ReasonUnreadable)
			}
			expect(t, collect(t, m), tt.want)
		})
	}
}
