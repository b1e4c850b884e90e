package machine

import (
	"context"
	"encoding/json"
	"runtime"

	"golang.org/x/sys/windows"

	"github.com/postern-zt/postern/posture/evidence"
)

// Sysctl is not for Windows.
func (m *live) Sysctl(_ context.Context, name string) (string, error) {
	return "", unsupported("sysctl " + name)
}

// Ask implements evidence.Machine.
func (m *live) Ask(ctx context.Context, q evidence.Question, args ...string) ([]byte, error) {
	op := "ask " + string(q)
	answer := m.answer(ctx, q, args)
	if answer == nil {
		return nil, unsupported(op)
	}
	return await(ctx, &m.native, op, func() ([]byte, error) {
		v, err := answer()
		if err != nil {
			return nil, err
		}
		return json.Marshal(v)
	})
}

// answer is what answers a question; nil when nothing does.
func (m *live) answer(ctx context.Context, q evidence.Question, args []string) func() (any, error) {
	switch len(args) {
	case 0:
		return map[evidence.Question]func() (any, error){
			evidence.AskPlatform:       askPlatform,
			evidence.AskFirewallPolicy: askFirewallPolicy,
			evidence.AskVolumes:        askVolumes,
			evidence.AskUpdates:        func() (any, error) { return m.askUpdates(ctx) },
			evidence.AskJoin:           askJoin,
			evidence.AskTPM:            func() (any, error) { return m.askTPM(ctx) },
		}[q]
	case 1:
		f := map[evidence.Question]func(string) (any, error){
			evidence.AskVolumeProtection: askVolumeProtection,
			evidence.AskSecurityProvider: askSecurityProvider,
			evidence.AskSignature:        askSignature,
			evidence.AskCertificates:     askCertificates,
		}[q]
		if f != nil {
			return func() (any, error) { return f(args[0]) }
		}
	}
	return nil
}

// askPlatform tells the version as the kernel has it, whatever compatibility
// the program is run with.
func askPlatform() (any, error) {
	v := windows.RtlGetVersion()
	return map[string]any{
		"major": v.MajorVersion, "minor": v.MinorVersion, "build": v.BuildNumber,
		"product_type": v.ProductType, "machine": systemMachine(),
	}, nil
}

// systemMachine is the processor that the system is built for. This program
// may be built for another one and be emulated.
func systemMachine() string {
	var own, system uint16
	if err := windows.IsWow64Process2(windows.CurrentProcess(), &own, &system); err == nil {
		switch system { // IMAGE_FILE_MACHINE_…
		case 0x8664:
			return "amd64"
		case 0xaa64:
			return "arm64"
		case 0x14c:
			return "386"
		}
	}
	return runtime.GOARCH
}

// askSecurityProvider asks the Windows Security Center, which only clients of
// Windows have.
func askSecurityProvider(which string) (any, error) {
	provider, ok := map[string]uintptr{"firewall": 1, "antivirus": 4}[which] // WSC_SECURITY_PROVIDER
	if !ok {
		return nil, unsupported("ask security-provider " + which)
	}
	ask, err := procedure("wscapi.dll", "WscGetSecurityProviderHealth")
	if err != nil {
		return nil, err
	}
	health, err := callForNumber(ask, provider)
	if err != nil {
		return nil, err
	}
	words := []string{"good", "not-monitored", "poor", "snooze"}
	if health >= uint32(len(words)) {
		return nil, code(0x8000ffff) // unexpected
	}
	return map[string]string{"health": words[health]}, nil
}
