package settings

import (
	"context"
	"fmt"
	"os"

	"github.com/postern-zt/postern/platform/osexec"
)

func find(p Page) (place, error) {
	f, err := linuxMachine{env: os.Getenv}.find(p)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// sessionLeaders are where setsid(1) lies, which util-linux and BusyBox have.
func sessionLeaders() []string {
	return []string{"/usr/bin/setsid", "/bin/setsid", "/run/current-system/sw/bin/setsid"}
}

// open starts the program so that it outlives this process and leaves nothing
// to wait for. What osexec.Start starts dies with us; setsid, which it starts
// here as the leader of a process group, must fork before it may make a session
// and ends at once. Its child, in the new session, is the program; it keeps
// neither our terminal nor our group, and no death signal (prctl(2): the child
// of a fork has none). The programs hand the page over to their running
// instance, if there is one, by themselves.
func (f found) open(ctx context.Context) error {
	setsid := linuxMachine{}.first(sessionLeaders(), "", isProgram)
	if setsid == "" {
		return fmt.Errorf("start %s: setsid is not installed", f.path)
	}
	child, err := osexec.Start(ctx, setsid, osexec.Self{
		Args: append([]string{f.path}, f.args...),
		Env:  environment(os.Environ()),
		Dir:  "/",
	})
	if err != nil {
		return err
	}
	return child.Wait()
}

// environment is the person's own, which a program with windows needs. The
// language that osexec sets for tools it reads is taken back: an empty LC_ALL is
// as good as none (locale(7)).
func environment(own []string) []string { return append([]string{"LC_ALL="}, own...) }
