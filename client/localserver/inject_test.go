//go:build linux || darwin

package localserver

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/posture/fact"
)

// holdsPosture reports whether a value of the type can carry what is true of
// the machine.
func holdsPosture(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t {
	case reflect.TypeFor[fact.Report](), reflect.TypeFor[fact.Signal](), reflect.TypeFor[fact.Fact](), reflect.TypeFor[fact.Value]():
		return true
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Chan:
		return holdsPosture(t.Elem(), seen)
	case reflect.Map:
		return holdsPosture(t.Key(), seen) || holdsPosture(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if holdsPosture(t.Field(i).Type, seen) {
				return true
			}
		}
	}
	return false
}

// TestNothingHereCarriesPostureIn: no call behind the socket takes anything
// that could say what is true of the machine, so whoever may call it cannot
// inject a signal.
func TestNothingHereCarriesPostureIn(t *testing.T) {
	backend := reflect.TypeFor[Backend]()
	carriedOut := false
	for i := range backend.NumMethod() {
		m := backend.Method(i)
		for j := range m.Type.NumIn() {
			if holdsPosture(m.Type.In(j), map[reflect.Type]bool{}) {
				t.Errorf("%s takes a %s", m.Name, m.Type.In(j))
			}
		}
		for j := range m.Type.NumOut() {
			carriedOut = carriedOut || holdsPosture(m.Type.Out(j), map[reflect.Type]bool{})
		}
	}
	if !carriedOut {
		t.Error("no call gives posture out: this test looks at the wrong thing")
	}
}

// TestPostureSentToTheSocketIsRefused sends a report to every route, in every
// way.
func TestPostureSentToTheSocketIsRefused(t *testing.T) {
	const report = `{"report":{"signals":[{"name":"disk","state":"observed","collector":"x","observed_at":"2026-11-21T10:00:00Z","facts":[{"field":"system_status","value":"ENCRYPTED"}]}]},"rights":"system"}`
	m := newMemory()
	s := New(m, Options{Scope: "user", Owner: ipc.Self()})
	socket := serve(t, s)
	for path, rt := range s.routes {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			status, refused := raw(t, socket, nil, method, path, report)
			if status < 400 || refused.Code == "" {
				t.Errorf("%s %s with a report: %d %+v", method, path, status, refused)
			}
		}
		if rt.method == http.MethodGet && strings.Contains(path, "posture") {
			if status, _ := raw(t, socket, nil, http.MethodGet, path, ""); status != http.StatusOK {
				t.Errorf("%s without one: %d", path, status)
			}
		}
	}
	for _, call := range m.noted() {
		if !strings.HasPrefix(call, "posture") {
			t.Errorf("the backend was asked to %s", call)
		}
	}
}
