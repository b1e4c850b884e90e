package disk

import (
	"context"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// windows has no source: BitLocker tells its state through WMI
// (Win32_EncryptableVolume) and the shell, which a Machine does not offer, and
// the text of manage-bde is translated.
func windows(_ context.Context, r *evidence.Reading) error {
	r.From("missing: WMI Win32_EncryptableVolume")
	return &evidence.Error{Reason: fact.ReasonUnsupported, Op: "read Win32_EncryptableVolume"}
}
