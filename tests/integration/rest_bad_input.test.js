// @ts-check

/**
 * Every endpoint with every kind of bad input: the right status and problem+json, nothing of the input echoed, no
 * change in the database, no crash; and no leak, for the worker is built with sanitizers.
 */

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { ENDPOINTS, nameOf, paramCount, uriOf } from '../lib/endpoints.js';
import { Worker, exchange, requestBody, requestHead, variablesOf } from '../lib/fcgi.js';
import { Site } from '../lib/site.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SANITIZED = join(ROOT, 'build/san/confab.fcgi');
const ORIGIN = 'http://chat.example';
const MARKER = 'zzmarker';
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'BREW'];
const BODY_BYTES_MAX = 65_536;
/** Looks like a token, is nobody's. */
const FOREIGN_TOKEN = 'A'.repeat(43);
const SANITIZER = /AddressSanitizer|LeakSanitizer|runtime error:/;

/** @typedef {import('../lib/endpoints.js').Endpoint} Endpoint */
/** @typedef {import('../lib/endpoints.js').Field} Field */
/** @typedef {import('../lib/fcgi.js').FcgiRequest} FcgiRequest */

/** @type {Site} */
let site;
/** @type {Worker} */
let worker;
let token = '';
let cookie = '';

test.before(async () => {
  site = await Site.start({ front: null, pushd: false });
  worker = await Worker.start(site, {
    binary: SANITIZED,
    env: { CONFAB_PASSWORD_MEMORY_KIB: 64, CONFAB_PASSWORD_PASSES: 1 },
  });
  const person = { login: 'tester', password: 'long enough', display_name: 'Tester' };
  const bearer = await post('/users', { ...person, token: true });
  token = bearer.json.token;
  const browser = await post('/session', person, { Origin: ORIGIN });
  cookie = browser.headers['set-cookie'].split(';')[0];
});

test.after(async () => {
  const statuses = await worker.stop();
  await site.stop();
  assert.deepEqual(statuses, [0], worker.log.slice(-4000));
  assert.doesNotMatch(worker.log, SANITIZER);
});

/** @param {string} path @param {object} body @param {Record<string, string>} [headers] */
function post(path, body, headers = {}) {
  const text = JSON.stringify(body);
  return worker.request({
    method: 'POST',
    uri: `/api/v1${path}`,
    headers: { 'Content-Type': 'application/json', ...headers },
    body: text,
  });
}

/** Everything that is stored. */
async function fingerprint() {
  const tables = await site.sql(
    `select c.oid::regclass::text as name from pg_class c
      where c.relnamespace = 'chat'::regnamespace and c.relkind = 'r' order by 1`,
  );
  const parts = [];
  for (const { name } of tables) {
    const [{ digest }] = await site.sql(
      `select md5(coalesce(string_agg(t::text, E'\\n' order by t::text), '')) as digest from ${name} t`,
    );
    parts.push(`${name} ${digest}`);
  }
  return parts.join('\n');
}

/** @param {import('../lib/fcgi.js').FcgiAnswer} answer @param {number} status @param {string} code @param {string} what */
function assertProblem(answer, status, code, what) {
  assert.equal(answer.status, status, `${what}: ${answer.text}`);
  assert.equal(answer.headers['content-type'], 'application/problem+json', what);
  assert.equal(answer.headers['cache-control'], 'no-store', what);
  const { type, title, detail, request_id: requestId } = answer.json;
  assert.equal(answer.json.status, status, what);
  assert.equal(answer.json.code, code, what);
  assert.equal(type, `urn:confab:problem:${code}`, what);
  assert.ok(title && detail, what);
  assert.equal(requestId, answer.headers['x-request-id'], what);
  assert.equal(Number(answer.headers['content-length']), Buffer.byteLength(answer.text), what);
  assert.ok(!answer.bytes.includes(MARKER), `${what}: input is echoed: ${answer.text}`);
  if (status === 401) assert.ok(answer.headers['www-authenticate'], what);
  if (status === 405) assert.ok(answer.headers.allow, what);
}

/**
 * The endpoint's good request, with changes; by bearer token.
 *
 * @param {Endpoint} endpoint
 * @param {FcgiRequest} [changes]
 */
function send(endpoint, { headers = {}, ...changes } = {}) {
  return worker.request({
    method: endpoint.method,
    uri: uriOf(endpoint),
    body: endpoint.good && JSON.stringify(endpoint.good),
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', ...headers },
    ...changes,
  });
}

/** @param {Endpoint} endpoint @param {object} fields */
function sendBody(endpoint, fields) {
  return send(endpoint, { body: JSON.stringify({ ...endpoint.good, ...fields }) });
}

/** @param {import('../lib/fcgi.js').FcgiAnswer} answer @param {string[]} pointers @param {string} what */
function assertInvalid(answer, pointers, what) {
  assertProblem(answer, 422, 'invalid', what);
  assert.deepEqual(
    answer.json.errors.map((/** @type {any} */ error) => error.pointer),
    pointers,
    what,
  );
  for (const error of answer.json.errors) assert.ok(error.detail, what);
}

/** Values that a field must refuse. @param {Field} field @returns {[string, any][]} */
function badValues({ type, min = type === 'int' ? -(2 ** 53) : 1, max = 0 }) {
  const wrong = { int: MARKER, text: 5, secret: 5, uuid: 5, bool: MARKER, object: MARKER, ids: MARKER, items: MARKER }[type];
  /** @type {[string, any][]} */
  const values = [
    ['wrong type', wrong],
    ['an array', [[MARKER]]],
    ['a fraction', 1.5],
  ];
  if (type !== 'object') values.push(['an object', { [MARKER]: 1 }]);
  if (type !== 'bool') values.push(['a boolean', true]);
  if (type === 'int') values.push(['too small', min - 1], ['a number as text', '1']);
  if (type === 'int' && max > 0) values.push(['too big', max + 1]);
  if (type === 'text') values.push(['too long', 'Ж'.repeat(max + 1)]);
  if (type === 'secret') values.push(['too long', 'x'.repeat(max + 1)], ['too short', 'x'.repeat(min - 1)]);
  if (type === 'uuid') values.push(['no UUID', `${MARKER}-0000-0000-0000-000000000000`]);
  if (type === 'object') values.push(['too big', { [MARKER]: 'x'.repeat(max) }]);
  if (type === 'ids') values.push(['too many', Array(max + 1).fill(1)], ['bad ids', [1, 0]], ['mixed', [1, MARKER]]);
  if (type === 'items') values.push(['none', []], ['too many', Array(max + 1).fill({})], ['mixed', [{}, MARKER]]);
  return values;
}

/** Texts that a query field must refuse. @param {Field} field @returns {[string, string][]} */
function badTexts({ name, type, min = 0, max }) {
  /** @type {[string, string][]} */
  const texts = [
    ['not UTF-8', `${name}=%ff%fe`],
    ['NUL', `${name}=a%00b`],
    ['broken escape', `${name}=%zz`],
    ['twice', `${name}=1&${name}=1`],
  ];
  if (type === 'int') {
    texts.push(['a word', `${name}=${MARKER}`], ['empty', `${name}=`], ['a fraction', `${name}=1.5`]);
    texts.push(['too small', `${name}=${min - 1}`], ['too big', `${name}=${max ? max + 1 : '9223372036854775808'}`]);
  } else if (type === 'ids') {
    texts.push(['a word', `${name}=1,${MARKER}`], ['empty', `${name}=`], ['a gap', `${name}=1,,2`], ['an open end', `${name}=1,`]);
    texts.push(['bad ids', `${name}=1,0`], ['spaces', `${name}=1,%202`], ['too many', `${name}=${Array((max ?? 0) + 1).fill(1)}`]);
  } else {
    texts.push(['empty', `${name}=`], ['too long', `${name}=${'%D0%96'.repeat((max ?? 0) + 1)}`]);
  }
  return texts;
}

/** Values on the bounds, which a field must take. @param {Field} field @returns {any[]} */
function boundValues({ type, some, min = 1, max = 0 }) {
  switch (type) {
    case 'int':
      return max > 0 ? [min, max] : [min];
    case 'text':
      return some ? [some] : ['a', 'Ж'.repeat(max)];
    case 'secret':
      return ['x'.repeat(min), 'x'.repeat(max)];
    case 'object':
      return [{}, { a: 'x'.repeat(max - '{"a":""}'.length) }];
    case 'ids':
      return [Array(min).fill(1), Array(max).fill(1)];
    default:
      return [];
  }
}

// ---- That nothing is forgotten ----

test("the table of endpoints is the program's", () => {
  const sources = join(ROOT, 'fcgi-app');
  const rows = readdirSync(sources)
    .filter((name) => name.endsWith('.c'))
    .flatMap((name) => [...readFileSync(join(sources, name), 'utf8').matchAll(/\{HTTP_([A-Z]+),\s*"(\/[^"]*)"/g)])
    .map(([, method, path]) => `${method} ${path}`);
  assert.deepEqual(rows.sort(), ENDPOINTS.map(nameOf).sort());
});

test('docs/rest.md describes exactly these endpoints', () => {
  const text = readFileSync(join(ROOT, 'docs/rest.md'), 'utf8');
  const headings = [...text.matchAll(/^### ([A-Z]+) `([^`]+)`$/gm)].map(([, method, path]) => `${method} ${path}`);
  assert.deepEqual(headings.sort(), ENDPOINTS.map(nameOf).sort());
});

// ---- Methods and addresses ----

test('an unknown address is 404, whatever the method', async () => {
  const addresses = [
    '/',
    '/api/v1',
    '/api/v1/',
    `/api/v1/${MARKER}`,
    '/api/v2/health',
    '/api/v1/health/',
    '//api/v1/health',
    `/api/v1/rooms/1/${MARKER}`,
    '/api/v1/../v1/health',
    '/chat/api/v1/health',
    '*',
    '',
  ];
  for (const uri of addresses) {
    for (const method of METHODS)
      assertProblem(await worker.request({ method, uri }), 404, 'no_route', `${method} ${uri}`);
  }
});

/** Methods by template. @type {Map<string, string[]>} */
const methodsByPath = new Map();
for (const { method, path } of ENDPOINTS) methodsByPath.set(path, [...(methodsByPath.get(path) ?? []), method]);

for (const [path, methods] of methodsByPath) {
  test(`${path}: other methods are 405`, async () => {
    for (const method of METHODS.filter((name) => !methods.includes(name))) {
      const answer = await worker.request({ method, uri: uriOf({ method, path }) });
      assertProblem(answer, 405, 'method_not_allowed', `${method} ${path}`);
      for (const allowed of methods) assert.ok(answer.headers.allow.split(', ').includes(allowed));
    }
  });
}

// ---- Everything else, endpoint by endpoint ----

for (const endpoint of ENDPOINTS) {
  test(nameOf(endpoint), async (t) => {
    const before = await fingerprint();

    if (!endpoint.open) await t.test('authentication', () => badAuthentication(endpoint));
    if (!endpoint.open && endpoint.method !== 'GET') await t.test('foreign origins', () => foreignOrigins(endpoint));
    if (endpoint.open && endpoint.body) await t.test('foreign origins', () => foreignLogin(endpoint));
    if (paramCount(endpoint) > 0) await t.test('path', () => badPath(endpoint));
    if (endpoint.query) await t.test('query', () => badQuery(endpoint));
    await t.test('bodies that are too big, or cut', () => badSizes(endpoint));
    if (endpoint.body) {
      await t.test('media types', () => badMediaTypes(endpoint));
      await t.test('JSON', () => badJson(endpoint));
      await t.test('fields', () => badFields(endpoint));
    }

    assert.equal(await fingerprint(), before, 'the database has changed');
    assert.ok(worker.alive, worker.log.slice(-4000));
  });
}

/** @param {Endpoint} endpoint */
async function badAuthentication(endpoint) {
  /** @type {Record<string, string>[]} */
  const bad = [
    { Authorization: '' },
    { Authorization: 'Bearer ' },
    { Authorization: `Bearer ${MARKER}` },
    { Authorization: `Bearer ${token}x` },
    { Authorization: `Bearer ${FOREIGN_TOKEN}` },
    { Authorization: 'Basic eng6eno=' },
    { Authorization: '', Cookie: `${cookie.split('=')[0]}=${FOREIGN_TOKEN}`, Origin: ORIGIN },
    { Authorization: '', Cookie: `${cookie.split('=')[0]}=`, Origin: ORIGIN },
    { Authorization: '', Cookie: cookie.replace('confab-', 'other-'), Origin: ORIGIN },
    // Bearer beats cookie, also when it is worse.
    { Authorization: `Bearer ${FOREIGN_TOKEN}`, Cookie: cookie, Origin: ORIGIN },
  ];
  for (const headers of bad) {
    const answer = await send(endpoint, { headers });
    assertProblem(answer, 401, 'unauthenticated', `${nameOf(endpoint)} ${JSON.stringify(headers)}`);
  }
}

/** @type {Record<string, string>[]} */
const FOREIGN = [
  {},
  { Origin: 'https://evil.example' },
  { Origin: 'https://chat.example' },
  { Origin: 'http://chat.example.evil.example' },
  { Origin: 'http://chat.example:81' },
  { Origin: 'null' },
  { 'Sec-Fetch-Site': 'same-site' },
  { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' },
  { 'Sec-Fetch-Site': 'none' },
];

/** @param {Endpoint} endpoint */
async function foreignOrigins(endpoint) {
  for (const headers of FOREIGN) {
    const answer = await send(endpoint, { headers: { Authorization: '', Cookie: cookie, ...headers } });
    assertProblem(answer, 403, 'bad_origin', `${nameOf(endpoint)} ${JSON.stringify(headers)}`);
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
  }
}

/** What would set a cookie. @param {Endpoint} endpoint */
async function foreignLogin(endpoint) {
  for (const headers of FOREIGN) {
    const answer = await send(endpoint, { headers, body: JSON.stringify({ ...endpoint.good, token: false }) });
    assertProblem(answer, 403, 'bad_origin', `${nameOf(endpoint)} ${JSON.stringify(headers)}`);
    assert.equal(answer.headers['set-cookie'], undefined);
  }
}

/** @param {Endpoint} endpoint */
async function badPath(endpoint) {
  for (let n = 0; n < paramCount(endpoint); n += 1) {
    for (const bad of ['0', '-1', MARKER, '1x', '1.5', '+1', '%201', '9223372036854775808', '1%2F2', 'Me']) {
      const ids = Array(paramCount(endpoint)).fill('1');
      ids[n] = bad;
      assertProblem(
        await send(endpoint, { uri: uriOf(endpoint, ids) }),
        404,
        'not_found',
        `${nameOf(endpoint)} ${bad}`,
      );
    }
    for (const bad of ['1%00', '%zz', '%', '']) {
      const ids = Array(paramCount(endpoint)).fill('1');
      ids[n] = bad;
      assertProblem(await send(endpoint, { uri: uriOf(endpoint, ids) }), 404, 'no_route', `${nameOf(endpoint)} ${bad}`);
    }
  }
}

/**
 * Each field on its bounds is good; nothing is done, since another one is bad.
 *
 * @param {Endpoint} endpoint
 * @param {Field[]} fields
 * @param {(name: string, value: any, bad: string) => Promise<import('../lib/fcgi.js').FcgiAnswer>} request
 */
async function onBounds(endpoint, fields, request) {
  for (const field of fields) {
    const other = fields.find(({ name }) => name !== field.name);
    if (!other) continue;
    for (const value of boundValues(field)) {
      const answer = await request(field.name, value, other.name);
      assertInvalid(answer, [`/${other.name}`], `${nameOf(endpoint)} ${field.name} on its bound`);
    }
  }
}

/** @param {Endpoint} endpoint */
async function badQuery(endpoint) {
  const fields = endpoint.query ?? [];
  for (const field of fields) {
    const others = fields
      .filter((other) => other.required && other !== field)
      .map(({ name }) => `${name}=a&`)
      .join('');
    for (const [what, text] of badTexts(field)) {
      const answer = await send(endpoint, { uri: uriOf(endpoint, [], others + text) });
      assertInvalid(answer, [`/${field.name}`], `${nameOf(endpoint)} ${field.name} ${what}`);
    }
    if (field.required) {
      const answer = await send(endpoint, { uri: uriOf(endpoint, [], others) });
      assertInvalid(answer, [`/${field.name}`], `${nameOf(endpoint)} without ${field.name}`);
    }
  }
  await onBounds(endpoint, fields, (name, value, bad) =>
    send(endpoint, { uri: uriOf(endpoint, [], `${bad}=%ff&${name}=${encodeURIComponent(value)}`) }),
  );
  const all = fields.map(({ name }) => `${name}=%ff`).join('&');
  const answer = await send(endpoint, { uri: uriOf(endpoint, [], all) });
  assertInvalid(
    answer,
    fields.map(({ name }) => `/${name}`),
    `${nameOf(endpoint)} all at once`,
  );
}

/** @param {Endpoint} endpoint */
async function badSizes(endpoint) {
  const what = nameOf(endpoint);
  const big = Buffer.alloc(BODY_BYTES_MAX + 1, ' ');
  assertProblem(await send(endpoint, { body: big }), 413, 'too_big', `${what} oversized`);
  // As mod_proxy_fcgi hands on a chunked body: without its length.
  const variables = { CONTENT_LENGTH: undefined };
  assertProblem(await send(endpoint, { body: big, variables }), 413, 'too_big', `${what} oversized, chunked`);

  const body = JSON.stringify(endpoint.good ?? {});
  const lengths = { short: String(body.length + 1), huge: '99999999999999999999', negative: '-1', words: MARKER };
  for (const [name, length] of Object.entries(lengths)) {
    const answer = await send(endpoint, { body, variables: { CONTENT_LENGTH: length } });
    assertProblem(answer, 400, 'bad_request', `${what} length ${name}`);
  }

  // The client goes away in the middle: the server closes its side without ending the body.
  const head = requestHead(
    variablesOf({
      method: endpoint.method,
      uri: uriOf(endpoint),
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      variables: { CONTENT_LENGTH: String(body.length) },
    }),
  );
  const cut = await exchange(worker.path, [head, requestBody(body).subarray(0, 8 + body.length - 1)], { end: true });
  assertProblem(cut, 400, 'bad_request', `${what} cut`);
}

/** @param {Endpoint} endpoint */
async function badMediaTypes(endpoint) {
  const types = [
    '',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonx',
    'application/json; charset=utf-16',
    `text/${MARKER}`,
  ];
  if (!endpoint.path.endsWith('/messages')) types.push('text/plain');
  for (const type of types) {
    const answer = await send(endpoint, { headers: { 'Content-Type': type } });
    assertProblem(answer, 415, 'unsupported_media_type', `${nameOf(endpoint)} as ${type}`);
  }
  if (!endpoint.open) {
    // A form of a foreign page can send text/plain, with the cookie: it never gets that far.
    const answer = await send(endpoint, {
      headers: { Authorization: '', Cookie: cookie, Origin: ORIGIN, 'Content-Type': 'text/plain' },
    });
    assertProblem(answer, 415, 'unsupported_media_type', `${nameOf(endpoint)} as text by cookie`);
  }
}

/** @param {Endpoint} endpoint */
async function badJson(endpoint) {
  const good = JSON.stringify(endpoint.good);
  const [first] = Object.keys(endpoint.good ?? {});
  const notUtf8 = /not UTF-8/;
  const nul = /NUL character/;
  const tooLarge = /too large/;
  const tooDeep = /nested too deeply/;
  /** @type {Record<string, [string | Buffer, RegExp?]>} body, and what the answer says about it */
  const bodies = {
    empty: [''],
    null: ['null'],
    'an array': [`[${good}]`],
    'a string': [JSON.stringify(MARKER)],
    'cut short': [good.slice(0, -1)],
    'followed by more': [`${good}{}`],
    'single quotes': [good.replaceAll('"', "'")],
    'a byte order mark': [`\ufeff${good}`],
    'a duplicate key': [good.replace('{', `{"${first}":"${MARKER}",`), /key twice/],
    'not UTF-8': [Buffer.from(good.replace('{', '{"a":"\xff",'), 'latin1'), notUtf8],
    'UTF-8 of a surrogate': [Buffer.from(good.replace('{', '{"a":"\xed\xa0\x80",'), 'latin1'), notUtf8],
    'a lone surrogate': [good.replace('{', '{"a":"\\ud800",')],
    'an escaped NUL': [good.replace('{', '{"a":"\\u0000",'), nul],
    'a NUL byte': [good.replace('{', '{"a":"\0",')],
    'a number too big': [good.replace('{', '{"a":1e999,'), tooLarge],
    'an integer too big': [good.replace('{', '{"a":123456789012345678901234567890,'), tooLarge],
    'deep arrays': [good.replace('{', `{"a":${'['.repeat(1000)}${']'.repeat(1000)},`), tooDeep],
    'deep objects': [good.replace('{', `{"a":${'{"a":'.repeat(1000)}1${'}'.repeat(1000)},`), tooDeep],
    'unclosed depth': ['['.repeat(60_000), tooDeep],
  };
  for (const [what, [body, complaint = /well-formed|no(t a)? JSON object/]] of Object.entries(bodies)) {
    const answer = await send(endpoint, { body });
    assertProblem(answer, 400, 'bad_request', `${nameOf(endpoint)} ${what}`);
    assert.match(answer.json.detail, complaint, `${nameOf(endpoint)} ${what}`);
  }
}

/** @param {Endpoint} endpoint */
async function badFields(endpoint) {
  const fields = endpoint.body ?? [];
  for (const field of fields) {
    for (const [what, value] of badValues(field)) {
      const answer = await sendBody(endpoint, { [field.name]: value });
      assertInvalid(answer, [`/${field.name}`], `${nameOf(endpoint)} ${field.name}: ${what}`);
    }
    if (field.required) {
      for (const value of [undefined, null]) {
        const answer = await sendBody(endpoint, { [field.name]: value });
        assertInvalid(answer, [`/${field.name}`], `${nameOf(endpoint)} without ${field.name}`);
      }
    }
  }
  await onBounds(endpoint, fields, (name, value, bad) => sendBody(endpoint, { [name]: value, [bad]: [[1]] }));
  const all = Object.fromEntries(fields.map(({ name }) => [name, [[1]]]));
  assertInvalid(
    await sendBody(endpoint, all),
    fields.map(({ name }) => `/${name}`),
    `${nameOf(endpoint)} all at once`,
  );
}
