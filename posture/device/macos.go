package device

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// identifyMac asks the registry of I/O Kit for the node that stands for the
// machine (ioreg(8), IOPlatformExpertDevice), and only where that does not
// tell, system_profiler(8): as JSON, which it writes since macOS 10.15, then as
// text.
func identifyMac(ctx context.Context, m evidence.Machine) machine {
	d := macIORegistry(ctx, m)
	for _, other := range []func(context.Context, evidence.Machine) machine{macProfilerJSON, macProfilerText} {
		if d.serial.text != "" && d.uuid.text != "" && d.model.text != "" {
			return d
		}
		o := other(ctx, m)
		d.serial, d.uuid, d.model, d.vendor = d.serial.or(o.serial), d.uuid.or(o.uuid), d.model.or(o.model), d.vendor.or(o.vendor)
		if d.chip == "" {
			d.chip = o.chip
		}
	}
	return d
}

// describeMac asks the kernel whether it runs under a hypervisor (sysctl
// kern.hv_vmm_present, since macOS 11).
func describeMac(ctx context.Context, m evidence.Machine, d *machine) {
	const present = "kern.hv_vmm_present"
	v, err := m.Sysctl(ctx, present)
	switch {
	case err != nil:
		d.guest = failed(err)
	case strings.TrimSpace(v) == "1":
		d.guest = answer{text: "true", source: "sysctl " + present}
	case strings.TrimSpace(v) == "0":
		d.guest = answer{text: "false", source: "sysctl " + present}
	default:
		d.guest = answer{why: fact.ReasonMalformed}
	}
}

func same(why fact.Reason) machine {
	a := answer{why: why}
	return machine{serial: a, uuid: a, vendor: a, model: a}
}

func macIORegistry(ctx context.Context, m evidence.Machine) machine {
	data, err := evidence.Text(ctx, m, "ioreg", "-rd1", "-c", "IOPlatformExpertDevice", "-a")
	if err != nil {
		return same(evidence.ReasonOf(err))
	}
	return parseIORegistry(data)
}

// parseIORegistry reads the property list of ioreg -a: a list with one
// dictionary. Text that the registry holds as bytes ends with a zero byte.
func parseIORegistry(data []byte) machine {
	const source = "ioreg IOPlatformExpertDevice"
	if len(bytes.TrimSpace(data)) == 0 {
		return same(fact.ReasonUnreadable)
	}
	top, err := evidence.ParsePlist(data)
	if err != nil {
		return same(fact.ReasonUnreadable)
	}
	list, ok := top.([]any)
	if !ok {
		list = []any{top}
	}
	for _, e := range list {
		node, _ := e.(map[string]any)
		if node["IOPlatformUUID"] == nil && node["IOPlatformSerialNumber"] == nil {
			continue
		}
		return machine{
			serial: said(plain(node["IOPlatformSerialNumber"]), source),
			uuid:   said(plain(node["IOPlatformUUID"]), source),
			vendor: said(unpacked(node["manufacturer"]), source),
			model:  said(unpacked(node["model"]), source),
		}
	}
	return same(fact.ReasonUnreadable)
}

func plain(v any) string {
	s, _ := v.(string)
	return s
}

// unpacked is the text in a data element; ParsePlist gives those as base64,
// which no name of a Mac or of its maker happens to be.
func unpacked(v any) string {
	s := strings.Join(strings.Fields(plain(v)), "")
	if raw, err := base64.StdEncoding.DecodeString(s); err == nil {
		return strings.Trim(string(raw), "\x00")
	}
	return plain(v)
}

func macProfilerJSON(ctx context.Context, m evidence.Machine) machine {
	data, err := evidence.Text(ctx, m, "system_profiler", "-json", "SPHardwareDataType")
	if err != nil {
		return same(evidence.ReasonOf(err))
	}
	return parseProfilerJSON(data)
}

// parseProfilerJSON reads what system_profiler -json SPHardwareDataType prints.
func parseProfilerJSON(data []byte) machine {
	const source = "system_profiler SPHardwareDataType"
	var top struct {
		Hardware []map[string]any `json:"SPHardwareDataType"`
	}
	if json.Unmarshal(data, &top) != nil || len(top.Hardware) == 0 {
		return same(fact.ReasonUnreadable)
	}
	values := top.Hardware[0]
	return machine{
		serial: said(plain(values["serial_number"]), source),
		uuid:   said(plain(values["platform_UUID"]), source),
		model:  said(plain(values["machine_model"]), source),
		vendor: answer{why: fact.ReasonNotFound},
		chip:   plain(values["chip_type"]),
	}
}

func macProfilerText(ctx context.Context, m evidence.Machine) machine {
	data, err := evidence.Text(ctx, m, "system_profiler", "SPHardwareDataType")
	if err != nil {
		return same(evidence.ReasonOf(err))
	}
	return parseProfilerText(string(data))
}

// parseProfilerText reads the lines "Name: value" of system_profiler.
func parseProfilerText(text string) machine {
	const source = "system_profiler SPHardwareDataType"
	values := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(line, ":")
		name = strings.TrimSpace(name)
		if _, there := values[name]; ok && !there && len(values) < 256 {
			values[name] = strings.TrimSpace(value)
		}
	}
	if values["Model Identifier"] == "" && values["Hardware UUID"] == "" {
		return same(fact.ReasonUnreadable)
	}
	serial := values["Serial Number (system)"]
	if serial == "" {
		serial = values["Serial Number"]
	}
	return machine{
		serial: said(serial, source), uuid: said(values["Hardware UUID"], source),
		model: said(values["Model Identifier"], source), vendor: answer{why: fact.ReasonNotFound}, chip: values["Chip"],
	}
}
