package evidence

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/postern-zt/postern/posture/fact"
)

// mapWriter is a folder in memory.
type mapWriter fstest.MapFS

func (w mapWriter) WriteFile(name string, content []byte) error {
	w[name] = &fstest.MapFile{Data: content, Mode: 0o600}
	return nil
}

// everything reads one of each through m and gives what it saw.
func everything(ctx context.Context, m Machine) []any {
	var out []any
	note := func(v any, err error) { out = append(out, v, ReasonOf(err), err == nil, codeOf(err)) }
	first := func(r io.Reader) ([]byte, error) {
		b := make([]byte, 2)
		_, err := io.ReadFull(r, b)
		return b, err
	}
	for _, p := range []string{"/etc/a", "/etc/link", "/none", "/secret", "/etc"} {
		p = native(m.System(), p)
		data, err := m.ReadFile(ctx, p)
		note(string(data), err)
		info, err := m.Stat(ctx, p)
		note(info, err)
		names, err := m.ReadDir(ctx, p)
		note(strings.Join(names, ","), err)
		target, err := m.ReadLink(ctx, p)
		note(target, err)
		sum, err := m.SHA256(ctx, p)
		note(sum, err)
		essence, err := m.Distil(ctx, p, "first two", first)
		note(string(essence), err)
	}
	for _, c := range []string{"good", "bad", "missing", "odd/name"} {
		o, err := m.Run(ctx, c, "-x", "a b")
		note(o, err)
	}
	for _, key := range []string{`HKLM\SOFTWARE\X`, `HKLM\SOFTWARE`, `HKLM\NO`} {
		values, err := m.Registry(ctx, key)
		note(fmt.Sprint(values), err)
	}
	for _, class := range []string{"Win32_A", "Empty", "Gone"} {
		rows, err := m.WMI(ctx, `root\cimv2`, class)
		note(len(rows), err)
		note(fmt.Sprint(rows), err)
	}
	processes, err := m.Processes(ctx)
	note(processes, err)
	services, err := m.Services(ctx)
	note(services, err)
	sessions, err := m.Sessions(ctx)
	note(sessions, err)
	value, err := m.Sysctl(ctx, "kern.osrelease")
	note(value, err)
	for _, q := range []Question{AskPlatform, AskTPM} {
		answer, err := m.Ask(ctx, q, "C:")
		note(string(answer), err)
	}
	return append(out, m.Now().Format(time.RFC3339Nano), m.System())
}

// native is a path as the system writes it.
func native(system System, p string) string {
	if system == Windows {
		return "C:" + strings.ReplaceAll(p, "/", `\`)
	}
	return p
}

func source(system System) *Memory {
	m := NewMemory(system, time.Date(2026, 11, 21, 10, 0, 0, 5, time.FixedZone("", 3600)))
	m.SetFile(native(system, "/etc/a"), "content")
	m.SetOwner(native(system, "/etc/a"), "1000")
	m.SetLink("/etc/link", "a")
	m.SetFile(native(system, "/secret"), "x")
	m.Fail(native(system, "/secret"), fact.ReasonNeedsPrivilege)
	m.SetCommand("good -x a b", "out\r\n")
	m.SetOutput("bad -x a b", Output{Stdout: []byte("o"), Stderr: []byte("e"), Code: 3})
	m.SetCommand("odd/name -x a b", "")
	m.SetRegistry(regOutput)
	m.SetWMI(`root\CIMV2`, "Win32_A", Row{"Name": {"x"}, "List": {"1", "2"}, "None": {}})
	m.SetWMI(`root\cimv2`, "Empty")
	m.SetProcesses(Process{PID: 7, Name: "p", Executable: "/etc/a", Owner: "0", Unit: "p.service"})
	m.SetServices(Service{Name: "s", State: "running"})
	m.SetSessions(Session{User: "u", ID: "1000", Active: true})
	m.SetSysctl("kern.osrelease", "25.0.0")
	m.SetAnswer(map[string]any{"machine": "x86_64"}, AskPlatform, "C:")
	return m
}

func TestRecordingReplays(t *testing.T) {
	for _, system := range []System{Linux, Windows, MacOS} {
		t.Run(string(system), func(t *testing.T) {
			r := NewRecording(source(system), nil)
			want := everything(t.Context(), r)
			folder := mapWriter{}
			if err := r.Write(folder); err != nil {
				t.Fatal(err)
			}
			again, err := Open(fstest.MapFS(folder))
			if err != nil {
				t.Fatal(err)
			}
			got := everything(t.Context(), again)
			for i := range want {
				if !reflect.DeepEqual(got[i], want[i]) {
					t.Errorf("reading %d: got %v, want %v", i, got[i], want[i])
				}
			}
			if _, err := again.ReadFile(t.Context(), "/never/asked"); ReasonOf(err) != fact.ReasonNotRecorded {
				t.Errorf("what nobody asked for: %v", err)
			}
		})
	}
}

func TestRecordingFromArchive(t *testing.T) {
	r := NewRecording(source(Linux), func(_, target string, content []byte) []byte {
		if target == "/etc/a" {
			return []byte("redacted")
		}
		return content
	})
	everything(t.Context(), r)
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	folder := mapWriter{}
	if err := r.Write(folder); err != nil {
		t.Fatal(err)
	}
	for name, file := range folder {
		f, err := w.Create("machine/" + name)
		if err != nil {
			t.Fatal(err)
		}
		f.Write(file.Data)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	zr, err := zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	if err != nil {
		t.Fatal(err)
	}
	m, err := Open(zr)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := m.ReadFile(t.Context(), "/etc/a"); err != nil || string(data) != "redacted" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	good := `{"format":1,"system":"linux","now":"2026-11-21T10:00:00Z","missing":"absent"}`
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing":         {nil, "machine.json"},
		"another format":  {map[string]string{headerFile: strings.Replace(good, "1,", "2,", 1)}, "format 2"},
		"another system":  {map[string]string{headerFile: strings.Replace(good, "linux", "plan9", 1)}, "plan9"},
		"no time":         {map[string]string{headerFile: strings.Replace(good, "2026", "0001", 1)}, "now"},
		"unknown member":  {map[string]string{headerFile: strings.Replace(good, "{", `{"x":1,`, 1)}, "unknown field"},
		"odd exit code":   {map[string]string{headerFile: good, "commands/x.code": "one"}, "commands/x.code"},
		"odd command":     {map[string]string{headerFile: good, "commands/x.txt": ""}, ".out"},
		"half an answer":  {map[string]string{headerFile: good, "answers/tpm.json": "{"}, "answers/tpm.json"},
		"odd mode":        {map[string]string{headerFile: good, filesFile: `[{"path":"/x","mode":"9"}]`}, "mode"},
		"failure of none": {map[string]string{headerFile: good, errorsFile: `[{"op":"read"}]`}, "errors.json"},
		"too much":        {map[string]string{headerFile: good, "files/x": strings.Repeat("x", MaxFile+1)}, "files/x"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := fstest.MapFS{}
			for name, data := range c.files {
				folder[name] = &fstest.MapFile{Data: []byte(data)}
			}
			if _, err := Open(folder); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error that names %q", err, c.want)
			}
		})
	}
	many := fstest.MapFS{headerFile: {Data: []byte(good)}}
	for i := range maxEntries + 1 {
		many["files/"+strings.Repeat("d", i%50+1)+"/"+string(rune('a'+i%26))+strings.Repeat("f", i/50+1)] = &fstest.MapFile{}
	}
	if _, err := Open(many); err == nil {
		t.Error("a folder of too many files was taken")
	}
	link := fstest.MapFS{headerFile: {Data: []byte(good)}, "files/x": {Mode: fs.ModeSymlink, Data: []byte("/etc/shadow")}}
	if _, err := Open(link); err == nil || !strings.Contains(err.Error(), "regular") {
		t.Errorf("a link in a recording: %v", err)
	}
}

func TestRecordingIsBounded(t *testing.T) {
	m := NewMemory(Linux, time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC))
	big := strings.Repeat("x", MaxFile)
	r := NewRecording(m, nil)
	for i := range MaxRecording/MaxFile + 2 {
		name := "/f" + string(rune('a'+i))
		m.SetFile(name, big)
		if _, err := r.ReadFile(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	folder, total := mapWriter{}, 0
	if err := r.Write(folder); err != nil {
		t.Fatal(err)
	}
	for _, f := range folder {
		total += len(f.Data)
	}
	if total > MaxRecording+1<<20 || !bytes.Contains(folder[headerFile].Data, []byte(`"cut": true`)) {
		t.Errorf("%d bytes kept; header %s", total, folder[headerFile].Data)
	}
	again, err := Open(fstest.MapFS(folder))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.ReadFile(t.Context(), "/fj"); ReasonOf(err) != fact.ReasonNotRecorded || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that no longer fitted: %v", err)
	}
}
