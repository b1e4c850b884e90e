package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/postern-zt/postern/client/config"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/buildinfo"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/files"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/platform/machine"
	"github.com/postern-zt/postern/platform/paths"
	"github.com/postern-zt/postern/posture/collect"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/observe"
)

// readHere reads this computer as far as the caller's rights go.
func (a *app) readHere(ctx context.Context) (reading, error) {
	r, err := a.collect(ctx, machine.New(machine.Config{}))
	r.Reader = byItself
	return r, err
}

// collect reads a machine once.
func (a *app) collect(ctx context.Context, m evidence.Machine) (reading, error) {
	rows, err := a.catalogue()
	if err != nil {
		return reading{}, err
	}
	c := collect.New(collect.Config{Machine: m, Catalogue: rows, Clock: clock.System(), Version: buildinfo.Version()})
	return reading{Reading: localapi.Reading{Report: c.Read(ctx), Rights: ownRights()}, system: m.System()}, ctx.Err()
}

// replay reads a recorded machine. The user's own settings have no part in it,
// so that everybody gets the same report.
func (a *app) replay(ctx context.Context, path string) (reading, error) {
	folder, done, err := openMachine(path)
	if err != nil {
		return reading{}, a.noRecording(path, err)
	}
	defer done()
	m, err := evidence.Open(folder)
	if err != nil {
		return reading{}, a.noRecording(path, err)
	}
	rows, err := observe.BuiltIn()
	if err != nil {
		return reading{}, err
	}
	c := collect.New(collect.Config{Machine: m, Catalogue: rows, Clock: clock.System(), Version: buildinfo.Version()})
	r := reading{Reader: byReplay, Machine: path, system: m.System()}
	r.Reading = localapi.Reading{Report: c.Read(ctx)}
	return r, ctx.Err()
}

// noRecording says that there is no recorded machine to read.
func (a *app) noRecording(path string, err error) error {
	w := a.said().Posture
	f := &failure{Code: codeError, Message: fill(w.NotRecording, "path", path, "why", err.Error()), Hint: w.RecordHint, exit: exitError}
	if errors.Is(err, fs.ErrNotExist) {
		f.Message = fill(w.NoRecording, "path", path)
	}
	return f
}

// openMachine opens a folder, or a zip of one.
func openMachine(path string) (fs.FS, func(), error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if info.IsDir() {
		return os.DirFS(path), func() {}, nil
	}
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, nil, fmt.Errorf("want a folder or a zip of one: %w", err)
	}
	return &z.Reader, func() { z.Close() }, nil
}

// recordTo reads this computer and keeps everything that was read.
func (a *app) recordTo(ctx context.Context, path string) (reading, error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return reading{}, a.usage("postern posture", fill(a.said().Posture.RecordExists, "path", path))
	}
	m := evidence.NewRecording(machine.New(machine.Config{}), nil)
	r, err := a.collect(ctx, m)
	if err != nil {
		return reading{}, err
	}
	if err := files.MkdirOwnerOnly(path); err != nil {
		return reading{}, fmt.Errorf("write recording: %w", err)
	}
	if err := m.Write(folderWriter(path)); err != nil {
		return reading{}, err
	}
	r.Reader, r.Record = byRecorder, path
	return r, nil
}

// folderWriter writes below a folder, for the owner only.
type folderWriter string

func (w folderWriter) WriteFile(name string, content []byte) error {
	path := filepath.Join(string(w), filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

// catalogue is what the user's own settings add to the shipped one. Settings
// that are wrong, or nowhere, are no reason to show nothing.
func (a *app) catalogue() ([]observe.EDRRow, error) {
	set, err := paths.User()
	if err == nil {
		var s config.Settings
		if s, err = config.Load(set, config.Overrides{}); err == nil {
			return s.Catalogue, nil
		}
	}
	for line := range strings.Lines(err.Error()) {
		a.warn("%s", fill(a.said().Posture.SettingsLeftOut, "why", strings.TrimSpace(line)))
	}
	return observe.BuiltIn()
}

// ownRights are those of this process, told as the agent tells its own.
func ownRights() string {
	if ipc.Self().Class == ipc.ClassAdministrator {
		return localapi.RightsSystem
	}
	return localapi.RightsUser
}
