package ipc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/platform/jws"
)

// asCaller names the environment variable that turns this test binary into a
// caller of the agent at that socket. It takes a line for each thing to do and
// answers it with one.
const asCaller = "POSTERN_TEST_CALLER"

// patience bounds what has to happen; it is not measured.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	socket := os.Getenv(asCaller)
	if socket == "" {
		os.Exit(m.Run())
	}
	c := &crowd{socket: socket}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		fmt.Println(c.do(in.Text()))
	}
}

// crowd is what a caller process does.
type crowd struct {
	socket  string
	waiting []*line
	held    []*line
}

// line is one connection.
type line struct {
	net.Conn
	r *bufio.Reader
}

func (c *crowd) do(what string) string {
	verb, arg, _ := strings.Cut(what, " ")
	n, _ := strconv.Atoi(arg)
	switch verb {
	case "watch":
		return c.watch(n)
	case "hear":
		return c.hear()
	case "hold":
		return c.hold(n)
	}
	return call(c.socket, verb, arg)
}

// call does one call and says "ok" or the refusal's code.
func call(socket, verb, arg string) string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := localapi.Dial(socket)
	defer c.Close()
	var err error
	switch verb {
	case "version":
		_, err = c.Version(ctx)
	case "status":
		_, err = c.Status(ctx)
	case "posture":
		_, err = c.Posture(ctx)
	case "config":
		_, err = c.Config(ctx)
	case "timeline":
		_, err = c.Timeline(ctx)
	case "sent":
		_, err = c.Sent(ctx)
	case "start":
		_, err = c.StartSignIn(ctx, localapi.SignInRequest{RedirectURI: "http://127.0.0.1:4711/callback"})
	case "finish":
		_, err = c.FinishSignIn(ctx, localapi.Finish{ID: arg, State: "s", Code: "c"})
	case "cancel":
		_, err = c.CancelSignIn(ctx, arg)
	case "check":
		_, err = c.Check(ctx)
	case "signout":
		_, err = c.SignOut(ctx)
	case "pause":
		_, err = c.Pause(ctx, localapi.PauseRequest{Reason: "lunch", ForMS: 60_000})
	case "resume":
		_, err = c.Resume(ctx)
	default:
		return "no verb " + verb
	}
	var no *localapi.Refused
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &no):
		return no.Code
	}
	return err.Error()
}

// open connects and asks.
func (c *crowd) open(path string) (*line, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := ipc.Dial(ctx, c.socket)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: agent\r\n\r\n", path); err != nil {
		conn.Close()
		return nil, err
	}
	return &line{conn, bufio.NewReader(conn)}, nil
}

// answer reads what was asked for.
func answer[T any](l *line) (T, error) {
	var out T
	res, err := http.ReadResponse(l.r, nil)
	if err != nil {
		return out, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return out, fmt.Errorf("status %d", res.StatusCode)
	}
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return out, err
	}
	return out, jws.Decode(data, &out)
}

// watch has n connections wait for the next change.
func (c *crowd) watch(n int) string {
	st, err := localapi.Dial(c.socket).Status(context.Background())
	if err != nil {
		return err.Error()
	}
	for range n {
		l, err := c.open(fmt.Sprintf("%s?%s=%d&%s=%d", localapi.PathStatus, localapi.ParamAfter, st.Revision, localapi.ParamWait, localapi.MaxWaitMS))
		if err != nil {
			return fmt.Sprintf("watcher %d: %v", len(c.waiting), err)
		}
		c.waiting = append(c.waiting, l)
	}
	return fmt.Sprintf("watching %d", len(c.waiting))
}

// hear takes the answers of all who wait, at once, and says which revisions
// they were told.
func (c *crowd) hear() string {
	var mu sync.Mutex
	told := map[string]int{}
	var all sync.WaitGroup
	for _, l := range c.waiting {
		all.Go(func() {
			defer l.Close()
			st, err := answer[localapi.Status](l)
			said := fmt.Sprintf("revision %d", st.Revision)
			if err != nil {
				said = err.Error()
			}
			mu.Lock()
			told[said]++
			mu.Unlock()
		})
	}
	all.Wait()
	c.waiting = nil
	return fmt.Sprint(told)
}

// hold opens n connections, asks each for the version, and keeps those that
// were answered.
func (c *crowd) hold(n int) string {
	refused := 0
	for range n {
		l, err := c.open(localapi.PathVersion)
		if err == nil {
			_, err = answer[localapi.Version](l)
		}
		if err != nil {
			refused++
			continue
		}
		c.held = append(c.held, l)
	}
	return fmt.Sprintf("held %d refused %d", len(c.held), refused)
}
