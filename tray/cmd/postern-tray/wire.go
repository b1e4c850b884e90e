package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/platform/browser"
	"github.com/postern-zt/postern/platform/buildinfo"
	"github.com/postern-zt/postern/platform/clipboard"
	"github.com/postern-zt/postern/platform/files"
	"github.com/postern-zt/postern/platform/locale"
	"github.com/postern-zt/postern/platform/paths"
	"github.com/postern-zt/postern/platform/settings"
	"github.com/postern-zt/postern/tray/desk"
	"github.com/postern-zt/postern/tray/icons"
	"github.com/postern-zt/postern/tray/shell"
	menu "github.com/postern-zt/postern/tray/view"
)

// traySizes are the edges of the icons for Linux, in pixels: those of panels,
// and of panels on screens of twice the density.
func traySizes() []int { return []int{16, 22, 24, 32, 48} }

// serve runs the tray until ctx ends or the desktop does.
func serve(ctx context.Context, o options, log *slog.Logger) error {
	set, err := paths.User()
	if err != nil {
		return err
	}
	lock, err := alone(o, set.State)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	base := view.Input{Version: buildinfo.Version(), System: runtime.GOOS, Language: locale.Language(), HasPage: hasPage}
	helpdesk := reachable(filepath.Join(set.State, contactName), log)
	base.LastManaged = helpdesk.known()
	before := remember(filepath.Join(set.State, toldName), base, log)
	c := &agent{choose: func() string { return localapi.ChooseSocket(o.socket, os.Getenv) }, saw: func(st localapi.Status) { before.saw(st); helpdesk.saw(st) },
		coming: &coming{sockets: func() []string { return sockets(o.socket, os.Getenv) }, log: log}}
	defer c.close()
	p := &page{agent: c, base: base, helpdesk: helpdesk, log: log}
	n := openNotes(ctx, log)
	defer n.close()
	tray := shell.New(shell.Options{Name: buildinfo.Product, Icons: picture, Log: log})
	d := desk.New(desk.Options{
		Agent: c, Base: base, Tell: before.once(n.tell()), Withdraw: n.withdraw(),
		Open: browser.Open, Fix: fix, Copy: copier(), Log: log,
		Details: func(_ context.Context, section string) error { return p.show(ctx, section) },
		Quit:    cancel,
		Draw: func(m menu.Menu) {
			if err := tray.Show(m); err != nil {
				log.Warn("show menu", "error", err)
			}
		},
	})
	p.signIn = func(somebodyElse bool) {
		do := menu.Action{Kind: menu.DoSignIn}
		if somebodyElse {
			do.Kind = menu.DoSwitch
		}
		d.Choose(ctx, do)
	}
	c.coming.tell(func() { d.Choose(ctx, menu.Action{Kind: menu.DoRetry}) })
	first := d.First(ctx)
	var work sync.WaitGroup
	work.Go(func() { d.Run(ctx); p.wait() })
	work.Go(func() { n.listen(ctx, d) })
	work.Go(func() { watchHost(ctx, base, n.tell(), log) })
	err = tray.Run(ctx, first, func(a menu.Action) { d.Choose(ctx, a) })
	cancel()
	work.Wait()
	return err
}

// toldName is the file in the person's state folder in which it is kept what
// was told.
const toldName = "tray-told.json"

// alone makes sure that one tray of this user follows one agent.
func alone(o options, state string) (*files.Held, error) {
	if err := files.MkdirOwnerOnly(state); err != nil {
		return nil, err
	}
	// Another desktop session of the same user has a tray of its own.
	of := sha256.Sum256([]byte(strings.Join([]string{o.socket, os.Getenv("XDG_SESSION_ID"), os.Getenv("DISPLAY"), os.Getenv("WAYLAND_DISPLAY"), os.Getenv("SESSIONNAME"), os.Getenv("DBUS_SESSION_BUS_ADDRESS")}, "\x00")))
	name := "tray-" + hex.EncodeToString(of[:6]) + ".lock"
	return files.Lock(filepath.Join(state, name), fmt.Sprintf("postern-tray, process %d", os.Getpid()))
}

func hasPage(id string) bool {
	p, ok := settings.Known(id)
	return ok && settings.Has(p)
}

// fix opens a page of the system's settings. Only ids of its table do anything.
func fix(ctx context.Context, id string) error {
	p, ok := settings.Known(id)
	if !ok {
		return fmt.Errorf("open settings: no page %q", id)
	}
	return settings.Open(ctx, p)
}

// copier is nil where the system can copy only by starting a program.
func copier() func(string) error {
	if !clipboard.Has() {
		return nil
	}
	return clipboard.Copy
}

func picture(name string) shell.Image {
	i, ok := icons.Tray(name)
	if !ok {
		return shell.Image{}
	}
	out := shell.Image{ICO: i.ICO, Template: i.Template2x}
	for _, size := range traySizes() {
		out.PNG = append(out.PNG, i.PNG[size])
	}
	return out
}
