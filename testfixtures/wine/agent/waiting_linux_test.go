package agent

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/testfixtures/wine"
)

// An agent that was installed before its settings came waits for them, says so,
// and goes on by itself.
func TestSettingsComeLater(t *testing.T) {
	a := &agent{t: t, pc: here.pc, program: windowsProgram("posternd"), state: filepath.Join(t.TempDir(), "state"), log: newRecord(t)}
	a.args = []string{"--user", "--state", wine.Windows(a.state)}
	a.endWith(t)
	s := a.start()
	if s.Broker.URL != "" || len(s.Reasons) != 1 || s.Reasons[0] != localapi.CodeNoBroker {
		t.Errorf("without settings: %+v", s)
	}
	readable(t, "status", s.Message)
	r := a.postern("login", "--no-browser")
	readable(t, "login", spoken(r.errOut))
	file := filepath.Join(a.state, "settings.yaml")
	ok(t, os.WriteFile(file, []byte("broker: x\n"), 0o600))
	s = a.waitFor("the mistake", func(s localapi.Status) bool { return len(s.Reasons) == 1 && s.Reasons[0] != localapi.CodeNoBroker })
	readable(t, "mistake", s.Message)
	t.Log(s.Message)
	began := time.Now()
	ok(t, os.WriteFile(file+".new", []byte(nowhere), 0o600))
	ok(t, os.Rename(file+".new", file))
	a.waitFor("the settings", func(s localapi.Status) bool { return s.Broker.URL != "" })
	t.Logf("settings were taken after %d ms", time.Since(began).Milliseconds())
	a.interrupt()
}
