package config

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"unicode"

	"github.com/postern-zt/postern/platform/files"
)

// brokerCA notes the file; it is read when it is known that nothing overrides it.
func (l *loader) brokerCA(at place, path string) {
	if path == "" {
		l.wrong(at, "give the path of a PEM file or remove the key", "no path")
		return
	}
	l.s.BrokerCA, l.caLine = Value[string]{path, at.origin}, at.line
}

// loadRoots reads the certification authorities of the broker. Who could write
// to the file could stand in for the broker, so nobody else may.
func (l *loader) loadRoots() {
	path := l.s.BrokerCA.V
	if path == "" {
		return
	}
	d := document{file: l.d.file}
	if l.s.BrokerCA.Origin == OriginFlag {
		d.file = ""
	}
	data, err := readCA(path)
	l.note(path, data, err)
	var pool *x509.CertPool
	if err == nil {
		pool, err = parseRoots(path, data)
	}
	if err != nil {
		d.wrong(l.caLine, KeyBrokerCA, "give a PEM file with the certificates of the broker's certification authority", "%v", err)
		l.d.problems = append(l.d.problems, d.problems...)
		return
	}
	l.s.roots = pool
}

func readCA(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not there", path)
	}
	if err != nil {
		return nil, err
	}
	if writable(info) {
		return nil, fmt.Errorf("mode %04o of %s lets others change it", info.Mode().Perm(), path)
	}
	if err := trustedOwner(path, info); err != nil {
		return nil, err
	}
	return files.ReadLimited(path, maxCA)
}

func parseRoots(path string, data []byte) (*x509.CertPool, error) {
	pool, n := x509.NewCertPool(), 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%s holds a %s where only certificates belong", path, strings.ToLower(block.Type))
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d in %s: %w", n+1, path, err)
		}
		pool.AddCert(cert)
		n++
	}
	if n == 0 {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	return pool, nil
}

func (l *loader) token(at place, v string) {
	if l.shared {
		l.wrong(at, "run: chmod 600 "+l.d.file+", or put the token into a file of its own and name it in "+KeyTokenFile,
			"others may read this file, and the token with it")
		return
	}
	l.setToken(at, v)
}

// tokenFile reads the token of a file that only its owner can read. A file
// that is gone is only worth a warning: once enrolled, nobody needs it.
func (l *loader) tokenFile(at place, path string) {
	data, err := files.ReadOwnerOnly(path, maxToken+2)
	l.note(path, data, err)
	if errors.Is(err, fs.ErrNotExist) {
		p := Problem{File: l.d.file, Line: at.line, Key: at.key, Text: path + " is not there",
			Hint: "if this device is enrolled already, remove the key"}
		l.s.Warnings = append(l.s.Warnings, p)
		return
	}
	if err != nil {
		l.wrong(at, tokenHint(hasModes()), "%v", err)
		return
	}
	l.setToken(at, strings.TrimRight(string(data), "\r\n"))
}

// tokenHint says what a token's file has to be like.
func tokenHint(modes bool) string {
	if modes {
		return "the file must belong to the user the agent runs as, with mode 0600, and hold one token"
	}
	return "the file must be one that only the user the agent runs as and administrators can open, and hold one token"
}

func (l *loader) setToken(at place, v string) {
	odd := func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }
	if v == "" || len(v) > maxToken || strings.ContainsFunc(v, odd) {
		l.wrong(at, "copy the token as the broker's administrator gave it", "a token has 1 to %d characters and no spaces", maxToken)
		return
	}
	l.s.EnrolmentToken = Value[Secret]{NewSecret(v), at.origin}
}
