package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// maxPage of a page that the scripted browser reads.
const maxPage = 1 << 20

// Browser is a plain HTTP client that follows pages as a person would: it
// fills in the form it is shown, sends it, and follows where it is led.
type Browser struct {
	http     *http.Client
	username string
	password string
}

// NewBrowser makes a browser with an empty cookie jar.
func NewBrowser(username, password string) (*Browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &Browser{http: &http.Client{Jar: jar}, username: username, password: password}, nil
}

// SignIn opens the address and goes through the pages until one has no form.
// It returns the text of that last page.
func (b *Browser) SignIn(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	for range 5 {
		page, body, err := b.load(req)
		if err != nil {
			return "", err
		}
		form, ok := findForm(page)
		if !ok {
			return body, nil
		}
		if req, err = b.fill(ctx, req.URL, form); err != nil {
			return "", err
		}
	}
	return "", errors.New("the sign-in shows one form after another")
}

func (b *Browser) load(req *http.Request) (*html.Node, string, error) {
	res, err := b.http.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	if err != nil {
		return nil, "", err
	}
	if res.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("%s answered %s", res.Request.URL.Host, res.Status)
	}
	*req.URL = *res.Request.URL
	page, err := html.Parse(strings.NewReader(string(body)))
	return page, string(body), err
}

// form is what a page asks for.
type form struct {
	action string
	fields url.Values
}

func findForm(n *html.Node) (form, bool) {
	if n.Type == html.ElementNode && n.Data == "form" {
		f := form{action: attribute(n, "action"), fields: url.Values{}}
		f.read(n)
		return f, true
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if f, ok := findForm(c); ok {
			return f, true
		}
	}
	return form{}, false
}

func (f *form) read(n *html.Node) {
	if n.Type == html.ElementNode && n.Data == "input" {
		if name := attribute(n, "name"); name != "" {
			f.fields.Set(name, attribute(n, "value"))
		}
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		f.read(c)
	}
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func (b *Browser) fill(ctx context.Context, at *url.URL, f form) (*http.Request, error) {
	action, err := at.Parse(f.action)
	if err != nil {
		return nil, err
	}
	for name := range f.fields {
		switch name {
		case "username":
			f.fields.Set(name, b.username)
		case "password":
			f.fields.Set(name, b.password)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, action.String(), strings.NewReader(f.fields.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req, nil
}

// Login runs `postern login` and follows its link with the scripted browser.
// It returns the link, without its query.
func (a *Agent) Login(ctx context.Context) (string, error) {
	cmd := a.command(ctx, "login", "--no-browser", "--json")
	cmd.Stderr = a.World.Log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	link, err := a.follow(ctx, bufio.NewReader(out))
	if err != nil {
		cmd.Process.Kill()
	}
	return link, errors.Join(err, cmd.Wait())
}

func (a *Agent) follow(ctx context.Context, out *bufio.Reader) (string, error) {
	line, err := out.ReadBytes('\n')
	if err != nil {
		return "", fmt.Errorf("read the link of postern login: %w", err)
	}
	var first struct {
		URL string `json:"url"`
	}
	if err := json.Unmarshal(line, &first); err != nil || first.URL == "" {
		return "", fmt.Errorf("postern login said %q", line)
	}
	b, err := NewBrowser(a.World.Info.User, a.World.Info.Password)
	if err != nil {
		return "", err
	}
	if _, err := b.SignIn(ctx, first.URL); err != nil {
		return "", err
	}
	_, err = io.Copy(io.Discard, out)
	link, _, _ := strings.Cut(first.URL, "?")
	return link, err
}

// LoginByHand runs `postern login`, which opens the person's own browser.
func (a *Agent) LoginByHand(ctx context.Context) error {
	r, err := a.Postern(ctx, "login")
	if err == nil && r.Code != 0 {
		err = fmt.Errorf("postern login: exit %d: %s", r.Code, r.ErrOut)
	}
	return err
}
