package agent

import (
	"context"
	"reflect"
	"slices"
	"testing"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
)

// What the broker tells of needs is in the status, with every change of it;
// of an application that it does not tell of there is nothing.
func TestNeedsAreInTheStatus(t *testing.T) {
	outcome := func(ok bool) api.Outcome {
		if ok {
			return api.Pass
		}
		return api.Fail
	}
	inLab(t, func(l *lab) {
		kept(l)
		l.broker.onAttest = func(_ context.Context, _ int, usual func() api.Answer) (api.Answer, error) {
			a := usual()
			runs := outcome(running(l.posture.Last()))
			a.Checks = []api.Check{{Code: "org/edr-not-running", Name: "edr", Outcome: runs, Enforced: true, From: "2026-12-01T00:00:00Z", Parts: []api.Part{
				{Outcome: runs, Reads: []string{"edr[*].running"}},
				{Outcome: api.Pass, OneOf: []api.Choice{{Outcome: api.Pass, Reads: []string{"os_version.version"}}, {Outcome: api.Unclear, Reads: []string{api.ReadsNetwork}}}}}}}
			a.Needs = []api.AppNeeds{{App: "wiki", Checks: []string{"edr"}, Conditions: []api.Condition{{Code: api.ReasonKeyAssurance, Outcome: api.Pass}}}}
			return a, nil
		}
	}, func(l *lab) {
		want := &localapi.Needs{Checks: []string{"edr"}, Conditions: []localapi.Condition{{Code: api.ReasonKeyAssurance, Outcome: "pass"}}}
		if got := l.app("wiki").Needs; !reflect.DeepEqual(got, want) {
			t.Errorf("wiki needs %+v", got)
		}
		if got := l.app("payroll").Needs; got != nil {
			t.Errorf("nobody told, and payroll needs %+v", got)
		}
		check := l.Status().Posture.Checks[0]
		if check.From != "2026-12-01T00:00:00Z" || len(check.Parts) != 2 || check.Parts[0].Outcome != "pass" || !slices.Equal(check.Parts[0].Reads, []string{"edr[*].running"}) || len(check.Parts[1].OneOf) != 2 {
			t.Errorf("%+v", check)
		}
		before := l.Status().Revision
		l.runs(false)
		l.tell("exit")
		if p := l.Status().Posture.Checks[0].Parts; p[0].Outcome != "fail" || p[1].Outcome != "pass" || l.Status().Revision == before {
			t.Errorf("after the product ended: %+v", p)
		}
		if got := l.app("wiki"); got.State != localapi.AppDenied || !reflect.DeepEqual(got.Needs, want) {
			t.Errorf("%+v", got)
		}
	})
}

func TestNeedsChangeTheFace(t *testing.T) {
	a, b := state.State{Needs: map[string]state.Needs{"a": {Checks: []string{"x"}}}}, state.State{Needs: map[string]state.Needs{"a": {Checks: []string{"y"}}}}
	if sameFace(a, b) || !sameFace(a, a) {
		t.Error("what an application asks for is not part of what people see")
	}
}
