package wine

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Build compiles a program of this module for Windows.
func Build(ctx context.Context, root, program, out string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-o", out, program)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0", "GOOS=windows", "GOARCH=amd64")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", program, err, text)
	}
	return nil
}

// patch is one place of Go's own source that Wine 8 does not get on with.
type patch struct{ file, old, new string }

func patches() []patch {
	return []patch{
		// Wine refuses a setting of UDP sockets, which is fatal to all of them.
		{"src/net/fd_windows.go", `return wrapSyscallError("wsaioctl", err)`, `_ = err`},
		// Wine refuses the newer way to delete a file, and os.RemoveAll with it.
		{"src/internal/syscall/windows/at_windows.go", "var TestDeleteatFallback bool", "var TestDeleteatFallback = true"},
	}
}

// Overlay writes into dir what `go test -overlay` needs for tests that use UDP
// or delete folders (testing.T.TempDir) under Wine 8, and gives the path of the
// file to name. The standard library is compiled anew under it.
func Overlay(ctx context.Context, dir string) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("ask go for its folder: %w", err)
	}
	replace := map[string]string{}
	for _, p := range patches() {
		original := filepath.Join(strings.TrimSpace(string(root)), p.file)
		text, err := os.ReadFile(original)
		if err != nil {
			return "", fmt.Errorf("read go's source: %w", err)
		}
		if !strings.Contains(string(text), p.old) {
			return "", fmt.Errorf("%s: no longer has %q", p.file, p.old)
		}
		changed := filepath.Join(dir, filepath.Base(p.file))
		if err := os.WriteFile(changed, []byte(strings.ReplaceAll(string(text), p.old, p.new)), 0o600); err != nil {
			return "", fmt.Errorf("write overlay: %w", err)
		}
		replace[original] = changed
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, data, 0o600)
}
