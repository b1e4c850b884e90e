// What a page has to be that axe-core does not look at. It is evaluated in the
// page and gives what is against it, in words.
(({ language, still, size, spaced }) => {
  const against = [];
  const root = document.documentElement, dialog = document.querySelector("dialog[open]");
  const scope = dialog || document.body; // what is behind an open dialog is out of reach
  const shown = (e) => e.checkVisibility({ visibilityProperty: true }) && !e.closest("#skip");
  const named = (e) => `${e.localName}#${e.id || e.closest("[id]")?.id} “${e.textContent.trim().slice(0, 40)}”`;
  const controls = [...scope.querySelectorAll("button, a[href], summary, input")].filter(shown);
  const style = (e) => getComputedStyle(e);

  // A line of text: where it is, and whose.
  const lines = [];
  const texts = document.createTreeWalker(scope, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode, owner = node.parentElement;
    if (!node.data.trim() || owner.closest("option, script, noscript") || !shown(owner)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const r of range.getClientRects()) if (r.width > 0) lines.push({ r, owner, node, over: Boolean(owner.closest("#toast")) });
  }
  if (!lines.length) against.push("there is no text");

  // WCAG 1.4.10 and 1.4.4: nothing is beside the window, cut off, or under other text.
  if (root.scrollWidth > root.clientWidth) against.push(`scrolls sideways: ${root.scrollWidth} px in ${root.clientWidth} px`);
  for (const e of scope.querySelectorAll("*")) {
    if (!shown(e)) continue;
    const r = e.getBoundingClientRect();
    if (r.width && (r.left < -1 || r.right > root.clientWidth + 1)) against.push(`beside the window: ${named(e)}`);
    if (e.matches("button, a, summary, input") && e.scrollWidth > e.clientWidth + 1 && style(e).display !== "inline") against.push(`cut off: ${named(e)}`);
  }
  const clipping = [...scope.querySelectorAll("*")].filter((e) => /hidden|clip/.test(style(e).overflow) && shown(e)).map((e) => [e, e.getBoundingClientRect()]);
  for (const { r, owner } of lines) {
    for (const [e, box] of clipping) {
      if (e.contains(owner) && (r.left < box.left - 1 || r.right > box.right + 1 || r.bottom > box.bottom + 1)) against.push(`cut off by ${named(e)}: ${named(owner)}`);
    }
  }
  lines.sort((a, b) => a.r.top - b.r.top);
  lines.forEach((a, i) => {
    for (let j = i + 1; j < lines.length && lines[j].r.top < a.r.bottom; j++) {
      const b = lines[j], low = Math.min(a.r.height, b.r.height);
      const wide = Math.min(a.r.right, b.r.right) - Math.max(a.r.left, b.r.left), high = Math.min(a.r.bottom, b.r.bottom) - b.r.top;
      if (a.node !== b.node && a.over === b.over && wide > 2 && high > 0.3 * low) against.push(`one over the other: ${named(a.owner)} and ${named(b.owner)}`);
    }
  });
  // Short words stay whole, however large the letters.
  for (const { node, owner } of lines) {
    const range = document.createRange();
    range.selectNodeContents(node);
    if (range.getClientRects().length < 2 || owner.closest("code, dd, time")) continue;
    for (const m of node.data.matchAll(/(?<=^|\s)\p{L}{2,9}(?=[\s.,;:!?]|$)/gu)) {
      range.setStart(node, m.index);
      range.setEnd(node, m.index + m[0].length);
      if (new Set([...range.getClientRects()].map((r) => Math.round(r.top))).size > 1) against.push(`a word is broken: ${m[0]} in ${named(owner)}`);
    }
  }

  // WCAG 1.4.4: all text grows with the person's size; none is tiny.
  for (const e of new Set(lines.map((l) => l.owner))) if (parseFloat(style(e).fontSize) < 0.75 * size) against.push(`small: ${style(e).fontSize}: ${named(e)}`);
  if (spaced && lines.some((l) => style(l.owner).letterSpacing === "normal")) against.push("the spacing of the person is not there");

  // WCAG 2.5.8, and a little more: every target by itself.
  for (const e of controls) {
    const r = e.getBoundingClientRect();
    if (r.width < 24 || r.height < 24) against.push(`${Math.round(r.width)}×${Math.round(r.height)} px are not easy to hit: ${named(e)}`);
  }

  // WCAG 1.4.11: what can be used is seen to be that. Forced colours are the person's.
  if (!matchMedia("(forced-colors: active)").matches) for (const e of [...scope.querySelectorAll("*")].filter((c) => shown(c) && c.matches("button, .button, [type=text], .choices label") && !c.closest("#toast"))) {
    const edge = contrast(rgb(style(e).borderTopColor), ground(e.parentElement));
    if (edge < 3) against.push(`an edge of contrast ${edge.toFixed(2)}: ${named(e)}`);
  }

  // WCAG 2.4.3: the order of the keyboard is the order for the eye.
  const walked = controls.filter((e) => !e.closest("#toast"));
  for (let i = 1; i < walked.length; i++) {
    const [a, b] = [walked[i - 1], walked[i]].map((e) => e.getBoundingClientRect()), column = (walked[i - 1].closest("section") || root).getBoundingClientRect();
    const row = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0.5 * Math.min(a.height, b.height);
    const beside = column.width < 0.8 * document.body.clientWidth && b.left >= column.right - 1;
    if (row && b.left < a.left && style(scope).direction === "ltr" || !row && b.bottom <= a.top + 1 && !beside) against.push(`the keyboard goes back: from ${named(walked[i - 1])} to ${named(walked[i])}`);
  }

  if (still) {
    const moves = [...document.querySelectorAll("*")].filter((e) => style(e).transitionDuration !== "0s" || style(e).animationName !== "none" || style(e).scrollBehavior === "smooth");
    if (moves.length || document.getAnimations().length) against.push(`moves: ${moves.map(named)}`);
  }
  if (root.lang !== language) against.push(`the language is ${root.lang}`);
  const headline = document.getElementById("headline").textContent;
  if (!document.title.startsWith(headline) || !document.title.endsWith(" – Postern")) against.push(`the title is ${document.title}`);
  for (const i of document.images) if (shown(i) && !(i.complete && i.naturalWidth)) against.push(`a picture is missing: ${i.src}`);
  return [...new Set(against)];

  function rgb(colour) {
    const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  }
  function ground(e) {
    for (; e; e = e.parentElement) {
      const c = rgb(style(e).backgroundColor);
      if (c.a === 1) return c;
    }
    return { r: 255, g: 255, b: 255, a: 1 };
  }
  // WCAG 2.2, "contrast ratio" and "relative luminance".
  function contrast(x, y) {
    const light = ({ r, g, b }) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const [a, b] = [light(x), light(y)].sort((m, n) => n - m);
    return (a + 0.05) / (b + 0.05);
  }
})
