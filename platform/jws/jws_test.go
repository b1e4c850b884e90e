package jws

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

type inner struct {
	N int `json:"n"`
}

type wire struct {
	Name  string           `json:"name"`
	Opt   string           `json:"opt,omitempty"`
	List  []inner          `json:"list,omitempty"`
	Map   map[string]inner `json:"map,omitempty"`
	Inner inner            `json:"inner,omitzero"`
}

func TestDecode(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", `{"name":"x"}`, ""},
		{"unknown member ignored", `{"name":"x","newer":{"A":1,"a":2}}`, ""},
		{"missing", `{"opt":"x"}`, `lacks the member "name"`},
		{"missing inside", `{"name":"x","inner":{}}`, `inner lacks the member "n"`},
		{"twice", `{"name":"x","name":"y"}`, `"name" twice`},
		{"twice in an unknown member", `{"name":"x","z":{"q":1,"q":2}}`, `"q" twice`},
		{"escaped twice", `{"name":"x","n\u0061me":"y"}`, `"name" twice`},
		{"odd case", `{"Name":"x"}`, `it is written "name"`},
		{"odd case in list", `{"name":"x","list":[{"N":1}]}`, `list[0] has the member "N"`},
		{"odd case in map", `{"name":"x","map":{"k":{"N":1}}}`, `map.k has the member "N"`},
		{"trailing", `{"name":"x"} {}`, "after the value"},
		{"cut", `{"name":"x"`, "unexpected"},
		{"wrong type", `{"name":5}`, "cannot unmarshal"},
		{"deep", `{"name":"x","z":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "nested deeper"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w wire
			err := Decode([]byte(c.in), &w)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"name":"x","list":[{"n":1}],"map":{"a":{"n":2}}}`))
	f.Add([]byte(`{"name":"x","name":"y"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var w wire
		_ = Decode(data, &w)
	})
}

func key(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSignVerify(t *testing.T) {
	k, other := key(t), key(t)
	tok, err := Sign(k, wire{Name: "x"}, Options{Type: "a+jwt", Embed: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Parse(tok, 4096)
	if err != nil {
		t.Fatal(err)
	}
	var w wire
	if err := s.VerifyInto(s.Header.Key, "a+jwt", &w); err != nil || w.Name != "x" {
		t.Fatal(err, w)
	}
	if err := s.VerifyInto(&k.PublicKey, "b+jwt", &w); err == nil {
		t.Error("another type was accepted")
	}
	if err := s.VerifyInto(&other.PublicKey, "a+jwt", &w); !errors.Is(err, ErrSignature) {
		t.Error("another key was accepted:", err)
	}
	if _, err := Parse(tok, 10); err == nil {
		t.Error("an oversized token was parsed")
	}
}

func TestRefusedAlgorithms(t *testing.T) {
	enc := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	body := enc(`{"name":"x"}`)
	for _, h := range []string{`{"alg":"none","typ":"a+jwt"}`, `{"alg":"HS256","typ":"a+jwt"}`, `{"alg":"None"}`, `{}`} {
		if _, err := Parse(enc(h)+"."+body+".", 4096); err == nil {
			t.Errorf("header %s was accepted without a signature", h)
		}
		if _, err := Parse(enc(h)+"."+body+"."+enc("sig"), 4096); err == nil {
			t.Errorf("header %s was accepted", h)
		}
	}
}

func TestThumbprint(t *testing.T) {
	k := key(t)
	raw, err := MarshalKey(&k.PublicKey, "")
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := Thumbprint(&k.PublicKey)
	b, _ := Thumbprint(back)
	if a == "" || a != b {
		t.Fatal(a, b)
	}
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if _, err := Thumbprint(&p384.PublicKey); err == nil {
		t.Error("a P-384 key was accepted")
	}
}
