// Draws a state of the page's server, section by section.
import { $, el, list, show, text } from "/dom.js";

// draw shows a state. act has what the person can do: wish(body), check(),
// pause(), copy(address).
export function draw(s, act) {
  const v = s.View, w = s.Words;
  document.documentElement.lang = v.Language || w.Language;
  document.title = v.Headline + " – Postern";
  mood(v.Mood);
  const icon = "/" + $("top").dataset.mood + ".svg";
  if ($("favicon").getAttribute("href") !== icon) $("favicon").setAttribute("href", icon);
  text("headline", v.Headline);
  text("detail", v.Detail);
  text("hint", v.Hint);
  text("code", v.Code ? w.Code + " " + v.Code : "");
  text("waiting", v.Actions.Retry ? w.Waiting : v.EndsNote);
  text("person", [v.Person, v.Ends].filter(Boolean).join(" · "));
  const card = { w, can: s.Can, act };
  list("actions", actions(v, s.Can), (a) => a.id, (a) => button(a, card));
  list("fault-list", v.Faults, (f) => f.Code, (f, key) => fault(f, key, card));
  text("faults-title", v.Wrong || w.Wrong);
  show("faults", (v.Faults || []).length > 0);
  list("coming-list", v.Coming, (c) => c.Code, (c, key) => coming(c, key, card));
  show("coming", (v.Coming || []).length > 0);
  list("app-list", briefly(v, s.Needs || {}), (a) => a.ID, (a, key) => app(a, key, card));
  show("app-list", (v.Apps || []).length > 0);
  show("no-apps", !(v.Apps || []).length);
  show("apps", !v.Trouble && (v.Person !== "" || (v.Apps || []).length > 0));
  list("row-list", [...(v.Notes || []), ...(v.About || [])], (r) => r.ID || r.Name, (r) => row(r));
  if (v.Trouble) show("proof", false); // of an agent that is there no more
  if (!s.Partial) beside(s, card);
  show("rest", true);
}

// beside draws what comes a moment later when the computer is busy.
function beside(s, card) {
  list("signal-list", s.Signals, (x) => x.Name, (x, key) => signal(x, key, card));
  show("machine", (s.Signals || []).length > 0);
  const events = s.Timeline || [], key = (e) => e.At + e.Kind + e.Text;
  list("event-list", events.slice(0, 8), key, event);
  list("earlier-list", events.slice(8), key, event);
  show("earlier", events.length > 8);
  show("no-events", !events.length);
  show("timeline", Boolean(s.Timeline));
  if (s.Sent) {
    text("sent-says", s.Sent.Says);
    list("sent-list", s.Sent.Parts, (p) => p.Name || p.Title, (p, key) => part(p, "sent-" + key));
    show("sent-all", (s.Sent.Parts || []).length > 0);
    list("stays-list", s.Sent.Stays, (t) => t, (t) => el("li", {}, t));
  }
  show("sent", Boolean(s.Sent));
}

const moods = ["healthy", "attention", "closed", "connecting", "signed_out", "offline"];

// mood shows the picture of a mood; a word that is none of ours is offline.
// The pictures are there from the beginning: at the end there is no server.
export function mood(word) {
  const known = moods.includes(word) ? word : "offline";
  if ($("top").dataset.mood === known) return;
  $("top").dataset.mood = known;
  for (const m of moods) $("mood-" + m).hidden = m !== known;
}

// actions are what helps first, then the others.
function actions(v, can) {
  const a = v.Actions, out = [];
  const worst = (v.Faults || []).find((f) => f.Required && f.Fix.Page);
  if (a.SignIn && can.SignIn) out.push({ id: "do-sign-in", text: v.SignIn, do: { do: "sign_in" } });
  if (a.Resume) out.push({ id: "do-resume", label: "Resume", do: { do: "resume" } });
  if (worst && can.Fix) out.push({ id: "do-fix", label: "Fix", do: { do: "fix", page: worst.Fix.Page } });
  if (out.length) out[0].primary = true;
  if (a.Check) out.push({ id: "do-check", label: "Check", act: "check" });
  if (a.Pause) out.push({ id: "do-pause", label: "Pause", act: "pause", dialog: true });
  if (a.SignOut) out.push({ id: "do-sign-out", label: "SignOut", do: { do: "sign_out" } });
  if (a.Switch && can.SignIn) out.push({ id: "do-switch", label: "Switch", do: { do: "switch" } });
  return out;
}

function button(a, { w, act }) {
  const click = (e) => (a.act ? act[a.act](e.currentTarget) : act.wish(a.do));
  return el("button", { type: "button", id: a.id, class: a.primary ? "primary" : "", "aria-haspopup": a.dialog ? "dialog" : "", click }, a.text || w[a.label]);
}

// named gives a control an id, and a name that says what it is for: its own text
// and that of another element. A list of all buttons makes sense then.
const named = (id, about) => ({ id, "aria-labelledby": id + " " + about });

// fix is what helps: a sentence, and a button where there is a settings page.
function fix(f, id, about, { w, can, act }) {
  return [f.Text ? el("p", { dir: "auto" }, f.Text) : null,
    f.Page && can.Fix ? el("div", { class: "row" }, el("button", { type: "button", ...named(id, about), click: () => act.wish({ do: "fix", page: f.Page }) }, w.Fix)) : null];
}

const tag = (kind, label) => el("span", { class: "tag " + kind }, label);

function fault(f, key, card) {
  const { w } = card, kind = f.Required ? "bad" : f.Unknown ? "warn" : "", id = "fault-" + key;
  return el("article", { class: "card " + kind, "aria-labelledby": id },
    el("div", { class: "head" }, el("h3", { id, dir: "auto" }, f.Title), tag(kind, f.Unknown ? w.Unread : f.Required ? w.Required : w.Advised)),
    f.Check && !f.Title.includes(f.Check) ? el("p", { class: "soft", dir: "auto" }, f.Check) : null,
    (f.Why || []).length ? el("ul", {}, f.Why.map((why) => el("li", { dir: "auto" }, why))) : null,
    (f.Apps || []).length ? el("p", { dir: "auto" }, w.Closes + " " + f.Apps.join(", ")) : null,
    fix(f.Fix, "fix-" + key, id, card), code(f.Code, w));
}

// code is what a helpdesk looks up.
const code = (word, w) => (word ? el("p", { class: "soft small" }, w.Code + " ", el("code", {}, word)) : null);

function coming(c, key, card) {
  const id = "coming-" + key;
  return el("article", { class: "card warn", "aria-labelledby": id },
    el("div", { class: "head" }, el("h3", { id, dir: "auto" }, c.Title), tag("warn", c.When)),
    (c.Apps || []).length ? el("p", { dir: "auto" }, c.Apps.join(", ")) : null, fix(c.Fix, "fix-coming-" + key, id, card));
}

// webLink is an address that may be a link, or "". The server has looked too.
export function webLink(address) {
  let u;
  try { u = new URL(address); } catch { return ""; }
  const here = u.hostname === "[::1]" || /^127(\.\d+){3}$/.test(u.hostname);
  if (u.username || u.password) return "";
  return here && (u.protocol === "https:" || u.protocol === "http:") ? u.href : "";
}

function app(a, key, card) {
  const { w, act } = card, kind = a.Good ? "good" : a.NotMine || a.Paused ? "" : a.State === "connecting" ? "warn" : "bad", id = "app-" + key;
  const link = a.URL ? webLink(a.URL) : "";
  return el("article", { class: "item", "aria-labelledby": id },
    el("div", { class: "head" },
      el("div", {}, el("div", { class: "title" }, el("h3", { id, dir: "auto" }, a.Name), tag(kind, a.Says)), a.Address ? el("p", { class: "soft small" }, el("code", {}, a.Address)) : null),
      el("div", { class: "row end" },
        link ? el("a", { class: "button", href: link, target: "_blank", rel: "noopener noreferrer", ...named("link-" + key, id) }, w.Open) : null,
        a.Address ? el("button", { type: "button", ...named("copy-" + key, id), click: () => act.copy(a.Address) }, w.Copy) : null)),
    (a.Why || []).map((why, n) => [el("p", { dir: "auto" }, why.Text), fix(why.Fix, "fix-app-" + key + "-" + n, id, card), code(why.Code, w)]),
    a.Needs.length ? needs(a.Needs, key, id, w) : null);
}

const stands = { met: "good", not_met: "bad", unknown: "bad" };

// needs are what an application asks of this computer, met or not.
function needs(all, key, about, w) {
  const id = "needs-" + key;
  return el("details", { class: "needs", id },
    el("summary", named("open-" + id, about), el("span", { class: "name" }, w.Needs)),
    el("ul", { class: "inside" }, all.map((n) => el("li", { dir: "auto" }, n.Name + ": ", el("span", { class: "mark " + (stands[n.State] || "") }, n.Says),
      (n.Parts || []).length ? el("ul", {}, n.Parts.map((p) => el("li", { dir: "auto" }, p.Text + ": " + p.Says))) : null))));
}

// briefly are the applications with what they need, and without what helps where
// that is said above.
function briefly(v, needs) {
  const told = new Set((v.Faults || []).map((f) => f.Code));
  return (v.Apps || []).map((a) => ({ ...a, Needs: needs[a.ID] || [], Why: (a.Why || []).map((why) => (why.Whole || told.has(why.Code) ? { ...why, Fix: {}, Code: "" } : why)) }));
}

const marks = { good: ["good", "Good"], bad: ["bad", "Bad"], unknown: ["warn", "Unknown"], advice: ["", "Advised"], note: ["", "Note"] };

function signal(s, key, card) {
  const { w } = card, all = s.Remarks || [], id = "signal-" + key;
  const [kind, label] = marks[["bad", "unknown", "advice", "good"].find((m) => all.some((r) => r.Mark === m)) || "note"];
  return el("details", { class: "item", id },
    el("summary", { id: "open-" + id }, el("span", { class: "name", id: "title-" + id }, s.Title), all.length ? tag(kind, w[label]) : null),
    el("div", { class: "inside" }, all.map((r, n) => {
      const [k, l] = marks[r.Mark] || marks.note;
      return [el("p", { dir: "auto" }, all.length > 1 ? el("span", { class: "mark " + k }, w[l] + ": ") : null, r.Text),
        fix({ Text: r.Fix, Page: r.Page }, "fix-" + id + "-" + n, "title-" + id, card)];
    }), s.Read ? el("p", { class: "soft small" }, w.ReadAt + " ", el("time", { datetime: s.At }, s.Read)) : null,
    s.Source ? el("p", { class: "soft small" }, w.From + " ", el("code", {}, s.Source)) : null));
}

function event(e) {
  return el("li", {}, el("time", { class: "soft", datetime: e.At }, e.When), el("span", { class: e.Bad ? "bad" : "", dir: "auto" }, e.Text));
}

// part is a group of rows that opens.
export function part(p, id) {
  return el("details", { class: "item", id }, el("summary", { id: "open-" + id }, el("span", { class: "name", dir: "auto" }, p.Title)), el("dl", { class: "inside" }, (p.Lines || []).map(row)));
}

function row(r) {
  return el("div", {}, el("dt", { dir: "auto" }, r.Name), el("dd", { dir: "auto" }, r.Value));
}
