// A real OpenID provider (npm oidc-provider) on a port of 127.0.0.1 that the
// system chooses, with sign-in pages of its own. Standard output is one JSON
// object a line: {"issuer": …} when it listens, {"code": …} for every code that
// it issues, {"done": N} after a command. The command {"expire": STATE} on
// standard input ends the sign-in pages of N requests with that state; the end
// of the input ends the provider.
//
//   node provider.mjs '{"client": "postern", "people": {"kim": {"password": "…"}}}'
//
// A person with "fails": "access_denied", "server_error" or another error code
// gets that far, and no further, with the right password.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { generateKeyPairSync, randomBytes, timingSafeEqual, createHash } from 'node:crypto';
import Provider, { interactionPolicy } from 'oidc-provider';

const settings = JSON.parse(process.argv[2]);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const pages = '/sign-in/';

// Store keeps what one model of the provider remembers, so that a command can
// find and drop it. The provider checks itself whether it has expired.
const kept = new Map(); // "model:id" to payload
class Store {
  constructor(model) { this.model = model; }

  key(id) { return `${this.model}:${id}`; }

  async upsert(id, payload) { kept.set(this.key(id), payload); }

  async find(id) { return kept.get(this.key(id)); }

  async findBy(name, value) {
    for (const [key, payload] of kept) if (key.startsWith(`${this.model}:`) && payload[name] === value) return payload;
    return undefined;
  }

  async findByUid(uid) { return this.findBy('uid', uid); }

  async findByUserCode(code) { return this.findBy('userCode', code); }

  async consume(id) { kept.get(this.key(id)).consumed = Math.floor(Date.now() / 1000); }

  async destroy(id) { kept.delete(this.key(id)); }

  async revokeByGrantId(grant) {
    // What was issued goes, not the page on which somebody else signs in.
    for (const [key, payload] of kept) if (payload.grantId === grant && !key.startsWith('Interaction:')) kept.delete(key);
  }
}

// expire ends the page that waits for a password, as if it had been left for
// too long, by the state of the authorization request.
function expire(state) {
  let dropped = 0;
  for (const [key, payload] of kept) {
    if (key.startsWith('Interaction:') && payload.params?.state === state) {
      kept.delete(key);
      dropped += 1;
    }
  }
  return dropped;
}

function signingKey() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), kid: 'browser-tests', alg: 'ES256', use: 'sig' };
}

// prompts are the library's, but a person with a session passes without a page.
function prompts() {
  const policy = interactionPolicy.base();
  policy.get('consent').checks.remove('native_client_prompt');
  return policy;
}

function configuration() {
  return {
    adapter: Store,
    jwks: { keys: [signingKey()] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    clients: [{
      client_id: settings.client,
      application_type: 'native', // any port of a loopback redirect, RFC 8252 section 7.3
      token_endpoint_auth_method: 'none',
      redirect_uris: ['http://127.0.0.1/callback', 'http://[::1]/callback'],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      id_token_signed_response_alg: 'ES256',
    }],
    pkce: { required: () => true },
    scopes: ['openid', 'email', 'profile'],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], auth_time: null },
    conformIdTokenClaims: false, // the e-mail address is in the ID token
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: true },
      pushedAuthorizationRequests: { enabled: true },
    },
    ttl: { Interaction: 600, Session: 3600, Grant: 3600, AuthorizationCode: 60, IdToken: 600, AccessToken: 600 },
    interactions: { policy: prompts(), url: (_, interaction) => pages + interaction.uid },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@example.test`, email_verified: true, name: id[0].toUpperCase() + id.slice(1) }),
    }),
    // The organisation has agreed for everybody, so nobody is asked.
    async loadExistingGrant(ctx) {
      const before = ctx.oidc.session.grantIdFor(ctx.oidc.client.clientId);
      if (before) return ctx.oidc.provider.Grant.find(before);
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope(ctx.oidc.params.scope);
      await grant.save();
      return grant;
    },
    renderError(ctx, out) {
      ctx.type = 'html';
      ctx.body = page('Sign-in not possible', `<p id="problem">${plain(out.error)}: ${plain(out.error_description ?? '')}</p>`);
    },
  };
}

const plain = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const page = (title, body) => `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<title>${title}</title></head><body><main><h1>${title}</h1>${body}</main></body></html>`;

const loginForm = (path, problem) => page('Sign in', `${problem ? `<p role="alert" id="problem">${problem}</p>` : ''}
<form method="post" action="${path}">
<p><label>User name <input name="username" autocomplete="username" required></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password" required></label></p>
<p><button>Sign in</button></p></form>`);

function show(res, status, html) {
  res.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  res.end(html);
}

async function formOf(req) {
  let raw = '';
  for await (const part of req) {
    raw += part;
    if (raw.length > 10_000) throw new Error('the form is too long');
  }
  return new URLSearchParams(raw);
}

const same = (a, b) => timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());

// signIn is the one page of its own: user name and password.
async function signIn(provider, req, res) {
  const path = new URL(req.url, 'http://provider').pathname;
  try {
    await provider.interactionDetails(req, res);
  } catch {
    show(res, 400, page('This page is over', '<p id="problem">This sign-in has ended or expired. Begin again where you came from.</p>'));
    return;
  }
  if (req.method !== 'POST') {
    show(res, 200, loginForm(path));
    return;
  }
  const form = await formOf(req);
  const name = form.get('username') ?? '';
  const person = Object.hasOwn(settings.people, name) ? settings.people[name] : undefined;
  if (!person || !same(form.get('password') ?? '', person.password)) {
    show(res, 401, loginForm(path, 'User name or password is wrong.'));
    return;
  }
  const result = person.fails
    ? { error: person.fails, error_description: `${name} is not let in by this provider` }
    : { login: { accountId: name } };
  await provider.interactionFinished(req, res, result, { mergeWithLastSubmission: false });
}

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration());
  for (const event of ['server_error', 'authorization.error', 'grant.error', 'pushed_authorization_request.error']) {
    provider.on(event, (_, err) => console.error(event, err.error ?? err.name, err.error_description ?? err.message));
  }
  provider.on('authorization_code.saved', (code) => say({ code: code.jti }));
  const rest = provider.callback();
  server.on('request', (req, res) => {
    if (!req.url.startsWith(pages)) {
      rest(req, res);
      return;
    }
    signIn(provider, req, res).catch((err) => {
      console.error('sign-in page', err.message);
      if (!res.headersSent) show(res, 500, page('Sign-in not possible', ''));
    });
  });
  say({ issuer });
});

createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line);
  if ('expire' in command) say({ done: expire(command.expire) });
}).on('close', () => process.exit(0));
