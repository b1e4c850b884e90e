package disk

import (
	"context"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// macos asks fdesetup(8) for the state of FileVault on the boot volume. While a
// volume is still being encrypted or decrypted, part of it is open.
func macos(ctx context.Context, r *evidence.Reading) error {
	out, err := r.Machine().Run(ctx, "fdesetup", "status")
	if err != nil {
		return err
	}
	r.From("fdesetup status")
	status, why := parseFileVault(string(out))
	put(r, "system_status", "", status, why)
	put(r, "status", "/", status, why)
	return nil
}

func parseFileVault(out string) (string, fact.Reason) {
	first, rest, _ := strings.Cut(strings.TrimSpace(out), "\n")
	switch {
	case strings.HasPrefix(first, "FileVault is Off"):
		return fact.Unencrypted, ""
	case strings.TrimSpace(first) != "FileVault is On.":
		return "", fact.ReasonUnreadable
	case strings.Contains(rest, "cryption in progress"):
		return fact.Unencrypted, ""
	}
	return fact.Encrypted, ""
}
