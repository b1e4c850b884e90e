package view

import (
	"errors"
	"strings"
	"testing"

	"github.com/postern-zt/postern/client/localapi"
)

func TestFailed(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"refused":   {&localapi.Refused{Code: "org/own", Message: "The moon is in the way."}, "moon"},
		"no agent":  {localapi.ErrNotRunning, "not running"},
		"a secret":  {errors.New("dial /run/secret: refused"), "in the way"},
		"not owner": {&localapi.Refused{Code: localapi.CodeNotOwner, Message: "m"}, "Another person"},
	} {
		n := Failed(tc.err, Input{Language: "en", System: "linux"})
		if n.Title == "" || !strings.Contains(n.Body, tc.want) || strings.Contains(n.Body, "/run/secret") {
			t.Errorf("%s: %+v", name, n)
		}
	}
	if n := Failed(errors.New("x"), Input{Language: "de_DE.UTF-8"}); !strings.Contains(n.Title, "geklappt") {
		t.Errorf("German: %+v", n)
	}
}
