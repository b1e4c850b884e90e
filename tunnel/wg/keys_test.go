package wg

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// Alice's keys in RFC 7748 section 6.1.
func TestPublicMatchesRFC7748(t *testing.T) {
	raw, err := hex.DecodeString("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
	if err != nil {
		t.Fatal(err)
	}
	public := PrivateKey(raw).Public()
	const want = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
	if got := hex.EncodeToString(public[:]); got != want {
		t.Errorf("public key %s, want %s", got, want)
	}
}

func TestParsePublicKey(t *testing.T) {
	private, err := NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	key := private.Public()
	if got, err := ParsePublicKey(key.String()); err != nil || got != key {
		t.Errorf("ParsePublicKey(%s) = %s, %v", key, got, err)
	}
	for _, bad := range []string{
		"", "x", key.String() + "\n", key.String()[:43],
		base64.StdEncoding.EncodeToString(make([]byte, 32)),
		base64.StdEncoding.EncodeToString(key[:31]),
		base64.RawURLEncoding.EncodeToString(key[:]),
	} {
		if _, err := ParsePublicKey(bad); err == nil {
			t.Errorf("ParsePublicKey(%q) was accepted", bad)
		}
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	private := PrivateKey{0xab, 0xcd}
	psk := PresharedKey{0xab, 0xcd}
	cfg := ClientConfig{PrivateKey: private, PSK: psk}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "private", private, "psk", psk)
	out := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%d", "%q"} {
		out += fmt.Sprintf(verb+verb+verb, private, psk, cfg)
	}
	for _, leak := range []string{"abcd", "ABCD", "171", "205", "0xab", base64.StdEncoding.EncodeToString(private[:6])} {
		if strings.Contains(out, leak) {
			t.Errorf("a secret shows as %q in %s", leak, out)
		}
	}
	for _, v := range []any{private, psk} {
		if b, err := json.Marshal(v); err == nil {
			t.Errorf("%T was encoded as %s", v, b)
		}
	}
}
