package agent

import (
	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
)

// needs is what the broker told that an application asks for, nil if it did not.
func needs(s state.State, app string) *localapi.Needs {
	told, ok := s.Needs[app]
	if !ok {
		return nil
	}
	out := &localapi.Needs{Checks: told.Checks}
	for _, c := range told.Conditions {
		out.Conditions = append(out.Conditions, localapi.Condition{Code: c.Code, Outcome: string(c.Outcome)})
	}
	return out
}

// parts are those of a check in the words of the local socket.
func parts(list []api.Part) []localapi.Part {
	var out []localapi.Part
	for _, p := range list {
		told := localapi.Part{Outcome: string(p.Outcome), Reads: p.Reads}
		for _, c := range p.OneOf {
			told.OneOf = append(told.OneOf, localapi.Choice{Outcome: string(c.Outcome), Reads: c.Reads})
		}
		out = append(out, told)
	}
	return out
}
