package evidence

import (
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/fact"
)

// A recorded machine is a folder:
//
//	machine.json              the header: format, system, now, missing
//	files/<path>              contents of files: /etc/os-release is files/etc/os-release,
//	                          C:\x\y is files/C%3A/x/y
//	files.json                what else is known of paths: mode, owner, time, digest, link, listing
//	commands/<line>.out       standard output of a command, <line> its name and arguments with single
//	                          spaces; beside it, where there is any, <line>.err and <line>.code
//	registry/*.txt, *.reg     output of `reg query KEY [/s]`, or exported keys; any file name
//	wmi/<namespace>/<Class>.json or .txt   instances as JSON, or as PowerShell's Format-List writes them
//	answers/<question>.json   answers to Ask, named like commands
//	distilled/<what>/<path>   outcomes of Distil
//	processes.json, services.json, sessions.json, sysctls.json
//	errors.json               readings that failed, and why
//
// Names are percent-encoded where a file system would not take them. Only
// machine.json must be there.
const (
	headerFile    = "machine.json"
	filesDir      = "files"
	filesFile     = "files.json"
	commandsDir   = "commands"
	registryDir   = "registry"
	wmiDir        = "wmi"
	answersDir    = "answers"
	distilledDir  = "distilled"
	processesFile = "processes.json"
	servicesFile  = "services.json"
	sessionsFile  = "sessions.json"
	sysctlsFile   = "sysctls.json"
	errorsFile    = "errors.json"
)

// Format is the version of the folder's layout.
const Format = 1

// What a machine answers about everything that its folder does not hold.
const (
	MissingAbsent      = "absent"       // it is not there: for machines that somebody put together
	MissingNotRecorded = "not-recorded" // nobody looked: for recordings
)

// header is machine.json.
type header struct {
	Format  int       `json:"format"`
	System  System    `json:"system"`
	Now     time.Time `json:"now"` // with the offset of the machine's time zone
	Missing string    `json:"missing"`
	Cut     bool      `json:"cut,omitempty"` // more was read than a recording may hold
}

// pathEntry is one element of files.json.
type pathEntry struct {
	Path    string     `json:"path"`
	Dir     bool       `json:"dir,omitempty"`
	Mode    string     `json:"mode,omitempty"` // as chmod(2) writes it, in octal; 0644, for folders 0755
	Kind    string     `json:"kind,omitempty"` // device, char-device, socket, pipe; empty: regular or folder
	Owner   *string    `json:"owner,omitempty"`
	Size    *int64     `json:"size,omitempty"`
	ModTime *time.Time `json:"mod_time,omitempty"`
	SHA256  string     `json:"sha256,omitempty"`
	Link    string     `json:"link,omitempty"`    // where a symbolic link points
	Listing []string   `json:"listing,omitempty"` // names in a folder, where not all are kept
	Listed  bool       `json:"listed,omitempty"`  // Listing counts, even when it is empty
}

// failure is one element of errors.json.
type failure struct {
	Op     string      `json:"op"` // read, list, follow, stat, hash, run, registry, wmi, sysctl, ask, or what of Distil
	Target string      `json:"target"`
	Reason fact.Reason `json:"reason"`
	Code   string      `json:"code,omitempty"`
}

// escape makes one name that every file system takes of any text.
func escape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c < ' ' || c == 0x7f || strings.IndexByte(`%/\:*?"<>|`, c) >= 0, (c == '.' || c == ' ') && i == len(s)-1:
			const hex = "0123456789ABCDEF"
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescape undoes escape; a name that is not encoded well stands for itself.
func unescapeName(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

// pathName is where the content of a file lies below files/.
func pathName(p string) string {
	separator := "/"
	if !strings.HasPrefix(p, "/") {
		separator = `\`
	}
	parts := strings.Split(strings.TrimPrefix(p, "/"), separator)
	for i := range parts {
		parts[i] = escape(parts[i])
	}
	return path.Join(parts...)
}

// pathOf undoes pathName for a system.
func pathOf(name string, system System) string {
	parts := strings.Split(name, "/")
	for i := range parts {
		parts[i] = unescapeName(parts[i])
	}
	if system == Windows {
		return strings.Join(parts, `\`)
	}
	return "/" + strings.Join(parts, "/")
}
