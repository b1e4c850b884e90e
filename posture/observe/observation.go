package observe

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/fact"
)

// OrgPrefix begins every id that the broker or managed settings may declare.
const OrgPrefix = "org/"

// MaxObservations is how many observations one document or one settings file
// may declare. A report carries as many entries at most (fact.MaxEntries).
const MaxObservations = 64

// Kinds of observations.
const (
	KindProcess     = "process"
	KindFile        = "file"
	KindRegistry    = "registry"
	KindPlist       = "plist"
	KindCertificate = "certificate"
	KindPackage     = "package"
	KindEDR         = "edr" // no observation: the word by which Forbid means the rows of a catalogue
)

// Systems, as GOOS and posture/evidence name them.
const (
	Linux   = "linux"
	Windows = "windows"
	MacOS   = "darwin"
)

// What Read may ask for beside whether a thing is there.
const (
	ReadSHA256 = "sha256" // of a file or a program
	ReadSigner = "signer" // of a program; Windows and macOS
)

// Stores of certificates.
const (
	StoreRoot         = "root"         // authorities that the machine has
	StoreIntermediate = "intermediate" // Windows
	StoreMachine      = "machine"      // certificates of the machine itself: Windows, macOS
	StorePublisher    = "publisher"    // trusted publishers: Windows
)

// Managers of packages.
const (
	ManagerDpkg      = "dpkg"
	ManagerRPM       = "rpm"
	ManagerPacman    = "pacman"
	ManagerAPK       = "apk"
	ManagerUninstall = "uninstall" // Windows: what "Apps & features" lists for all users
	ManagerApp       = "app"       // macOS: /Applications/NAME.app
	ManagerReceipt   = "receipt"   // macOS: a receipt of the installer, by package identifier
)

// Observation is one thing to read on a machine. It never says which value is
// a good one: that is for the policy alone.
type Observation struct {
	ID      string   `yaml:"id" json:"id"` // "org/name", or "local/name" from a user's settings
	Kind    string   `yaml:"kind" json:"kind"`
	Systems []string `yaml:"systems,omitempty" json:"systems,omitempty"` // empty: wherever the form has a meaning

	Path    string   `yaml:"path,omitempty" json:"path,omitempty"`       // process, file, plist
	Read    []string `yaml:"read,omitempty" json:"read,omitempty"`       // process, file: Read…
	Key     string   `yaml:"key,omitempty" json:"key,omitempty"`         // registry: HKLM\…
	Name    string   `yaml:"name,omitempty" json:"name,omitempty"`       // registry: of the value, empty: only whether the key is there; package
	Keys    []string `yaml:"keys,omitempty" json:"keys,omitempty"`       // plist: the way through its dictionaries
	Store   string   `yaml:"store,omitempty" json:"store,omitempty"`     // certificate: Store…
	Subject string   `yaml:"subject,omitempty" json:"subject,omitempty"` // certificate: a part of its subject
	Issuer  string   `yaml:"issuer,omitempty" json:"issuer,omitempty"`   // certificate: a part of its issuer
	Manager string   `yaml:"manager,omitempty" json:"manager,omitempty"` // package: Manager…, empty: whichever the system has

	Origin string `yaml:"-" json:"-"` // fact.Origin…, set by whoever loaded it
}

// form is what one kind of observation may say.
type form struct {
	fields  []string                     // members, beside id, kind and systems
	reads   []string                     // words of Read
	systems func(o Observation) []string // where it has a meaning
	check   func(o Observation) error    // the rest
	facts   func(o Observation) []string // what it sets, beside kind and origin
}

func forms() map[string]form {
	reads := func(o Observation) []string { return o.Read }
	return map[string]form{
		KindProcess: {[]string{"path", "read"}, []string{ReadSHA256, ReadSigner}, byPath, needPath, func(o Observation) []string {
			return append([]string{"present", "running"}, reads(o)...)
		}},
		KindFile: {[]string{"path", "read"}, []string{ReadSHA256}, byPath, needPath, func(o Observation) []string {
			return append([]string{"present"}, reads(o)...)
		}},
		KindRegistry: {[]string{"key", "name"}, nil, on(Windows), checkRegistry, func(o Observation) []string {
			if o.Name == "" {
				return []string{"present"}
			}
			return []string{"present", "value"}
		}},
		KindPlist:       {[]string{"path", "keys"}, nil, on(MacOS), checkPlist, sets("present", "value")},
		KindCertificate: {[]string{"store", "subject", "issuer"}, nil, byStore, checkCertificate, sets("present", "issuer", "expires_at", "sha256")},
		KindPackage:     {[]string{"name", "manager"}, nil, byManager, checkPackage, sets("present", "version")},
	}
}

func on(systems ...string) func(Observation) []string {
	return func(Observation) []string { return systems }
}

func sets(fields ...string) func(Observation) []string {
	return func(Observation) []string { return fields }
}

// Kinds lists the kinds of observations, sorted.
func Kinds() []string {
	return []string{KindCertificate, KindFile, KindPackage, KindPlist, KindProcess, KindRegistry}
}

// Where lists the systems that the observation is read on.
func (o Observation) Where() []string {
	f, ok := forms()[o.Kind]
	if !ok {
		return nil
	}
	may := f.systems(o)
	if len(o.Systems) == 0 {
		return may
	}
	return slices.DeleteFunc(slices.Clone(o.Systems), func(s string) bool { return !slices.Contains(may, s) })
}

// On reports whether the observation is read on a system.
func (o Observation) On(system string) bool { return slices.Contains(o.Where(), system) }

// Facts lists the fields of the signal custom that the observation sets beside
// kind and origin.
func (o Observation) Facts() []string {
	f, ok := forms()[o.Kind]
	if !ok {
		return nil
	}
	return f.facts(o)
}

var observationID = regexp.MustCompile(`^(local|org)/[a-z0-9][a-z0-9-]{0,62}$`)

// Validate checks one observation by itself.
func (o Observation) Validate() error {
	if !observationID.MatchString(o.ID) {
		return fmt.Errorf("observation %q: an id is org/ or, in a user's settings, local/ and then lower-case letters, digits and dashes", fact.Clip(o.ID))
	}
	local := strings.HasPrefix(o.ID, LocalPrefix)
	switch user := o.Origin == fact.OriginUserSettings; {
	case user && !local:
		return fmt.Errorf("observation %s: one from a user's settings must have an id that begins with %s, so that it cannot stand for the organisation's", o.ID, LocalPrefix)
	case !user && local:
		return fmt.Errorf("observation %s: ids that begin with %s belong to users' settings", o.ID, LocalPrefix)
	}
	f, ok := forms()[o.Kind]
	if !ok {
		return fmt.Errorf("observation %s: kind %q is none of %s", o.ID, fact.Clip(o.Kind), strings.Join(Kinds(), ", "))
	}
	if err := o.validate(f); err != nil {
		return fmt.Errorf("observation %s: %w", o.ID, err)
	}
	return nil
}

func (o Observation) validate(f form) error {
	for _, field := range o.used() {
		if !slices.Contains(f.fields, field) {
			return fmt.Errorf("%s has no meaning for the kind %s", field, o.Kind)
		}
	}
	if err := words("read", o.Read, f.reads); err != nil {
		return err
	}
	if err := words("systems", o.Systems, []string{Linux, Windows, MacOS}); err != nil {
		return err
	}
	if err := f.check(o); err != nil {
		return err
	}
	for _, s := range o.Systems {
		if !slices.Contains(f.systems(o), s) {
			return fmt.Errorf("systems: this form has no meaning on %s", s)
		}
	}
	if slices.Contains(o.Read, ReadSigner) && slices.Equal(o.Where(), []string{Linux}) {
		return fmt.Errorf("read: Linux knows no signer of a program")
	}
	return nil
}

// words checks a list of words of a closed list, each once.
func words(name string, list, known []string) error {
	for i, w := range list {
		if !slices.Contains(known, w) {
			return fmt.Errorf("%s: %q is none of %s", name, fact.Clip(w), strings.Join(known, ", "))
		}
		if slices.Contains(list[:i], w) {
			return fmt.Errorf("%s: %s is there twice", name, w)
		}
	}
	return nil
}

// used lists the members of a form that are set, by their names in a file.
func (o Observation) used() []string {
	var out []string
	for f, v := range reflect.ValueOf(o).Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "id" && name != "kind" && name != "systems" && name != "-" && !v.IsZero() {
			out = append(out, name)
		}
	}
	return out
}

// plain is an Observation that is decoded as any struct.
type plain Observation

// UnmarshalJSON refuses members that no observation has: what is not
// understood could narrow what is to be read.
func (o *Observation) UnmarshalJSON(data []byte) error {
	var p plain
	if err := known(data, reflect.TypeFor[plain](), &p); err != nil {
		return fmt.Errorf("observation: %w", err)
	}
	*o = Observation(p)
	return nil
}

// known decodes an object whose members must all be declared, in their very case.
func known(data []byte, t reflect.Type, into any) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "-" {
			delete(members, name)
		}
	}
	for name := range members {
		return fmt.Errorf("there is no member %q", fact.Clip(name))
	}
	return json.Unmarshal(data, into)
}
