package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/testfixtures/rig"
)

const needsPolicy = `version: 1
providers:
  - {issuer: "${IDP}", client_id: postern, scopes: [openid, email]}
checks:
  disk: {expr: 'device.encryption_status == "ENCRYPTED"', code: org/disk}
  base: {expr: 'device.firewall.enabled && (device.edr["canary1"].running || device.screen_lock.enabled || device.os_version == "canary2")', code: org/base}
  later: {expr: device.integrity.secure_boot, code: org/boot, from: 2099-12-01}
  secret: {expr: 'device.os.product == "canary3"', code: org/secret}
apps:
  - {id: wiki, name: Wiki, gateway: dev, destinations: ["unix:${APPS}/wiki.sock"], ports: [80], checks: [disk, later]}
  - {id: payroll, name: Payroll, gateway: dev, destinations: ["unix:${APPS}/wiki.sock"], ports: [80], checks: [disk, base], min_key_assurance: verified, acr: canary4}
  - {id: board, name: Board, gateway: dev, destinations: ["unix:${APPS}/wiki.sock"], ports: [80], checks: [secret], groups: [canary5]}
`

// toldOf writes down what an answer tells of an application.
func toldOf(a api.Answer, app string) []string {
	i := slices.IndexFunc(a.Needs, func(n api.AppNeeds) bool { return n.App == app })
	if i < 0 {
		return nil
	}
	var out []string
	for _, name := range a.Needs[i].Checks {
		c := a.Checks[slices.IndexFunc(a.Checks, func(c api.Check) bool { return c.Name == name })]
		line := fmt.Sprint(name, " ", c.Outcome, " ", c.From)
		for _, p := range c.Parts {
			line += fmt.Sprint(" / ", p.Outcome, " ", p.Reads, " ", p.OneOf)
		}
		out = append(out, line)
	}
	for _, c := range a.Needs[i].Conditions {
		out = append(out, fmt.Sprint(c.Code, " ", c.Outcome))
	}
	return out
}

func attested(t *testing.T, d *rig.Device, r fact.Report) api.Answer {
	t.Helper()
	a, err := d.Attest(r, "wiki")
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal([]any{a.Checks, a.Needs, a.Forecast, a.Denied})
	if err != nil || strings.Contains(string(data), "canary") {
		t.Errorf("%v; told is %s", err, data)
	}
	return a
}

// An answer tells what the person's applications ask for, open or not, before
// and after a drift, and nothing of other people's.
func TestNeedsTravel(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: needsPolicy})
	d := w.SignedIn(rig.DeviceOptions{})
	same := func(what string, got, want []string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	a := attested(t, d, d.Healthy())
	if rig.LeaseOf(t, a, "wiki"); len(a.Needs) != 2 {
		t.Errorf("told of %+v", a.Needs)
	}
	later := "later pass 2099-12-01T00:00:00Z / pass [integrity.secure_boot] []"
	conditions := []string{"key-assurance-too-low fail", "sign-in-too-weak fail"}
	same("wiki", toldOf(a, "wiki"), []string{"disk pass  / pass [disk.system_status] []", later})
	same("payroll", toldOf(a, "payroll"), append([]string{"disk pass  / pass [disk.system_status] []",
		"base pass  / pass [firewall.enabled] [] / pass [] [{unknown [edr[*].running]} {pass [screen_lock.enabled]} {fail [os_version.version]}]"}, conditions...))

	r := rig.Set(d.Healthy(), fact.SignalDisk, "system_status", fact.Str(fact.Unencrypted))
	r = rig.Set(r, fact.SignalScreenLock, "enabled", fact.Bool(false))
	a = attested(t, d, r)
	if rig.Refused(a, "wiki") == nil {
		t.Error("the wiki is open without a disk")
	}
	same("wiki after", toldOf(a, "wiki"), []string{"disk fail  / fail [disk.system_status] []", later})
	same("payroll after", toldOf(a, "payroll"), append([]string{"disk fail  / fail [disk.system_status] []",
		"base unknown  / pass [firewall.enabled] [] / unknown [] [{unknown [edr[*].running]} {fail [screen_lock.enabled]} {fail [os_version.version]}]"}, conditions...))
}

// An agent that knows nothing of needs goes on with a broker that tells them,
// and the other way round: the members are left out and added on the way.
func TestNeedsAreAdditive(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: needsPolicy})
	d := w.SignedIn(rig.DeviceOptions{})
	for what, change := range map[string]func(m map[string]any){
		"an older broker": func(m map[string]any) {
			delete(m, "needs")
			for _, c := range m["checks"].([]any) {
				delete(c.(map[string]any), "parts")
				delete(c.(map[string]any), "from")
			}
		},
		"a newer broker": func(m map[string]any) {
			m["needs"].([]any)[0].(map[string]any)["sooner"] = map[string]any{"x": 1}
			m["checks"].([]any)[0].(map[string]any)["parts"].([]any)[0].(map[string]any)["why"] = "x"
		},
	} {
		w.SetFault(changedAnswer(change))
		a, err := d.Attest(d.Healthy(), "wiki")
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		rig.LeaseOf(t, a, "wiki")
		if told := len(a.Needs) > 0; told != (what == "a newer broker") || (len(a.Checks[0].Parts) > 0) != told {
			t.Errorf("%s: %+v", what, a.Needs)
		}
		w.SetFault(nil)
	}
}

// changedAnswer changes the answers to attestations.
func changedAnswer(change func(m map[string]any)) rig.Fault {
	return func(rw http.ResponseWriter, r *http.Request, broker http.Handler) {
		if r.URL.Path != api.PathAttestations {
			broker.ServeHTTP(rw, r)
			return
		}
		kept := &keeper{ResponseWriter: rw}
		broker.ServeHTTP(kept, r)
		var m map[string]any
		if kept.status != http.StatusOK || json.Unmarshal(kept.body, &m) != nil {
			rw.WriteHeader(kept.status)
			rw.Write(kept.body)
			return
		}
		change(m)
		data, err := json.Marshal(m)
		if err != nil {
			data = nil
		}
		rw.WriteHeader(kept.status)
		rw.Write(data)
	}
}

// keeper holds an answer back.
type keeper struct {
	http.ResponseWriter
	status int
	body   []byte
}

func (k *keeper) WriteHeader(status int) { k.status = status }

func (k *keeper) Write(p []byte) (int, error) {
	if k.status == 0 {
		k.status = http.StatusOK
	}
	k.body = append(k.body, p...)
	return len(p), nil
}
