package main

import (
	"context"
	"fmt"

	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/posture/collect"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/observe"
)

// report is what all collectors together say of the machine; a report that
// breaks the rules of its own form is an error.
func report(ctx context.Context, m evidence.Machine) (any, error) {
	products, err := observe.BuiltIn()
	if err != nil {
		return nil, err
	}
	r := collect.New(collect.Config{Machine: m, Catalogue: products, Clock: clock.System(), Version: "probe"}).Read(ctx)
	if err := r.Validate(); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return r, nil
}
