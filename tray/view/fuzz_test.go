package view

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/posture/fact"
)

// vocabulary is what statuses are full of, and what nobody should send.
var vocabulary = []string{"", "signed_out", "starting", "offline", "compliant", "limited", "not_compliant", "ready", "connecting", "open", "closed", "denied",
	"pass", "fail", "unknown", "org/disk", "not-in-group", "posture-worse", "broker_unreachable", "disk-encryption", "2026-12-03T00:00:00Z", "affirming", "warning",
	"http://127.0.0.1:1/", "127.0.0.1:1", "javascript:alert(1)", "wiki", "payroll", "{n}{app}", "%s", "a\nb\tc", "\x1b[31m", "\u202egnp.exe", "\xff", strings.Repeat("long ", 200), "&_…"}

// randomly fills a value with what the vocabulary has; lists are now and then
// much too long, but with the lists in them they have no more than so many
// entries or so.
func randomly(r *rand.Rand, v reflect.Value, most int) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(noon().Add(time.Duration(r.IntN(2000)-1000) * time.Hour / 10)))
		return
	case json.RawMessage, *time.Location, fact.Value:
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(vocabulary[r.IntN(len(vocabulary))])
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt([]int64{0, 1, 2, 60_000, -1, 1 << 62}[r.IntN(6)])
	case reflect.Pointer:
		if r.IntN(4) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			randomly(r, v.Elem(), most)
		}
	case reflect.Slice:
		n := min([]int{0, 1, 2, 3, 20, 300}[r.IntN(6)], most)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			randomly(r, v.Index(i), max(most/n, 2))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			randomly(r, v.Field(i), most)
		}
	}
}

// anyMenu is the menu of a status that nobody would make.
func anyMenu(seed uint64) Menu {
	r := rand.New(rand.NewPCG(seed, 1))
	in := input([]string{"en", "de", "xx"}[r.IntN(3)])
	randomly(r, reflect.ValueOf(&in.Status).Elem(), 300)
	if r.IntN(2) == 0 {
		in.Reading = clearDisk()
	}
	if r.IntN(8) == 0 {
		in.Trouble = view.Trouble(vocabulary[r.IntN(len(vocabulary))])
		in.Message = vocabulary[r.IntN(len(vocabulary))]
	}
	in.SigningIn = r.IntN(4) == 0
	var checked localapi.Checked
	randomly(r, reflect.ValueOf(&checked.Signals).Elem(), 300)
	proof, sent := view.Reread(checked, in), view.Sent(localapi.Sent{At: noon(), To: vocabulary[r.IntN(len(vocabulary))]}, in)
	return New(view.New(in), Options{Clipboard: r.IntN(2) == 0, Checking: r.IntN(4) == 0, Proof: &proof, Sent: &sent})
}

func anySound(t *testing.T, seed uint64) {
	t.Helper()
	for _, f := range faultsOf(anyMenu(seed)) {
		t.Errorf("seed %d: %s", seed, f)
	}
}

func TestAnything(t *testing.T) {
	for seed := range uint64(400) {
		anySound(t, seed)
		if t.Failed() {
			return
		}
	}
}

func FuzzNew(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(anySound)
}

// FuzzStatus makes menus of statuses as they come over the socket.
func FuzzStatus(f *testing.F) {
	f.Add([]byte(`{"api":2,"state":"compliant","user":{"sub":"a"},"apps":[{"id":"wiki","state":"ready","url":"http://127.0.0.1:1/"}]}`), "de")
	f.Fuzz(func(t *testing.T, data []byte, language string) {
		in := input(language)
		if json.Unmarshal(data, &in.Status) != nil {
			return
		}
		for _, bad := range faultsOf(New(view.New(in), Options{Clipboard: true})) {
			t.Error(bad)
		}
	})
}
