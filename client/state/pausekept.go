package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/platform/jws"
)

// Limits of a pause that is kept across restarts. What is above them was not
// written by this agent, and is refused.
const (
	MaxPause       = 24 * time.Hour       // what may be left of one
	MaxPauseReason = 200                  // characters
	MaxKeptPause   = 4 << 10              // bytes of the note
	maxPauseAge    = 366 * 24 * time.Hour // since its beginning; it may have been prolonged
	maxPauseOwner  = 256                  // bytes
)

// keptVersion is the form of the note. Another one is not understood.
const keptVersion = 1

// UnreadablePause is how long everything stays closed, unless the person
// resumes, when there is a note of a pause that cannot be understood: somebody
// wanted everything closed, and nobody knows any more until when.
const UnreadablePause = time.Hour

// ReasonUnreadablePause is the reason that such a pause goes by.
const ReasonUnreadablePause = "the agent kept a pause that it cannot read any more"

// KeptPause is a pause as it is noted on disk, so that it holds when the agent
// or the computer starts again. The moments are of the wall clock, the only one
// that outlives a restart; NotedBootMS lets the boot clock correct it.
type KeptPause struct {
	Version     int       `json:"version"`
	Owner       string    `json:"owner"`  // the OS user whose session it is
	Person      string    `json:"person"` // who signed in, as a digest
	Reason      string    `json:"reason"`
	Since       time.Time `json:"since"`
	Noted       time.Time `json:"noted"`         // when this note was written
	NotedBootMS int64     `json:"noted_boot_ms"` // the same by the boot clock
	Until       time.Time `json:"until"`
}

// KeepPause makes the note of a pause at a moment of both clocks.
func KeepPause(p Paused, owner string, person api.Person, wall time.Time, boot time.Duration) KeptPause {
	wall = wall.Round(0).UTC()
	return KeptPause{
		Version: keptVersion, Owner: owner, Person: personDigest(person), Reason: p.Reason,
		Since: wall.Add(-min(max(boot-p.Since, 0), maxPauseAge)),
		Noted: wall, NotedBootMS: boot.Milliseconds(),
		Until: wall.Add(min(p.Until-boot, MaxPause)),
	}
}

// personDigest tells persons apart without naming them.
func personDigest(p api.Person) string { return jws.Hash([]byte(p.Issuer + "\x00" + p.Subject)) }

// Encode writes the note.
func (k KeptPause) Encode() ([]byte, error) {
	data, err := json.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("write the note of a pause: %w", err)
	}
	return data, nil
}

// ParsePause reads a note. Whatever it returns without an error is a pause of
// at most MaxPause from the moment it was noted.
func ParsePause(data []byte) (KeptPause, error) {
	var k KeptPause
	if len(data) > MaxKeptPause {
		return KeptPause{}, fmt.Errorf("read the note of a pause: more than %d bytes", MaxKeptPause)
	}
	err := jws.Decode(data, &k)
	if err == nil {
		err = k.validate()
	}
	if err != nil {
		return KeptPause{}, fmt.Errorf("read the note of a pause: %w", err)
	}
	return k, nil
}

func (k KeptPause) validate() error {
	left, age := k.Until.Sub(k.Noted), k.Noted.Sub(k.Since)
	switch {
	case k.Version != keptVersion:
		return fmt.Errorf("its version is %d, this agent knows %d", k.Version, keptVersion)
	case k.Owner == "" || len(k.Owner) > maxPauseOwner || k.Person == "":
		return errors.New("it does not say whose it is")
	case !validReason(k.Reason):
		return errors.New("its reason is none")
	case left <= 0 || left > MaxPause:
		return fmt.Errorf("it lasts %v; a pause lasts at most %v", left, MaxPause)
	case age < 0 || age > maxPauseAge:
		return fmt.Errorf("it began %v before it was noted", age)
	case k.NotedBootMS < 0 || k.NotedBootMS > maxBootMS:
		return errors.New("its boot time is none")
	}
	return nil
}

// maxBootMS is the longest boot time that a Duration holds.
const maxBootMS = int64(1<<63-1) / int64(time.Millisecond)

// validReason holds a reason to the rule of the local socket.
func validReason(s string) bool {
	return s != "" && strings.TrimSpace(s) == s && utf8.ValidString(s) && utf8.RuneCountInString(s) <= MaxPauseReason &&
		!strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) })
}

// Of reports whether the pause belongs to this OS user's session of this person.
func (k KeptPause) Of(owner string, person api.Person) bool {
	return k.Owner == owner && k.Person == personDigest(person)
}

// Left is how much of a valid note's pause is left at a moment of both clocks:
// its length at the time of the note, less what has passed since by the clock
// that says more. So a wall clock that was set back prolongs nothing that the
// boot clock saw pass, and one that was set ahead ends the pause early: nobody
// is kept out longer than they wished for. What a pause closed is opened by the
// broker's word alone, so its early end opens nothing that may not be open.
func (k KeptPause) Left(wall time.Time, boot time.Duration) time.Duration {
	length := k.Until.Sub(k.Noted)
	return min(max(length-max(wall.Sub(k.Noted), k.bootSince(boot)), 0), length)
}

// bootSince is how much time has passed since the note, as far as the boot
// clock knows: on the same start of the machine exactly that, on a later one
// never more than that. A boot time that is below the note's is of a later
// start, all of which came after the note; one above it may be of either, and
// then at least the difference has passed.
func (k KeptPause) bootSince(boot time.Duration) time.Duration {
	noted := time.Duration(k.NotedBootMS) * time.Millisecond
	if boot < noted {
		return boot
	}
	return boot - noted
}

// Paused is the pause as it goes on at a moment of both clocks; false when
// nothing is left of it.
func (k KeptPause) Paused(wall time.Time, boot time.Duration) (Paused, bool) {
	left := k.Left(wall, boot)
	since := min(max(wall.Sub(k.Since), 0), maxPauseAge)
	return Paused{Reason: k.Reason, Since: boot - since, Until: boot + left}, left > 0
}
