package desktop

import (
	"bufio"
	"fmt"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Screen is a screen that nobody sees (Xvfb), with a mouse and a keyboard.
type Screen struct {
	// Artifacts is the folder in which pictures and logs are kept after the test.
	Artifacts string

	display string
	frame   string // the file that holds what the screen shows
	server  *Process
	env     []string // for what acts on the screen
}

// settle is for how long the screen has to stay as it is to count as still.
const settle = 200 * time.Millisecond

// openScreen starts an X server with a number of its own choice.
func openScreen(dir, artifacts string, size image.Point, env []string) (*Screen, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start Xvfb: %w", err)
	}
	defer r.Close()
	// Without a cursor, which would be part of every picture; with the screen in
	// a file, from which pictures are read.
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", fmt.Sprintf("%dx%dx24", size.X, size.Y),
		"-fbdir", dir, "-nocursor", "-noreset", "-nolisten", "tcp")
	cmd.Env, cmd.ExtraFiles = env, []*os.File{w}
	server, err := begin(cmd)
	w.Close()
	if err != nil {
		return nil, err
	}
	s := &Screen{Artifacts: artifacts, server: server, frame: filepath.Join(dir, "Xvfb_screen0")}
	if err := r.SetReadDeadline(time.Now().Add(Patience)); err != nil {
		server.Kill()
		return nil, fmt.Errorf("start Xvfb: %w", err)
	}
	// It writes its number in a line when it is ready.
	number, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		server.Kill()
		return nil, fmt.Errorf("start Xvfb: it gave no display: %w", err)
	}
	s.display = ":" + strings.TrimSpace(string(number))
	s.env = append(env[:len(env):len(env)], "DISPLAY="+s.display)
	return s, nil
}

// Screenshot is what the screen shows now.
func (s *Screen) Screenshot() (*image.RGBA, error) {
	data, err := os.ReadFile(s.frame)
	if err != nil {
		return nil, fmt.Errorf("read screen: %w", err)
	}
	return decodeXWD(data)
}

// Still waits until the screen has not changed for a while and gives what it
// shows then.
func (s *Screen) Still() (*image.RGBA, error) {
	return s.waitFor("a still screen", func(*image.RGBA) bool { return true })
}

// WaitForChange waits until the place (all of the screen if it is empty) shows
// something else than in the picture from before and is still again, and gives
// what the screen shows then.
func (s *Screen) WaitForChange(before image.Image, place image.Rectangle) (*image.RGBA, error) {
	return s.waitFor("a change on the screen", func(now *image.RGBA) bool {
		return !Changed(before, now, place).Empty()
	})
}

// WaitForReturn waits until the place (all of the screen if it is empty) shows
// what it does in the picture.
func (s *Screen) WaitForReturn(picture image.Image, place image.Rectangle) (*image.RGBA, error) {
	return s.waitFor("the screen to be as before", func(now *image.RGBA) bool {
		return Changed(picture, now, place).Empty()
	})
}

// waitFor waits for a picture as wanted that then stays.
func (s *Screen) waitFor(what string, wanted func(*image.RGBA) bool) (*image.RGBA, error) {
	var last *image.RGBA
	var since time.Time
	err := Until(what, Patience, func() (bool, error) {
		now, err := s.Screenshot()
		if err != nil {
			return false, err
		}
		if last == nil || !wanted(now) || !Changed(last, now, image.Rectangle{}).Empty() {
			last, since = now, time.Now()
			return false, nil
		}
		return time.Since(since) >= settle, nil
	})
	if err != nil && last != nil {
		s.Keep("gave-up", last)
	}
	return last, err
}

// Keep writes a picture to the artifacts as name.png and gives its path.
func (s *Screen) Keep(name string, picture image.Image) (string, error) {
	path := filepath.Join(s.Artifacts, name+".png")
	return path, writePNG(path, picture)
}

// Button is a button of the mouse.
type Button int

// The buttons, by the numbers that X has for them.
const (
	Left  Button = 1
	Right Button = 3
)

// MoveTo moves the mouse.
func (s *Screen) MoveTo(p image.Point) error {
	return s.xdotool("mousemove", strconv.Itoa(p.X), strconv.Itoa(p.Y))
}

// Click moves the mouse to the point and clicks.
func (s *Screen) Click(p image.Point, b Button) error {
	return s.xdotool("mousemove", strconv.Itoa(p.X), strconv.Itoa(p.Y), "click", strconv.Itoa(int(b)))
}

// Key presses a key or a combination, by its name in X: "Escape", "ctrl+c". It
// goes to the window that has the focus, which Wine's desktop never gets: there
// is no window manager there.
func (s *Screen) Key(name string) error { return s.xdotool("key", name) }

func (s *Screen) xdotool(args ...string) error {
	cmd := exec.Command("xdotool", args...)
	cmd.Env = s.env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("xdotool %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// Middle is the point in the middle of a place.
func Middle(r image.Rectangle) image.Point {
	return image.Pt((r.Min.X+r.Max.X)/2, (r.Min.Y+r.Max.Y)/2)
}
