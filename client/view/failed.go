package view

import (
	"errors"
	"strings"

	"github.com/postern-zt/postern/client/localapi"
)

// failedID is one for all: a newer failure takes the place of the one before.
const failedID = "failed"

// Failed is what to tell when something that the person chose did not work:
// the agent's own words where it has some, never the text of an error.
func Failed(err error, in Input) Notice {
	w := speak(in.Language)
	n := Notice{ID: failedID, Title: w.Notice.Failed, Body: w.Notice.FailedBody, Choices: []Choice{{ChoiceDetails, w.Notice.Details}}}
	var no *localapi.Refused
	if !errors.As(err, &no) && !errors.Is(err, localapi.ErrNotRunning) && !errors.Is(err, localapi.ErrNoAccess) {
		return n
	}
	in.Trouble, in.Code, in.Message = TroubleOf(err)
	v := New(in)
	lines := []string{v.Headline, v.Detail, v.Hint}
	if in.Trouble == Refused { // that it was refused is said by the rest
		lines = lines[1:]
	}
	var body []string
	for _, text := range lines {
		if text != "" {
			body = append(body, strings.TrimRight(text, ".")+".")
		}
	}
	n.Body = strings.Join(body, " ")
	return n
}

// noTrayID is that of the one notice about it.
const noTrayID = "no-tray"

// NoTray is what to tell, once, where the desktop has no place for the icon.
func NoTray(in Input) Notice {
	w := speak(in.Language).Notice
	return Notice{ID: noTrayID, Title: w.NoTray, Body: w.NoTrayBody, Choices: []Choice{{ChoiceDetails, w.Details}}}
}
