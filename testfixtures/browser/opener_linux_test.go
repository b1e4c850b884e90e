package browser

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // Chromium's history

	"github.com/postern-zt/postern/testfixtures/lab"
)

// `postern login` opens the person's browser, by xdg-open and $BROWSER.
func TestOpener(t *testing.T) {
	s := newScene(t, "opener")
	dir := t.TempDir()
	report, profile := filepath.Join(dir, "report"), filepath.Join(dir, "profile")
	cmd := exec.CommandContext(s.ctx, filepath.Join(on.bin, "postern"), "--socket", s.agent.Socket(), "login")
	cmd.Env = append(os.Environ(), "BROWSER="+s.script(dir, report, profile), "DISPLAY=", "WAYLAND_DISPLAY=")
	var out, notes bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &notes
	if err := cmd.Run(); err != nil {
		seen, _ := os.ReadFile(report)
		t.Fatalf("postern login: %v: %s%s; the browser saw %s", err, &out, &notes, seen)
	}
	if st, err := s.agent.Status(s.ctx); err != nil || st.User == nil || st.User.Email != "opener@example.test" {
		t.Errorf("postern login says %q; the user is %+v, %v", &out, st.User, err)
	}
	r := s.told(report)
	s.clean(r)
	s.shows(r, "Almost there")
	s.posted(r)
	s.keepsNoCode(profile)
}

// Where no browser can be opened the sign-in goes on by hand, and the answer
// comes in the address, which a person can copy.
func TestNoBrowserHere(t *testing.T) {
	s := newScene(t, "nobody")
	cmd := exec.CommandContext(s.ctx, filepath.Join(on.bin, "postern"), "--socket", s.agent.Socket(), "login", "--json")
	cmd.Env = append(os.Environ(), "BROWSER=", "DISPLAY=", "WAYLAND_DISPLAY=", "SSH_CONNECTION=")
	l, err := begin(cmd)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(l.URL, "response_mode") {
		t.Errorf("the answer of %s cannot be copied", l.URL)
	}
	s.shows(s.do(ScenarioSignIn, l.URL), "Almost there")
	if e := s.signedIn(l); !strings.Contains(e.Notes, "No browser could be opened.") {
		t.Errorf("postern login says %q", e.Notes)
	}
}

// A link that may be opened on another computer brings the answer in the
// address: the browser's history keeps it, spent, and shows it nowhere.
func TestAnswerInTheAddressIsUnlisted(t *testing.T) {
	s := newScene(t, "address")
	s.like.Profile = filepath.Join(t.TempDir(), "profile")
	l := s.login("")
	s.shows(s.do(ScenarioSignIn, l.URL), "Almost there")
	s.signedIn(l)
	s.do(ScenarioClose, "")
	s.unlistedHistory(s.like.Profile)
}

// script is a browser for $BROWSER: it signs the person in.
func (s *scene) script(dir, report, profile string) string {
	s.Helper()
	options, err := json.Marshal(Command{User: s.person, Password: password, Profile: profile})
	if err != nil {
		s.Fatal(err)
	}
	with := strings.Replace(string(options), "{", fmt.Sprintf(`{"report":%q,`, report), 1)
	path := filepath.Join(dir, "browser")
	text := fmt.Sprintf("#!/bin/sh\nPOSTERN_DRIVE='%s' POSTERN_CHROMIUM='%s' exec '%s' '%s' sign-in \"$1\"\n", with, on.kit.chromium, on.kit.node, on.kit.script("drive.mjs"))
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		s.Fatal(err)
	}
	return path
}

// told waits until the browser of its own has written its report and closed.
func (s *scene) told(path string) Report {
	s.Helper()
	var r Report
	err := lab.Until(s.ctx, patience, "the browser's report", func() (bool, error) {
		data, err := os.ReadFile(path)
		if err != nil {
			return false, err
		}
		r = Report{}
		for text := range bytes.Lines(data) {
			var l line
			if err := json.Unmarshal(text, &l); err != nil {
				return false, err // in the making
			}
			if l.Error != "" {
				s.Fatal(l.Error)
			}
			if l.Done {
				return true, nil
			}
			r.add(l)
		}
		return false, nil
	})
	if err != nil {
		s.Fatal(err)
	}
	return r
}

// endOfChain marks, in a visit's transition, the last page of a chain of
// redirects: what the browser lists (Chromium, ui/base/page_transition_types.h).
const endOfChain = 0x20000000

// unlistedHistory wants the addresses with a code hidden, and in no list.
func (s *scene) unlistedHistory(profile string) {
	s.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(profile, "Default", "History")+"?mode=ro")
	if err != nil {
		s.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(s.ctx, `select u.url, u.hidden, max(v.transition & ?) from urls u join visits v on v.url = u.id group by u.id`, endOfChain)
	if err != nil {
		s.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var address string
		var hidden, listed int
		if err := rows.Scan(&address, &hidden, &listed); err != nil {
			s.Fatal(err)
		}
		if strings.Contains(address, "code=") && (hidden == 0 || listed != 0) {
			s.Errorf("the history lists or suggests %s (hidden %d, end of a chain %d)", address, hidden, listed)
		}
	}
	if err := rows.Err(); err != nil || n == 0 {
		s.Errorf("the history has %d addresses: %v", n, err)
	}
}

// posted wants one answer, and that posted.
func (s *scene) posted(r Report) {
	s.Helper()
	var own []string
	for _, q := range r.Requests {
		if strings.Contains(q.URL, "/callback") {
			own = append(own, q.Method+" "+q.URL+" "+q.Body)
		}
	}
	if len(own) != 1 || !strings.HasPrefix(own[0], "POST ") || !strings.Contains(own[0], "/callback ") || !strings.Contains(own[0], "code=") {
		s.Errorf("the answers: %q", own)
	}
}

// keepsNoCode wants no code in any file of the browser.
func (s *scene) keepsNoCode(profile string) {
	s.Helper()
	codes := on.provider.Codes()
	files := 0
	err := filepath.WalkDir(profile, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		for _, code := range codes {
			if bytes.Contains(data, []byte(code)) {
				s.Errorf("%s holds a code", path)
			}
		}
		return err
	})
	if err != nil || files == 0 || len(codes) == 0 {
		s.Errorf("%d files in the profile, %d codes: %v", files, len(codes), err)
	}
}
