package settings

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/windows/registry"
)

// told is the file to which the test program writes what it was opened with,
// when it is the handler of an address.
const told = "postern-settings-test.txt"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-opened" {
		if err := os.WriteFile(filepath.Join(os.TempDir(), told), []byte(os.Args[2]), 0o600); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// handler registers the test program for a scheme, as an application does that
// opens addresses. Wine 8 looks only where the registration is for every user.
func handler(t *testing.T, scheme string) {
	t.Helper()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string][2]string{
		scheme:                         {"URL Protocol", ""},
		scheme + `\shell\open\command`: {"", syscall.EscapeArg(own) + ` -opened "%1"`},
	} {
		k, _, err := registry.CreateKey(registry.CLASSES_ROOT, key, registry.SET_VALUE)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.SetStringValue(value[0], value[1]); err != nil {
			t.Fatal(err)
		}
		k.Close()
	}
	t.Cleanup(func() {
		for _, key := range []string{`\shell\open\command`, `\shell\open`, `\shell`, ``} {
			registry.DeleteKey(registry.CLASSES_ROOT, scheme+key)
		}
	})
}

// TestShellOpensAddress has Windows open a page with the test program as the
// program for its addresses.
func TestShellOpensAddress(t *testing.T) {
	const page, want = Antivirus, "windowsdefender://threat/"
	if handles("windowsdefender") {
		t.Skip("this Windows has its own program for these addresses")
	}
	if Has(SecureBoot) {
		t.Error("a page is here whose program is not")
	}
	handler(t, "windowsdefender")
	if !Has(SecureBoot) {
		t.Error("a page is missing whose program is here")
	}
	path := filepath.Join(os.TempDir(), told)
	os.Remove(path)
	defer os.Remove(path)
	if err := Open(t.Context(), page); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		text, err := os.ReadFile(path)
		if err == nil && len(text) > 0 {
			if string(text) != want {
				t.Errorf("opened with %q", text)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing was opened: %v", err)
		}
		time.Sleep(20 * time.Millisecond) // between two looks
	}
}

func TestNoPageOnWindows(t *testing.T) {
	if err := Open(t.Context(), MenuBar); !errors.Is(err, ErrNoPage) {
		t.Errorf("%v", err)
	}
}
