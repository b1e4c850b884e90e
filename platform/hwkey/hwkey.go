// Package hwkey is the device's signing key, with an honest statement of where it lives.
package hwkey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/postern-zt/postern/platform/files"
)

// Protection says where a key lives. The words are those of key_protection in
// the enrolment message: what the device claims, not what it can prove. The
// empty Protection is no claim at all.
type Protection string

const (
	// TPM is a key that a TPM 2.0 made and will not give out.
	TPM Protection = "tpm"
	// SecureEnclave is a key inside Apple's Secure Enclave.
	SecureEnclave Protection = "secure-enclave"
	// OSKeystore is a key that the system's key store keeps, in software.
	OSKeystore Protection = "os-keystore"
	// File is a key in a file that only its owner may read: whoever becomes
	// that owner, or reads the disk, can copy it.
	File Protection = "file"
)

// Key is the device's key: ECDSA on P-256, so that it can sign ES256 (RFC 7518
// §3.4). As with every crypto.Signer of ECDSA, Sign takes a SHA-256 digest and
// returns an ASN.1 DER signature. It may be used from several goroutines.
type Key interface {
	crypto.Signer
	// Protection says where the private key is.
	Protection() Protection
}

const (
	fileName = "device.key"
	pemType  = "PRIVATE KEY" // PKCS #8 in PEM, RFC 7468 §10
	maxFile  = 16 << 10
)

// OpenFile returns the key in the file device.key in the folder dir, and
// whether it made it just now. The folder is made, with mode 0700, if it is
// missing.
//
// The key is made once. A file that is damaged, holds another kind of key, or
// is not its owner's alone (files.ErrNotPrivate) is an error and stays as it
// is: a device that quietly took a new key would be a new device.
func OpenFile(dir string) (key Key, created bool, err error) {
	if err := files.MkdirOwnerOnly(dir); err != nil {
		return nil, false, fmt.Errorf("open device key: %w", err)
	}
	path := filepath.Join(dir, fileName)
	key, err = read(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = create(path)
		// Another process may have been quicker; its key is then ours.
		if created = err == nil; created || errors.Is(err, fs.ErrExist) {
			key, err = read(path)
		}
	}
	if err != nil {
		return nil, false, fmt.Errorf("open device key: %w", err)
	}
	return key, created, nil
}

// NewMemory returns a new key that is nowhere but in memory: the twin for tests.
// It states the protection of a file, the weakest there is.
func NewMemory() (Key, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make device key: %w", err)
	}
	return &softKey{k}, nil
}

func create(path string) error {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return err
	}
	return files.CreateOwnerOnly(path, pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}))
}

func read(path string) (Key, error) {
	text, err := files.ReadOwnerOnly(path, maxFile)
	if err != nil {
		return nil, err
	}
	k, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return &softKey{k}, nil
}

// parse takes one PEM block and nothing after it. Its errors never quote the
// text, which is a secret.
func parse(text []byte) (*ecdsa.PrivateKey, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != pemType || len(block.Headers) != 0 || len(rest) != 0 {
		return nil, errors.New("damaged: not exactly one PEM block \"" + pemType + "\"")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("damaged: not a PKCS #8 private key")
	}
	k, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || k.Curve != elliptic.P256() {
		return nil, errors.New("another kind of key: not ECDSA on P-256")
	}
	return k, nil
}

// softKey is a private key in this process's memory.
type softKey struct{ private *ecdsa.PrivateKey }

func (k *softKey) Public() crypto.PublicKey { return k.private.Public() }

func (k *softKey) Protection() Protection { return File }

func (k *softKey) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts == nil || opts.HashFunc() != crypto.SHA256 {
		return nil, errors.New("sign with device key: only SHA-256 digests are signed")
	}
	if len(digest) != sha256.Size {
		return nil, fmt.Errorf("sign with device key: a SHA-256 digest has %d bytes, not %d", sha256.Size, len(digest))
	}
	return k.private.Sign(random, digest, opts)
}

// Format keeps the private key out of everything that fmt can print.
func (k *softKey) Format(s fmt.State, _ rune) { io.WriteString(s, "device key ("+string(File)+")") }
