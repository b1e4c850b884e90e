package disk

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const (
	wmiNamespace = `root\cimv2\Security\MicrosoftVolumeEncryption`
	wmiClass     = "Win32_EncryptableVolume"
	currentKey   = `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion`
)

// drive is a volume of Windows with what the sources say of it, the first one
// counting most.
type drive struct {
	volume
	letter  string // such as C:, or empty
	sources []opinion
}

// opinion is what one source says.
type opinion struct {
	source string
	volume volume
}

// windows asks three sources: WMI, which needs an administrator, the shell's
// property, which needs nobody, and the text of manage-bde where WMI has no
// answer for another reason than rights.
func windows(ctx context.Context, r *evidence.Reading) fact.Signal {
	m := r.Machine()
	listed, listedErr := askVolumes(ctx, m)
	if listedErr == nil {
		r.From("shell volumes")
	}
	rows, err := m.WMI(ctx, wmiNamespace, wmiClass)
	why := wmiReason(err)
	var drives drives
	for _, l := range listed {
		drives.listed(l)
	}
	for _, row := range rows {
		drives.add(fromWMI(row), "WMI "+wmiClass)
	}
	switch {
	case len(rows) > 0:
		r.From("WMI " + wmiClass)
	case err == nil: // an empty answer proves nothing
		why = fact.ReasonNotFound
	}
	if len(rows) == 0 && why != fact.ReasonNeedsPrivilege {
		why = orElse(drives.manageBDE(ctx, r), why)
	}
	system := drives.findSystem(ctx, r)
	drives.askShell(ctx, r)
	found := findings{missing: why}
	for _, d := range drives.list {
		found.volumes = append(found.volumes, d.settle(system, why))
	}
	if listedErr != nil && len(rows) == 0 {
		found.more = orElse(why, evidence.ReasonOf(listedErr))
	}
	found.swapClear = pageFiles(ctx, r, found.volumes)
	return publish(r, found)
}

// wmiReason says why the class has no answer. A namespace or class that is not
// there means that BitLocker is not installed, as on a Windows Server without
// the feature (WBEM_E_INVALID_NAMESPACE, WBEM_E_INVALID_CLASS, "WMI Error
// Constants"): it tells nothing about how else the disk may be encrypted.
func wmiReason(err error) fact.Reason {
	if err == nil {
		return ""
	}
	var known *evidence.Error
	if errors.As(err, &known) {
		switch strings.ToLower(known.Code) {
		case "0x8004100e", "0x80041010", "0x80041002":
			return fact.ReasonToolMissing
		case "0x80041003", "0x80070005":
			return fact.ReasonNeedsPrivilege
		}
	}
	if why := evidence.ReasonOf(err); why != fact.ReasonNotFound {
		return why
	}
	return fact.ReasonToolMissing
}

// listedVolume is one element of the answer to AskVolumes.
type listedVolume struct {
	Letter string `json:"letter"`
	Type   string `json:"type"`
	Label  string `json:"label"`
	ID     string `json:"id"`
	System bool   `json:"system"`
}

func askVolumes(ctx context.Context, m evidence.Machine) ([]listedVolume, error) {
	answer, err := m.Ask(ctx, evidence.AskVolumes)
	if err != nil {
		return nil, err
	}
	var out []listedVolume
	if err := json.Unmarshal(answer, &out); err != nil {
		return nil, &evidence.Error{Reason: fact.ReasonUnreadable, Op: "read the list of volumes", Err: err}
	}
	return out, nil
}

// drives is the list that all sources add to.
type drives struct{ list []*drive }

// at finds the drive with that letter or volume id, or makes one.
func (d *drives) at(letter, id string) *drive {
	letter, id = driveLetter(letter), volumeID(id)
	for _, v := range d.list {
		if letter != "" && v.letter == letter || letter == "" && id != "" && v.key == id {
			return v
		}
	}
	v := &drive{letter: letter, volume: volume{key: orElse(letter, id), name: orElse(letter, id)}}
	if len(d.list) < 4*fact.MaxEntries {
		d.list = append(d.list, v)
	}
	return v
}

// listed takes a volume over from the list of volumes. Network drives and discs
// are no disks of this machine; volumes without a letter are left to WMI.
func (d *drives) listed(l listedVolume) {
	role := ""
	switch {
	case driveLetter(l.Letter) == "":
		return
	case l.System:
		role = fact.RoleSystem
	case l.Type == "fixed":
		role = fact.RoleData
	case l.Type == "removable":
		role = fact.RoleRemovable
	default:
		return
	}
	v := d.at(l.Letter, l.ID)
	v.role, v.system = role, l.System
}

// add takes over what a source says of one drive.
func (d *drives) add(v volume, source string) {
	if v.key == "" {
		return
	}
	letter, id := v.key, ""
	if driveLetter(v.key) == "" {
		letter, id = "", v.key
	}
	at := d.at(letter, id)
	at.sources = append(at.sources, opinion{source, v})
	if at.role == "" {
		at.role = v.role
	}
}

// findSystem names the drive that Windows runs from.
func (d *drives) findSystem(ctx context.Context, r *evidence.Reading) string {
	for _, v := range d.list {
		if v.system {
			return v.letter
		}
	}
	if key, err := r.Machine().Registry(ctx, currentKey); err == nil {
		if root, ok := key.Text("SystemRoot"); ok && len(root) > 2 {
			if letter := driveLetter(root[:2]); letter != "" {
				d.at(letter, "")
				return letter
			}
		}
	}
	var running []string
	for _, v := range d.list {
		if v.role == fact.RoleSystem && v.letter != "" {
			running = append(running, v.letter)
		}
	}
	if len(running) == 1 {
		return running[0]
	}
	d.at("C:", "") // where Windows is unless somebody took pains
	return "C:"
}

// askShell adds the shell property of every fixed and removable drive
// (System.Volume.BitLockerProtection, no rights needed).
func (d *drives) askShell(ctx context.Context, r *evidence.Reading) {
	for _, v := range d.list {
		if v.letter == "" {
			continue
		}
		answer, err := r.Machine().Ask(ctx, evidence.AskVolumeProtection, v.letter)
		if err != nil {
			continue
		}
		var said struct {
			Value *int `json:"value"`
		}
		if json.Unmarshal(answer, &said) != nil || said.Value == nil {
			continue
		}
		v.sources = append(v.sources, opinion{"shell property of " + v.letter, fromShell(*said.Value)})
		r.From("System.Volume.BitLockerProtection")
	}
}

// settle makes one volume of what the sources say: the first that knows the
// status counts, the others may only contradict it or add what it leaves out.
func (d *drive) settle(system string, why fact.Reason) volume {
	v := d.volume
	v.unknown(orElse(why, fact.ReasonNotFound))
	var from string
	for _, o := range d.sources {
		switch {
		case from == "" && (o.volume.status != "" || o.volume.protected.said):
			from = o.source
			v.take(o.volume)
		case from != "":
			v.against(from, o.source, o.volume.verdict())
			v.complete(o.volume)
		case o.volume.why != "":
			v.unknown(o.volume.why)
		}
		v.method, v.unlock = orElse(v.method, o.volume.method), orElse(v.unlock, o.volume.unlock)
	}
	v.system = d.letter != "" && d.letter == system
	switch {
	case v.system:
		v.role = fact.RoleSystem
	case v.role == fact.RoleSystem, v.role == "" && d.letter != "":
		v.role = fact.RoleData // another Windows beside this one is data to it
	}
	v.data = v.system || v.role == fact.RoleData
	return v
}

// take makes the volume what a source says, but for what it is.
func (v *volume) take(o volume) {
	v.status, v.why, v.conversion = o.status, o.why, o.conversion
	v.protected, v.suspended, v.clash = o.protected, o.suspended, o.clash
}

// complete adds what the first source left open.
func (v *volume) complete(o volume) {
	if v.status == "" && o.status != "" {
		v.status, v.why, v.conversion = o.status, o.why, o.conversion
	}
	if !v.protected.said {
		v.protected = o.protected
	}
	if v.protected.is(false) && o.protected.is(false) && v.protected.why == "" {
		v.protected.why = o.protected.why
	}
	if !v.suspended.said {
		v.suspended = o.suspended
	}
}

// driveLetter is "C:" of C:, c:\ and C, or empty.
func driveLetter(s string) string {
	s = strings.ToUpper(strings.TrimRight(strings.TrimSpace(s), `:\`))
	if len(s) == 1 && s[0] >= 'A' && s[0] <= 'Z' {
		return s + ":"
	}
	return ""
}

// volumeID is the GUID of \\?\Volume{…}\, in lower case, or the text itself.
func volumeID(s string) string {
	if open, end := strings.IndexByte(s, '{'), strings.IndexByte(s, '}'); open >= 0 && end > open {
		s = s[open+1 : end]
	}
	return strings.ToLower(strings.TrimSpace(s))
}
