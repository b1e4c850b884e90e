// Does in Debian's Chromium what the tests say: one JSON command a line on
// standard input, one JSON answer a line, by their ids. Commands of different
// tabs run side by side. Nothing but 127.0.0.1 is resolved.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const patience = 60_000; // ms
const scratch = mkdtempSync(join(tmpdir(), 'postern-page-'));
const launch = {
  executablePath: process.env.POSTERN_CHROMIUM || '/usr/bin/chromium',
  headless: true,
  chromiumSandbox: process.getuid() !== 0,
  timeout: patience,
  env: { ...process.env, DBUS_SESSION_BUS_ADDRESS: 'disabled:', HOME: scratch, XDG_CONFIG_HOME: scratch, XDG_CACHE_HOME: scratch },
  args: ['--host-resolver-rules=MAP rebound.test 127.0.0.1, MAP * ~NOTFOUND , EXCLUDE 127.0.0.1', '--password-store=basic', '--force-color-profile=srgb'],
};
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let shared;
const contexts = new Map(); // name: { context, requests, console, telling, pages }
const tabs = new Map(); // name: { page, cdp }

async function contextOf({ context: name, like = {} }) {
  if (contexts.has(name)) return contexts.get(name);
  const lean = { preload: false, selectors: false, resultTypes: ['violations', 'incomplete'] }; // a page of its own, and no more than is asked for
const options = {
    locale: like.locale || 'en-GB',
    colorScheme: like.dark ? 'dark' : 'light',
    forcedColors: like.forced ? 'active' : 'none',
    reducedMotion: like.still ? 'reduce' : 'no-preference',
    viewport: { width: like.width || 1280, height: like.height || 900 },
    permissions: like.permissions || [],
  };
  let context;
  if (like.profile) context = await chromium.launchPersistentContext(like.profile, { ...launch, ...options });
  else context = await (await (shared ??= chromium.launch(launch))).newContext(options);
  context.setDefaultTimeout(patience);
  const made = { context, requests: [], console: [], popups: 0, telling: new Set() };
  contexts.set(name, made);
  context.on('console', (m) => made.console.push(`${m.type()}: ${m.text()}`));
  context.on('weberror', (e) => made.console.push(`exception: ${e.error()}`));
  context.on('page', () => { made.popups++; });
  for (const event of ['requestfinished', 'requestfailed']) context.on(event, (r) => told(made, r));
  return made;
}

function told(made, request) {
  const telling = (async () => {
    const headers = await request.allHeaders().catch(() => request.headers());
    made.requests.push({ method: request.method(), url: request.url(), body: request.postData() ?? '', referer: headers.referer ?? '',
      origin: headers.origin ?? '', failure: request.failure()?.errorText ?? '', frame: request.frame()?.url() ?? '' });
  })().catch(() => {}).finally(() => made.telling.delete(telling));
  made.telling.add(telling);
}

async function evaluate({ cdp }, expression, gesture) {
  const { result, exceptionDetails } = await cdp.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true, userGesture: Boolean(gesture) });
  if (exceptionDetails) throw new Error(`${expression.slice(0, 200)}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
  return result.value ?? null;
}

async function until(tab, expression, ms) {
  const began = performance.now();
  let last;
  for (;;) {
    // Between two documents there is nothing to ask.
    const value = await evaluate(tab, expression).catch((e) => { last = e; return false; });
    if (value) return { value, ms: performance.now() - began };
    if (performance.now() - began > ms) {
      const shown = await evaluate(tab, 'document.body.innerText').catch(() => '');
      throw new Error(`not within ${ms} ms: ${expression} (${last?.message ?? ''}); the page: ${shown.slice(0, 600)}`);
    }
    await new Promise((r) => setTimeout(r, 15));
  }
}

// tree is what a screen reader is given: what is not ignored, in order.
async function tree({ cdp }) {
  await cdp.send('Accessibility.enable');
  const { nodes } = await cdp.send('Accessibility.getFullAXTree');
  const by = new Map(nodes.map((n) => [n.nodeId, n])), read = []; // they come level by level
  const go = (n) => { read.push(n); for (const id of n.childIds || []) if (by.has(id)) go(by.get(id)); };
  go(nodes[0]);
  return read.filter((n) => !n.ignored && n.role?.value && !['InlineTextBox', 'none', 'generic'].includes(n.role.value)).map((n) => {
    const properties = Object.fromEntries((n.properties || []).map((p) => [p.name, p.value.value]));
    return { role: n.role.value, name: n.name?.value ?? '', description: n.description?.value ?? '', level: properties.level ?? 0,
      live: properties.live ?? '', atomic: Boolean(properties.atomic), modal: Boolean(properties.modal), focusable: Boolean(properties.focusable), expanded: properties.expanded ?? null };
  });
}

// look changes what the person's browser is like, in the page that is there:
// colours, width, movement, the size of letters and the space between them.
async function look({ page, cdp }, { like, spacing }) {
  await page.emulateMedia({ colorScheme: like.dark ? 'dark' : 'light', forcedColors: like.forced ? 'active' : 'none',
    reducedMotion: like.still ? 'reduce' : 'no-preference', contrast: like.contrast ? 'more' : 'no-preference' });
  const size = { width: like.width || 1280, height: like.height || 900 }, was = page.viewportSize();
  if (was.width !== size.width || was.height !== size.height) await page.setViewportSize(size);
  await cdp.send('Page.setFontSizes', { fontSizes: { standard: like.big ? 32 : 16, fixed: like.big ? 26 : 13 } });
  await evaluate({ cdp }, `(async () => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(${JSON.stringify(like.spaced ? spacing : '')});
    document.adoptedStyleSheets = [sheet];
    if (${Boolean(like.still)}) return;
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    await Promise.all(document.getAnimations().map((a) => a.finished.catch(() => {})));
  })()`);
}

const lean = { preload: false, selectors: false, resultTypes: ['violations', 'incomplete'] }; // a page of its own, and no more than is asked for
const options = {
  all: { ...lean, runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa', 'best-practice'],
    rules: { 'focus-order-semantics': { enabled: true }, 'p-as-heading': { enabled: true } } },
  colours: { ...lean, runOnly: { type: 'rule', values: ['color-contrast', 'link-in-text-block'] } },
};

// audit asks axe-core for all of its rules that are of WCAG 2.2 A and AA or best
// practice, and those of its experiments that tell something of such a page; and
// the checks for what they say.
async function audit({ cdp }, { rules, checks }) {
  const { frameTree } = await cdp.send('Page.getFrameTree');
  const { executionContextId: contextId } = await cdp.send('Page.createIsolatedWorld', { frameId: frameTree.frame.id, worldName: 'axe', grantUniveralAccess: true });
  const run = async (expression) => {
    const { result, exceptionDetails } = await cdp.send('Runtime.evaluate', { expression, contextId, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  const seen = await run(checks);
  if (!rules) return { kept: [], against: seen, unsure: [] };
  if (await run('typeof axe') === 'undefined') await run(axe);
  const found = await run(`axe.run(document, ${JSON.stringify(options[rules])}).then((r) => ({
    kept: r.passes.map((v) => v.id),
    unsure: r.incomplete.map((v) => v.id + ': ' + v.nodes.map((n) => n.html + ' ' + n.any.map((a) => a.message).join(' ')).join(' | ')),
    against: r.violations.map((v) => v.id + ': ' + v.help + ': ' + v.nodes.map((n) => n.html + ' ' + n.failureSummary).join(' | ')) }))`);
  return { ...found, against: [...seen, ...found.against] };
}

// shot keeps a picture of the window, or of an element in it. More than the
// window is not asked for: a browser that has its window changed for that forgets
// the size of letters. It gives the colour of the page's ground.
async function shot(tab, { path, selector }) {
  const place = `(() => { const { x, y, width, height } = ${selector ? `document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect()` : '{ x: 0, y: 0, width: innerWidth, height: Math.min(innerHeight, document.documentElement.scrollHeight) }'};
    return { clip: { x, y, width, height, scale: 1 }, size: getComputedStyle(document.documentElement).fontSize, ground: getComputedStyle(document.documentElement).backgroundColor }; })()`;
  if (selector) await evaluate(tab, 'scrollTo(0, 0)');
  const before = await evaluate(tab, place);
  const { data } = await tab.cdp.send('Page.captureScreenshot', { format: 'png', optimizeForSpeed: true, clip: before.clip });
  if ((await evaluate(tab, place)).size !== before.size) throw new Error('the letters are of another size after the picture');
  writeFileSync(path, Buffer.from(data, 'base64'));
  return before.ground;
}

// rings keeps two pictures: of the window as it is, and with everything that can
// have the focus as it is when the keyboard has led there. It gives the places.
async function rings({ cdp }, { selector, before, after }) {
  await cdp.send('DOM.enable');
  await cdp.send('CSS.enable');
  const { root } = await cdp.send('DOM.getDocument', { depth: 0 });
  const { nodeIds } = await cdp.send('DOM.querySelectorAll', { nodeId: root.nodeId, selector });
  const force = (forcedPseudoClasses) => Promise.all(nodeIds.map((nodeId) => cdp.send('CSS.forcePseudoState', { nodeId, forcedPseudoClasses })));
  const picture = async (path) => writeFileSync(path, Buffer.from((await cdp.send('Page.captureScreenshot', { format: 'png', optimizeForSpeed: true })).data, 'base64'));
  await picture(before);
  await force(['focus', 'focus-visible']);
  await picture(after);
  const places = await evaluate({ cdp }, `[...document.querySelectorAll(${JSON.stringify(selector)})].filter((e) => e.checkVisibility()).map((e) => {
    const shown = e.type === 'radio' ? e.closest('label') : e, { x, y, width, height } = shown.getBoundingClientRect();
    return { name: e.id, x, y, width, height }; }).filter((p) => p.y + p.height < innerHeight && (p.name === 'hide' || p.y + p.height + 8 < document.getElementById('toast').getBoundingClientRect().top))`);
  await force([]);
  return places;
}

const acts = {
  open: async (c) => {
    const made = await contextOf(c);
    const page = await made.context.newPage();
    const tab = { page, cdp: await made.context.newCDPSession(page) };
    tabs.set(c.tab, tab);
    if (c.url) await page.goto(c.url, { waitUntil: 'load' });
  },
  go: (c, { page }) => page.goto(c.url, { waitUntil: 'load' }).then(() => null),
  reload: (c, { page }) => page.reload({ waitUntil: 'load' }).then(() => null),
  evaluate: (c, tab) => evaluate(tab, c.expression, c.gesture),
  until: (c, tab) => until(tab, c.expression, c.ms || patience),
  press: (c, { page }) => page.keyboard.press(c.key),
  type: (c, { page }) => page.keyboard.type(c.text),
  click: (c, { page }) => page.click(c.selector),
  look: (c, tab) => look(tab, c),
  audit: (c, tab) => audit(tab, c),
  shot: (c, tab) => shot(tab, c),
  rings: (c, tab) => rings(tab, c),
  tree: (c, tab) => tree(tab),
  history: async (c, { cdp, page }) => {
    const { entries } = await cdp.send('Page.getNavigationHistory');
    return { history: entries.flatMap((e) => [e.url, e.title]), url: page.url(),
      entries: await evaluate({ cdp }, 'performance.getEntries().map((e) => e.name)') };
  },
  log: async (c) => {
    const made = contexts.get(c.context);
    while (made.telling.size) await Promise.all(made.telling);
    return { requests: made.requests, console: made.console, tabs: made.context.pages().map((p) => p.url()) };
  },
  'close-tab': async (c, { page }) => { await page.close(); tabs.delete(c.tab); },
  close: async (c) => { await contexts.get(c.context)?.context.close(); contexts.delete(c.context); },
};

async function end() {
  for (const { context } of contexts.values()) await context.close().catch(() => {});
  if (shared) await (await shared.catch(() => null))?.close().catch(() => {});
  rmSync(scratch, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line);
  Promise.resolve().then(() => acts[command.act](command, tabs.get(command.tab))).then(
    (result) => write({ id: command.id, result: result ?? null }), (err) => write({ id: command.id, error: err.message || String(err) }));
}).on('close', () => end().finally(() => process.exit(0)));
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => end().finally(() => process.exit(1)));
