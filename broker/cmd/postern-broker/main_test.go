package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const rightPolicy = `version: 1
providers:
  - {issuer: "https://idp.example", client_id: postern, scopes: [openid]}
apps:
  - {id: wiki, name: Wiki, destinations: ["tcp:10.0.0.1:80"], ports: [80], posture: none}
`

// postern-broker runs the program with arguments and returns what it said.
func program(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

func policyFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		says string // on standard error
	}{
		{nil, 2, "usage: postern-broker"},
		{[]string{"nonsense"}, 2, `no command "nonsense"`},
		{[]string{"serve"}, 2, "--state is needed"},
		{[]string{"serve", "--nonsense"}, 2, "-nonsense"},
		{[]string{"gateway", "--state", "x"}, 2, "--broker is needed"},
		{[]string{"policy"}, 2, "policy check FILE"},
		{[]string{"policy", "check"}, 2, "usage: postern-broker policy check"},
		{[]string{"serve", "--help"}, 0, "-enrolment-tokens"},
		{[]string{"serve", "--state", "x", "--policy", "x", "--issuer", "http://b", "--listen", "x", "--cert", "x", "--key", "x"}, 1, "want https://host[:port]"},
		{[]string{"serve", "--lease", "1s", "--state", "x", "--policy", "x", "--issuer", "https://b", "--listen", "x", "--cert", "x", "--key", "x"}, 1, "want 2s to 10m"},
	} {
		if code, _, errOut := program(t, c.args...); code != c.code || !strings.Contains(errOut, c.says) {
			t.Errorf("%v: exit %d, said %q; want %d and %q", c.args, code, errOut, c.code, c.says)
		}
	}
}

func TestPolicyCheck(t *testing.T) {
	path := policyFile(t, rightPolicy)
	if code, out, _ := program(t, "policy", "check", path); code != 0 || !strings.Contains(out, "1 applications") {
		t.Errorf("exit %d, said %q", code, out)
	}
	var v policyVerdict
	code, out, _ := program(t, "policy", "check", "--json", path)
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || !v.OK || v.Apps != 1 || len(v.SHA256) != 64 {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
}

func TestWrongPolicyNamesFileLineAndReason(t *testing.T) {
	path := policyFile(t, strings.ReplaceAll(rightPolicy, ", posture: none", ""))
	code, _, errOut := program(t, "policy", "check", path)
	if code != 1 || !strings.Contains(errOut, path+":5: apps[0](wiki): it names no checks") {
		t.Errorf("exit %d, said %q", code, errOut)
	}
	var v policyVerdict
	code, out, _ := program(t, "policy", "check", "--json", path)
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 1 || v.OK || len(v.Problems) != 1 || v.Problems[0].Line != 5 {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
	if code, _, errOut := program(t, "policy", "check", path+".missing"); code != 1 || !strings.Contains(errOut, "read policy") {
		t.Errorf("a missing file: exit %d, said %q", code, errOut)
	}
}

func TestVersion(t *testing.T) {
	var v struct{ Product, Version string }
	code, out, _ := program(t, "version", "--json")
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || v.Product != "Postern" || v.Version == "" {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
}

// A token file that others can read, or with a line that is no token, is refused.
func TestEnrolmentTokens(t *testing.T) {
	for text, want := range map[string]string{
		"user short\n":                 "tokens:1: want user, system or gateway",
		"root 0123456789abcdef0123\n":  "tokens:1: want user, system or gateway",
		"user 0123456789abcdef0123 \n": "",
	} {
		path := filepath.Join(t.TempDir(), "tokens")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readTokens(path)
		if want == "" && (err != nil || len(got) != 1) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readTokens(path); err == nil {
			t.Error("a token file that everybody can read was taken")
		}
	}
}
