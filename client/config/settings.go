// Package config reads the settings: flag over file over default, each value with its origin.
package config

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"log/slog"

	"github.com/postern-zt/postern/posture/observe"
)

// Keys of the settings file.
const (
	KeyBroker    = "broker"
	KeyBrokerCA  = "broker_ca"
	KeyToken     = "enrolment_token"
	KeyTokenFile = "enrolment_token_file"
	KeyCatalogue = "edr_catalogue"
	KeyName      = "device_name"
	KeyLogLevel  = "log_level"
	KeyObserve   = "observations"
	KeyManagedBy = "managed_by"
	KeySupport   = "support"
)

// Origin says where an effective value comes from.
type Origin string

// The origins, weakest first. The zero value is none of them and goes with no value.
const (
	OriginDefault Origin = "default"
	OriginFile    Origin = "file"
	OriginFlag    Origin = "flag" // of the program's own command line
)

// Value is one effective value and where it comes from.
type Value[T any] struct {
	V      T
	Origin Origin
}

// Settings are the effective settings. The zero value names no broker and so
// leads nowhere.
type Settings struct {
	// File is the path of the settings file, whether or not it is there.
	File string
	// Broker is the broker's address, https://host[:port], "" if none is set.
	Broker Value[string]
	// BrokerCA is the absolute path of the PEM file with the organisation's own
	// certification authorities, "" for those of the system.
	BrokerCA Value[string]
	// EnrolmentToken admits this device at its first contact with the broker.
	EnrolmentToken Value[Secret]
	// DeviceName is how people shall see this machine named.
	DeviceName Value[string]
	// ManagedBy is the organisation's name, and Support how to reach its
	// helpdesk, as people shall see them.
	ManagedBy, Support Value[string]
	// LogLevel is the least level that is logged.
	LogLevel Value[slog.Level]
	// Catalogue is what shipped, followed by the rows of the settings file,
	// whose Origin is fact.OriginUserSettings; every row is validated.
	Catalogue []observe.EDRRow
	// Observations are what the settings file asks to read beyond the built-in
	// signals; their Origin is fact.OriginUserSettings, and all are validated.
	Observations []observe.Observation
	// Forbid is what nobody may have read here, the broker neither.
	Forbid Value[observe.Forbid]
	// Warnings are what is odd but harmless.
	Warnings []Problem
	// Files are the absolute paths of all files that were looked at, whether or
	// not they are there: when one of them changes, the settings may.
	Files []string

	roots *x509.CertPool
	sum   [sha256.Size]byte // of what was found in Files
}

// Same reports whether nothing was other in the files when s was loaded than
// when t was, what is wrong with them included.
func (s Settings) Same(t Settings) bool { return s.File == t.File && s.sum == t.sum }

// BrokerRoots is the pool of BrokerCA, which replaces the system's: the broker's
// certificate must come from one of these. nil means those of the system.
func (s Settings) BrokerRoots() *x509.CertPool { return s.roots }

// NeedBroker is nil if a broker is configured, and otherwise the error that
// tells a person how to configure one.
func (s Settings) NeedBroker() error {
	if s.Broker.V != "" {
		return nil
	}
	return fmt.Errorf("no broker configured: set `%s` in %s", KeyBroker, s.File)
}

// Overrides are values of the command line; "" leaves the file's or the default.
type Overrides struct {
	File               string // of settings, in place of the usual one; it must then be there
	Broker             string
	BrokerCA           string // relative to the working folder
	EnrolmentTokenFile string // relative to the working folder
	DeviceName         string
	LogLevel           string
}

// Secret is a string that no print, log line or JSON shows.
type Secret struct{ s string }

// NewSecret makes a Secret.
func NewSecret(s string) Secret { return Secret{s} }

// Reveal gives the string itself.
func (s Secret) Reveal() string { return s.s }

// IsSet reports whether there is anything in it.
func (s Secret) IsSet() bool { return s.s != "" }

// String is "(secret)", whatever is inside.
func (Secret) String() string { return "(secret)" }

// GoString is for %#v.
func (Secret) GoString() string { return "config.Secret(secret)" }

// MarshalText is for JSON, YAML and slog.
func (Secret) MarshalText() ([]byte, error) { return []byte("(secret)"), nil }
