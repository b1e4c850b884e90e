package machine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/postern-zt/postern/posture/evidence"
)

// selfSigned makes a certificate in DER, with serial number 42.
func selfSigned(t testing.TB, name string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(42), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), NotAfter: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func FuzzRegValue(f *testing.F) {
	for kind := range uint32(13) {
		f.Add(kind, wideBytes("a\x00b\x00\x00"))
		f.Add(kind, []byte{1, 0, 0, 0})
	}
	f.Fuzz(func(t *testing.T, kind uint32, data []byte) {
		v := regValue("n", kind, data)
		if !strings.HasPrefix(v.Type, "REG_") || !utf8.ValidString(v.Data) || len(v.Data) > 3*len(data)+20 {
			t.Errorf("%+v", v)
		}
	})
}

func FuzzImagePath(f *testing.F) {
	f.Add(`"C:\a b\c.exe" -x`)
	f.Add(`\SystemRoot\x.sys`)
	f.Add(`\??\`)
	f.Add("\xee.eXe") // lower case has more bytes
	f.Add(`C:\İİ.EXE -x`)
	f.Fuzz(func(t *testing.T, line string) {
		if got := imagePath(line, `C:\Windows`); got != "" && !strings.Contains(got, `\`) {
			t.Errorf("%q is no path", got)
		}
	})
}

func FuzzParseCodesign(f *testing.F) {
	f.Add("Identifier=x\nTeamIdentifier=not set\nAuthority=A\n", 0)
	f.Add("/x: code object is not signed at all\n", 1)
	f.Fuzz(func(t *testing.T, text string, code int) {
		s := parseCodesign(evidence.Output{Stderr: []byte(text), Code: code}, evidence.Output{Stderr: []byte(text)})
		if s.Valid != (code == 0) || len(s.Error) > 200 || len(s.Signer)+len(s.TeamID)+len(s.Identifier) > len(text) {
			t.Errorf("%+v", s)
		}
	})
}

func FuzzCertificatesInPEM(f *testing.F) {
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: selfSigned(f, "x")}))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, c := range certificatesInPEM(text) {
			if len(c.SHA256) != 64 || c.Serial == "" {
				t.Errorf("%+v", c)
			}
		}
	})
}

func FuzzSysctlText(f *testing.F) {
	f.Add("kern.boottime", []byte{1, 2, 3})
	f.Add("vm.swapusage", make([]byte, 32))
	f.Add("x", []byte("text\x00"))
	f.Fuzz(func(t *testing.T, name string, raw []byte) {
		if v, err := sysctlText(name, raw); err == nil && len(v) > len(raw)+128 {
			t.Errorf("%d bytes became %q", len(raw), v)
		}
	})
}
