package machine

import (
	"strings"
	"unsafe"

	"github.com/go-ole/go-ole"
	"golang.org/x/sys/windows"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// volume is one element of the answer to AskVolumes.
type volume struct {
	Letter     string `json:"letter"`
	Type       string `json:"type"`
	FileSystem string `json:"filesystem,omitempty"`
	Label      string `json:"label,omitempty"`
	ID         string `json:"id,omitempty"`
	System     bool   `json:"system,omitempty"`
}

// askVolumes lists the volumes that have a letter. Other machines' folders are
// named, but not looked at: that could take long.
func askVolumes() (any, error) {
	quiet()
	mask, err := windows.GetLogicalDrives()
	if err != nil {
		return nil, err
	}
	home := systemRoot()
	out := []volume{}
	for i := range 26 {
		if mask&(1<<i) == 0 {
			continue
		}
		v := volume{Letter: string(rune('A'+i)) + ":"}
		root := wideText(v.Letter + `\`)
		v.Type = driveType(windows.GetDriveType(root))
		v.System = strings.EqualFold(v.Letter, home[:min(2, len(home))])
		if v.Type != "remote" {
			v.FileSystem, v.Label, v.ID = describeVolume(root)
		}
		out = append(out, v)
	}
	return out, nil
}

// quiet keeps the system from asking a person to put in a disk.
func quiet() {
	const failCriticalErrors = 1
	if set, err := procedure("kernel32.dll", "SetThreadErrorMode"); err == nil {
		set.Call(failCriticalErrors, 0)
	}
}

func driveType(n uint32) string {
	names := []string{"unknown", "none", "removable", "fixed", "remote", "cdrom", "ramdisk"} // DRIVE_…
	if n < uint32(len(names)) {
		return names[n]
	}
	return "unknown"
}

// describeVolume leaves empty what an empty or locked volume does not tell.
func describeVolume(root *uint16) (filesystem, label, id string) {
	var name, kind [windows.MAX_PATH + 1]uint16
	err := windows.GetVolumeInformation(root, &name[0], uint32(len(name)), nil, nil, nil, &kind[0], uint32(len(kind)))
	if err == nil {
		filesystem, label = windows.UTF16ToString(kind[:]), windows.UTF16ToString(name[:])
	}
	var guid [64]uint16
	if err := windows.GetVolumeNameForVolumeMountPoint(root, &guid[0], uint32(len(guid))); err == nil {
		id = windows.UTF16ToString(guid[:])
	}
	return filesystem, label, id
}

// propertyKey is a PROPERTYKEY of the shell.
type propertyKey struct {
	set windows.GUID
	id  uint32
}

// protectionKey is System.Volume.BitLockerProtection, by name where the
// property system knows it.
func protectionKey() propertyKey {
	key := propertyKey{
		set: windows.GUID{Data1: 0x2d15a9a1, Data2: 0xa556, Data3: 0x4189, Data4: [8]byte{0x91, 0xad, 0x02, 0x74, 0x58, 0xf1, 0x1a, 0x07}},
		id:  1717,
	}
	find, err := procedure("propsys.dll", "PSGetPropertyKeyFromName")
	if err != nil {
		return key
	}
	var found propertyKey
	name := wideText("System.Volume.BitLockerProtection")
	if r, _, _ := find.Call(uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(&found))); uint32(r) == 0 {
		return found
	}
	return key
}

// askVolumeProtection reads the property that the file manager shows as a lock
// on the drive. It needs no rights.
func askVolumeProtection(drive string) (any, error) {
	if len(drive) != 2 || drive[1] != ':' {
		return nil, unsupported("ask volume-protection " + drive)
	}
	quiet()
	var value int32
	err := inCOM(singleThreaded, func() error {
		open, err := procedure("shell32.dll", "SHCreateItemFromParsingName")
		if err != nil {
			return err
		}
		item2 := ole.NewGUID("{7E9FB0D3-919F-4307-AB2E-9B1860310C93}") // IShellItem2
		var item *ole.IUnknown
		r, _, _ := open.Call(uintptr(unsafe.Pointer(wideText(drive+`\`))), 0, uintptr(unsafe.Pointer(item2)), uintptr(unsafe.Pointer(&item)))
		if err := hresult(r); err != nil {
			return err
		}
		defer item.Release()
		const getInt32 = 16
		key := protectionKey()
		return method(item, getInt32, uintptr(unsafe.Pointer(&key)), uintptr(unsafe.Pointer(&value)))
	})
	if c, ok := codeOf(err); ok && c.win32() == 1168 {
		// The volume has no such property: the part of Windows that encrypts
		// volumes is not there.
		return nil, &evidence.Error{Reason: fact.ReasonUnsupported, Op: "ask volume-protection " + drive, Code: c.String(), Err: err}
	}
	return map[string]int32{"value": value}, err
}
