package osversion

import (
	"context"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// macos reads the property list that sw_vers(1) prints from. Rapid security
// responses and background security improvements do not change this file.
func macos(ctx context.Context, r *evidence.Reading) error {
	const path = "/System/Library/CoreServices/SystemVersion.plist"
	data, err := r.Machine().ReadFile(ctx, path)
	if err != nil {
		return err
	}
	r.From(path)
	version, build, err := parseSystemVersion(data)
	if err != nil {
		return &evidence.Error{Reason: fact.ReasonUnreadable, Op: "read " + path, Err: err}
	}
	observe(r, "product", "macos")
	observe(r, "version", version)
	observe(r, "build", build)
	return nil
}

func parseSystemVersion(data []byte) (version, build string, err error) {
	top, err := evidence.ParsePlist(data)
	if err != nil {
		return "", "", err
	}
	values, _ := top.(map[string]any)
	version, _ = values["ProductVersion"].(string)
	build, _ = values["ProductBuildVersion"].(string)
	if version == "" {
		return "", "", &evidence.Error{Reason: fact.ReasonUnreadable, Op: "find ProductVersion"}
	}
	return version, build, nil
}
