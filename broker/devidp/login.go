package devidp

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

//go:embed page.html
var pageFile embed.FS

// cookieName marks the browser that a form was shown to.
const cookieName = "postern-devidp"

// page is what a person is shown.
type page struct {
	Title, Problem, Client, Ticket, Username string
}

// show puts the sign-in form before the person. Its ticket is for one use and
// for this browser, so no other page can send the form.
func (p *Provider) show(w http.ResponseWriter, r *http.Request, req request, problem, username string) {
	browser := ""
	if c, err := r.Cookie(cookieName); err == nil && isChallenge(c.Value) { // 256 bits in base64url
		browser = c.Value
	} else {
		browser = random()
		http.SetCookie(w, &http.Cookie{Name: cookieName, Value: browser, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
	ticket, now := random(), p.clock()
	p.memory.Lock()
	p.memory.logins.put(ticket, loginPage{req, hash(browser)}, now, now.Add(loginLife))
	p.memory.Unlock()
	w.Header().Set("Content-Security-Policy",
		"default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' "+formTarget(req.redirect))
	status := http.StatusOK
	if problem != "" {
		status = http.StatusForbidden
	}
	p.render(w, status, page{Title: "Sign in", Problem: problem, Client: req.client, Ticket: ticket, Username: username})
}

// formTarget lets the form's answer redirect to the client: Chromium holds
// form-action against redirects too. The grammar of sources has no IPv6
// address (CSP Level 3 section 2.3.1), hence the scheme alone for [::1].
func formTarget(redirect string) string {
	u, err := url.Parse(redirect)
	if err != nil || strings.HasPrefix(u.Host, "[") {
		return "http:"
	}
	return "http://" + u.Host
}

// problem shows a page that leads nowhere.
func (p *Provider) problem(w http.ResponseWriter, status int, sentence string) {
	p.render(w, status, page{Title: "Sign-in is not possible", Problem: sentence})
}

func (p *Provider) render(w http.ResponseWriter, status int, v page) {
	var out bytes.Buffer
	t, err := template.ParseFS(pageFile, "page.html")
	if err == nil {
		err = t.Execute(&out, v)
	}
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(out.Bytes())
}

// login takes the form.
func (p *Provider) login(w http.ResponseWriter, r *http.Request) {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		p.problem(w, http.StatusForbidden, "The form was sent by another page.")
		return
	}
	if err := r.ParseForm(); err != nil {
		p.problem(w, http.StatusBadRequest, "The form cannot be read.")
		return
	}
	shown, ok := p.takeTicket(r)
	if !ok {
		p.problem(w, http.StatusForbidden, "This form was used already, is too old or belongs to another browser. Go back to the application and start again.")
		return
	}
	if r.PostForm.Get("action") == "cancel" {
		sendBack(w, shown.request, url.Values{"error": {"access_denied"}, "error_description": {"the person cancelled"}}, p.issuer)
		return
	}
	user, ok := p.check(r.PostForm.Get("username"), r.PostForm.Get("password"))
	if !ok {
		p.show(w, r, shown.request, "The user name or the password is not right.", r.PostForm.Get("username"))
		return
	}
	code, now := random(), p.clock()
	p.memory.Lock()
	p.memory.codes.put(code, grantedCode{
		grant:    grant{shown.request.client, user.Username, shown.request.nonce, shown.request.scope, now},
		redirect: shown.request.redirect, challenge: shown.request.challenge,
	}, now, now.Add(codeLife))
	p.memory.Unlock()
	sendBack(w, shown.request, url.Values{"code": {code}}, p.issuer)
}

// takeTicket spends the ticket of a form, also when another browser sent it.
func (p *Provider) takeTicket(r *http.Request) (loginPage, bool) {
	ticket := r.PostForm.Get("ticket")
	p.memory.Lock()
	defer p.memory.Unlock()
	shown, _, ok := p.memory.logins.get(ticket, p.clock())
	p.memory.logins.drop(ticket)
	if !ok {
		return loginPage{}, false
	}
	var sum [sha256.Size]byte
	if c, err := r.Cookie(cookieName); err == nil {
		sum = hash(c.Value)
	}
	return shown, subtle.ConstantTimeCompare(sum[:], shown.browser[:]) == 1
}

// check finds the user. An unknown name takes as long as a wrong password.
func (p *Provider) check(username, password string) (User, bool) {
	user, known := p.users[username]
	given, want := hash(password), hash(user.Password)
	same := subtle.ConstantTimeCompare(given[:], want[:]) == 1
	return user, known && same
}
