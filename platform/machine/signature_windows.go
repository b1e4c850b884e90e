package machine

import (
	"crypto/x509"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Codes that say that a file carries no signature of its own.
const (
	trustNoSignature     = 0x800b0100
	trustUnknownSubject  = 0x800b0003
	trustUnknownProvider = 0x800b0001
)

// askSignature verifies a program's signature, or else looks for the file in
// the catalogues of the system, which sign most of Windows itself. Nothing is
// asked of the network: whether a certificate was withdrawn is not looked up.
func askSignature(path string) (any, error) {
	if err := isFile(path); err != nil {
		return nil, err
	}
	s, c := verifyFile(path)
	if c == trustNoSignature || c == trustUnknownSubject || c == trustUnknownProvider {
		if byCatalogue, found := verifyByCatalogue(path); found {
			return byCatalogue, nil
		}
	}
	return s, nil
}

func isFile(path string) error {
	attributes, err := windows.GetFileAttributes(wideText(path))
	if err == nil && attributes&windows.FILE_ATTRIBUTE_DIRECTORY != 0 {
		return code(0x10b) // not a file: the directory name is invalid
	}
	return err
}

func verifyFile(path string) (signature, code) {
	file := windows.WinTrustFileInfo{FilePath: wideText(path)}
	file.Size = uint32(unsafe.Sizeof(file))
	return verify(windows.WTD_CHOICE_FILE, unsafe.Pointer(&file))
}

// verify asks without windows, and from what is on this machine only.
func verify(choice uint32, what unsafe.Pointer) (signature, code) {
	data := windows.WinTrustData{
		UIChoice: windows.WTD_UI_NONE, RevocationChecks: windows.WTD_REVOKE_NONE,
		UnionChoice: choice, FileOrCatalogOrBlobOrSgnrOrCert: what,
		StateAction: windows.WTD_STATEACTION_VERIFY,
		ProvFlags:   windows.WTD_REVOCATION_CHECK_NONE | windows.WTD_CACHE_ONLY_URL_RETRIEVAL,
	}
	data.Size = uint32(unsafe.Sizeof(data))
	action := windows.WINTRUST_ACTION_GENERIC_VERIFY_V2
	err := windows.WinVerifyTrustEx(windows.InvalidHWND, &action, &data)
	out := signature{Valid: err == nil, Signer: signerOf(data.StateData)}
	c, known := codeOf(err)
	switch {
	case known:
		out.Error = c.String()
	case err != nil:
		out.Error = err.Error()
	}
	data.StateAction = windows.WTD_STATEACTION_CLOSE
	windows.WinVerifyTrustEx(windows.InvalidHWND, &action, &data) // frees what the first call kept
	return out, c
}

// signerOf names the signer in the state that a verification left.
func signerOf(state windows.Handle) string {
	if state == 0 {
		return ""
	}
	var found [3]uintptr // provider's data, signer, certificate
	for i, f := range []struct {
		name string
		more []uintptr
	}{{"WTHelperProvDataFromStateData", nil}, {"WTHelperGetProvSignerFromChain", []uintptr{0, 0, 0}}, {"WTHelperGetProvCertFromChain", []uintptr{0}}} {
		p, err := procedure("wintrust.dll", f.name)
		if err != nil {
			return ""
		}
		from := uintptr(state)
		if i > 0 {
			from = found[i-1]
		}
		if found[i], _, _ = p.Call(append([]uintptr{from}, f.more...)...); found[i] == 0 {
			return ""
		}
	}
	// CRYPT_PROVIDER_CERT begins with its size and the certificate.
	cert := *(**struct {
		size    uint32
		context *windows.CertContext
	})(unsafe.Pointer(&found[2]))
	if cert.context == nil {
		return ""
	}
	parsed, err := x509.ParseCertificate(encoded(cert.context))
	if err != nil {
		return ""
	}
	if parsed.Subject.CommonName == "" && len(parsed.Subject.Organization) > 0 {
		return parsed.Subject.Organization[0]
	}
	return parsed.Subject.CommonName
}
