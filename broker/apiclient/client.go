// Package apiclient talks to the broker: HTTPS, DPoP, problems, server-sent events; used by agent and gateway.
package apiclient

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/bind"
	"github.com/postern-zt/postern/platform/buildinfo"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/jws"
)

const (
	// callTimeout bounds every call that is not a stream, and the opening of one.
	callTimeout = 15 * time.Second
	// connectTimeout bounds TCP and TLS, each.
	connectTimeout = 10 * time.Second
	// maxAttempts of one call while the broker asks for its current nonce: one
	// more than two replicas behind one name can make necessary.
	maxAttempts = 3
)

// Config of a Client.
type Config struct {
	Base  string         // the broker's issuer, https://host[:port]
	Roots *x509.CertPool // nil: the system's
	Key   crypto.Signer  // the device key that signs DPoP proofs
	Clock clock.Clock
}

// Client is one device's connection to one broker. It is safe for concurrent use.
type Client struct {
	base  string
	key   crypto.Signer
	clock clock.Clock
	http  *http.Client

	mu     sync.Mutex
	nonce  string        // newest DPoP nonce of the broker
	broker time.Time     // the broker's Date when last heard
	heard  time.Duration // boot time at that moment
}

// New checks the broker's address and makes a client. Certificates are always
// verified; an organisation with its own CA gives its roots.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.Base)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.ContainsAny(cfg.Base, "?#") || (u.Path != "" && u.Path != "/") {
		if u != nil && u.User != nil {
			return nil, errors.New("broker address: want https://host[:port], without a user name or password")
		}
		return nil, fmt.Errorf("broker address %q: want https://host[:port]", cfg.Base)
	}
	tr := &http.Transport{
		TLSClientConfig:       &tls.Config{RootCAs: cfg.Roots, MinVersion: tls.VersionTLS13},
		ForceAttemptHTTP2:     true,
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout:   connectTimeout,
		ResponseHeaderTimeout: callTimeout,
		IdleConnTimeout:       90 * time.Second,
		// After a change of network a connection may be dead without a word;
		// calls must not wait on it one after the other.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 5 * time.Second},
	}
	hc := &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &Client{base: strings.TrimRight(cfg.Base, "/"), key: cfg.Key, clock: cfg.Clock, http: hc}, nil
}

// Base is the broker's issuer.
func (c *Client) Base() string { return c.base }

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Now is the broker's time: its last Date plus the boot time since, so that it
// is right at any skew of the local wall clock. Before the first answer it is
// the local clock.
func (c *Client) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broker.IsZero() {
		return c.clock.Now()
	}
	return c.broker.Add(c.clock.Boot() - c.heard)
}

// Skew is the local wall clock minus the broker's, to the second.
func (c *Client) Skew() time.Duration {
	return c.clock.Now().Sub(c.Now()).Truncate(time.Second)
}

// Call is one request.
type Call struct {
	Method string
	Path   string // below the base
	Token  string // access token; sent as "DPoP", with a proof
	Proof  bool   // send a proof even without a token (token endpoint)
	Type   string // content type of Body
	Body   []byte
	Header map[string]string
	// Opened is called once a stream has begun; nil: nobody wants to know.
	Opened func()
}

// Do sends the call, repeats it if the broker asks for its current DPoP nonce,
// and strictly decodes a JSON answer into out (nil: there should be none). It
// returns the boot time at which the answered request was sent. The error is
// a *Rejected when the broker said no, and an *Unreachable otherwise.
func (c *Client) Do(ctx context.Context, call Call, out any) (sentAt time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	res, sentAt, err := c.send(ctx, call)
	if err != nil {
		return sentAt, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, api.MaxAnswer+1))
	if err != nil {
		return sentAt, &Unreachable{Err: fmt.Errorf("read answer of %s: %w", call.Path, err)}
	}
	if len(body) > api.MaxAnswer {
		return sentAt, &Unreachable{Err: fmt.Errorf("answer of %s is larger than %d bytes", call.Path, api.MaxAnswer)}
	}
	if out == nil {
		if len(bytes.TrimSpace(body)) > 0 && mediaType(res) != api.TypeJSON {
			return sentAt, &Unreachable{Err: fmt.Errorf("%s answered with %q, want nothing", call.Path, mediaType(res))}
		}
		return sentAt, nil
	}
	if err := jws.Decode(body, out); err != nil {
		return sentAt, &Unreachable{Err: fmt.Errorf("answer of %s: %w", call.Path, err)}
	}
	return sentAt, nil
}

// send delivers the call and returns a success answer with its body open.
func (c *Client) send(ctx context.Context, call Call) (*http.Response, time.Duration, error) {
	for attempt := 1; ; attempt++ {
		req, err := c.request(ctx, call)
		if err != nil {
			return nil, 0, &Unreachable{Err: err}
		}
		sentAt := c.clock.Boot()
		res, err := c.http.Do(req)
		if err != nil {
			return nil, sentAt, &Unreachable{Err: plain(err)}
		}
		c.learn(res)
		if res.StatusCode/100 == 2 || res.StatusCode == http.StatusNotModified && call.Header["If-None-Match"] != "" {
			return res, sentAt, nil
		}
		err = problem(res, call.Path)
		res.Body.Close()
		var r *Rejected
		if !errors.As(err, &r) || r.Code != api.CodeUseDPoPNonce {
			return nil, sentAt, err
		}
		if attempt == maxAttempts {
			return nil, sentAt, &Unreachable{Err: fmt.Errorf("%s asked for its nonce %d times", call.Path, attempt)} // no accusation, so no "no"
		}
	}
}

func (c *Client) request(ctx context.Context, call Call) (*http.Request, error) {
	target := c.base + call.Path
	req, err := http.NewRequestWithContext(ctx, call.Method, target, bytes.NewReader(call.Body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if call.Type != "" {
		req.Header.Set("Content-Type", call.Type)
	}
	req.Header.Set("User-Agent", buildinfo.Product+"/"+buildinfo.Version())
	for k, v := range call.Header {
		req.Header.Set(k, v)
	}
	if call.Token == "" && !call.Proof {
		return req, nil
	}
	c.mu.Lock()
	nonce := c.nonce
	c.mu.Unlock()
	proof, err := bind.MakeProof(c.key, bind.Request{Method: call.Method, URL: target, AccessToken: call.Token}, nonce, c.Now())
	if err != nil {
		return nil, err
	}
	req.Header.Set(api.HeaderDPoP, proof)
	if call.Token != "" {
		req.Header.Set("Authorization", api.TokenTypeDPoP+" "+call.Token)
	}
	return req, nil
}

// mediaType is the answer's, without parameters.
func mediaType(res *http.Response) string {
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

// learn keeps the broker's nonce and time.
func (c *Client) learn(res *http.Response) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := res.Header.Get(api.HeaderDPoPNonce); n != "" {
		c.nonce = n
	}
	if d, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		c.broker, c.heard = d, c.clock.Boot()
	}
}

// Discover reads the broker's discovery document and checks that it is the
// broker that was asked and speaks our version.
func (c *Client) Discover(ctx context.Context) (api.Discovery, error) {
	var d api.Discovery
	if _, err := c.Do(ctx, Call{Method: http.MethodGet, Path: api.PathDiscovery}, &d); err != nil {
		return d, err
	}
	if d.Issuer != c.base {
		return d, &Unreachable{Err: fmt.Errorf("the broker calls itself %q, the settings say %q", d.Issuer, c.base)}
	}
	for _, v := range d.ProtocolVersions {
		if v == api.Version {
			return d, nil
		}
	}
	return d, &Unreachable{Err: fmt.Errorf("the broker speaks protocol versions %v, this program %d", d.ProtocolVersions, api.Version)}
}

// PostJSON makes a Call with a JSON body.
func PostJSON(path, token string, body any) (Call, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return Call{}, fmt.Errorf("write request to %s: %w", path, err)
	}
	return Call{Method: http.MethodPost, Path: path, Token: token, Type: api.TypeJSON, Body: data}, nil
}

// Enrol signs and sends an enrolment; audience, time and id are filled in.
func (c *Client) Enrol(ctx context.Context, e api.Enrolment) (api.Enrolled, error) {
	var answer api.Enrolled
	e.Audience, e.IssuedAt, e.ID = c.base, c.Now().Unix(), jws.Random(16)
	e.Platform, e.AgentVersion = runtime.GOOS, buildinfo.Version()
	token, err := jws.Sign(c.key, e, jws.Options{Type: api.EnrolType, Embed: true})
	if err != nil {
		return answer, err
	}
	_, err = c.Do(ctx, Call{Method: http.MethodPost, Path: api.PathDevices, Type: api.TypeEnrol, Body: []byte(token)}, &answer)
	return answer, err
}
