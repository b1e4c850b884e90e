package wine

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// patience bounds each test; making a prefix and compiling take longest.
const patience = 5 * time.Minute

// outcome is what the probe prints of one reading.
type outcome struct {
	Reading []string        `json:"reading"`
	Value   json.RawMessage `json:"value"`
	Reason  string          `json:"reason"`
	Code    string          `json:"code"`
	Error   string          `json:"error"`
	MS      int64           `json:"ms"`
}

// bench is a prefix with a probe in it.
type bench struct {
	prefix *Prefix
	probe  string
	dir    string
}

func setUp(ctx context.Context) (*bench, error) {
	dir, err := os.MkdirTemp("", "postern-wine-")
	if err != nil {
		return nil, err
	}
	b := &bench{dir: dir, probe: filepath.Join(dir, "probe.exe")}
	if err := Build(ctx, filepath.Join("..", ".."), "./testfixtures/wine/probe", b.probe); err != nil {
		return b, err
	}
	if b.prefix, err = Open(ctx); err != nil {
		return b, err
	}
	if err := b.prefix.Import(ctx, "seed.reg"); err != nil {
		return b, err
	}
	certificate, err := certificateSeed()
	if err != nil {
		return b, err
	}
	path := filepath.Join(dir, "certificate.reg")
	if err := os.WriteFile(path, []byte(certificate), 0o600); err != nil {
		return b, err
	}
	return b, b.prefix.Import(ctx, path)
}

// tearDown leaves neither files nor processes behind.
func (b *bench) tearDown(t *testing.T) {
	if b == nil {
		return
	}
	if b.prefix != nil {
		if err := b.prefix.Close(); err != nil {
			t.Error(err)
		}
	}
	os.RemoveAll(b.dir)
}

// read has the probe read everything in one go, as starting it takes longest.
func (b *bench) read(ctx context.Context, t *testing.T, readings ...[]string) []outcome {
	t.Helper()
	data, err := json.Marshal(readings)
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(b.dir, "list.json")
	if err := os.WriteFile(list, data, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := b.prefix.Run(ctx, b.probe, Windows(list))
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []outcome
	if err := json.Unmarshal(out, &outcomes); err != nil || len(outcomes) != len(readings) {
		t.Fatalf("probe said %.2000s: %v", out, err)
	}
	return outcomes
}

// reading is one reading, with the reason and code it fails for, or a look at its
// value.
type reading struct {
	ask          []string
	reason, code string
	check        func(value json.RawMessage) error
}

// TestLiveMachine reads all that the live machine of Windows can be asked. What
// Wine 8 does not have must fail for the right reason, with the code by which a
// helpdesk knows it.
func TestLiveMachine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Wine is set up on Linux only")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	b, err := setUp(ctx)
	defer b.tearDown(t)
	if err != nil {
		t.Fatal(err)
	}
	all := append(registryReadings(), append(systemReadings(), comReadings()...)...)
	asked := make([][]string, len(all))
	for i, r := range all {
		asked[i] = r.ask
	}
	for i, o := range b.read(ctx, t, asked...) {
		t.Run(strings.Join(o.Reading, " "), func(t *testing.T) { all[i].compare(t, o) })
	}
	t.Run("watching", func(t *testing.T) { testWatching(t, b) })
	t.Run("person", func(t *testing.T) { testPersonsRooms(t, b) })
}

func (r reading) compare(t *testing.T, o outcome) {
	if o.Reason != r.reason || o.Code != r.code {
		t.Fatalf("%s %s %s, want %s %s; value %.500s", o.Reason, o.Code, o.Error, r.reason, r.code, o.Value)
	}
	if o.MS > 10_000 {
		t.Errorf("took %d ms", o.MS)
	}
	if r.check == nil {
		return
	}
	if err := r.check(o.Value); err != nil {
		t.Errorf("%v in %.3000s", err, o.Value)
	}
}

// exactly wants a value as this JSON.
func exactly(want string) func(json.RawMessage) error {
	return func(got json.RawMessage) error {
		var a, b any
		if err := json.Unmarshal([]byte(want), &a); err != nil {
			return err
		}
		if err := json.Unmarshal(got, &b); err != nil {
			return err
		}
		if x, y := fmt.Sprint(a), fmt.Sprint(b); x != y {
			return fmt.Errorf("is not %s", want)
		}
		return nil
	}
}

// containing wants elements of a list, each with at least these members.
func containing(elements ...string) func(json.RawMessage) error {
	return func(got json.RawMessage) error {
		var list []map[string]any
		if err := json.Unmarshal(got, &list); err != nil {
			return err
		}
		for _, e := range elements {
			var want map[string]any
			if err := json.Unmarshal([]byte(e), &want); err != nil {
				return err
			}
			if !anyHas(list, want) {
				return fmt.Errorf("no element has %s", e)
			}
		}
		return nil
	}
}

func anyHas(list []map[string]any, want map[string]any) bool {
	for _, element := range list {
		all := true
		for k, v := range want {
			all = all && fmt.Sprint(element[k]) == fmt.Sprint(v)
		}
		if all {
			return true
		}
	}
	return false
}
