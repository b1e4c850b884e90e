package localapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/platform/jws"
)

// ErrNotRunning is in the chain when no agent listens on the socket: it is
// missing, or whoever made it has ended.
var ErrNotRunning = errors.New("no agent is listening")

// ErrNoAccess is in the chain when the system does not let this user connect
// to the socket.
var ErrNoAccess = errors.New("the socket belongs to another user")

// Deadlines of calls: those the agent answers from memory, and those for which
// it may have to read the machine, or to ask provider and broker.
const (
	quickCall = 10 * time.Second
	slowCall  = 2 * time.Minute
)

// Client speaks to one agent. It is safe for concurrent use. Every method
// returns an error with ErrNotRunning or ErrNoAccess in its chain, a *Refused,
// or another error when the agent broke off.
type Client struct {
	socket string
	http   *http.Client
}

// Dial makes a client of the agent that listens on the socket at path. It
// connects when the first method is called.
func Dial(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return ipc.Dial(ctx, path) }
	return &Client{socket: path, http: &http.Client{
		Transport:     &http.Transport{DialContext: dial, MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Socket is the path that the client connects to.
func (c *Client) Socket() string { return c.socket }

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Version asks which agent this is. Every user of the machine may.
func (c *Client) Version(ctx context.Context) (Version, error) {
	return call[Version](ctx, c, quickCall, http.MethodGet, PathVersion, nil)
}

// Status asks for the status as it is.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return call[Status](ctx, c, quickCall, http.MethodGet, PathStatus, nil)
}

// WaitStatus answers when the status has another revision than after, or when
// wait has passed (MaxWaitMS at most), with the status as it then is.
func (c *Client) WaitStatus(ctx context.Context, after int64, wait time.Duration) (Status, error) {
	wait = min(max(wait, 0), MaxWaitMS*time.Millisecond)
	q := url.Values{ParamAfter: {strconv.FormatInt(after, 10)}, ParamWait: {strconv.FormatInt(wait.Milliseconds(), 10)}}
	return call[Status](ctx, c, wait+quickCall, http.MethodGet, PathStatus+"?"+q.Encode(), nil)
}

// Posture asks for what the agent has read of this machine.
func (c *Client) Posture(ctx context.Context) (Reading, error) {
	return call[Reading](ctx, c, slowCall, http.MethodGet, PathPosture, nil)
}

// StartSignIn begins a sign-in that will come back to in.RedirectURI, where the
// caller must be listening already. An older agent, which refuses FormPost and
// Switch as keys that it does not know, is asked again without them.
func (c *Client) StartSignIn(ctx context.Context, in SignInRequest) (SignIn, error) {
	out, err := call[SignIn](ctx, c, slowCall, http.MethodPost, PathSignIn, in)
	var no *Refused
	if (in.FormPost || in.Switch) && errors.As(err, &no) && no.Code == CodeBadRequest {
		in.FormPost, in.Switch = false, false
		return call[SignIn](ctx, c, slowCall, http.MethodPost, PathSignIn, in)
	}
	return out, err
}

// FinishSignIn hands over what the redirect carried and answers with the
// status after it.
func (c *Client) FinishSignIn(ctx context.Context, f Finish) (Status, error) {
	return call[Status](ctx, c, slowCall, http.MethodPost, PathSignInFinish, f)
}

// CancelSignIn gives the sign-in with that id up.
func (c *Client) CancelSignIn(ctx context.Context, id string) (Status, error) {
	return call[Status](ctx, c, quickCall, http.MethodPost, PathSignInCancel, Cancel{ID: id})
}

// SignOut ends the caller's session and every tunnel of it.
func (c *Client) SignOut(ctx context.Context) (Status, error) {
	return call[Status](ctx, c, slowCall, http.MethodPost, PathSignOut, nil)
}

// Check has the machine read again and answers when that is done and, with a
// session, the broker has been asked.
func (c *Client) Check(ctx context.Context) (Checked, error) {
	return since2(call[Checked](ctx, c, slowCall, http.MethodPost, PathCheck, nil))
}

// Pause closes every application for a while.
func (c *Client) Pause(ctx context.Context, p PauseRequest) (Status, error) {
	return since2(call[Status](ctx, c, slowCall, http.MethodPost, PathPause, p))
}

// Resume ends a pause before its time.
func (c *Client) Resume(ctx context.Context) (Status, error) {
	return since2(call[Status](ctx, c, slowCall, http.MethodPost, PathResume, nil))
}

// Timeline asks what happened in this session.
func (c *Client) Timeline(ctx context.Context) (Timeline, error) {
	return since2(call[Timeline](ctx, c, quickCall, http.MethodGet, PathTimeline, nil))
}

// Sent asks what last left this machine.
func (c *Client) Sent(ctx context.Context) (Sent, error) {
	return since2(call[Sent](ctx, c, quickCall, http.MethodGet, PathSent, nil))
}

// Config asks for the effective settings.
func (c *Client) Config(ctx context.Context) (Config, error) {
	return since2(call[Config](ctx, c, quickCall, http.MethodGet, PathConfig, nil))
}

// since2 gives an agent of level 1, which does not know the path, words of its
// own: the rest of the caller goes on with it.
func since2[T any](out T, err error) (T, error) {
	var no *Refused
	if errors.As(err, &no) && no.Code == CodeNotFound {
		err = &Refused{Code: CodeTooOld, Message: "The agent on this computer is older than this program and cannot do this.",
			Hint: "Update the agent; everything else goes on working."}
	}
	return out, err
}

// call sends in, if there is one, as JSON and decodes the answer.
func call[T any](ctx context.Context, c *Client, within time.Duration, method, path string, in any) (T, error) {
	var none T
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return none, fmt.Errorf("ask agent: %w", err)
		}
		body = bytes.NewReader(data)
	}
	// The host is only there because HTTP wants one; the socket is the address.
	req, err := http.NewRequestWithContext(ctx, method, "http://agent"+path, body)
	if err != nil {
		return none, fmt.Errorf("ask agent: %w", err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return none, c.failed(err)
	}
	defer res.Body.Close()
	return answer[T](res)
}

// failed tells a missing agent from one that broke off.
func (c *Client) failed(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("ask agent at %s: %w", c.socket, ErrNotRunning)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("ask agent at %s: %w", c.socket, ErrNoAccess)
	}
	var u *url.Error // its text would repeat an address that means nothing
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("ask agent at %s: %w", c.socket, err)
}

func answer[T any](res *http.Response) (T, error) {
	var none, out T
	data, err := io.ReadAll(io.LimitReader(res.Body, MaxAnswer+1))
	if err != nil {
		return none, fmt.Errorf("read answer of agent: %w", err)
	}
	if len(data) > MaxAnswer {
		return none, badAnswer(fmt.Errorf("more than %d bytes", MaxAnswer))
	}
	if res.StatusCode != http.StatusOK {
		var no Refused
		if err := jws.Decode(data, &no); err != nil {
			return none, badAnswer(fmt.Errorf("status %d", res.StatusCode))
		}
		return none, &no
	}
	if err := jws.Decode(data, &out); err != nil {
		return none, badAnswer(err)
	}
	return out, nil
}

func badAnswer(err error) error {
	return &Refused{Code: CodeBadAnswer,
		Message: fmt.Sprintf("What answered on the socket does not speak this program's language (%v).", err),
		Hint:    "Is the agent of the same version? Ask it with: postern version"}
}
