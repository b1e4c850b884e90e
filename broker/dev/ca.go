package dev

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"time"

	"github.com/postern-zt/postern/platform/files"
)

// life of the certificates: made on this machine, used on this machine. They
// begin two days ago so that a skewed clock does not matter.
const (
	certLife = 10 * 365 * 24 * time.Hour
	certPast = 48 * time.Hour
)

// certificates makes a CA of this state folder's own and the broker's
// certificate for loopback, once.
func (l layout) certificates() error {
	if _, err := files.ReadOwnerOnly(l.serverCert(), 64<<10); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := template("Postern development CA")
	ca.IsCA, ca.BasicConstraintsValid, ca.MaxPathLenZero = true, true, true
	ca.KeyUsage = x509.KeyUsageCertSign
	// The CA is trusted by whoever is told to; it can vouch for loopback only.
	_, v4, _ := net.ParseCIDR("127.0.0.0/8")
	_, v6, _ := net.ParseCIDR("::1/128")
	ca.PermittedDNSDomainsCritical, ca.PermittedIPRanges, ca.PermittedDNSDomains = true, []*net.IPNet{v4, v6}, []string{"localhost"}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return fmt.Errorf("make CA: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	leaf := template("Postern development broker")
	leaf.KeyUsage, leaf.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return fmt.Errorf("make certificate: %w", err)
	}
	if err := writeKey(l.caKey(), caKey); err != nil {
		return err
	}
	if err := writeKey(l.serverKey(), key); err != nil {
		return err
	}
	if err := files.WriteOwnerOnly(l.caFile(), pemOf("CERTIFICATE", caDER)); err != nil {
		return err
	}
	return files.WriteOwnerOnly(l.serverCert(), pemOf("CERTIFICATE", der))
}

func template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	now := time.Now()
	return &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-certPast), NotAfter: now.Add(certLife)}
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return files.WriteOwnerOnly(path, pemOf("PRIVATE KEY", der))
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
