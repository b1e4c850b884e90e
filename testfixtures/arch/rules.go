package arch

// This file is the data of the house: who may open which door, who keeps
// which outside package, how many rooms a room may know. A place is a room
// ("platform/machine") or a folder with all its rooms ("platform").

// door lets the rooms of one place import the rooms of others. Within a
// folder only floors count; between folders what is not listed is wall.
type door struct {
	from string
	to   []string
}

var doors = []door{
	// platform knows nothing of the product, but implements evidence.Machine,
	// whose errors carry the reasons of posture/fact.
	{"platform/machine", []string{"posture/evidence", "posture/fact"}},
	{"platform/watch", []string{"posture/evidence"}},
	{"posture", []string{"platform/buildinfo", "platform/clock", "platform/jws"}},
	{"broker", []string{
		"posture/fact", "posture/catalogue", "posture/observe", "posture/attest", "posture/release",
		"tunnel/wg", "tunnel/netcfg",
		"platform",
	}},
	{"tunnel", []string{"broker/api", "platform"}},
	{"client", []string{
		"broker/api", "broker/bind", "broker/apiclient",
		"posture", "tunnel", "platform",
	}},
	{"tray", []string{
		"client/localapi", "client/login", "client/loopback", "client/view", "client/statuspage",
		"posture/fact", "posture/catalogue",
		"platform/browser", "platform/buildinfo", "platform/cells", "platform/clipboard", "platform/files", "platform/ipc",
		"platform/locale", "platform/notify", "platform/paths", "platform/settings",
	}},
	// The program waits for the agent's socket to come.
	{"tray/cmd/postern-tray", []string{"platform/clock", "platform/watch"}},
	{"installer", []string{
		"platform/buildinfo", "platform/osexec", "platform/files",
		"client/config",
	}},
}

// keeper names the places that may import outside packages, each given by
// the path it begins with.
type keeper struct {
	outside []string
	places  []string
}

var keepers = []keeper{
	{[]string{"fyne.io/systray", "github.com/getlantern/systray"}, []string{"tray/shell"}},
	{[]string{"golang.zx2c4.com/wireguard", "golang.zx2c4.com/wintun", "gvisor.dev/gvisor"}, []string{"tunnel/wg"}},
	{[]string{
		"github.com/mdlayher/netlink", "github.com/mdlayher/genetlink", "github.com/mdlayher/socket",
		"github.com/jsimonetti/rtnetlink", "github.com/vishvananda/netlink", "github.com/google/nftables",
	}, []string{
		"tunnel/netcfg", "broker/gateway",
		"platform/machine", "platform/watch", "platform/session", "platform/ipc",
	}},
	{[]string{"github.com/zalando/go-keyring"}, []string{"platform/secret"}},
	{[]string{"github.com/go-ole/go-ole"}, []string{"platform/machine", "platform/notify"}},
	{[]string{"github.com/godbus/dbus"}, []string{"tray/shell", "platform/notify", "platform/session"}},
	{[]string{"github.com/Microsoft/go-winio"}, []string{"platform/ipc"}},
	{[]string{"github.com/spf13/cobra", "github.com/spf13/pflag"}, []string{"client/cmd/postern"}},
	{[]string{"github.com/rivo/uniseg"}, []string{"platform/cells"}},
	{[]string{"golang.org/x/image"}, []string{"tray/icons"}},
	{[]string{"github.com/shirou/gopsutil"}, []string{"platform/machine"}},
	{[]string{"github.com/pkg/browser"}, []string{"platform/browser"}},
	{[]string{"os/exec"}, []string{"platform/osexec"}},
	{[]string{"github.com/google/go-tpm", "github.com/google/go-tpm-tools"}, []string{"platform/hwkey", "broker/verify"}},
	{[]string{"github.com/ebitengine/purego"}, []string{
		"tray/shell", "platform/hwkey", "platform/machine", "platform/notify", "platform/settings", "platform/clipboard", "platform/locale",
	}},
	{[]string{"golang.org/x/sys"}, []string{"platform", "tunnel/wg", "tunnel/netcfg"}},
	{[]string{"cel.dev/cel-go", "github.com/google/cel-go"}, []string{"broker/policy"}},
}

// standardOnly are the rooms that import nothing but the standard library.
var standardOnly = []string{"posture/fact"}

// use is some names of a package that only some places may use outside
// tests; no place at all when the list is empty.
type use struct {
	pkg    string
	names  []string
	places []string
	why    string
}

var keptUses = []use{
	{"github.com/shirou/gopsutil/v3/host", []string{"Info", "InfoWithContext"}, nil, "it runs lsb_release"},
	{"github.com/shirou/gopsutil/v4/host", []string{"Info", "InfoWithContext"}, nil, "it runs lsb_release"},
	{"os", []string{"StartProcess"}, []string{"platform/osexec"}, "commands go through one list"},
	{"syscall", []string{"Exec", "ForkExec", "StartProcess"}, []string{"platform/osexec"}, "commands go through one list"},
}

// initFiles may have a func init: only there can what it does be done in time.
// AppKit wants the process's first thread, which main keeps only if it is
// locked before anything else starts.
var initFiles = []string{"tray/shell/appkit_darwin.go"}

// exits end the program, which only package main may do.
var exits = []use{
	{pkg: "os", names: []string{"Exit"}},
	{pkg: "syscall", names: []string{"Exit"}},
	{pkg: "log", names: []string{"Fatal", "Fatalf", "Fatalln"}},
}

// timeless are the rooms that learn the time from their Machine only.
var timeless = []string{
	"posture/osversion", "posture/patch", "posture/disk", "posture/firewall", "posture/edr",
	"posture/integrity", "posture/screenlock", "posture/enrolment", "posture/custom",
	"posture/device", "posture/release",
}

// anySystem is the folder whose every file is built on every system.
const anySystem = "posture"

// fanOutDefault is how many of our own rooms a room may import outside its
// tests; fanOutLimits are the exceptions. Programs have no limit.
const fanOutDefault = 8

var fanOutLimits = map[string]int{
	"broker/server":   12,
	"broker/gateway":  12,
	"client/agent":    16,
	"posture/collect": unlimited,
}

// unlimited as a fan-out limit means that the room is exempt.
const unlimited = -1

// placesNamed lists every place that the rules name.
func placesNamed() []string {
	places := []string{anySystem}
	for _, d := range doors {
		places = append(append(places, d.from), d.to...)
	}
	for _, k := range keepers {
		places = append(places, k.places...)
	}
	for _, u := range keptUses {
		places = append(places, u.places...)
	}
	places = append(append(places, standardOnly...), timeless...)
	for room := range fanOutLimits {
		places = append(places, room)
	}
	return places
}
