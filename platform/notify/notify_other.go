//go:build !linux && !darwin && !windows

package notify

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

func open(context.Context, App, func(Chosen)) (service, error) {
	return nil, fmt.Errorf("nothing is shown on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
