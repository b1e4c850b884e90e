package watch

// system watches with two pools, so that nothing slow stands before the end of
// a process or service: urgent has those, calm has all else, with notices held
// to be taken together.
type system struct {
	urgent, calm *pool
	procs        procs          // of urgent
	services     services       // of urgent
	keys         keys           // of calm
	executables  *folders       // of calm
	files        *folders       // of calm
	security     securityCenter // of calm
}

// The settings of Windows Defender Firewall: what is set on the machine, what a
// device management or a group policy sets above it (MS-GPFAS, "Policy
// Configuration Options").
const (
	firewallKey       = `HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy`
	firewallPolicyKey = `HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall`
)

func newSystem(send tell) (*system, error) {
	s := &system{urgent: &pool{send: send}, calm: &pool{send: send}}
	s.procs = procs{pool: s.urgent, watched: map[*source]procWatch{}}
	s.services = services{pool: s.urgent, wanted: map[serviceTarget]bool{}, subscribed: map[string]*subscription{}}
	s.keys = keys{pool: s.calm, watched: map[keyTarget]*keyWatch{}}
	s.security = securityCenter{pool: s.calm, kinds: map[string]bool{}}
	s.executables = newFolders(s.calm, CauseReplaced)
	s.files = newFolders(s.calm, CauseFile)
	return s, nil
}

func (s *system) setExecutables(kind string, paths []string) error {
	return s.calm.do(func() error { return s.executables.set(kind, paths) })
}

func (s *system) setProcesses(kind string, pids []int, exe map[int]string) error {
	return s.urgent.do(func() error { return s.procs.set(kind, pids, exe) })
}

func (s *system) setFiles(kind string, paths []string) error {
	return s.calm.do(func() error { return s.files.set(kind, paths) })
}

func (s *system) setFirewall(kind string) error {
	return s.calm.do(func() error {
		return s.keys.set(kind, CauseFirewall, []string{firewallKey, firewallPolicyKey})
	})
}

func (s *system) setRegistry(kind string, keys []string) error {
	return s.calm.do(func() error { return s.keys.set(kind, CauseRegistry, keys) })
}

func (s *system) setServices(kind string, names []string) error {
	return s.urgent.do(func() error { return s.services.set(kind, names) })
}

func (s *system) setSecurityCenter(kind string) error {
	return s.calm.do(func() error { return s.security.add(kind) })
}

func (s *system) setMounts(string) error {
	return unsupported("mounts", "volumes are told to windows and services only")
}

func (s *system) setUevents(string) error {
	return unsupported("devices", "they are told to windows and services only")
}

func (s *system) close() (err error) {
	s.urgent.close(func() { err = s.services.closeAll() })
	s.calm.close(func() {
		s.security.closeAll()
		s.keys.closeAll()
		s.executables.closeAll()
		s.files.closeAll()
	})
	return err
}
