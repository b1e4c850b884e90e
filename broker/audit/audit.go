// Package audit writes what the broker decided as events in OCSF's terms, one JSON object a line.
//
// OCSF is the Open Cybersecurity Schema Framework (schema.ocsf.io); the events
// follow version 1.4.0 of it. What OCSF has no word for is under "unmapped".
// An event carries no secret: no token, no handle, no pre-shared key, and of
// keys only the public half. Strings are cut at fact.MaxString bytes,
// a detail in words at 800.
package audit

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/postern-zt/postern/platform/buildinfo"
	"github.com/postern-zt/postern/posture/fact"
)

// SchemaVersion is the version of OCSF that the events follow.
const SchemaVersion = "1.4.0"

// Log writes events. Its methods are safe for concurrent use; each event is
// one Write of a whole line. An error means that the event may be missing or
// cut off; the next one starts a line of its own. Lines reach the operating
// system at once, and the disk when it sees fit.
type Log struct {
	clock func() time.Time

	mu       sync.Mutex
	w        io.Writer
	sequence int64
	torn     bool // the last line has no end
}

// New returns a Log that writes to w. clock tells the time, as time.Now does.
func New(w io.Writer, clock func() time.Time) *Log {
	return &Log{w: w, clock: clock}
}

// Discard returns a Log that keeps nothing.
func Discard() *Log { return New(io.Discard, time.Now) }

// Close closes the file of a Log from Open, and nothing otherwise.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f, ok := l.w.(*file); ok {
		return f.Close()
	}
	return nil
}

// severityID is OCSF's severity_id.
type severityID int

// The severities in use.
const (
	informational severityID = 1
	low           severityID = 2
	medium        severityID = 3
	high          severityID = 4
)

func (s severityID) caption() string {
	switch s {
	case informational:
		return "Informational"
	case low:
		return "Low"
	case medium:
		return "Medium"
	case high:
		return "High"
	}
	return "Unknown"
}

// header is what every event begins with.
type header struct {
	ActivityID   int        `json:"activity_id"`
	ActivityName string     `json:"activity_name"`
	CategoryUID  int        `json:"category_uid"`
	ClassUID     int        `json:"class_uid"`
	ClassName    string     `json:"class_name"`
	TypeUID      int        `json:"type_uid"` // class_uid * 100 + activity_id
	SeverityID   severityID `json:"severity_id"`
	Severity     string     `json:"severity"`
	Time         int64      `json:"time"` // Unix milliseconds
	StatusID     int        `json:"status_id,omitempty"`
	Status       string     `json:"status,omitempty"`
	StatusCode   string     `json:"status_code,omitempty"`
	StatusDetail string     `json:"status_detail,omitempty"`
	Metadata     metadata   `json:"metadata"`
}

type metadata struct {
	Version  string   `json:"version"`
	Product  product  `json:"product"`
	Profiles []string `json:"profiles,omitempty"`
	// Sequence counts the events of one run of the program from 1, so that a
	// reader sees a gap and a restart.
	Sequence int64 `json:"sequence"`
}

type product struct {
	Name       string `json:"name"`
	VendorName string `json:"vendor_name"`
	Version    string `json:"version,omitempty"`
}

// class is one event class of OCSF with the captions of its activities.
type class struct {
	uid        int
	name       string
	activities []string // by activity_id, from 1
	host       bool     // "device" comes from the host profile
}

// begin makes the header of an event of the class; the category is the first
// digit of the class (OCSF, "Classification").
func (c class) begin(activity int, severity severityID) header {
	h := header{
		ActivityID: activity, ActivityName: "Unknown", CategoryUID: c.uid / 1000, ClassUID: c.uid, ClassName: c.name,
		TypeUID: c.uid*100 + activity, SeverityID: severity, Severity: severity.caption(),
	}
	if activity >= 1 && activity <= len(c.activities) {
		h.ActivityName = c.activities[activity-1]
	}
	if c.host {
		h.Metadata.Profiles = []string{"host"}
	}
	return h
}

// outcome sets the status of an activity: 1 Success, 2 Failure.
func (h *header) outcome(refused string) {
	h.StatusID, h.Status = 1, "Success"
	if refused != "" {
		h.StatusID, h.Status, h.StatusCode = 2, "Failure", fact.Clip(refused)
	}
}

// write stamps and writes one event; h is the header inside event.
func (l *Log) write(h *header, event any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sequence++
	h.Time = l.clock().UnixMilli()
	h.Metadata.Version, h.Metadata.Sequence = SchemaVersion, l.sequence
	h.Metadata.Product = product{Name: "Postern", VendorName: "Postern", Version: buildinfo.Version()}
	line, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("write audit event: %w", err)
	}
	line = append(line, '\n')
	if l.torn {
		line = append([]byte{'\n'}, line...)
	}
	if _, err := l.w.Write(line); err != nil {
		l.torn = true
		return fmt.Errorf("write audit event: %w", err)
	}
	l.torn = false
	return nil
}
