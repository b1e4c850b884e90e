package machine

import (
	"unsafe"

	"github.com/go-ole/go-ole"

	"github.com/postern-zt/postern/posture/evidence"
)

// addProtection adds to a row of Win32_EncryptableVolume what only methods of
// the class tell ("Win32_EncryptableVolume class", Microsoft): GetKeyProtectors
// and GetKeyProtectorType as KeyProtectorTypes, GetConversionStatus as
// EncryptionPercentage and, where the property is not there, ConversionStatus,
// GetSuspendCount (since Windows 8) as SuspendCount. What is refused is left
// out.
func addProtection(services, instance *ole.IUnknown, row evidence.Row) {
	where, ok := property(instance, "__RELPATH")
	if !ok || len(where) != 1 {
		return
	}
	volume := callee{services: services, class: "Win32_EncryptableVolume", path: where[0]}
	if types, ok := volume.protectors(); ok {
		row["KeyProtectorTypes"] = types
	}
	if out, ok := volume.ask("GetConversionStatus", nil, "EncryptionPercentage", "ConversionStatus"); ok {
		row["EncryptionPercentage"] = out[0]
		if _, there := row.List("ConversionStatus"); !there {
			row["ConversionStatus"] = out[1]
		}
	}
	if out, ok := volume.ask("GetSuspendCount", nil, "SuspendCount"); ok {
		row["SuspendCount"] = out[0]
	}
}

// protectors are the types of all protectors of a volume. One that cannot be
// asked for its type makes the list unknown: a short list would look safe.
func (c callee) protectors() ([]string, bool) {
	ids, ok := c.ask("GetKeyProtectors", nil, "VolumeKeyProtectorID")
	if !ok {
		return nil, false
	}
	types := []string{}
	for _, id := range ids[0] {
		out, ok := c.ask("GetKeyProtectorType", map[string]string{"VolumeKeyProtectorID": id}, "KeyProtectorType")
		if !ok || len(out[0]) != 1 {
			return nil, false
		}
		types = append(types, out[0][0])
	}
	return types, true
}

// callee is an instance whose methods are called.
type callee struct {
	services    *ole.IUnknown
	class, path string
}

// ask calls a method and gives the wanted results, if the method says that it
// went well and all are there. An empty array may come as null: it is given as
// a list without elements.
func (c callee) ask(name string, in map[string]string, want ...string) ([][]string, bool) {
	out, err := c.call(name, in)
	if err != nil || out == nil {
		return nil, false
	}
	defer out.Release()
	if status, ok := property(out, "ReturnValue"); !ok || len(status) != 1 || status[0] != "0" {
		return nil, false
	}
	var values [][]string
	for _, w := range want {
		v, ok := property(out, w)
		if !ok && w != "VolumeKeyProtectorID" {
			return nil, false
		}
		values = append(values, v)
	}
	return values, true
}

func (c callee) call(name string, in map[string]string) (*ole.IUnknown, error) {
	var arguments *ole.IUnknown
	if len(in) > 0 {
		made, err := c.arguments(name, in)
		if err != nil {
			return nil, err
		}
		arguments = made
		defer arguments.Release()
	}
	path, what := newText(c.path), newText(name)
	defer path.free()
	defer what.free()
	var out *ole.IUnknown
	err := method(c.services, servicesExecMethod, path.arg(), what.arg(), 0, 0,
		uintptr(unsafe.Pointer(arguments)), uintptr(unsafe.Pointer(&out)), 0)
	return out, err
}

// arguments makes the object that carries the arguments of a method.
func (c callee) arguments(name string, in map[string]string) (*ole.IUnknown, error) {
	class := newText(c.class)
	defer class.free()
	var definition, signature, made *ole.IUnknown
	err := method(c.services, servicesGetObject, class.arg(), 0, 0, uintptr(unsafe.Pointer(&definition)), 0)
	if err != nil {
		return nil, err
	}
	defer definition.Release()
	err = method(definition, objectGetMethod, uintptr(unsafe.Pointer(wideText(name))), 0, uintptr(unsafe.Pointer(&signature)), 0)
	if err != nil {
		return nil, err
	}
	if signature == nil {
		return nil, code(0x80041055) // WBEM: no such method
	}
	defer signature.Release()
	if err := method(signature, objectSpawnInstance, 0, uintptr(unsafe.Pointer(&made))); err != nil {
		return nil, err
	}
	for field, value := range in {
		s := newText(value)
		v := ole.NewVariant(ole.VT_BSTR, int64(s.arg()))
		err := method(made, objectPut, uintptr(unsafe.Pointer(wideText(field))), 0, uintptr(unsafe.Pointer(&v)), 0)
		s.free()
		if err != nil {
			made.Release()
			return nil, err
		}
	}
	return made, nil
}
