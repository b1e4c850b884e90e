package dist

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// prefixes are where it is installed in turn: the usual place, that of packages,
// and one of no desktop's.
var prefixes = []string{"/usr/local", "/usr", "/opt/postern-1.2/x86_64"}

// TestInstall installs below a folder, looks at everything as a desktop, a shell
// and man do, installs over it and takes it away again.
func TestInstall(t *testing.T) {
	built := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), buildPatience)
	defer cancel()
	if err := Make(ctx, "programs", "OUT="+built); err != nil {
		t.Fatal(err)
	}
	for _, prefix := range prefixes {
		t.Run(strings.ReplaceAll(prefix[1:], "/", "-"), func(t *testing.T) {
			d := &installed{T: t, dest: t.TempDir(), prefix: prefix, built: built}
			// What is there of others stays.
			other := filepath.Join(d.dest, prefix, "bin", "other")
			write(t, other)
			before := d.files()
			d.make("install")
			d.checkNames()
			d.checkEntries()
			d.checkIcons()
			d.checkManual()
			d.checkCompletions()
			first := d.files()
			// Something that an older version had.
			gone := filepath.Join(prefix, "share/postern/gone")
			write(t, d.dest+gone)
			list := d.path("share/postern/installed")
			text := fmt.Sprintf("%s%s\n", read(t, list), gone)
			if err := os.WriteFile(list, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			d.make("install")
			if again := d.files(); !slices.Equal(again, first) {
				t.Errorf("installed twice there are\n%q, once\n%q", again, first)
			}
			d.make("uninstall")
			if after := d.files(); !slices.Equal(after, before) {
				t.Errorf("uninstalled there are %q, before %q", after, before)
			}
		})
	}
}

// installed is an installation below a folder.
type installed struct {
	*testing.T
	dest, prefix, built string
}

func (d *installed) path(name string) string { return filepath.Join(d.dest, d.prefix, name) }

func (d *installed) make(what string) {
	d.Helper()
	if err := Make(d.Context(), what, "DESTDIR="+d.dest, "PREFIX="+d.prefix, "OUT="+d.built); err != nil {
		d.Fatal(err)
	}
}

// files lists everything below the folder, with the rights.
func (d *installed) files() []string {
	d.Helper()
	var all []string
	err := filepath.WalkDir(d.dest, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		all = append(all, fmt.Sprint(path, " ", info.Mode()))
		return err
	})
	if err != nil {
		d.Fatal(err)
	}
	return all
}

// checkNames: the programs run, everybody may read all, and nothing is a link.
func (d *installed) checkNames() {
	d.Helper()
	for program := range shipped {
		out, err := exec.CommandContext(d.Context(), d.path("bin/"+filepath.Base(program)), "--help").CombinedOutput()
		if err != nil || len(out) == 0 {
			d.Errorf("%s: %v\n%s", program, err, out)
		}
	}
	for _, f := range d.files()[1:] {
		path, mode, _ := strings.Cut(f, " ")
		want := "-rw-r--r--"
		if filepath.Base(filepath.Dir(path)) == "bin" && filepath.Base(path) != "other" {
			want = "-rwxr-xr-x"
		}
		if mode[0] == 'd' {
			want = "drwxr-xr-x"
		}
		if mode != want {
			d.Errorf("%s has %s, want %s", path, mode, want)
		}
	}
}

// checkManual has man, or mandoc, read the pages, of which there is one for the
// program and one for each command that its help shows.
func (d *installed) checkManual() {
	d.Helper()
	pages, err := filepath.Glob(d.path("share/man/man1/*.1"))
	if err != nil || len(pages) < 10 || !slices.Contains(pages, d.path("share/man/man1/postern.1")) {
		d.Fatalf("pages %q, %v", pages, err)
	}
	readers := 0
	for _, by := range [][]string{{"man", "-l"}, {"mandoc", "-W", "error,stop"}} {
		if _, err := exec.LookPath(by[0]); err != nil {
			continue
		}
		readers++
		for _, page := range pages {
			cmd := exec.CommandContext(d.Context(), by[0], append(by[1:], page)...)
			cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MANWIDTH=80")
			out, err := cmd.Output()
			for _, want := range []string{strings.TrimSuffix(filepath.Base(page), ".1"), "SYNOPSIS", "EXIT STATUS"} {
				if err == nil && !bytes.Contains(overstruck(out), []byte(want)) {
					err = fmt.Errorf("no %s", want)
				}
			}
			if err != nil {
				d.Errorf("%s cannot read %s: %v\n%s", by[0], page, err, out)
			}
		}
	}
	if readers == 0 {
		d.Log("neither man nor mandoc is here: the pages were not read")
	}
}

// overstruck takes away what makes letters bold on a printer.
func overstruck(text []byte) []byte {
	var out []byte
	for _, c := range text {
		if c == '\b' && len(out) > 0 {
			out = out[:len(out)-1]
			continue
		}
		out = append(out, c)
	}
	return out
}

// checkCompletions asks bash what the Tab key gives, and has the other shells
// parse theirs where they are.
func (d *installed) checkCompletions() {
	d.Helper()
	// The package bash-completion, without which there are none, or the one
	// function of it that these need.
	script := fmt.Sprintf(`
		source /usr/share/bash-completion/bash_completion 2>/dev/null || _get_comp_words_by_ref() {
			words=("${COMP_WORDS[@]}") cword=$COMP_CWORD cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
		}
		source %q
		complete -p postern
		COMP_WORDS=(postern sta); COMP_CWORD=1; COMP_LINE="postern sta"; COMP_POINT=11
		PATH=%q:$PATH __start_postern
		echo "${COMPREPLY[@]}"`, d.path("share/bash-completion/completions/postern"), d.path("bin"))
	out, err := exec.CommandContext(d.Context(), "bash", "--norc", "-c", script).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "\nstatus") {
		d.Errorf("bash completes to %q, %v", out, err)
	}
	for shell, name := range map[string]string{"zsh": "share/zsh/site-functions/_postern", "fish": "share/fish/vendor_completions.d/postern.fish"} {
		text := read(d.T, d.path(name))
		if !strings.Contains(text, "postern") {
			d.Errorf("%s is for another program", name)
		}
		if _, err := exec.LookPath(shell); err == nil {
			if out, err := exec.CommandContext(d.Context(), shell, "-n", d.path(name)).CombinedOutput(); err != nil {
				d.Errorf("%s: %v\n%s", shell, err, out)
			}
		}
	}
	if !strings.HasPrefix(read(d.T, d.path("share/zsh/site-functions/_postern")), "#compdef postern\n") {
		d.Error("zsh does not load a file that does not begin with #compdef")
	}
}

// checkIcons: in each folder of hicolor is a picture of the size that the folder
// says, as desktops do not look before they draw.
func (d *installed) checkIcons() {
	d.Helper()
	sizes := 0
	for _, path := range must(filepath.Glob(d.path("share/icons/hicolor/*x*/apps/*.png"))) {
		var width, height int
		if _, err := fmt.Sscanf(filepath.Base(filepath.Dir(filepath.Dir(path))), "%dx%d", &width, &height); err != nil {
			d.Error(err)
		}
		m, err := png.Decode(strings.NewReader(read(d.T, path)))
		if err != nil || m.Bounds().Dx() != width || m.Bounds().Dy() != height {
			d.Errorf("%s is of another size: %v", path, err)
		}
		sizes++
	}
	if sizes < 7 {
		d.Errorf("%d sizes", sizes)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // a pattern that is none
	}
	return v
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestInstallRefuses has paths refused that an entry could not name, and says
// what to do where nothing is installed.
func TestInstallRefuses(t *testing.T) {
	dest := t.TempDir()
	for _, prefix := range []string{"/a b", "relative", `/"`, "/$HOME", "/a\nExec=b", "/%u"} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(root(t), "installer", "linux", "install.sh"), "install")
		cmd.Env = append(os.Environ(), "DESTDIR="+dest, "PREFIX="+prefix)
		if said, err := cmd.CombinedOutput(); err == nil || !bytes.Contains(said, []byte("is not a path from the root")) {
			t.Errorf("install into %q: %v\n%s", prefix, err, said)
		}
	}
	err := Make(t.Context(), "uninstall", "DESTDIR="+dest)
	if err == nil || !strings.Contains(err.Error(), "nothing is installed") || !strings.Contains(err.Error(), "hint: ") {
		t.Errorf("uninstalled nothing: %v", err)
	}
	list := filepath.Join(dest, "usr/local/share/postern/installed")
	write(t, list)
	kept := filepath.Join(dest, "kept")
	write(t, kept)
	for _, line := range []string{"../kept", "/usr/../kept", "kept", ""} {
		if err := os.WriteFile(list, []byte(line+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := Make(t.Context(), "uninstall", "DESTDIR="+dest); err == nil {
			t.Errorf("uninstalled %q", line)
		}
	}
	if entries := must(os.ReadDir(dest)); len(entries) != 2 {
		t.Errorf("there are %v", entries)
	}
}
