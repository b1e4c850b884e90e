//go:build !linux && !darwin && !windows

package watch

const why = "no source of notices is known"

// system does not exist here: New never returns a Watcher. Whoever watches has
// to read again from time to time.
type system struct{}

func newSystem(tell) (*system, error) { return nil, unsupported("anything", why) }

func (*system) setExecutables(string, []string) error { return unsupported("executables", why) }
func (*system) setProcesses(string, []int, map[int]string) error {
	return unsupported("processes", why)
}
func (*system) setFiles(string, []string) error    { return unsupported("files", why) }
func (*system) setMounts(string) error             { return unsupported("mounts", why) }
func (*system) setFirewall(string) error           { return unsupported("the firewall", why) }
func (*system) setRegistry(string, []string) error { return unsupported("the registry", why) }
func (*system) setServices(string, []string) error { return unsupported("services", why) }
func (*system) setUevents(string) error            { return unsupported("devices", why) }
func (*system) setSecurityCenter(string) error     { return unsupported("the security center", why) }
func (*system) close() error                       { return nil }
