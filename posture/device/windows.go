package device

import (
	"context"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// Where Windows shows the SMBIOS values: WMI (Win32_BIOS, "SerialNumber";
// Win32_ComputerSystemProduct, "UUID"), and for maker and model the registry
// key that the kernel fills from the same tables at every start.
const (
	cimv2      = `root\cimv2`
	biosValues = `HKLM\HARDWARE\DESCRIPTION\System\BIOS`
)

func identifyWindows(ctx context.Context, m evidence.Machine) machine {
	var d machine
	bios := only(ctx, m, "Win32_BIOS")
	product := only(ctx, m, "Win32_ComputerSystemProduct")
	d.serial = bios.text("SerialNumber")
	if other := product.text("IdentifyingNumber"); d.serial.text == "" {
		d.serial = d.serial.or(other)
	} else if junk(d.serial.text) && other.text != "" && !junk(other.text) {
		d.serial = other
	}
	d.uuid = product.text("UUID")
	d.vendor, d.model = product.text("Vendor"), product.text("Name")
	return d
}

// describeWindows prefers the class whose Model Windows itself shows; a
// product's Name and Vendor stand in for it, and then the registry.
func describeWindows(ctx context.Context, m evidence.Machine, d *machine) {
	system := only(ctx, m, "Win32_ComputerSystem")
	d.vendor = system.text("Manufacturer").or(d.vendor)
	d.model = system.text("Model").or(d.model)
	if d.vendor.text == "" || d.model.text == "" {
		key, err := m.Registry(ctx, biosValues)
		value := func(name string) answer {
			if err != nil {
				return failed(err)
			}
			s, _ := key.Text(name)
			return said(s, biosValues)
		}
		d.vendor = d.vendor.or(value("SystemManufacturer"))
		d.model = d.model.or(value("SystemProductName"))
	}
	// A hypervisor also runs below Windows on real machines, for its own
	// protections; that one is there proves nothing, so the names decide.
	d.guest = answer{why: fact.ReasonNotFound}
}

// row is the only instance of a class, or why there is none.
type row struct {
	values evidence.Row
	source string
	why    fact.Reason
}

func only(ctx context.Context, m evidence.Machine, class string) row {
	rows, err := m.WMI(ctx, cimv2, class)
	switch {
	case err != nil:
		return row{why: evidence.ReasonOf(err)}
	case len(rows) == 0:
		return row{why: fact.ReasonNotFound}
	case len(rows) > 1:
		return row{why: fact.ReasonMalformed}
	}
	return row{values: rows[0], source: cimv2 + ":" + class}
}

func (r row) text(name string) answer {
	if r.why != "" {
		return answer{why: r.why}
	}
	s, _ := r.values.Text(name)
	return said(s, r.source)
}
