package browser

import (
	"context"
	"fmt"
	"io"
	"os"
)

// Script is a program for node of another suite, run with the kit's packages
// and browser (POSTERN_CHROMIUM). It takes and gives one JSON object a line,
// and ends with this process.
type Script struct{ child *child }

// StartScript starts a script under a name; each object that it prints goes to
// take, everything else to log.
func (k *Kit) StartScript(ctx context.Context, log io.Writer, name string, text []byte, take func(line []byte)) (*Script, error) {
	if err := os.WriteFile(k.script(name), text, 0o600); err != nil {
		return nil, fmt.Errorf("unpack %s: %w", name, err)
	}
	c, err := k.start(ctx, log, take, name)
	if err != nil {
		return nil, err
	}
	return &Script{c}, nil
}

// Send gives the script a command.
func (s *Script) Send(command any) error { return s.child.send(command) }

// Done is closed when the script has ended.
func (s *Script) Done() <-chan struct{} { return s.child.proc.Done() }

// Close ends the script in order and waits for it.
func (s *Script) Close() error { return s.child.Close() }
