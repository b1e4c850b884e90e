// Package disk reads whether the volumes of the machine are encrypted.
package disk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// Collect reads the encryption of the volume the system runs from and, entry
// by entry, of the volumes that hold data.
func Collect(ctx context.Context, m evidence.Machine) fact.Signal {
	r := evidence.Begin(fact.SignalDisk, m)
	var err error
	switch m.System() {
	case evidence.Linux:
		err = linux(ctx, r)
	case evidence.Windows:
		err = windows(ctx, r)
	case evidence.MacOS:
		err = macos(ctx, r)
	default:
		return r.Signal(fact.ReasonUnsupported)
	}
	if err != nil {
		return r.Conclude(fact.Unknown, evidence.ReasonOf(err))
	}
	return r.Signal(fact.ReasonNotFound)
}

// put sets one fact to the status, or to unknown when there is a reason.
func put(r *evidence.Reading, field, key, status string, why fact.Reason) {
	if why != "" {
		r.Unknown(field, key, why)
		return
	}
	r.Observe(field, key, fact.Str(status))
}

// volumeKey makes a mount point fit for a fact's address: the characters that
// addresses use are percent-encoded, and a path that is too long or no text is
// named by its digest.
func volumeKey(mount string) string {
	key := strings.NewReplacer("%", "%25", "[", "%5B", "]", "%5D", "*", "%2A").Replace(mount)
	if len(key) > fact.MaxString || !utf8.ValidString(key) {
		sum := sha256.Sum256([]byte(mount))
		return "sha256:" + hex.EncodeToString(sum[:])
	}
	return key
}
