// Does in Debian's Chromium what the tests say: one JSON command a line on
// standard input, one JSON answer a line, by their ids. Commands of different
// tabs run side by side. Nothing but 127.0.0.1 is resolved.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
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
  return nodes.filter((n) => !n.ignored && n.role?.value && !['InlineTextBox', 'none', 'generic'].includes(n.role.value)).map((n) => {
    const properties = Object.fromEntries((n.properties || []).map((p) => [p.name, p.value.value]));
    return { role: n.role.value, name: n.name?.value ?? '', description: n.description?.value ?? '', level: properties.level ?? 0,
      live: properties.live ?? '', focusable: Boolean(properties.focusable), expanded: properties.expanded ?? null };
  });
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
  axe: async (c, tab) => {
    const runner = await tab.cdp.send('Page.createIsolatedWorld', { frameId: (await tab.cdp.send('Page.getFrameTree')).frameTree.frame.id, worldName: 'axe', grantUniveralAccess: true });
    const run = async (expression) => {
      const { result, exceptionDetails } = await tab.cdp.send('Runtime.evaluate', { expression, contextId: runner.executionContextId, awaitPromise: true, returnByValue: true });
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
      return result.value;
    };
    await run(axe);
    const rules = c.colours ? `{ type: 'rule', values: ['color-contrast'] }` : `['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']`;
    return run(`axe.run(document, { runOnly: ${rules}, resultTypes: ['violations'] }).then((r) => ({
      passes: r.passes.length, incomplete: r.incomplete.map((v) => v.id + ': ' + v.nodes.map((n) => n.target + ' ' + n.any.map((a) => a.message).join(' ')).join(' | ')),
      violations: r.violations.map((v) => v.id + ': ' + v.help + ': ' + v.nodes.map((n) => n.html + ' ' + n.failureSummary).join(' | ')) }))`);
  },
  shot: async (c, { page }) => {
    await (c.selector ? page.locator(c.selector).screenshot({ path: c.path, animations: 'disabled' }) : page.screenshot({ path: c.path, fullPage: true, animations: 'disabled' }));
  },
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
