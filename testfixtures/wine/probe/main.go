// Command probe reads from the live machine what a file asks for and prints the outcomes as JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/postern-zt/postern/platform/machine"
	"github.com/postern-zt/postern/posture/evidence"
)

// limit bounds each reading.
const limit = 20 * time.Second

// outcome is what one reading gave: a value, or why there is none.
type outcome struct {
	Reading []string        `json:"reading"`
	Value   json.RawMessage `json:"value,omitempty"`
	Reason  string          `json:"reason,omitempty"`
	Code    string          `json:"code,omitempty"`
	Error   string          `json:"error,omitempty"`
	MS      int64           `json:"ms"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

// run reads the list of readings, each a list of texts: the name of the method
// and its arguments.
func run(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: probe FILE")
	}
	data, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var readings [][]string
	if err := json.Unmarshal(data, &readings); err != nil {
		return fmt.Errorf("read %s: %w", args[0], err)
	}
	m := machine.New(machine.Config{})
	outcomes := make([]outcome, 0, len(readings))
	for _, r := range readings {
		outcomes = append(outcomes, try(m, r))
	}
	return json.NewEncoder(os.Stdout).Encode(outcomes)
}

func try(m evidence.Machine, reading []string) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	began := time.Now()
	v, err := read(ctx, m, reading)
	o := outcome{Reading: reading, MS: time.Since(began).Milliseconds()}
	if err != nil {
		o.Reason, o.Error = string(evidence.ReasonOf(err)), err.Error()
		var known *evidence.Error
		if errors.As(err, &known) {
			o.Code = known.Code
		}
		return o
	}
	if o.Value, err = json.Marshal(v); err != nil {
		o.Error = err.Error()
	}
	return o
}

func read(ctx context.Context, m evidence.Machine, reading []string) (any, error) {
	if len(reading) == 0 {
		return nil, errors.New("empty reading")
	}
	args := append(reading[1:len(reading):len(reading)], "", "")
	switch reading[0] {
	case "registry":
		return m.Registry(ctx, args[0])
	case "wmi":
		return m.WMI(ctx, args[0], args[1])
	case "services":
		return m.Services(ctx)
	case "processes":
		return m.Processes(ctx)
	case "sessions":
		return m.Sessions(ctx)
	case "stat":
		return m.Stat(ctx, args[0])
	case "hash":
		return m.SHA256(ctx, args[0])
	case "list":
		return m.ReadDir(ctx, args[0])
	case "file":
		data, err := m.ReadFile(ctx, args[0])
		return string(data), err
	case "sysctl":
		return m.Sysctl(ctx, args[0])
	case "run":
		return m.Run(ctx, args[0], reading[2:]...)
	case "ask":
		answer, err := m.Ask(ctx, evidence.Question(args[0]), reading[2:]...)
		return json.RawMessage(answer), err
	case "collect":
		return report(ctx, m)
	}
	return nil, fmt.Errorf("no reading %q", reading[0])
}
