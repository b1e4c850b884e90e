package localserver

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/postern-zt/postern/client/localapi"
)

// Most of a status that is sent when all of it is more than a caller takes: a
// broker that names applications without end must not keep a person from seeing
// how it stands, and from signing out. More applications than these have no
// tunnel anyway (tunnel/engine.MaxApps).
const (
	mostApps     = 256
	mostChecks   = 64
	mostForecast = 32
	mostReasons  = 16
	mostText     = 1 << 10 // bytes
)

// marshal writes an answer, of a status as much as fits.
func marshal(body any) ([]byte, error) {
	data, err := json.Marshal(body)
	for _, less := range []func(localapi.Status) localapi.Status{fewer, least} {
		if err != nil || len(data) < localapi.MaxAnswer {
			return data, err
		}
		data, err = json.Marshal(cut(body, less))
	}
	if err == nil && len(data) >= localapi.MaxAnswer {
		data, err = nil, errTooLong
	}
	return data, err
}

var errTooLong = &localapi.Refused{Code: localapi.CodeInternal, Message: "The agent's answer is too long to be sent."}

// cut applies less to the status in an answer; other answers stay.
func cut(body any, less func(localapi.Status) localapi.Status) any {
	switch b := body.(type) {
	case localapi.Status:
		return less(b)
	case localapi.Checked:
		b.Status = less(b.Status)
		return b
	}
	return body
}

// fewer leaves the ends of long lists out.
func fewer(st localapi.Status) localapi.Status {
	st.Apps = first(st.Apps, mostApps)
	st.Posture.Checks = first(st.Posture.Checks, mostChecks)
	st.Forecast = first(st.Forecast, mostForecast)
	return st
}

// least is what a person needs to know, with short texts only.
func least(st localapi.Status) localapi.Status {
	out := localapi.Status{Revision: st.Revision, Version: short(st.Version), Scope: short(st.Scope), API: st.API, Socket: short(st.Socket), State: short(st.State),
		Message: short(st.Message), Foreign: st.Foreign, SessionEnds: st.SessionEnds,
		Managed: localapi.Managed{By: short(st.Managed.By), Support: short(st.Managed.Support)},
		Broker:  localapi.Broker{URL: short(st.Broker.URL), Reachable: st.Broker.Reachable, ClockSkewMS: st.Broker.ClockSkewMS},
		Device:  localapi.Device{ID: short(st.Device.ID), Enrolled: st.Device.Enrolled}}
	for _, r := range first(st.Reasons, mostReasons) {
		out.Reasons = append(out.Reasons, short(r))
	}
	if u := st.User; u != nil {
		out.User = &localapi.User{Subject: short(u.Subject), Email: short(u.Email), Name: short(u.Name)}
	}
	if p := st.Pause; p != nil {
		out.Pause = &localapi.Pause{Reason: short(p.Reason), Since: p.Since, Until: p.Until}
	}
	return out.Filled()
}

func first[T any](list []T, most int) []T { return list[:min(len(list), most)] }

// short is the beginning of a text, in whole characters.
func short(s string) string {
	if len(s) <= mostText {
		return s
	}
	end := mostText
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
