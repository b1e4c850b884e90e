package custom

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// maxCertificates bounds the certificates of one store, maxStoreFiles the files
// of one folder of certificates.
const (
	maxCertificates = 4096
	maxStoreFiles   = 512
)

// certificate is one element of the answer to evidence.AskCertificates.
type certificate struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	SHA256    string    `json:"sha256"`
}

// store is what was read of one store, and why it may not be all; empty: it is.
type store struct {
	list []certificate
	why  fact.Reason
}

// certificate finds a certificate by parts of its subject and issuer. Of
// several it takes one that is valid now, and of those the one that ends last.
func (l *looker) certificate(o observe.Observation) {
	s := l.store(o.Store)
	var best certificate
	found := false
	for _, c := range s.list {
		if contains(c.Subject, o.Subject) && contains(c.Issuer, o.Issuer) && (!found || l.better(c, best)) {
			best, found = c, true
		}
	}
	switch {
	case found:
		l.here(o)
		l.text(o, "issuer", best.Issuer)
		l.reading.Observe("expires_at", o.ID, fact.Time(best.NotAfter))
		l.text(o, "sha256", best.SHA256)
	case s.why != "":
		l.unknown(o, s.why)
	default:
		l.absent(o)
	}
}

func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

func (l *looker) better(a, b certificate) bool {
	now := l.machine.Now()
	valid := func(c certificate) bool { return !now.Before(c.NotBefore) && !now.After(c.NotAfter) }
	switch {
	case valid(a) != valid(b):
		return valid(a)
	case !a.NotAfter.Equal(b.NotAfter):
		return a.NotAfter.After(b.NotAfter)
	}
	return a.SHA256 < b.SHA256
}

// store reads a store once.
func (l *looker) store(name string) store {
	if s, ok := l.stores[name]; ok {
		return s
	}
	var s store
	switch l.machine.System() {
	case evidence.Linux:
		s = l.linuxRoots()
	case evidence.MacOS:
		s = l.keychains(name)
	default:
		s = l.asked(map[string]string{
			observe.StoreRoot: "Root", observe.StoreIntermediate: "CA", observe.StoreMachine: "My", observe.StorePublisher: "TrustedPublisher",
		}[name])
	}
	if name == observe.StoreRoot && len(s.list) == 0 && s.why == "" {
		s.why = fact.ReasonUnreadable // a machine without any authority does not exist
	}
	if l.stores == nil {
		l.stores = map[string]store{}
	}
	l.stores[name] = s
	return s
}

// asked asks the system for one of its stores.
func (l *looker) asked(name string) store {
	l.reading.From("certificates " + name)
	answer, err := l.machine.Ask(l.ctx, evidence.AskCertificates, name)
	if err != nil {
		return store{why: evidence.ReasonOf(err)}
	}
	var list []certificate
	if json.Unmarshal(answer, &list) != nil {
		return store{why: fact.ReasonUnreadable}
	}
	return store{list: list}
}

// keychains are those of the whole machine: what Apple ships lies in one, what
// was added and the machine's own in the other.
func (l *looker) keychains(name string) store {
	s := l.asked("system")
	if name == observe.StoreRoot {
		roots := l.asked("roots")
		s.list = append(s.list, roots.list...)
		if s.why == "" {
			s.why = roots.why
		}
	}
	return s
}

// bundles are what the distributions' tools make of all authorities in force
// (update-ca-certificates(8), update-ca-trust(8)); anchors is where
// administrators put theirs, and /etc/ssl/certs where OpenSSL looks.
func bundles() []string {
	return []string{"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/ca-bundle.pem", "/etc/ca-certificates/extracted/tls-ca-bundle.pem"}
}

func anchors() []string {
	return []string{"/etc/ssl/certs", "/usr/local/share/ca-certificates", "/etc/pki/ca-trust/source/anchors", "/etc/ca-certificates/trust-source/anchors", "/etc/pki/trust/anchors"}
}

// hashed are the second names that c_rehash(1) gives to certificates.
var hashed = regexp.MustCompile(`^[0-9a-f]{8}\.r?[0-9]+$`)

// linuxRoots reads the authorities of Linux. One that cannot be read leaves
// open what is in it.
func (l *looker) linuxRoots() store {
	all := &pemFiles{seen: map[string]bool{}}
	for _, file := range bundles() {
		l.pemFile(all, file)
	}
	for _, dir := range anchors() {
		names, err := l.machine.ReadDir(l.ctx, dir)
		if err != nil {
			all.missed(evidence.ReasonOf(err))
			continue
		}
		read := 0
		for _, name := range names {
			if hashed.MatchString(name) {
				continue
			}
			if read++; read > maxStoreFiles {
				all.missed(fact.ReasonTruncated)
				break
			}
			l.pemFile(all, path.Join(dir, name))
		}
		l.reading.From(dir)
	}
	return store{list: all.list, why: all.why}
}

// pemFiles gathers certificates, each once.
type pemFiles struct {
	list []certificate
	seen map[string]bool
	why  fact.Reason
}

func (p *pemFiles) missed(why fact.Reason) {
	if p.why == "" && why != fact.ReasonNotFound {
		p.why = why
	}
}

func (l *looker) pemFile(p *pemFiles, file string) {
	info, err := l.machine.Stat(l.ctx, file)
	if err != nil || !info.Mode.IsRegular() {
		if err != nil {
			p.missed(evidence.ReasonOf(err))
		}
		return
	}
	data, err := l.machine.ReadFile(l.ctx, file)
	if err != nil {
		p.missed(evidence.ReasonOf(err))
		return
	}
	if len(data) >= evidence.MaxFile {
		p.missed(fact.ReasonTruncated)
	}
	p.add(data)
}

// add reads the certificates in a text and passes over all else. A file that is
// one certificate in DER counts too.
func (p *pemFiles) add(data []byte) {
	if !strings.Contains(string(data), "-----BEGIN ") {
		p.der(data)
		return
	}
	for len(p.list) < maxCertificates {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return
		}
		if block.Type == "CERTIFICATE" || block.Type == "TRUSTED CERTIFICATE" || block.Type == "X509 CERTIFICATE" {
			p.der(block.Bytes)
		}
	}
	p.missed(fact.ReasonTruncated)
}

func (p *pemFiles) der(data []byte) {
	c, err := x509.ParseCertificate(data)
	if err != nil {
		return
	}
	digest := sha256.Sum256(c.Raw)
	sum := hex.EncodeToString(digest[:])
	if p.seen[sum] {
		return
	}
	p.seen[sum] = true
	p.list = append(p.list, certificate{
		Subject: c.Subject.String(), Issuer: c.Issuer.String(), NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(), SHA256: sum,
	})
}
