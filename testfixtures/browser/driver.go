package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Command is one scenario for a context of the browser.
type Command struct {
	ID       int    `json:"id"`      // Do sets it
	Context  string `json:"context"` // whose cookies and tabs; made when it is new
	Scenario string `json:"scenario"`
	URL      string `json:"url,omitempty"`
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
	// Screenshot is where to put a picture of the last tab, "" for none.
	Screenshot string `json:"screenshot,omitempty"`

	// What a new context is like.
	Locale   string `json:"locale,omitempty"` // BCP 47; "" is en-US
	Dark     bool   `json:"dark,omitempty"`
	Width    int    `json:"width,omitempty"` // CSS pixels; 0 is 1280
	NoScript bool   `json:"noScript,omitempty"`
	// Elsewhere reaches the server of the first URL only, as a browser on
	// another computer, which has no receiver to be redirected to.
	Elsewhere bool   `json:"elsewhere,omitempty"`
	Profile   string `json:"profile,omitempty"` // folder of a profile on disk, with a history
}

// The scenarios.
const (
	ScenarioSignIn   = "sign-in" // opens the address in a new tab, types name and password, sends them
	ScenarioOpen     = "open"    // opens the address in a new tab
	ScenarioFill     = "fill"    // types name and password in the last tab, sends them
	ScenarioBack     = "back"
	ScenarioForward  = "forward"
	ScenarioReload   = "reload"
	ScenarioLook     = "look" // reports what is shown
	ScenarioCloseTab = "close-tab"
	ScenarioClose    = "close" // closes all tabs and forgets the context
	ScenarioAudit    = "audit" // has axe-core look at the page
)

// Page is what a tab shows.
type Page struct {
	URL        string   `json:"url"`
	Title      string   `json:"title"`
	Text       string   `json:"text"` // what a person sees
	Lang       string   `json:"lang"`
	Referrer   string   `json:"referrer"` // document.referrer
	Wide       bool     `json:"wide"`     // wider than its window
	Background string   `json:"background"`
	Entries    []string `json:"entries"` // names of performance entries
	History    []string `json:"history"` // addresses that the tab goes back and forward to
	Current    int      `json:"current"` // index in History
}

// Request is one that the browser made.
type Request struct {
	Method  string `json:"method"`
	URL     string `json:"url"`
	Body    string `json:"body"`
	Referer string `json:"referer"` // the header, "" when there was none
	Kind    string `json:"kind"`
	Status  int    `json:"status"`  // 0 when there was no answer
	Failure string `json:"failure"` // such as net::ERR_CONNECTION_REFUSED
}

// Message is a line of a page's console.
type Message struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// Report is what came of a command.
type Report struct {
	Page       Page
	Navigated  []string // addresses that tabs came to, in order
	Requests   []Request
	Console    []Message
	Failure    string   // why the tab shows no page, such as ERR_CONNECTION_REFUSED
	Violations []string // of accessibility rules
	Audited    int      // rules that the page keeps
}

// line is what drive.mjs prints.
type line struct {
	ID        int      `json:"id"`
	Done      bool     `json:"done"`
	Error     string   `json:"error"`
	Page      *Page    `json:"page"`
	Navigated string   `json:"navigated"`
	Request   *Request `json:"request"`
	Console   *Message `json:"console"`
	Failure   string   `json:"failure"`
	Violation string   `json:"violation"`
	Audited   int      `json:"audited"`
}

// add takes a line into the report.
func (r *Report) add(l line) {
	switch {
	case l.Page != nil:
		r.Page = *l.Page
	case l.Navigated != "":
		r.Navigated = append(r.Navigated, l.Navigated)
	case l.Request != nil:
		r.Requests = append(r.Requests, *l.Request)
	case l.Console != nil:
		r.Console = append(r.Console, *l.Console)
	case l.Failure != "":
		r.Failure = l.Failure
	case l.Violation != "":
		r.Violations = append(r.Violations, l.Violation)
	case l.Audited != 0:
		r.Audited = l.Audited
	}
}

// Driver is a browser that does as it is told.
type Driver struct {
	child *child

	mu   sync.Mutex
	last int
	open map[int]*running
}

// running is a command under way.
type running struct {
	report Report
	ended  chan error
}

// Start starts the driver; the browser follows with the first command.
func (k *Kit) Start(ctx context.Context, log io.Writer) (*Driver, error) {
	d := &Driver{open: map[int]*running{}}
	var err error
	d.child, err = k.start(ctx, log, d.take, "drive.mjs")
	return d, err
}

// take hands a line to the command that it belongs to.
func (d *Driver) take(data []byte) {
	var l line
	if json.Unmarshal(data, &l) != nil {
		return // not of ours: a library's
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.open[l.ID]
	switch {
	case r == nil: // something that happened after the command's end
	case l.Done:
		delete(d.open, l.ID)
		r.ended <- nil
	case l.Error != "":
		delete(d.open, l.ID)
		r.ended <- errors.New(l.Error)
	default:
		r.report.add(l)
	}
}

// Do runs one command. Commands of different contexts run side by side.
func (d *Driver) Do(ctx context.Context, c Command) (Report, error) {
	r := &running{ended: make(chan error, 1)}
	d.mu.Lock()
	d.last++
	c.ID = d.last
	d.open[c.ID] = r
	d.mu.Unlock()
	if err := d.child.send(c); err != nil {
		return Report{}, fmt.Errorf("%s in the browser: %w", c.Scenario, err)
	}
	select {
	case err := <-r.ended:
		if err != nil {
			return r.report, fmt.Errorf("%s in the browser: %w", c.Scenario, err)
		}
		return r.report, nil
	case <-d.child.proc.Done():
		return Report{}, fmt.Errorf("%s in the browser: its driver ended: %w", c.Scenario, d.child.proc.Wait())
	case <-ctx.Done():
		return Report{}, fmt.Errorf("%s in the browser: %w", c.Scenario, ctx.Err())
	}
}

// Close closes the browser and waits for its end.
func (d *Driver) Close() error { return d.child.Close() }
