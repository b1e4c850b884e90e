package browser

import (
	"bufio"
	"bytes"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-zt/postern/client/loopback"
)

// The browser runs on another computer than the login, as over SSH: the person
// pastes the address that the browser could not reach.
func TestPasted(t *testing.T) {
	s := newScene(t, "pasted")
	s.like.Elsewhere = true
	// script(1) gives the command line a terminal, which is what it reads.
	cmd := exec.CommandContext(s.ctx, "script", "-qfec", filepath.Join(on.bin, "postern")+" --socket "+s.agent.Socket()+" login --no-browser", "/dev/null")
	keyboard, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	screen, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	link := linkOf(bufio.NewReader(io.TeeReader(screen, &shown)))
	if link == "" {
		cmd.Process.Kill()
		t.Fatalf("postern login shows no link: %s %v", &shown, cmd.Wait())
	}
	c := s.like
	c.Scenario, c.URL, c.User, c.Password = ScenarioSignIn, link, s.person, password
	r, err := on.driver.Do(s.ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	address := r.Page.History[r.Page.Current]
	if _, err := loopback.ParseAnswer(address, stateOf(t, link)); err != nil || r.Failure == "" {
		t.Fatalf("the browser ends at %s with %s: %v", address, r.Failure, err)
	}
	if _, err := io.WriteString(keyboard, address+"\n"); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(screen)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("postern login: %v: %s%s", err, &shown, rest)
	}
	if strings.Contains(shown.String()+string(rest), "code=") {
		t.Errorf("the terminal shows what was pasted: %s%s %v", &shown, rest, err)
	}
	if st, err := s.agent.Status(s.ctx); err != nil || st.User == nil || st.User.Email != "pasted@example.test" {
		t.Errorf("the user is %+v, %v", st.User, err)
	}
}

// linkOf reads a terminal until a line is the link.
func linkOf(screen *bufio.Reader) string {
	for {
		text, err := screen.ReadString('\n')
		if text = strings.TrimSpace(text); strings.HasPrefix(text, on.provider.Issuer) {
			return text
		}
		if err != nil {
			return ""
		}
	}
}
