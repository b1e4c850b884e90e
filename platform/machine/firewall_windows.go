package machine

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// callForNumber calls a function that gives an HRESULT and writes one number
// through its last argument. S_FALSE is an error too: it says that nothing was
// written (WscGetSecurityProviderHealth: the service does not run).
func callForNumber(f *windows.LazyProc, arg uintptr) (uint32, error) {
	var n uint32
	r, _, _ := f.Call(arg, uintptr(unsafe.Pointer(&n)))
	if uint32(r) == 1 {
		return 0, code(1062) // service not started
	}
	return n, hresult(r)
}

// askFirewallPolicy reads INetFwPolicy2 ("Windows Firewall with Advanced
// Security"), the settings in force: local ones with group policy over them.
func askFirewallPolicy() (any, error) {
	out := map[string]any{}
	err := inCOM(multiThreaded, func() error {
		policy, err := createObject("HNetCfg.FwPolicy2")
		if err != nil {
			return err
		}
		defer policy.Release()
		v, err := policy.get("CurrentProfileTypes")
		if err != nil {
			return err
		}
		out["current_profiles"] = v
		for bit, name := range map[int32]string{1: "domain", 2: "private", 4: "public"} {
			profile, err := firewallProfile(policy, bit)
			if err != nil {
				return err
			}
			out[name] = profile
		}
		return nil
	})
	return out, err
}

// firewallProfile leaves out what the system does not tell, but whether the
// profile is on must be told.
func firewallProfile(policy object, bit int32) (map[string]any, error) {
	enabled, err := policy.get("FirewallEnabled", bit)
	if err != nil {
		return nil, err
	}
	profile := map[string]any{"enabled": enabled}
	if v, err := policy.get("DefaultInboundAction", bit); err == nil {
		profile["default_inbound_block"] = v == int64(0) // NET_FW_ACTION_BLOCK
	}
	if v, err := policy.get("BlockAllInboundTraffic", bit); err == nil {
		profile["block_all"] = v
	}
	if v, err := policy.get("NotificationsDisabled", bit); err == nil {
		profile["notifications"] = v == false
	}
	return profile, nil
}
