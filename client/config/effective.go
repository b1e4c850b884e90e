package config

import (
	"strings"

	"github.com/postern-zt/postern/posture/fact"
)

// Effective is one setting as it counts, for people. Secrets read "(secret)".
type Effective struct {
	Key, Value string
	Origin     Origin
	Source     string // the file it was read from, "" for other origins
}

// Effective lists every setting in the order of its key's name in this file.
func (s Settings) Effective() []Effective {
	var out []Effective
	add := func(key, value string, origin Origin) {
		e := Effective{Key: key, Value: value, Origin: origin}
		if origin == OriginFile {
			e.Source = s.File
		}
		out = append(out, e)
	}
	token := ""
	if s.EnrolmentToken.V.IsSet() {
		token = s.EnrolmentToken.V.String()
	}
	add(KeyBroker, s.Broker.V, s.Broker.Origin)
	add(KeyBrokerCA, s.BrokerCA.V, s.BrokerCA.Origin)
	add(KeyToken, token, s.EnrolmentToken.Origin)
	add(KeyName, s.DeviceName.V, s.DeviceName.Origin)
	add(KeyLogLevel, strings.ToLower(s.LogLevel.V.String()), s.LogLevel.Origin)
	add(KeyManagedBy, s.ManagedBy.V, s.ManagedBy.Origin)
	add(KeySupport, s.Support.V, s.Support.Origin)
	add(KeyCatalogue, s.ownRows(), originOf(s.ownRows() != ""))
	add(KeyObserve+".read", s.observed(), originOf(len(s.Observations) > 0))
	add(KeyObserve+".forbid", s.forbidden(), s.Forbid.Origin)
	return out
}

func originOf(set bool) Origin {
	if set {
		return OriginFile
	}
	return OriginDefault
}

// ownRows names the products that the file adds to the shipped catalogue.
func (s Settings) ownRows() string {
	var ids []string
	for _, r := range s.Catalogue {
		if r.Origin == fact.OriginUserSettings {
			ids = append(ids, r.ID)
		}
	}
	return strings.Join(ids, ", ")
}

func (s Settings) observed() string {
	var ids []string
	for _, o := range s.Observations {
		ids = append(ids, o.ID)
	}
	return strings.Join(ids, ", ")
}

func (s Settings) forbidden() string {
	f := s.Forbid.V
	var parts []string
	if len(f.Kinds) > 0 {
		parts = append(parts, "kinds: "+strings.Join(f.Kinds, ", "))
	}
	if len(f.Paths) > 0 {
		parts = append(parts, "paths: "+strings.Join(f.Paths, ", "))
	}
	return strings.Join(parts, "; ")
}
