package view

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/postern-zt/postern/client/localapi"
)

func TestTroubleOf(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want Trouble
		code string
	}{
		{nil, NoTrouble, ""},
		{fmt.Errorf("ask agent: %w", localapi.ErrNotRunning), NotRunning, ""},
		{fmt.Errorf("ask agent: %w", io.EOF), NotRunning, ""},
		{fmt.Errorf("ask agent: %w", localapi.ErrNoAccess), NoAccess, ""},
		{&localapi.Refused{Code: localapi.CodeNotOwner, Message: "m"}, NotOwner, localapi.CodeNotOwner},
		{errors.Join(&localapi.Refused{Code: localapi.CodeService, Message: "m"}), Refused, localapi.CodeService},
	} {
		if got, code, message := TroubleOf(tc.err); got != tc.want || code != tc.code || (code != "") != (message == "m") {
			t.Errorf("%v: %q %q %q", tc.err, got, code, message)
		}
	}
}

func TestWhose(t *testing.T) {
	st := localapi.Status{State: localapi.StateCompliant, User: &localapi.User{Name: "Ada"}, Foreign: true,
		Apps: []localapi.App{{ID: "wiki", Name: "Wiki", State: localapi.AppOpen, URL: "http://127.0.0.1:1/"}}}
	v := New(Input{Status: st, Trouble: Whose(st), Language: "en", System: "linux"})
	if v.Person != "" || len(v.Apps) != 0 || v.Actions.Pause || v.Actions.Check || v.Mood == MoodHealthy {
		t.Errorf("another's session is shown as %+v", v)
	}
	if Whose(localapi.Status{}) != NoTrouble {
		t.Error("one's own is in trouble")
	}
}
