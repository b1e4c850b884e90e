package evidence

import (
	"fmt"
	"io"

	"github.com/postern-zt/postern/posture/fact"
)

// Distilled runs f over r within the bounds of Machine.Distil: a file that is
// longer than MaxDistilled, or an essence longer than MaxEssence, is an *Error
// with reason too-many-to-list, never a part of the truth.
func Distilled(what, path string, f Distiller, r io.Reader) ([]byte, error) {
	op := what + " " + path
	limited := &io.LimitedReader{R: r, N: MaxDistilled + 1}
	essence, err := f(limited)
	switch {
	case limited.N <= 0:
		return nil, &Error{Reason: fact.ReasonTruncated, Op: op, Err: fmt.Errorf("file is longer than %d bytes", MaxDistilled)}
	case err != nil:
		return nil, Wrap(op, err)
	case len(essence) > MaxEssence:
		return nil, &Error{Reason: fact.ReasonTruncated, Op: op, Err: fmt.Errorf("essence of %d bytes, at most %d allowed", len(essence), MaxEssence)}
	}
	return essence, nil
}
