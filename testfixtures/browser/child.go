package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/postern-zt/postern/platform/osexec"
)

// maxLine of what a script reports, in bytes.
const maxLine = 4 << 20

// child is a script that takes and gives one JSON object a line. It ends with
// this process.
type child struct {
	proc *osexec.Child
	mu   sync.Mutex // one command at a time on in
	in   *os.File
}

// start runs a script; each object that it prints goes to take, everything
// else to log.
func (k *Kit) start(ctx context.Context, log io.Writer, take func([]byte), script string, args ...string) (*child, error) {
	in, commands, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	out, lines := io.Pipe()
	proc, err := osexec.Start(ctx, k.node, osexec.Self{
		Args: append([]string{k.script(script)}, args...), Dir: k.dir, Stdin: in, Stdout: lines, Stderr: log, Env: environment(k),
	})
	if err != nil {
		commands.Close()
		return nil, fmt.Errorf("start %s: %w", script, err)
	}
	c := &child{proc: proc, in: commands}
	go func() { <-proc.Done(); lines.Close() }()
	go func() { // until the script ends
		sc := bufio.NewScanner(out)
		sc.Buffer(nil, maxLine)
		for sc.Scan() {
			if line := sc.Bytes(); json.Valid(line) {
				take(line)
			} else {
				fmt.Fprintf(log, "%s: %s\n", script, line)
			}
		}
		out.CloseWithError(sc.Err())
	}()
	return c, nil
}

// environment is what the scripts need of ours.
func environment(k *Kit) []string {
	env := []string{"POSTERN_CHROMIUM=" + k.chromium, "HOME=" + k.dir}
	if mark := os.Getenv(markName); mark != "" {
		env = append(env, markName+"="+mark)
	}
	return env
}

// markName is a variable of the environment by which tests find processes that
// stayed.
const markName = "POSTERN_BROWSER_RUN"

// send gives the script a command.
func (c *child) send(command any) error {
	line, err := json.Marshal(command)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err = c.in.Write(append(line, '\n'))
	return err
}

// Close ends the script in order and waits for it.
func (c *child) Close() error {
	c.in.Close()
	return c.proc.Wait()
}
