package hwkey

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/postern-zt/postern/platform/files"
)

// conform is the contract of every Key.
func conform(t *testing.T, k Key, want Protection) {
	t.Helper()
	if k.Protection() != want {
		t.Errorf("protection is %q, want %q", k.Protection(), want)
	}
	pub, ok := k.Public().(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		t.Fatalf("public key is a %T, want ECDSA on P-256", k.Public())
	}
	digest := sha256.Sum256([]byte("message"))
	sig, err := k.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if !ecdsa.VerifyASN1(pub, digest[:], sig) {
		t.Error("the signature does not verify")
	}
	digest[0] ^= 1
	if ecdsa.VerifyASN1(pub, digest[:], sig) {
		t.Error("the signature verifies for another message")
	}
	for _, opts := range []crypto.SignerOpts{nil, crypto.SHA384, crypto.SHA1} {
		if _, err := k.Sign(rand.Reader, digest[:], opts); err == nil {
			t.Errorf("signed with %v", opts)
		}
	}
	if _, err := k.Sign(rand.Reader, digest[:31], crypto.SHA256); err == nil {
		t.Error("signed a digest of the wrong length")
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		if got := fmt.Sprintf(verb, k); got != "device key (file)" {
			t.Errorf("printed with %s the key is %q", verb, got)
		}
	}
}

func TestMemory(t *testing.T) {
	k, err := NewMemory()
	if err != nil {
		t.Fatal(err)
	}
	conform(t, k, File)
}

func TestFileIsMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	first, created, err := OpenFile(dir)
	if err != nil || !created {
		t.Fatalf("created %v, %v", created, err)
	}
	conform(t, first, File)
	second, created, err := OpenFile(dir)
	if err != nil || created {
		t.Fatalf("created %v, %v", created, err)
	}
	conform(t, second, File)
	if !first.Public().(*ecdsa.PublicKey).Equal(second.Public()) {
		t.Error("the second time it is another key")
	}
	info, err := os.Stat(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("mode is %v, want 0600", info.Mode())
	}
}

func TestOneKeyForManyCallers(t *testing.T) {
	dir := t.TempDir()
	keys := make([]Key, 16)
	made := make([]bool, len(keys))
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			var err error
			if keys[i], made[i], err = OpenFile(dir); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	count := 0
	for i, k := range keys {
		if k == nil || !keys[0].Public().(*ecdsa.PublicKey).Equal(k.Public()) {
			t.Fatalf("caller %d has another key", i)
		}
		if made[i] {
			count++
		}
	}
	if count != 1 {
		t.Errorf("%d callers made the key", count)
	}
}

func pkcs8(t testing.TB, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der})
}

func ec(t testing.TB, curve elliptic.Curve) []byte {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return pkcs8(t, k)
}

func TestDamagedFileIsKept(t *testing.T) {
	good := ec(t, elliptic.P256())
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"empty":       {},
		"cut off":     good[:len(good)/2],
		"two keys":    append(bytes.Clone(good), good...),
		"trailing":    append(bytes.Clone(good), "more"...),
		"other type":  bytes.ReplaceAll(good, []byte("PRIVATE"), []byte("SECRET")),
		"not a key":   pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: []byte("no key")}),
		"P-384":       ec(t, elliptic.P384()),
		"RSA":         pkcs8(t, rsaKey),
		"oversized":   bytes.Repeat([]byte("x"), maxFile+1),
		"zero filled": make([]byte, len(good)),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, fileName)
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			k, created, err := OpenFile(dir)
			if err == nil || k != nil || created {
				t.Fatalf("opened %v, created %v, %v", k, created, err)
			}
			if len(text) > 100 && strings.Contains(err.Error(), string(text[40:60])) {
				t.Errorf("the error quotes the file: %v", err)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(after, text) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestForeignReadableFileIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits")
	}
	dir := t.TempDir()
	if _, _, err := OpenFile(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, fileName), 0o640); err != nil {
		t.Fatal(err)
	}
	if k, _, err := OpenFile(dir); !errors.Is(err, files.ErrNotPrivate) || k != nil {
		t.Errorf("got %v, %v", k, err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, _, err := OpenFile(dir); !errors.Is(err, files.ErrNotPrivate) {
		t.Errorf("in a folder that everybody may write to: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(ec(f, elliptic.P256()))
	f.Add(ec(f, elliptic.P384()))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := parse(text)
		if (k == nil) == (err == nil) {
			t.Fatalf("key %v, error %v", k != nil, err)
		}
		if k != nil && k.Curve != elliptic.P256() {
			t.Error("took a key on another curve")
		}
	})
}
