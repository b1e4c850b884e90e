// Package dev tries the whole out on one machine: it starts broker and gateway as two child processes on loopback.
package dev

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/platform/files"
	"github.com/postern-zt/postern/platform/osexec"
)

// Options of Run.
type Options struct {
	State  string        // folder of everything, created if missing
	Policy string        // policy file to use in place of the sample one
	Lease  time.Duration // length of a lease
	// Commands are read line by line: "stop broker", "start broker", the same
	// for gateway, and "quit". The end of the input means nothing.
	Commands io.Reader
	Out      io.Writer // answers to commands and what a person should know
	JSON     bool      // say it as JSON objects, one a line, with a member "event"
	Err      io.Writer // the children's logs
}

// Run prepares the state folder, starts both children and obeys commands until
// the context ends.
func Run(ctx context.Context, o Options) error {
	l := layout{o.State}
	if err := files.MkdirOwnerOnly(o.State); err != nil {
		return err
	}
	lock, err := files.Lock(l.at("dev.lock"), "postern-broker dev")
	if err != nil {
		return err
	}
	defer lock.Unlock()
	p, err := l.prepare(o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &supervisor{ctx: ctx, layout: l, ports: p, opts: o, children: map[string]*osexec.Child{}}
	defer s.stopAll()
	for _, name := range []string{broker, gateway} {
		if err := s.start(name); err != nil {
			return err
		}
	}
	if o.JSON {
		return s.obeyAfter(s.say(said{Event: "ready", Info: s.info()}))
	}
	fmt.Fprintf(o.Out, "Everything runs, on this machine only.\n  broker    %s\n  sign in   %s as %s, password %s\n  settings  broker: %s, broker_ca: %s, enrolment_token_file: %s\nCommands: stop broker, start broker, stop gateway, start gateway, quit.\nready\n",
		s.url(), "http://"+p.Provider, sampleUser, samplePassword, s.url(), l.caFile(), l.deviceToken())
	return s.obey()
}

// prepare makes what is missing in the state folder.
func (l layout) prepare(o Options) (ports, error) {
	if err := l.certificates(); err != nil {
		return ports{}, err
	}
	p, err := l.loadPorts()
	if err != nil {
		return p, err
	}
	device, err := token(l.deviceToken())
	if err != nil {
		return p, err
	}
	gw, err := token(l.gatewayToken())
	if err != nil {
		return p, err
	}
	lines := fmt.Sprintf("%s %s\n%s %s\n", api.ScopeUser, device, api.ScopeGateway, gw)
	if err := files.WriteOwnerOnly(l.tokens(), []byte(lines)); err != nil {
		return p, err
	}
	text := samplePolicy
	if o.Policy != "" {
		if text, err = files.ReadLimited(o.Policy, 1<<20); err != nil {
			return p, err
		}
	}
	filled := strings.NewReplacer("${IDP}", "http://"+p.Provider, "${APPS}", l.apps()).Replace(string(text))
	return p, files.WriteOwnerOnly(l.policy(), []byte(filled))
}

// The two children.
const (
	broker  = "broker"
	gateway = "gateway"
)

type supervisor struct {
	ctx      context.Context
	layout   layout
	ports    ports
	opts     Options
	children map[string]*osexec.Child
}

func (s *supervisor) url() string { return "https://" + s.ports.Broker }

func (s *supervisor) args(name string) []string {
	l := s.layout
	if name == broker {
		return []string{"serve", "--state", l.brokerState(), "--policy", l.policy(), "--issuer", s.url(), "--listen", s.ports.Broker, "--cert", l.serverCert(), "--key", l.serverKey(),
			"--enrolment-tokens", l.tokens(), "--lease", s.opts.Lease.String(), "--sample-provider", s.ports.Provider}
	}
	return []string{"gateway", "--state", l.gatewayState(), "--broker", s.url(), "--broker-ca", l.caFile(), "--name", "dev", "--listen", s.ports.Gateway,
		"--enrolment-token-file", l.gatewayToken(), "--sample-apps", l.apps(), "--sample-apps-log", l.appsLog()}
}

// startTime is how long a child may take until it says that it is ready.
const startTime = 30 * time.Second

// start starts a child and waits for its word "ready" on its standard output.
func (s *supervisor) start(name string) error {
	if s.children[name] != nil {
		return fmt.Errorf("the %s runs already", name)
	}
	out, in := io.Pipe()
	c, err := osexec.StartSelf(s.ctx, osexec.Self{Args: s.args(name), Stdout: in, Stderr: s.opts.Err})
	if err != nil {
		return err
	}
	ready := make(chan bool, 1)
	go func() { // ends with the pipe, which ends with the child
		sc := bufio.NewScanner(out)
		for sc.Scan() {
			if sc.Text() == "ready" {
				ready <- true
			}
		}
		close(ready)
	}()
	go func() {
		<-c.Done()
		in.Close()
	}()
	t := time.NewTimer(startTime)
	defer t.Stop()
	select {
	case ok := <-ready:
		if !ok {
			return fmt.Errorf("the %s ended: %w", name, errors.Join(c.Wait()))
		}
	case <-t.C:
		c.Kill()
		return fmt.Errorf("the %s was not ready after %s", name, startTime)
	}
	s.children[name] = c
	return s.describe()
}

// stop ends a child and waits for its end.
func (s *supervisor) stop(name string) error {
	c := s.children[name]
	if c == nil {
		return fmt.Errorf("the %s does not run", name)
	}
	delete(s.children, name)
	if err := c.Terminate(); err != nil {
		return err
	}
	<-c.Done()
	return s.describe()
}

func (s *supervisor) stopAll() {
	for _, name := range []string{gateway, broker} {
		if c := s.children[name]; c != nil {
			c.Terminate()
			<-c.Done()
		}
	}
}

// said is one line of output in JSON.
type said struct {
	Event   string `json:"event"` // ready, done, error
	Command string `json:"command,omitempty"`
	Error   string `json:"error,omitempty"`
	Info    *Info  `json:"info,omitempty"`
}

func (s *supervisor) say(v said) error { return json.NewEncoder(s.opts.Out).Encode(v) }

func (s *supervisor) obeyAfter(err error) error {
	if err != nil {
		return err
	}
	return s.obey()
}

// describe writes the info file anew.
func (s *supervisor) describe() error { return writeJSON(s.layout.info(), s.info()) }

func (s *supervisor) info() *Info {
	l := s.layout
	i := &Info{
		Broker: s.url(), BrokerCA: l.caFile(), Token: l.deviceToken(), Provider: "http://" + s.ports.Provider, User: sampleUser, Password: samplePassword,
		Gateway: s.ports.Gateway, Apps: l.apps(), AppsLog: l.appsLog(),
	}
	if c := s.children[broker]; c != nil {
		i.BrokerPID = c.PID()
	}
	if c := s.children[gateway]; c != nil {
		i.GWPID = c.PID()
	}
	return i
}

// obey reads commands until "quit" or the end of the context.
func (s *supervisor) obey() error {
	lines := make(chan string)
	go func() { // blocked in a read until the program ends
		sc := bufio.NewScanner(s.opts.Commands)
		for sc.Scan() {
			select {
			case lines <- strings.TrimSpace(sc.Text()):
			case <-s.ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case <-s.ctx.Done():
			return nil
		case line := <-lines:
			if line == "quit" {
				return nil
			}
			s.command(line)
		}
	}
}

func (s *supervisor) command(line string) {
	verb, name, _ := strings.Cut(line, " ")
	var err error
	switch {
	case name != broker && name != gateway:
		err = errors.New("say stop or start, and broker or gateway, or quit")
	case verb == "start":
		err = s.start(name)
	case verb == "stop":
		err = s.stop(name)
	default:
		err = errors.New("say stop or start, and broker or gateway, or quit")
	}
	switch {
	case s.opts.JSON && err != nil:
		s.say(said{Event: "error", Command: line, Error: err.Error()})
	case s.opts.JSON:
		s.say(said{Event: "done", Command: line, Info: s.info()})
	case err != nil:
		fmt.Fprintf(s.opts.Out, "error: %v\n", err)
	default:
		fmt.Fprintf(s.opts.Out, "done: %s\n", line)
	}
}
