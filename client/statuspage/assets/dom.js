// Elements and lists of them. Texts are set as text, never as markup.

export const $ = (id) => document.getElementById(id);

// el makes an element: attributes (functions are listeners), then children, of
// which strings are text.
export function el(name, attributes, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attributes || {})) {
    if (v === true) e.setAttribute(k, "");
    else if (typeof v === "function") e.addEventListener(k, v);
    else if (v !== false && v !== undefined && v !== null && v !== "") e.setAttribute(k, String(v));
  }
  for (const c of children.flat(3)) if (c !== null && c !== undefined && c !== "" && c !== false) e.append(c);
  return e;
}

// text changes an element's text if it is other than before: a live region
// speaks on every change.
export function text(id, value) {
  if ($(id).textContent !== (value || "")) $(id).textContent = value || "";
}

const made = new WeakMap(); // element: what it was made from

// list shows items, each under a key. An element whose item is as before stays
// as it is, with its focus and whatever is open in it.
export function list(id, items, keyOf, make) {
  const box = $(id), held = holds(box), before = new Map();
  for (const e of box.children) before.set(made.get(e).key, e);
  const now = [], used = new Set();
  for (const item of items || []) {
    const key = unlike(used, String(keyOf(item))), data = JSON.stringify(item), old = before.get(key);
    now.push(old && made.get(old).data === data ? old : remade(old, make(item, key), key, data));
  }
  for (const e of [...box.children]) if (!now.includes(e)) e.remove();
  now.forEach((e, i) => { if (box.children[i] !== e) box.insertBefore(e, box.children[i] || null); });
  keep(held, box);
}

// unlike makes a key that is in no other place, and fit for an id.
function unlike(used, name) {
  const stem = name.replace(/\s/g, "_");
  let key = stem;
  for (let n = 2; used.has(key); n++) key = stem + "~" + n;
  used.add(key);
  return key;
}

function remade(old, e, key, data) {
  made.set(e, { key, data });
  if (old && old.open) e.open = true;
  for (const d of old ? old.querySelectorAll("details[open]") : []) {
    const same = d.id && e.querySelector("#" + CSS.escape(d.id));
    if (same) same.open = true;
  }
  return e;
}

// holds is the element inside a box that has the focus, or null.
const holds = (box) => (box.contains(document.activeElement) ? document.activeElement : null);

// keep gives the focus back: to the element of the same id, or to the heading
// of what it was in, so that the keyboard never starts again at the top.
function keep(held, box) {
  if (!held || document.activeElement === held) return;
  const same = held.id && $(held.id);
  if (same && box.contains(same)) same.focus({ preventScroll: true });
  else land(box);
}

// land puts the focus on the heading above an element.
export function land(e) {
  const heading = e.closest("section")?.querySelector("h2[tabindex]");
  const seen = heading && !heading.closest("[hidden]");
  (seen ? heading : $("headline")).focus({ preventScroll: true });
}

// show hides and shows; focus inside of what goes moves to the headline.
export function show(id, visible) {
  const e = $(id);
  if (e.hidden === !visible) return;
  const held = holds(e);
  e.hidden = !visible;
  if (held && e.hidden) $("headline").focus({ preventScroll: true });
}
