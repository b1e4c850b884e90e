package wine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// certificateSeed is a registry file that puts a certificate into the machine's
// own store: below its SHA-1, as properties with a number, a 1 and a length, of
// which 32 is the certificate itself.
func certificateSeed() (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(42), Subject: pkix.Name{CommonName: "Postern Test"},
		NotBefore: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), NotAfter: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return "", err
	}
	var blob []byte
	for _, n := range []int{32, 1, len(der)} {
		blob = binary.LittleEndian.AppendUint32(blob, uint32(n))
	}
	blob = append(blob, der...)
	const my = `HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\SystemCertificates\My\Certificates`
	bytes := make([]string, len(blob))
	for i, b := range blob {
		bytes[i] = fmt.Sprintf("%02x", b)
	}
	// Those of earlier runs are taken away.
	return fmt.Sprintf("Windows Registry Editor Version 5.00\n\n[-%s]\n\n[%s\\%X]\n\"Blob\"=hex:%s\n",
		my, my, sha1.Sum(der), strings.Join(bytes, ",")), nil
}
