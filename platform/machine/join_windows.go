package machine

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// azureJoin is the member "azure_ad" of the answer to AskJoin. Type is none,
// device (joined to Microsoft Entra ID), workplace (registered by a person) or
// unknown.
type azureJoin struct {
	Type     string `json:"type"`
	TenantID string `json:"tenant_id,omitempty"`
	DeviceID string `json:"device_id,omitempty"`
	MDMURL   string `json:"mdm_url,omitempty"`
}

// askJoin tells what the machine belongs to. What this version of Windows has
// no function for is left out.
func askJoin() (any, error) {
	out := map[string]any{}
	var name *uint16
	var status uint32
	if err := windows.NetGetJoinInformation(nil, &name, &status); err != nil {
		return nil, err
	}
	defer windows.NetApiBufferFree((*byte)(unsafe.Pointer(name)))
	switch status {
	case windows.NetSetupDomainName:
		out["domain"] = windows.UTF16PtrToString(name)
	case windows.NetSetupWorkgroupName:
		out["workgroup"] = windows.UTF16PtrToString(name)
	}
	if azure, err := readAzureJoin(); err == nil {
		out["azure_ad"] = azure
	}
	if registered, upn, err := readManagement(); err == nil {
		out["mdm_registered"], out["mdm_upn_present"] = registered, upn
	}
	return out, nil
}

// joinInfo is the head of DSREG_JOIN_INFO (lmjoin.h).
type joinInfo struct {
	kind                                                 uint32
	certificate                                          unsafe.Pointer
	deviceID, domain, tenantID, user, tenantName, mdmURL *uint16
}

// readAzureJoin asks since Windows 10. That there is nothing to tell means
// that the machine is not joined.
func readAzureJoin() (azureJoin, error) {
	ask, err := procedure("netapi32.dll", "NetGetAadJoinInformation")
	if err != nil {
		return azureJoin{}, err
	}
	free, err := procedure("netapi32.dll", "NetFreeAadJoinInformation")
	if err != nil {
		return azureJoin{}, err
	}
	var info *joinInfo
	r, _, _ := ask.Call(0, uintptr(unsafe.Pointer(&info)))
	if err := hresult(r); err != nil {
		return azureJoin{}, err
	}
	if info == nil {
		return azureJoin{Type: "none"}, nil
	}
	defer free.Call(uintptr(unsafe.Pointer(info)))
	kinds := []string{"unknown", "device", "workplace"}
	out := azureJoin{
		Type: "unknown", TenantID: windows.UTF16PtrToString(info.tenantID),
		DeviceID: windows.UTF16PtrToString(info.deviceID), MDMURL: windows.UTF16PtrToString(info.mdmURL),
	}
	if info.kind < uint32(len(kinds)) {
		out.Type = kinds[info.kind]
	}
	return out, nil
}

// readManagement tells whether the machine is enrolled in device management,
// and whether a person's name belongs to the enrolment; the name is not read.
func readManagement() (registered, upn bool, err error) {
	ask, err := procedure("mdmregistration.dll", "IsDeviceRegisteredWithManagement")
	if err != nil {
		return false, false, err
	}
	var yes int32
	var name [512]uint16
	r, _, _ := ask.Call(uintptr(unsafe.Pointer(&yes)), uintptr(len(name)), uintptr(unsafe.Pointer(&name[0])))
	return yes != 0, name[0] != 0, hresult(r)
}
