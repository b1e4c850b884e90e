package disk

import (
	"context"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// container is an APFS container with its volumes (Apple File System
// Reference): the disks it lies on, and whether they are built in.
type container struct {
	stores   []string // such as disk0s2
	internal truth
	all      []apfsVolume
}

// apfsVolume is what diskutil says of one volume.
type apfsVolume struct {
	uuid, name string
	roles      []string
	point      string // where it, or a snapshot of it, is mounted; empty: not told
	vault      truth  // FileVault: its key needs a person
	encrypted  truth  // with a key that the machine may hold by itself
	locked     bool
	migrating  bool // encryption or decryption runs
	decrypting bool
}

// apfsContainers lists the containers: structured, or from the text for people.
func apfsContainers(ctx context.Context, r *evidence.Reading) ([]container, fact.Reason) {
	out, err := evidence.Text(ctx, r.Machine(), "diskutil", "apfs", "list", "-plist")
	switch why := evidence.ReasonOf(err); {
	case err == nil:
		if found := parseAPFSPlist(out); len(found) > 0 {
			r.From("diskutil apfs list -plist")
			return found, ""
		}
	case why.Transient(), why == fact.ReasonNeedsPrivilege:
		return nil, why
	}
	text, textErr := evidence.Text(ctx, r.Machine(), "diskutil", "apfs", "list")
	if textErr == nil {
		if found := parseAPFSText(string(text)); len(found) > 0 {
			r.From("diskutil apfs list")
			return found, ""
		}
		return nil, fact.ReasonUnreadable
	}
	if err != nil {
		return nil, evidence.ReasonOf(err)
	}
	return nil, fact.ReasonUnreadable
}

// internalDisks notes which containers lie on disks inside the machine, and
// lists the volumes on them that are not of APFS and in use; or why that list
// may lack some.
func internalDisks(ctx context.Context, r *evidence.Reading, containers []container) ([]volume, fact.Reason) {
	out, err := evidence.Text(ctx, r.Machine(), "diskutil", "list", "-plist", "internal", "physical")
	var whole []string
	var volumes []volume
	var why fact.Reason
	switch {
	case err != nil && refused(evidence.ReasonOf(err)):
		why = evidence.ReasonOf(err)
	case err == nil:
		root, bad := evidence.ParsePlist(out)
		whole, volumes = texts(child(root, "WholeDisks")), plainVolumes(root)
		if _, listed := child(root, "AllDisksAndPartitions").([]any); bad != nil || !listed {
			why = fact.ReasonUnreadable
		}
	}
	for i, c := range containers {
		switch {
		case err != nil:
			containers[i].internal = unclear(evidence.ReasonOf(err))
		case len(whole) == 0 || len(c.stores) == 0:
			containers[i].internal = unclear(fact.ReasonUnreadable)
		default:
			inside := !slices.ContainsFunc(c.stores, func(s string) bool { return !slices.Contains(whole, wholeDisk(s)) })
			containers[i].internal = truth{said: true, value: inside}
			r.From("diskutil list internal")
		}
	}
	return volumes, why
}

// plainVolumes lists the mounted partitions that hold a file system other than
// APFS: HFS+, or what Windows and cameras use. macOS mounts none of them that
// is encrypted, as CoreStorage has a type of its own and it cannot open
// BitLocker's volumes.
func plainVolumes(root any) []volume {
	var out []volume
	disks, _ := child(root, "AllDisksAndPartitions").([]any)
	for _, disk := range disks[:min(len(disks), fact.MaxEntries)] {
		partitions, _ := child(disk, "Partitions").([]any)
		for _, p := range partitions[:min(len(partitions), fact.MaxEntries)] {
			point := text1(child(p, "MountPoint"))
			if point == "" || point == "/" || !holdsData(text1(child(p, "Content"))) {
				continue
			}
			v := volume{key: orElse(text1(child(p, "VolumeUUID")), text1(child(p, "DeviceIdentifier"))), name: point, role: fact.RoleData, data: true}
			v.open()
			out = append(out, v)
		}
	}
	return out
}

// holdsData tells by a partition's type, in diskutil's words, whether a file
// system with people's data may lie on it.
func holdsData(content string) bool {
	switch content {
	case "", "EFI", "Apple_Boot", "Apple_Recovery", "Apple_CoreStorage":
		return false
	}
	return !strings.HasPrefix(content, "Apple_APFS")
}

// wholeDisk is disk0 of disk0s2.
func wholeDisk(store string) string {
	rest, ok := strings.CutPrefix(store, "disk")
	if !ok {
		return store
	}
	number, _, _ := strings.Cut(rest, "s")
	return "disk" + number
}

// parseAPFSPlist reads `diskutil apfs list -plist`.
func parseAPFSPlist(data []byte) []container {
	root, err := evidence.ParsePlist(data)
	if err != nil {
		return nil
	}
	var out []container
	list, _ := child(root, "Containers").([]any)
	for _, entry := range list[:min(len(list), fact.MaxEntries)] {
		var c container
		stores, _ := child(entry, "PhysicalStores").([]any)
		for _, s := range stores {
			c.stores = append(c.stores, text1(child(s, "DeviceIdentifier")))
		}
		volumes, _ := child(entry, "Volumes").([]any)
		for _, v := range volumes[:min(len(volumes), 2*fact.MaxEntries)] {
			migrating, _ := child(v, "CryptoMigrationOn").(bool)
			direction := strings.ToLower(text1(child(v, "CryptoMigrationDirection")))
			locked, _ := child(v, "Locked").(bool)
			c.all = append(c.all, apfsVolume{
				uuid: text1(child(v, "APFSVolumeUUID")), name: text1(child(v, "Name")), roles: texts(child(v, "Roles")),
				point: text1(child(v, "MountPoint")),
				vault: boolTruth(child(v, "FileVault")), encrypted: boolTruth(child(v, "Encryption")),
				migrating: migrating, decrypting: strings.HasPrefix(direction, "decrypt"), locked: locked,
			})
		}
		out = append(out, c)
	}
	return out
}

func child(v any, key string) any {
	dict, _ := v.(map[string]any)
	return dict[key]
}

func text1(v any) string {
	s, _ := v.(string)
	return s
}

func texts(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func boolTruth(v any) truth {
	b, ok := v.(bool)
	if v != nil && !ok {
		return unclear(fact.ReasonMalformed)
	}
	return truth{said: ok, value: b}
}

// parseAPFSText reads `diskutil apfs list`: a tree whose drawing may be lost.
// Labels are matched at their beginning, as "Snapshot Mount Point" holds
// another label inside.
func parseAPFSText(text string) []container {
	var out []container
	for line := range strings.Lines(text) {
		line = strings.TrimLeft(strings.TrimSpace(line), "|+-<> ")
		words := strings.Fields(line)
		label, value, _ := strings.Cut(line, ":")
		if value = strings.TrimSpace(value); len(words) == 0 {
			continue
		}
		switch {
		case words[0] == "Container" && len(words) > 1 && strings.HasPrefix(words[1], "disk"), len(out) == 0 && words[0] == "Physical":
			out = append(out, container{})
		case words[0] == "Volume" && len(words) > 2 && strings.HasPrefix(words[1], "disk"):
			if len(out) == 0 {
				out = append(out, container{})
			}
		}
		if len(out) == 0 || len(out) > fact.MaxEntries {
			continue
		}
		c := &out[len(out)-1]
		switch {
		case words[0] == "Physical" && len(words) > 2 && words[1] == "Store":
			c.stores = append(c.stores, words[2])
		case words[0] == "Volume" && len(words) > 2 && strings.HasPrefix(words[1], "disk"):
			c.all = append(c.all, apfsVolume{uuid: words[2]})
		case len(c.all) > 0 && len(c.all) <= 2*fact.MaxEntries:
			c.all[len(c.all)-1].line(label, value)
		}
	}
	return slices.DeleteFunc(out, func(c container) bool { return len(c.all) == 0 })
}

// line takes one "label: value" of a volume.
func (v *apfsVolume) line(label, value string) {
	switch label {
	case "APFS Volume Disk (Role)":
		if open := strings.IndexByte(value, '('); open >= 0 {
			role := strings.TrimSuffix(value[open+1:], ")")
			v.roles = strings.FieldsFunc(role, func(r rune) bool { return r == ',' || r == ' ' })
		}
	case "Name":
		v.name = value
		if open := strings.LastIndex(value, " ("); open > 0 && strings.HasSuffix(value, ")") {
			v.name = value[:open] // how it compares names
		}
	case "Mount Point", "Snapshot Mount Point":
		if strings.HasPrefix(value, "/") && v.point != "/" {
			v.point = value
		}
	case "FileVault":
		v.vault, v.locked = yesNo(value), v.locked || strings.Contains(value, "Locked)")
	case "Encrypted":
		v.encrypted = yesNo(value)
	case "Encryption Progress", "Conversion Progress":
		v.migrating, v.vault = true, orSaid(v.vault, yes())
	case "Decryption Progress":
		v.migrating, v.decrypting, v.vault = true, true, orSaid(v.vault, yes())
	case "Conversion Status":
		v.migrating = v.migrating || strings.Contains(value, "ing")
		v.decrypting = v.decrypting || strings.Contains(strings.ToLower(value), "decrypt")
	}
}

func orSaid(t, otherwise truth) truth {
	if t.said {
		return t
	}
	return otherwise
}

// yesNo reads "Yes (Unlocked)", "No (Encrypted at rest)" and the like.
func yesNo(s string) truth {
	word, _, _ := strings.Cut(s, " ")
	switch word {
	case "Yes":
		return yes()
	case "No":
		return no("")
	}
	return unclear(fact.ReasonUnreadable)
}
