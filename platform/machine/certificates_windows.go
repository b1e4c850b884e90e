package machine

import (
	"bytes"
	"errors"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// askCertificates lists one store of the machine: root, intermediate, machine
// or publisher, or one by the name that Windows has for it, such as My or
// LocalMachine\My ("System Store Locations").
func askCertificates(store string) (any, error) {
	name, _ := strings.CutPrefix(strings.ToLower(store), `localmachine\`)
	if known, ok := map[string]string{"intermediate": "CA", "machine": "My", "publisher": "TrustedPublisher"}[name]; ok {
		name = known
	}
	if name == "" || strings.ContainsAny(name, `\/`) {
		return nil, unsupported("ask certificates " + store)
	}
	const flags = windows.CERT_SYSTEM_STORE_LOCAL_MACHINE | windows.CERT_STORE_READONLY_FLAG | windows.CERT_STORE_OPEN_EXISTING_FLAG
	h, err := windows.CertOpenStore(windows.CERT_STORE_PROV_SYSTEM, 0, 0, flags, uintptr(unsafe.Pointer(wideText(name))))
	if err != nil {
		return nil, err
	}
	defer windows.CertCloseStore(h, 0)
	out := []certificate{}
	var at *windows.CertContext
	for {
		// The call frees the context it is given.
		at, err = windows.CertEnumCertificatesInStore(h, at)
		if at == nil {
			break
		}
		if c, ok := describe(encoded(at)); ok {
			out = append(out, c)
		}
		if len(out) > maxCertificates {
			windows.CertFreeCertificateContext(at)
			return nil, &evidence.Error{Reason: fact.ReasonTruncated, Op: "ask certificates " + store}
		}
	}
	const atEnd, noFiles = 0x80092004, windows.ERROR_NO_MORE_FILES // CRYPT_E_NOT_FOUND
	if c, ok := codeOf(err); ok && c != atEnd && !errors.Is(err, noFiles) {
		return nil, err
	}
	return out, nil
}

// encoded is a copy of a certificate in DER.
func encoded(c *windows.CertContext) []byte {
	return bytes.Clone(unsafe.Slice(c.EncodedCert, int(c.Length)))
}
