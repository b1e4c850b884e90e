package arch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// plantedTable is a small house for the planted breaches.
const plantedTable = "# House\n\n" +
	"| room | floor | one job |\n|---|---|---|\n" +
	"| `posture/fact` | 0 | words |\n" +
	"| `posture/catalogue` | 1 | codes |\n" +
	"| `posture/evidence` | 2 | machine |\n" +
	"| `posture/disk` | 5 | disk |\n" +
	"| `posture/collect` | 6 | runs |\n" +
	"| `platform/osexec` | 1 | runs commands |\n" +
	"| `platform/clock` | 1 | time |\n" +
	"| `platform/files` | 1 | files |\n" +
	"| `platform/machine` | 3 | live |\n" +
	"| `broker/policy` | 5 | verdicts |\n" +
	"| `broker/server` | 8 | routes |\n" +
	"| `broker/gateway` | 8 | peers |\n" +
	"| `tunnel/wg` | 6 | wireguard |\n" +
	"| `client/state` | 6 | machine |\n" +
	"| `client/agent` | 8 | writer |\n" +
	"| `client/cmd/posternd` | 10 | wiring |\n" +
	"\nMore text.\n"

// sample writes a well-behaved file of the package, with the lines after its
// package clause. The body starts on line 3.
func sample(name string, body ...string) string {
	return "// Package " + name + " has one job.\npackage " + name + "\n" + strings.Join(body, "\n") + "\n"
}

// importing writes a well-behaved file that imports the paths; a path that
// begins with a folder of ours is completed.
func importing(name string, paths ...string) string {
	return sample(name, imports(paths...)...)
}

func imports(paths ...string) []string {
	var lines []string
	for _, p := range paths {
		lines = append(lines, fmt.Sprintf("import _ %q", strings.Replace(p, "OWN", Module, 1)))
	}
	return lines
}

// manyRooms writes a table with n rooms on floor 1 of one folder, and the
// paths to import them by.
func manyRooms(folder string, n int) (rows string, paths []string) {
	for i := range n {
		room := fmt.Sprintf("%s/r%d", folder, i)
		rows += fmt.Sprintf("| `%s` | 1 | job |\n", room)
		paths = append(paths, "OWN/"+room)
	}
	return rows, paths
}

// planted is one sample with the breaches that must be found in it, each as
// "path:line kind" (without the line when there is none), and no others.
type planted struct {
	name  string
	table string // plantedTable when empty
	files map[string]string
	want  []string
}

func check(t *testing.T, cases []planted) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			table := c.table
			if table == "" {
				table = plantedTable
			}
			var got []string
			breaches := Check(table, c.files)
			for _, b := range breaches {
				at := b.Path
				if b.Line > 0 {
					at = fmt.Sprintf("%s:%d", b.Path, b.Line)
				}
				got = append(got, at+" "+string(b.Kind))
			}
			slices.Sort(got)
			want := slices.Sorted(slices.Values(c.want))
			if !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q\nbreaches: %v", got, want, breaches)
			}
		})
	}
}

// one is a tree of a single file.
func one(path, text string) map[string]string { return map[string]string{path: text} }

func TestPlantedImports(t *testing.T) {
	check(t, []planted{
		{name: "down is clean", files: one("posture/disk/windows.go", importing("disk", "OWN/posture/fact", "OWN/posture/evidence"))},
		{name: "up", files: one("posture/fact/a.go", importing("fact", "OWN/posture/catalogue")),
			want: []string{"posture/fact/a.go:3 floor"}},
		{name: "same floor", files: one("broker/server/a.go", importing("server", "OWN/broker/gateway")),
			want: []string{"broker/server/a.go:3 floor"}},
		{name: "up in a file of another system", files: one("platform/osexec/a_plan9.go",
			"//go:build plan9 && never\n\n"+importing("osexec", "OWN/platform/machine")),
			want: []string{"platform/osexec/a_plan9.go:5 floor"}},
		{name: "up in a test", files: map[string]string{
			"posture/fact/a.go":      sample("fact"),
			"posture/fact/a_test.go": "package fact_test\nimport _ \"" + Module + "/posture/catalogue\"\n"},
			want: []string{"posture/fact/a_test.go:2 floor"}},
		{name: "test imports its own package", files: map[string]string{
			"posture/fact/a.go":      sample("fact"),
			"posture/fact/a_test.go": "package fact_test\nimport _ \"" + Module + "/posture/fact\"\n"}},
		{name: "wall", files: one("broker/server/a.go", importing("server", "OWN/client/state")),
			want: []string{"broker/server/a.go:3 door"}},
		{name: "agent holds no policy", files: one("client/agent/a.go", importing("agent", "OWN/broker/policy")),
			want: []string{"client/agent/a.go:3 door"}},
		{name: "wall in a program", files: one("client/cmd/posternd/main.go", importing("main", "OWN/broker/server")),
			want: []string{"client/cmd/posternd/main.go:3 door"}},
		{name: "platform knows nothing of the product", files: one("platform/files/a.go", importing("files", "OWN/posture/fact")),
			want: []string{"platform/files/a.go:3 door"}},
		{name: "machine implements evidence", files: one("platform/machine/a.go", importing("machine", "OWN/posture/evidence"))},
		{name: "posture through its doors", files: one("posture/collect/a.go", importing("collect", "OWN/platform/clock", "OWN/posture/disk"))},
		{name: "posture through the wall", files: one("posture/collect/a.go", importing("collect", "OWN/platform/files")),
			want: []string{"posture/collect/a.go:3 door"}},
		{name: "no row", files: one("broker/secretroom/a.go", sample("secretroom")),
			want: []string{"broker/secretroom row"}},
		{name: "no row at the root", files: one("a.go", sample("postern")), want: []string{". row"}},
		{name: "import of what has no row", files: one("broker/server/a.go", importing("server", "OWN/broker/server/testdata/x")),
			want: []string{"broker/server/a.go:3 row"}},
		{name: "product imports testfixtures", files: one("broker/server/a.go", importing("server", "OWN/testfixtures/netlab")),
			want: []string{"broker/server/a.go:3 testfixtures"}},
		{name: "test imports testfixtures", files: map[string]string{
			"broker/server/a.go":      sample("server"),
			"broker/server/a_test.go": "package server\nimport _ \"" + Module + "/testfixtures/netlab\"\n"}},
		{name: "testfixtures import everything", files: one("testfixtures/netlab/a.go",
			importing("netlab", "OWN/broker/server", "OWN/client/agent", "os/exec", "cel.dev/cel-go/cel"))},
		{name: "not Go", files: one("broker/server/a.go", "package\n"), want: []string{"broker/server/a.go parse"}},
	})
}

func TestPlantedKeepers(t *testing.T) {
	check(t, []planted{
		{name: "os/exec", files: one("client/agent/a.go", importing("agent", "os/exec")),
			want: []string{"client/agent/a.go:3 keeper"}},
		{name: "os/exec in a test", files: map[string]string{
			"client/agent/a.go":      sample("agent"),
			"client/agent/a_test.go": "package agent\nimport _ \"os/exec\"\n"},
			want: []string{"client/agent/a_test.go:2 keeper"}},
		{name: "os/exec in a program", files: one("client/cmd/posternd/main.go", importing("main", "os/exec")),
			want: []string{"client/cmd/posternd/main.go:3 keeper"}},
		{name: "os/exec at its keeper", files: one("platform/osexec/a.go", importing("osexec", "os/exec"))},
		{name: "part of a kept module", files: one("client/agent/a.go", importing("agent", "gvisor.dev/gvisor/pkg/tcpip")),
			want: []string{"client/agent/a.go:3 keeper"}},
		{name: "part of a kept module at its keeper", files: one("tunnel/wg/a.go",
			importing("wg", "gvisor.dev/gvisor/pkg/tcpip", "golang.zx2c4.com/wireguard/device", "golang.org/x/sys/unix"))},
		{name: "a name that only begins like a kept one", files: one("client/agent/a.go", importing("agent", "os/execute"))},
		{name: "x/sys in a folder that keeps it", files: one("platform/files/a.go", importing("files", "golang.org/x/sys/windows"))},
		{name: "x/sys elsewhere", files: one("broker/gateway/a.go", importing("gateway", "golang.org/x/sys/unix")),
			want: []string{"broker/gateway/a.go:3 keeper"}},
		{name: "cel-go", files: one("broker/server/a.go", importing("server", "cel.dev/cel-go/cel")),
			want: []string{"broker/server/a.go:3 keeper"}},
		{name: "fact takes the standard library only", files: one("posture/fact/a.go", importing("fact", "time", "go.yaml.in/yaml/v3")),
			want: []string{"posture/fact/a.go:4 keeper"}},
		{name: "host.Info at the keeper of gopsutil", files: one("platform/machine/a.go",
			sample("machine", `import "github.com/shirou/gopsutil/v3/host"`, `var _, _ = host.Info()`)),
			want: []string{"platform/machine/a.go:4 keeper"}},
		{name: "a process by another way", files: one("client/agent/a.go",
			sample("agent", `import "os"`, `var start = os.StartProcess`)),
			want: []string{"client/agent/a.go:4 keeper"}},
		{name: "nameless import that hides it", files: one("client/agent/a.go",
			sample("agent", `import . "syscall"`, `var start = StartProcess`)),
			want: []string{"client/agent/a.go:3 exit"}},
	})
}

func TestPlantedConstraints(t *testing.T) {
	check(t, []planted{
		{name: "names that constrain nothing", files: map[string]string{
			"posture/disk/windows.go":      sample("disk"),
			"posture/disk/linux.go":        "package disk\n",
			"posture/disk/linux_test.go":   "package disk\n",
			"posture/disk/read_macos.go":   "package disk\n",
			"posture/disk/note.go":         "package disk\n\n//go:build linux\n",
			"platform/files/a_windows.go":  "//go:build windows\n\n" + sample("files"),
			"platform/files/a_linux.go":    "package files\n",
			"posture/disk/parse_volume.go": "package disk\n"}},
		{name: "build line", files: one("posture/disk/a.go", "//go:build linux\n\n"+sample("disk")),
			want: []string{"posture/disk/a.go:1 constraint"}},
		{name: "old build line", files: one("posture/disk/a.go", "// +build linux\n\n"+sample("disk")),
			want: []string{"posture/disk/a.go:1 constraint"}},
		{name: "build line in a test", files: map[string]string{
			"posture/disk/a.go":      sample("disk"),
			"posture/disk/a_test.go": "//go:build linux\n\npackage disk\n"},
			want: []string{"posture/disk/a_test.go:1 constraint"}},
		{name: "GOOS in the name", files: one("posture/disk/read_windows.go", sample("disk")),
			want: []string{"posture/disk/read_windows.go:2 constraint"}},
		{name: "GOARCH in the name of a test", files: map[string]string{
			"posture/disk/a.go":            sample("disk"),
			"posture/disk/a_amd64_test.go": "package disk\n"},
			want: []string{"posture/disk/a_amd64_test.go:1 constraint"}},
		{name: "cgo", files: one("posture/disk/a.go", importing("disk", "C")),
			want: []string{"posture/disk/a.go:3 constraint"}},
	})
}

func TestPlantedFanOut(t *testing.T) {
	rows, paths := manyRooms("broker", 17)
	server := plantedTable[:strings.Index(plantedTable, "\nMore")] + rows
	agent := strings.ReplaceAll(rows, "broker/", "client/")
	client := plantedTable[:strings.Index(plantedTable, "\nMore")] + agent
	inClient := strings.Split(strings.ReplaceAll(strings.Join(paths, " "), "broker/", "client/"), " ")
	check(t, []planted{
		{name: "8 rooms", table: server, files: one("broker/policy/a.go", importing("policy", paths[:8]...))},
		{name: "9 rooms", table: server, files: one("broker/policy/a.go", importing("policy", paths[:9]...)),
			want: []string{"broker/policy fan-out"}},
		{name: "9 rooms over two systems", table: server, files: map[string]string{
			"broker/policy/a_linux.go":   importing("policy", paths[:5]...),
			"broker/policy/a_windows.go": "package policy\n" + strings.Join(imports(paths[4:9]...), "\n") + "\n"},
			want: []string{"broker/policy fan-out"}},
		{name: "8 rooms and one more in a test", table: server, files: map[string]string{
			"broker/policy/a.go":      importing("policy", paths[:8]...),
			"broker/policy/a_test.go": "package policy\n" + imports(paths[8])[0] + "\n"}},
		{name: "12 rooms in server", table: server, files: one("broker/server/a.go", importing("server", paths[:12]...))},
		{name: "13 rooms in server", table: server, files: one("broker/server/a.go", importing("server", paths[:13]...)),
			want: []string{"broker/server fan-out"}},
		{name: "13 rooms in gateway", table: server, files: one("broker/gateway/a.go", importing("gateway", paths[:13]...)),
			want: []string{"broker/gateway fan-out"}},
		{name: "16 rooms in agent", table: client, files: one("client/agent/a.go", importing("agent", inClient[:16]...))},
		{name: "17 rooms in agent", table: client, files: one("client/agent/a.go", importing("agent", inClient[:17]...)),
			want: []string{"client/agent fan-out"}},
		{name: "17 rooms in a program", table: client, files: one("client/cmd/posternd/main.go", importing("main", inClient[:17]...))},
	})
}

func TestPlantedComments(t *testing.T) {
	check(t, []planted{
		{name: "none", files: one("client/state/a.go", "package state\n"), want: []string{"client/state comment"}},
		{name: "apart from the clause", files: one("client/state/a.go", "// Package state decides.\n\npackage state\n"),
			want: []string{"client/state comment"}},
		{name: "another name", files: one("client/state/a.go", "// Package stat decides.\npackage state\n"),
			want: []string{"client/state/a.go:1 comment"}},
		{name: "name and no job", files: one("client/state/a.go", "// Package state\n// decides.\npackage state\n"),
			want: []string{"client/state/a.go:1 comment"}},
		{name: "twice", files: map[string]string{
			"client/state/a.go": sample("state"), "client/state/b.go": sample("state")},
			want: []string{"client/state/b.go:1 comment"}},
		{name: "only in a test", files: map[string]string{
			"client/state/a.go": "package state\n", "client/state/a_test.go": sample("state")},
			want: []string{"client/state comment"}},
		{name: "in testfixtures too", files: one("testfixtures/netlab/a.go", "package netlab\n"),
			want: []string{"testfixtures/netlab comment"}},
		{name: "a program by its name", files: one("client/cmd/posternd/main.go",
			"// Command posternd is the agent.\npackage main\n")},
		{name: "a program by another name", files: one("client/cmd/posternd/main.go",
			"// Command postern is the agent.\npackage main\n"),
			want: []string{"client/cmd/posternd/main.go:1 comment"}},
		{name: "tests only", files: one("testfixtures/e2e/a_test.go",
			"// Package e2e tests the whole.\npackage e2e_test\n")},
	})
}

func TestPlantedCode(t *testing.T) {
	exit := func(imp, use string) map[string]string {
		return one("client/state/a.go", sample("state", imp, "func f() {", use, "}"))
	}
	check(t, []planted{
		{name: "os.Exit", files: exit(`import "os"`, "os.Exit(1)"), want: []string{"client/state/a.go:5 exit"}},
		{name: "os.Exit under another name", files: exit(`import o "os"`, "o.Exit(1)"), want: []string{"client/state/a.go:5 exit"}},
		{name: "os.Exit as a value", files: exit(`import "os"`, "leave := os.Exit; leave(1)"), want: []string{"client/state/a.go:5 exit"}},
		{name: "os.Exit without the name", files: exit(`import . "os"`, "Exit(1)"), want: []string{"client/state/a.go:3 exit"}},
		{name: "log.Fatal", files: exit(`import "log"`, "log.Fatalf(``)"), want: []string{"client/state/a.go:5 exit"}},
		{name: "os.Exit in testfixtures", files: one("testfixtures/netlab/a.go",
			sample("netlab", `import "os"`, "func f() { os.Exit(1) }")), want: []string{"testfixtures/netlab/a.go:4 exit"}},
		{name: "os.Exit in main", files: one("client/cmd/posternd/main.go",
			sample("main", `import "os"`, "func main() { os.Exit(0) }"))},
		{name: "init", files: exit("", "}; func init() {"), want: []string{"client/state/a.go:5 init"}},
		{name: "method named init", files: exit("type t int", "}; func (t) init() {")},
		{name: "panic", files: exit("", `panic("no")`), want: []string{"client/state/a.go:5 panic"}},
		{name: "panic in main", files: one("client/cmd/posternd/main.go", sample("main", `func main() { panic(1) }`)),
			want: []string{"client/cmd/posternd/main.go:3 panic"}},
		{name: "panic in a test and in testfixtures", files: map[string]string{
			"client/state/a.go":        sample("state"),
			"client/state/a_test.go":   "package state\nfunc f() { panic(1) }\n",
			"testfixtures/netlab/a.go": sample("netlab", "func f() { panic(1) }")}},
		{name: "the words in strings and comments", files: exit("", "_ = `os.Exit(1) panic(2)` // panic(3)")},
		{name: "time.Now in a signal", files: one("posture/disk/a.go", sample("disk", `import "time"`, "var f = time.Now")),
			want: []string{"posture/disk/a.go:4 clock"}},
		{name: "time.Now elsewhere", files: one("posture/collect/a.go", sample("collect", `import "time"`, "var f = time.Now"))},
	})
}

func TestPlantedTables(t *testing.T) {
	const head = "| room | floor | one job |\n|---|---|---|\n"
	const at = TablePath
	check(t, []planted{
		{name: "no table", table: "# House\n", want: []string{at + " table"}},
		{name: "two rows of a room", table: head + "| `a/b` | 1 | x |\n| `a/b` | 2 | x |\n", want: []string{at + ":4 table"}},
		{name: "floor in words", table: head + "| `a/b` | one | x |\n| `a/c` | 1 | x |\n", want: []string{at + ":3 table"}},
		{name: "floor below the ground", table: head + "| `a/b` | -1 | x |\n| `a/c` | 1 | x |\n", want: []string{at + ":3 table"}},
		{name: "no job", table: head + "| `a/b` | 1 |  |\n| `a/c` | 1 | x |\n", want: []string{at + ":3 table"}},
		{name: "a cell too many", table: head + "| `a/b` | 1 | x | y |\n| `a/c` | 1 | x |\n", want: []string{at + ":3 table"}},
		{name: "test equipment with a floor", table: head + "| `testfixtures/a` | 1 | x |\n| `a/c` | 1 | x |\n", want: []string{at + ":3 table"}},
		{name: "two tables", table: head + "| `a/b` | 1 | x |\n\n" + head + "| `a/c` | 1 | x |\n", want: []string{at + ":5 table"}},
		{name: "another table beside it", table: head + "| `a/b` | 1 | x |\n\n| from | to |\n|---|---|\n| a | b |\n"},
	})
}
