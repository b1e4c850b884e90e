package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/testfixtures/rig"
)

// schema is as much of JSON Schema as the document uses.
type schema struct {
	Ref        string            `yaml:"$ref"`
	Type       string            `yaml:"type"`
	Required   []string          `yaml:"required"`
	Properties map[string]schema `yaml:"properties"`
	Items      *schema           `yaml:"items"`
	Enum       []string          `yaml:"enum"`
}

type media struct {
	Schema schema            `yaml:"schema"`
	Events map[string]schema `yaml:"x-events"`
}

type response struct {
	Ref     string           `yaml:"$ref"`
	Content map[string]media `yaml:"content"`
}

type operation struct {
	RequestBody struct {
		Content map[string]media `yaml:"content"`
	} `yaml:"requestBody"`
	Responses map[string]response `yaml:"responses"`
}

type document struct {
	OpenAPI    string                          `yaml:"openapi"`
	Paths      map[string]map[string]operation `yaml:"paths"`
	Components struct {
		Schemas   map[string]schema   `yaml:"schemas"`
		Responses map[string]response `yaml:"responses"`
	} `yaml:"components"`
}

func readDocument(t *testing.T) document {
	t.Helper()
	data, err := os.ReadFile("../../docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := yaml.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(d.OpenAPI, "3.1.") {
		t.Errorf("openapi: %q", d.OpenAPI)
	}
	return d
}

func (d document) resolve(s schema) schema {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return d.Components.Schemas[name]
	}
	return s
}

// check says where a JSON value is not what the schema says, no undeclared
// member included.
func (d document) check(s schema, v any, at string) []string {
	s = d.resolve(s)
	var bad []string
	switch v := v.(type) {
	case map[string]any:
		if s.Type != "object" {
			return []string{at + " is an object"}
		}
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				bad = append(bad, at+" lacks "+name)
			}
		}
		for name, member := range v {
			p, ok := s.Properties[name]
			if !ok {
				bad = append(bad, at+" has the undeclared "+name)
				continue
			}
			bad = append(bad, d.check(p, member, at+"."+name)...)
		}
	case []any:
		if s.Type != "array" || s.Items == nil {
			return []string{at + " is a list"}
		}
		for n, e := range v {
			bad = append(bad, d.check(*s.Items, e, fmt.Sprintf("%s[%d]", at, n))...)
		}
	case string:
		if s.Type != "string" || (len(s.Enum) > 0 && !slices.Contains(s.Enum, v)) {
			bad = append(bad, at+" is the text "+v)
		}
	case json.Number:
		if _, err := v.Int64(); s.Type != "integer" || err != nil {
			bad = append(bad, at+" is the number "+v.String())
		}
	case bool:
		if s.Type != "boolean" {
			bad = append(bad, at+" is true or false")
		}
	default:
		bad = append(bad, at+" is null")
	}
	return bad
}

func (d document) checkJSON(t *testing.T, s schema, data []byte, what string) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Errorf("%s: %v in %q", what, err, data)
		return
	}
	for _, bad := range d.check(s, v, what) {
		t.Error(bad)
	}
}

// parsed reads a Go file of this module.
func parsed(t *testing.T, path string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// constants are the text constants of a file.
func constants(t *testing.T, path string) map[string]string {
	t.Helper()
	out := map[string]string{}
	ast.Inspect(parsed(t, path), func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, name := range v.Names {
			if i >= len(v.Values) {
				continue
			}
			if lit, ok := v.Values[i].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				out[name.Name], _ = strconv.Unquote(lit.Value)
			}
		}
		return true
	})
	return out
}

// routes are those that the server's source registers.
func routes(t *testing.T) []string {
	t.Helper()
	paths := constants(t, "../../broker/api/discovery.go")
	var out []string
	ast.Inspect(parsed(t, "../../broker/server/server.go"), func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 2 {
			return true
		}
		f, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || f.Sel.Name != "HandleFunc" {
			return true
		}
		switch p := call.Args[0].(type) {
		case *ast.BinaryExpr:
			method, err := strconv.Unquote(p.X.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, method+paths[p.Y.(*ast.SelectorExpr).Sel.Name])
		case *ast.BasicLit: // the answer to everything else
			if p.Value != `"/"` {
				t.Errorf("a route is registered in another way: %s", p.Value)
			}
		}
		return true
	})
	slices.Sort(out)
	return out
}

func (d document) operations() map[string]operation {
	out := map[string]operation{}
	for path, methods := range d.Paths {
		for method, op := range methods {
			out[strings.ToUpper(method)+" "+path] = op
		}
	}
	return out
}

func TestDocumentNamesTheRoutes(t *testing.T) {
	d := readDocument(t)
	ops := d.operations()
	if got, want := slices.Sorted(maps.Keys(ops)), routes(t); !slices.Equal(got, want) {
		t.Errorf("the document has\n%s\nthe broker serves\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	w := rig.New(t, rig.Options{Policy: wikiPolicy, NoGateway: true})
	for at, op := range ops {
		method, path, _ := strings.Cut(at, " ")
		kind := ""
		for kind = range op.RequestBody.Content {
		}
		rec := raw(w, method, path, kind, nil, nil)
		if rec.Code == http.StatusNotFound || rec.Code == http.StatusMethodNotAllowed || rec.Code == http.StatusUnsupportedMediaType {
			t.Errorf("%s: %d %s", at, rec.Code, rec.Body)
		}
		if rec.Code < 400 {
			continue
		}
		said, ok := op.Responses["default"]
		if !ok {
			t.Errorf("%s can refuse, and the document does not say so", at)
			continue
		}
		content := d.Components.Responses[strings.TrimPrefix(said.Ref, "#/components/responses/")].Content
		m, ok := content[rec.Header().Get("Content-Type")]
		if !ok {
			t.Errorf("%s refuses with %s", at, rec.Header().Get("Content-Type"))
			continue
		}
		d.checkJSON(t, m.Schema, rec.Body.Bytes(), at)
	}
}

func TestDocumentNamesTheCodes(t *testing.T) {
	var want []string
	for name, value := range constants(t, "../../broker/api/discovery.go") {
		if strings.HasPrefix(name, "Code") {
			want = append(want, value)
		}
	}
	got := slices.Clone(readDocument(t).Components.Schemas["Problem"].Properties["code"].Enum)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the document has %v, the broker %v", got, want)
	}
}

// TestDocumentIsTheWireWords holds every schema beside the Go type it describes.
func TestDocumentIsTheWireWords(t *testing.T) {
	d := readDocument(t)
	words := map[string]any{
		"Discovery": api.Discovery{}, "Endpoints": api.Endpoints{}, "Provider": api.Provider{}, "Problem": api.Problem{}, "OAuthError": api.OAuthError{},
		"Enrolled": api.Enrolled{}, "TokenAnswer": api.TokenAnswer{}, "Person": api.Person{}, "Answer": api.Answer{}, "Check": api.Check{}, "Remedy": api.Remedy{},
		"AppInfo": api.AppInfo{}, "DeniedApp": api.DeniedApp{}, "Forecast": api.Forecast{}, "AppNeeds": api.AppNeeds{}, "Condition": api.Condition{}, "Part": api.Part{}, "Choice": api.Choice{}, "Lease": api.Lease{}, "Tunnel": api.Tunnel{}, "GatewayEndpoint": api.GatewayEndpoint{},
		"Event": api.Event{}, "GatewayHello": api.GatewayHello{}, "Heartbeat": api.Heartbeat{}, "Snapshot": api.Snapshot{}, "Grant": api.Grant{}, "GatewayTunnel": api.GatewayTunnel{},
		"VirtualPort": api.VirtualPort{}, "AuditLabels": api.AuditLabels{}, "Renewal": api.Renewal{}, "RenewedTunnel": api.RenewedTunnel{}, "Acks": api.Acks{}, "ClosedTunnel": api.ClosedTunnel{},
	}
	others := []string{"KeyAttested", "JWKS", "JWK"} // no struct of ours
	for name, s := range d.Components.Schemas {
		word, ok := words[name]
		if !ok {
			if !slices.Contains(others, name) {
				t.Errorf("%s describes nothing", name)
			}
			continue
		}
		var members, required []string
		for f := range reflect.TypeOf(word).Fields() {
			member, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
			members = append(members, member)
			if !strings.Contains(opts, "omit") {
				required = append(required, member)
			}
		}
		got := slices.Sorted(maps.Keys(s.Properties))
		slices.Sort(members)
		slices.Sort(required)
		if !slices.Equal(got, members) || !slices.Equal(slices.Sorted(slices.Values(s.Required)), required) {
			t.Errorf("%s has %v, requires %v; the broker writes %v, always %v", name, got, s.Required, members, required)
		}
	}
	for name := range words {
		if _, ok := d.Components.Schemas[name]; !ok {
			t.Errorf("%s is not described", name)
		}
	}
}

// recorder keeps what the broker answers.
type recorder struct {
	mu  sync.Mutex
	all []*recorded
}

type recorded struct {
	http.ResponseWriter
	r      *recorder
	at     string
	kind   string
	status int
	body   bytes.Buffer
}

func (a *recorded) WriteHeader(status int) {
	a.r.mu.Lock()
	a.status, a.kind = status, a.Header().Get("Content-Type")
	a.r.mu.Unlock()
	a.ResponseWriter.WriteHeader(status)
}

func (a *recorded) Write(p []byte) (int, error) {
	a.r.mu.Lock()
	a.kind = a.Header().Get("Content-Type")
	a.body.Write(p)
	a.r.mu.Unlock()
	return a.ResponseWriter.Write(p)
}

func (a *recorded) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (r *recorder) fault(w http.ResponseWriter, req *http.Request, broker http.Handler) {
	a := &recorded{ResponseWriter: w, r: r, at: req.Method + " " + req.URL.Path, status: http.StatusOK}
	r.mu.Lock()
	r.all = append(r.all, a)
	r.mu.Unlock()
	broker.ServeHTTP(a, req)
}

// groupPolicy has an app that is not for everybody.
const groupPolicy = wikiPolicy + `  - id: later
    name: Later
    gateway: dev
    destinations: ["unix:${APPS}/wiki.sock"]
    ports: [80]
    checks: [disk]
    groups: [nobody]
`

// TestDocumentIsWhatIsAnswered walks through everything and holds the real
// answers beside the document.
func TestDocumentIsWhatIsAnswered(t *testing.T) {
	d := readDocument(t)
	ops := d.operations()
	w := rig.New(t, rig.Options{Policy: groupPolicy, NoGateway: true})
	var rec recorder
	w.SetFault(rec.fault)
	w.StartGateway(rig.GatewayOptions{Name: "dev"})
	dev := w.SignedIn(rig.DeviceOptions{})
	if _, err := dev.API.Discover(w.Context()); err != nil {
		t.Fatal(err)
	}
	if _, changed, err := dev.Broker.Observations(w.Context()); err != nil || !changed {
		t.Fatal(changed, err)
	}
	raws := raw(w, http.MethodGet, api.PathJWKS, "", nil, nil)
	d.checkJSON(t, ops["GET "+api.PathJWKS].Responses["200"].Content["application/jwk-set+json"].Schema, raws.Body.Bytes(), "key set")
	told := make(chan string, 16)
	ended := dev.Events(func(name string, _ api.Event) { told <- name })
	r := dev.Healthy()
	a, err := dev.Attest(r, "wiki", "later")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dev.Renew(r, a.ReportDigest, "wiki"); err != nil {
		t.Fatal(err)
	}
	w.SetPolicy(strings.Replace(groupPolicy, "id: wiki", "id: moved", 1) + "observations: {read: [{id: org/a, kind: file, path: /a/b}]}\n")
	for name := <-told; name != api.EventAttestNow; name = <-told {
	}
	w.SetPolicy(groupPolicy)
	delete(dev.Keys, "wiki")
	deniedFor(t, dev, "unknown", rig.State(r, fact.SignalDisk, fact.Unknown, fact.ReasonBusy))
	handle, err := dev.Broker.Forget()
	if err != nil {
		t.Fatal(err)
	}
	if err := dev.Broker.Revoke(w.Context(), handle); err != nil {
		t.Fatal(err)
	}
	<-ended
	seen := map[string]bool{"GET " + api.PathJWKS: true}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	for _, a := range rec.all {
		if a.status >= 300 {
			continue
		}
		said, ok := ops[a.at].Responses[strconv.Itoa(a.status)]
		if !ok {
			t.Errorf("%s answers %d", a.at, a.status)
			continue
		}
		seen[a.at] = true
		d.checkSuccess(t, a, said, seen)
	}
	for at, op := range ops {
		if !seen[at] {
			t.Errorf("%s was not walked through", at)
		}
		for _, said := range op.Responses {
			for name := range said.Content["text/event-stream"].Events {
				rare := slices.Contains([]string{api.EventMessage, api.EventLeasesChanged}, name)
				if !seen[name] && !rare {
					t.Errorf("%s: the event %s did not come", at, name)
				}
			}
		}
	}
}

// checkSuccess holds one answer beside what the document says of it.
func (d document) checkSuccess(t *testing.T, a *recorded, said response, seen map[string]bool) {
	t.Helper()
	if len(said.Content) == 0 {
		if a.body.Len() > 0 {
			t.Errorf("%s answers %q, want nothing", a.at, a.body.String())
		}
		return
	}
	for kind, m := range said.Content {
		if a.kind != kind {
			t.Errorf("%s answers with %s, want %s", a.at, a.kind, kind)
		}
		if kind == api.TypeJWT {
			if _, err := jws.Parse(a.body.String(), api.MaxAnswer); m.Schema.Type != "string" || err != nil {
				t.Errorf("%s answers with no token: %v", a.at, err)
			}
			continue
		}
		if kind != "text/event-stream" {
			d.checkJSON(t, m.Schema, a.body.Bytes(), a.at)
			continue
		}
		name := ""
		for sc := bufio.NewScanner(&a.body); sc.Scan(); {
			field, value, _ := strings.Cut(sc.Text(), ": ")
			switch field {
			case "event":
				name = value
			case "data":
				s, ok := m.Events[name]
				if !ok {
					t.Errorf("%s sends %s", a.at, name)
					continue
				}
				seen[name] = true
				d.checkJSON(t, s, []byte(value), name)
			}
		}
	}
}
