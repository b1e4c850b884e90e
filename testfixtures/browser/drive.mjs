// Drives Debian's Chromium without a screen, by playwright-core, and reports
// what a person and the pages see, as one JSON object a line.
//
//   node drive.mjs SCENARIO URL    runs one scenario in a browser of its own;
//                                  options are JSON in POSTERN_DRIVE
//   node drive.mjs                 takes {"id", "context", "scenario", "url", …}
//                                  lines on standard input until its end
//
// A context is a browser of a person of its own: cookies, tabs, language. Its
// first command says what it is like. Nothing but 127.0.0.1 is resolved.
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const patience = 60_000; // ms for whatever a page does
const scratch = mkdtempSync(join(tmpdir(), 'postern-chromium-'));
const launch = {
  executablePath: process.env.POSTERN_CHROMIUM || '/usr/bin/chromium',
  headless: true,
  chromiumSandbox: process.getuid() !== 0, // root has none
  timeout: patience,
  // With an address that leads nowhere no bus is started for it, which would
  // stay when the browser has gone.
  env: { ...process.env, DBUS_SESSION_BUS_ADDRESS: 'disabled:', HOME: scratch, XDG_CONFIG_HOME: scratch, XDG_CACHE_HOME: scratch },
  args: ['--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1', '--password-store=basic'],
};

let shared; // the one browser of all contexts without a profile
const contexts = new Map();

async function newContext(command) {
  const like = {
    locale: command.locale || 'en-US',
    colorScheme: command.dark ? 'dark' : 'light',
    viewport: { width: command.width || 1280, height: 800 },
    javaScriptEnabled: !command.noScript,
  };
  if (command.elsewhere) {
    // As on another computer than the login's: only the first address's server
    // can be reached, and no receiver; there is no proxy on port 1.
    like.proxy = { server: 'http://127.0.0.1:1', bypass: `<-loopback>,${new URL(command.url).host}` };
  }
  if (command.profile) return chromium.launchPersistentContext(command.profile, { ...launch, ...like });
  shared ??= chromium.launch(launch);
  return (await shared).newContext(like);
}

// Person is one context with what is told of it.
class Person {
  constructor(context, tell) {
    this.context = context;
    this.tell = tell; // replaced by each command
    this.telling = new Set();
    context.setDefaultTimeout(patience);
    context.on('console', (m) => this.tell({ console: { type: m.type(), text: m.text() } }));
    context.on('weberror', (e) => this.tell({ console: { type: 'exception', text: String(e.error()) } }));
    context.on('requestfinished', (r) => this.request(r));
    context.on('requestfailed', (r) => this.request(r));
    context.on('page', (page) => this.watch(page));
    context.pages().forEach((page) => this.watch(page));
  }

  watch(page) {
    page.on('framenavigated', (frame) => { if (frame === page.mainFrame()) this.tell({ navigated: frame.url() }); });
  }

  request(request) {
    const told = (async () => {
      const headers = await request.allHeaders().catch(() => request.headers());
      const answer = request.failure() ? null : await request.response().catch(() => null);
      this.tell({
        request: {
          method: request.method(), url: request.url(), body: request.postData() ?? '', referer: headers.referer ?? '',
          kind: request.resourceType(), status: answer?.status() ?? 0, failure: request.failure()?.errorText ?? '',
        },
      });
    })().finally(() => this.telling.delete(told));
    this.telling.add(told);
  }

  async settled() { while (this.telling.size) await Promise.all(this.telling); }

  get tab() { return this.context.pages().at(-1); }
}

// moved waits for where the tab goes; a page that cannot be reached is a place
// too, and told as one.
async function moved(person, go) {
  try {
    await go();
  } catch (err) {
    const failure = /net::(ERR_[A-Z_]+)/.exec(err.message);
    if (!failure) throw err;
    person.tell({ failure: failure[1] });
    await person.tab.waitForURL('chrome-error://chromewebdata/'); // the browser's own page about it
  }
}

async function open(person, { url }) {
  const tab = await person.context.newPage();
  await moved(person, () => tab.goto(url));
}

async function fill(person, { user, password }) {
  const { tab } = person;
  await tab.fill('input[name=username]', user);
  await tab.fill('input[name=password]', password);
  await moved(person, () => Promise.all([tab.waitForNavigation(), tab.click('form button')]));
}

const scenarios = {
  open,
  fill,
  'sign-in': async (person, command) => { await open(person, command); await fill(person, command); },
  back: (person) => moved(person, () => person.tab.goBack()),
  forward: (person) => moved(person, () => person.tab.goForward()),
  reload: (person) => moved(person, () => person.tab.reload()),
  look: async () => {},
  'close-tab': (person) => person.tab.close(),
  close: (person) => person.context.close(), // all tabs; a profile is on disk then
  // What axe-core finds, and whether the page is wider than its window.
  audit: async (person) => {
    const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    await person.tab.evaluate(axe);
    const found = await person.tab.evaluate(() => globalThis.axe.run(document));
    for (const v of found.violations) person.tell({ violation: `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html).join(' ')}` });
    person.tell({ audited: found.passes.length });
  },
};

async function describe(tab) {
  const session = await tab.context().newCDPSession(tab);
  const { entries, currentIndex } = await session.send('Page.getNavigationHistory');
  await session.detach();
  const seen = await tab.evaluate(() => ({
    title: document.title,
    text: document.body?.innerText ?? '',
    lang: document.documentElement.lang,
    referrer: document.referrer,
    wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
    background: getComputedStyle(document.body).backgroundColor,
    entries: performance.getEntries().map((e) => e.name),
  }));
  return { url: tab.url(), ...seen, history: entries.map((e) => e.url), current: currentIndex };
}

async function run(command, tell) {
  const scenario = scenarios[command.scenario];
  if (!scenario) throw new Error(`no scenario ${command.scenario}`);
  let person = contexts.get(command.context);
  if (!person) {
    person = new Person(await newContext(command), tell);
    contexts.set(command.context, person);
  }
  person.tell = tell;
  await scenario(person, command);
  await person.settled();
  if (command.scenario === 'close') {
    contexts.delete(command.context);
  } else if (person.tab && command.scenario !== 'close-tab') {
    tell({ page: await describe(person.tab) });
    if (command.screenshot) await person.tab.screenshot({ path: command.screenshot });
  }
}

async function end() {
  for (const { context } of contexts.values()) await context.close().catch(() => {});
  if (shared) await (await shared.catch(() => null))?.close().catch(() => {});
  rmSync(scratch, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

async function once(scenario, url) {
  const options = JSON.parse(process.env.POSTERN_DRIVE || '{}');
  const write = options.report ? (line) => appendFileSync(options.report, line) : (line) => process.stdout.write(line);
  const tell = (line) => write(`${JSON.stringify(line)}\n`);
  try {
    await run({ ...options, context: 'once', scenario, url }, tell);
    await end();
    tell({ done: true });
  } catch (err) {
    await end();
    tell({ error: err.message });
    process.exitCode = 1;
  }
}

function serve() {
  const tell = (id) => (line) => process.stdout.write(`${JSON.stringify({ id, ...line })}\n`);
  createInterface({ input: process.stdin }).on('line', (line) => {
    const command = JSON.parse(line);
    const to = tell(command.id);
    run(command, to).then(() => to({ done: true }), (err) => to({ error: err.message }));
  }).on('close', () => end().finally(() => process.exit(0)));
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => end().finally(() => process.exit(1)));
if (process.argv[2]) await once(process.argv[2], process.argv[3]); else serve();
