package page

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// stranger is a page of another origin that tries what a page can try, and
// writes down what it got.
const stranger = `<!doctype html><meta charset="utf-8"><title>stranger</title><iframe id="frame"></iframe><script>
const there = "http://127.0.0.1:%s";
const got = {};
async function attempt(name, try_) { try { got[name] = String(await try_()); } catch (e) { got[name] = "refused"; } }
(async () => {
  await attempt("cors", async () => (await fetch(there + "/api/state?after=0")).text());
  await attempt("header", async () => (await fetch(there + "/api/state?after=0", { headers: { "Postern-Session": "x" } })).text());
  await attempt("page", async () => (await fetch(there + "/")).text());
  await attempt("post", async () => (await fetch(there + "/api/do", { method: "POST", body: '{"do":"sign_out"}', headers: { "Content-Type": "application/json" } })).text());
  await attempt("opaque", async () => { const r = await fetch(there + "/api/do", { method: "POST", mode: "no-cors", body: '{"do":"sign_out"}' }); return r.type + r.status + await r.text(); });
  await attempt("script", () => new Promise((ok, no) => { const e = document.createElement("script"); e.src = there + "/page.js"; e.onload = () => ok("loaded"); e.onerror = no; document.head.append(e); }));
  await attempt("image", () => new Promise((ok, no) => { const e = new Image(); e.src = there + "/closed.svg"; e.onload = () => ok("loaded"); e.onerror = no; }));
  await attempt("style", () => new Promise((ok, no) => { const e = document.createElement("link"); e.rel = "stylesheet"; e.href = there + "/page.css"; e.onload = () => ok("loaded"); e.onerror = no; document.head.append(e); }));
  await attempt("frame", () => new Promise((ok) => { const f = document.getElementById("frame"); f.onload = () => { let d = "refused"; try { d = f.contentWindow.document.body.innerText; } catch { /* another origin */ } ok(d); }; f.src = there + "/"; }));
  window.got = got;
})();
window.addEventListener("message", (e) => { got.message = String(e.data); });
</script><button id="popup" onclick="window.other = window.open(there + '/', 'status')">popup</button>`

// A page of another origin gets nothing: neither by asking, nor in a frame, nor
// from a window that it opens.
func TestStrangers(t *testing.T) {
	t.Parallel()
	s, tab := newStage(t, closed(), "en", like{})
	port := s.port()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, stranger, port)
	})}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-done })
	other := s.open("http://" + l.Addr().String() + "/")
	s.bad = []string{"CORS", "403 (Forbidden)", "401 (Unauthorized)", "Failed to load resource", "frame-ancestors", "X-Frame-Options", "Framing", "Refused to display", "ERR_BLOCKED", "MIME type"}
	other.until(`window.got !== undefined`)
	got := ask[map[string]string](other, `window.got`)
	for _, name := range []string{"cors", "header", "page", "post", "script", "image", "style", "frame"} {
		if got[name] != "refused" {
			t.Errorf("%s: %q", name, got[name])
		}
	}
	// A request that may be sent without asking is answered, but not to them.
	if got["opaque"] != "opaque0" && got["opaque"] != "refused" {
		t.Errorf("opaque: %q", got["opaque"])
	}
	other.click("#popup")
	other.until(`window.other.closed`) // another group of windows (HTML, "cross-origin opener policies")
	if seen := ask[string](other, `(() => { try { window.other.postMessage({ do: "sign_out" }, "*"); return window.other.document.body.innerText; } catch (e) { return "refused"; } })()`); seen != "refused" {
		t.Errorf("of a window that it opened it sees %q", seen)
	}
	if got := ask[map[string]string](other, `window.got`); got["message"] != "" {
		t.Errorf("it was told %q", got["message"])
	}
	// DNS rebinding: a name of theirs that leads here.
	rebound := s.open("http://rebound.test:" + port + "/")
	if text := ask[string](rebound, `document.body.innerText`); text != "There is nothing here.\n" && text != "There is nothing here." {
		t.Errorf("under another name the page is %q", text)
	}
	s.called()
	tab.says("closed:")
}

// Whatever the agent says is text: no markup, no script, no turned direction,
// no link but to https and to this computer.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	s, tab := newStage(t, hostile(), "en", like{Width: 320})
	tab.until(`document.getElementById("app-list").children.length === 15`)
	ask[any](tab, `document.querySelectorAll("details").forEach((d) => { d.open = true; })`)
	tab.click("#do-check")
	tab.said("signals")
	links := ask[[]string](tab, `[...document.querySelectorAll("#main a")].map((a) => [a.getAttribute("href"), a.target, a.rel].join(" "))`)
	want := []string{"http://127.0.0.1:4000/fine _blank noopener noreferrer", "http://[::1]:4000/fine _blank noopener noreferrer"}
	if fmt.Sprint(links) != fmt.Sprint(want) {
		t.Errorf("links %q", links)
	}
	if ask[bool](tab, `window.broken !== undefined || document.querySelectorAll("#rest img, script").length !== 1 || document.body.innerText.includes("49'")`) {
		t.Error("a text became more than that")
	}
	if !ask[bool](tab, `document.getElementById("fault-list").innerText.includes("<script>")`) {
		t.Error("the markup is not shown as text")
	}
	if ask[bool](tab, `/[\u0000-\u0008\u001b\u202a-\u202e\u2066-\u2069]/.test(document.body.textContent)`) {
		t.Error("control or direction characters reach the page")
	}
	if longest := ask[int](tab, `Math.max(...[...document.querySelectorAll("#main *")].filter((e) => !e.children.length).map((e) => e.textContent.length))`); longest > 700 {
		t.Errorf("a text of %d characters", longest)
	}
	if dir := ask[string](tab, `getComputedStyle(document.getElementById("app-rtl")).direction`); dir != "rtl" {
		t.Errorf("a Hebrew name runs %s", dir)
	}
	ids := ask[[]string](tab, `(() => { const seen = new Set(); return [...document.querySelectorAll("[id]")].map((e) => e.id).filter((id) => seen.has(id) || !seen.add(id) || /\s/.test(id)); })()`)
	if len(ids) > 0 {
		t.Errorf("ids that are not one: %.200q", ids)
	}
	// The page's script looks for itself, should the server not have.
	if passed := ask[[]string](tab, `import("/draw.js").then((m) => %s.map(m.webLink).filter(Boolean))`,
		[]string{"javascript:1", "data:text/html,x", "file:///x", "http://example.com/", "http://localhost/", "https://a:b@example.com/", "https://a@example.com/", "x", "", "https://example.com/", "https://127.0.0.1:4000/"}); fmt.Sprint(passed) != "[https://127.0.0.1:4000/]" {
		t.Errorf("the script would link to %q", passed)
	}
	// The policy holds for scripts too that would get in.
	s.bad = []string{"Trusted Types", "TrustedHTML", "Content Security Policy", "requires 'Trusted", "CSP", "Refused to", "violates the following"}
	for _, try := range []string{
		`(() => { try { document.body.insertAdjacentHTML("beforeend", "<b>x</b>"); return "done"; } catch { return "refused"; } })()`,
		`(() => { try { trustedTypes.createPolicy("x", {}); return "done"; } catch { return "refused"; } })()`,
		`new Promise((ok) => { const e = document.createElement("img"); e.onerror = () => ok("refused"); e.onload = () => ok("done"); e.src = "http://127.0.0.1:9/x.png"; })`,
		`fetch("http://127.0.0.1:9/").then(() => "done", () => "refused")`,
	} {
		if got := ask[string](tab, try); got != "refused" {
			t.Errorf("%s: %s", try, got)
		}
	}
}

// Another user of this computer is hung up on before anything is answered.
func TestOtherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be another user: the page in front of another user is not tested here")
	}
	s := bare(t, healthy(), "en", like{})
	call := func(uid uint32) string {
		ask := fmt.Sprintf(`exec 3<>/dev/tcp/127.0.0.1/%s && printf 'GET / HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' >&3 && cat <&3`, s.port(), s.port())
		cmd := exec.CommandContext(s.ctx, "bash", "-c", ask)
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, _ := cmd.Output() // who is hung up on fails
		return string(out)
	}
	if got := call(0); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("the own user gets %q", got)
	}
	if got := call(65534); got != "" {
		t.Errorf("another user gets %q", got)
	}
}
