// The status page: trades its link for a session, asks its own server for the
// state again and again, and sends what the person wishes. No framework.
import { $, land, list, show, text } from "/dom.js";
import { draw, mood, part } from "/draw.js";

const KEY = "postern-session";
const PACE = 200; // ms between two questions at least
const HIDDEN = 10000; // ms between two, of a tab that nobody sees
const SAID = 12000; // ms that a message stays
let session = sessionStorage.getItem(KEY) || "";
let words = null;
let over = false;

async function ask(path, options = {}) {
  const headers = { ...options.headers };
  if (session) headers["Postern-Session"] = session;
  const answer = await fetch("/api/" + path, { ...options, headers, cache: "no-store", credentials: "omit" });
  if (answer.ok) return answer.json();
  throw Object.assign(new Error("status " + answer.status), { status: answer.status });
}

const send = (path, body) => ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

// enter trades the token of the link for a session, and takes it out of the
// address before anything else happens. It says which section the link names.
async function enter() {
  const [token, section] = location.hash.slice(1).split(".");
  history.replaceState(null, "", "/");
  if (section === undefined) return "";
  try {
    session = (await send("enter", { token })).session;
    sessionStorage.setItem(KEY, session);
  } catch (e) {
    if (e.status !== 401) throw e;
    if (!session) throw Object.assign(e, { used: true });
  }
  return section;
}

// ended says that nothing more comes, and why; what was shown is no longer so.
function ended(headline, why) {
  over = true;
  sessionStorage.removeItem(KEY);
  const said = document.body.dataset;
  mood("offline");
  text("headline", said[headline]);
  text("detail", said[why]);
  text("hint", said.again);
  text("code", "");
  text("person", "");
  text("waiting", "");
  document.title = said[headline] + " – Postern";
  if ($("pause").open) $("pause").close();
  list("actions", [], String, String);
  show("proof", false);
  show("rest", false);
  say("");
}

let hush = 0;
function say(value, stays) {
  clearTimeout(hush);
  show("hide", Boolean(value)); // the live region itself stays: one that comes with its text is not read out
  $("toast").classList.toggle("on", Boolean(value));
  text("said", value);
  if (value && !stays) hush = setTimeout(() => say(""), SAID);
}

async function wish(body) {
  say("");
  try {
    const out = await send("do", body);
    say(out.Failed || out.Said || "", Boolean(out.Failed));
    return out;
  } catch (e) {
    if (!over) say(words.Failed, true);
    return {};
  }
}

// check has the computer read again and shows the proof. The button keeps the
// focus, which one that is disabled would lose.
async function check(button) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  const waiting = wish({ do: "check" });
  say(words.Checking, true);
  const { Proof } = await waiting;
  button.removeAttribute("aria-disabled");
  if (!Proof || over) return;
  say([Proof.Says, Proof.Told].filter(Boolean).join(". "), Boolean(Proof.Told));
  list("reread", Proof.Parts, (p) => p.Name, (p, key) => part(p, "reread-" + key));
  show("proof", (Proof.Parts || []).length > 0);
}

async function copy(address) {
  try {
    await navigator.clipboard.writeText(address);
    say(words.Copied + " " + address);
  } catch {
    say(words.Failed, true);
  }
}

function ownReason() {
  const own = $("pause-other").checked;
  show("pause-own", own);
  $("pause-why").required = own;
}

function pause() {
  $("pause-form").reset();
  ownReason();
  $("pause").showModal();
}

function dialog() {
  $("pause-form").addEventListener("change", ownReason);
  $("pause-cancel").addEventListener("click", () => $("pause").close());
  $("pause").addEventListener("close", () => { if (document.activeElement === document.body) land($("actions")); });
  $("pause-form").addEventListener("submit", (e) => {
    e.preventDefault();
    $("pause").close();
    const { for: { value: time }, reason } = e.target.elements;
    wish({ do: "pause", length: time, reason: reason.value || $("pause-why").value.trim() });
  });
}

// quiet waits, but not when the tab is looked at or left meanwhile.
function quiet(ms) {
  return new Promise((done) => {
    const end = () => { clearTimeout(timer); document.removeEventListener("visibilitychange", end); done(); };
    const timer = setTimeout(end, ms);
    document.addEventListener("visibilitychange", end);
  });
}

// next asks for the next state. A tab that nobody sees holds no connection:
// a browser has only a few for one server, and other tabs want them.
async function next(after) {
  if (document.hidden) return ask("state?after=0");
  const left = new AbortController(), leave = () => left.abort();
  document.addEventListener("visibilitychange", leave);
  try {
    return await ask("state?after=" + after, { signal: left.signal });
  } finally {
    document.removeEventListener("visibilitychange", leave);
  }
}

async function follow(section) {
  const act = { wish, check, pause, copy };
  for (let after = 0, failures = 0; ;) {
    const began = performance.now();
    try {
      const s = await next(after);
      [after, words, failures] = [s.Revision, s.Words, 0];
      draw(s, act);
      if (section && !s.Partial) { arrive(section); section = ""; }
    } catch (e) {
      if (e.name === "AbortError") continue;
      if (e.status === 401 || e.status === 410 || ++failures > 2) return ended("gone", "why");
      await quiet(400 * failures);
    }
    if (document.hidden) await quiet(HIDDEN);
    else if (performance.now() - began < PACE) await quiet(PACE);
  }
}

// arrive goes to the section that a link names.
function arrive(section) {
  const heading = $(section + "-title");
  if (!heading || heading.closest("[hidden]")) return;
  heading.scrollIntoView();
  heading.focus({ preventScroll: true });
}

// aside keeps room for the message, however long that is and however large the
// letters: what has the focus is never behind it.
function aside() {
  new ResizeObserver(() => document.documentElement.style.setProperty("--said", $("toast").offsetHeight + "px")).observe($("toast"));
}

async function start() {
  dialog();
  aside();
  $("hide").addEventListener("click", () => { say(""); $("headline").focus({ preventScroll: true }); });
  $("skip").addEventListener("click", (e) => { e.preventDefault(); $("headline").focus(); });
  try {
    const section = await enter();
    if (session) await follow(section); else ended("nolink", "once");
  } catch (e) {
    if (e.used) ended("used", "once"); else ended("gone", "why");
  }
}

// A link that is opened in this very tab while the page is there.
addEventListener("hashchange", () => { if (location.hash.includes(".")) location.reload(); });
start();
