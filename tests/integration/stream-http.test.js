// @ts-check

/** The daemon as an HTTP server, spoken to in raw bytes. Numbers are paragraphs of docs/protocol.md. */

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import test, { after, before } from 'node:test';
import { DAEMON_URL, Guest } from '../lib/guest.js';
import { request } from '../lib/http.js';
import { Site } from '../lib/site.js';
import { waitFor } from '../lib/wait.js';

const HANDSHAKE_MS = 700;
const HEAD_BYTES = 2048;

/** @type {Site} */
let site;
/** @type {Guest} */
let alice;

before(async () => {
  site = await Site.start({
    front: null,
    env: {
      CONFAB_HANDSHAKE_MS: HANDSHAKE_MS,
      CONFAB_STREAM_HEAD_BYTES: HEAD_BYTES,
      CONFAB_ORIGINS: 'https://friend.example https://other.example:8443',
      CONFAB_PATH_PREFIX: '/chat',
      CONFAB_LOG_LEVEL: 'debug',
    },
  });
  alice = await Guest.register(site, 'alice');
});
after(() => site?.stop());

/** A connection that sends what it is told and keeps what it gets. */
class Raw {
  text = '';
  closed = false;

  constructor() {
    this.socket = connect({ path: site.pushSocket, allowHalfOpen: true });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text) => (this.text += text));
    this.socket.on('close', () => (this.closed = true));
    this.socket.on('end', () => this.socket.end());
    this.socket.on('error', () => (this.closed = true));
  }

  /** @param {string | Buffer} bytes */
  send(bytes) {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    return this;
  }

  get status() {
    return Number(/^HTTP\/1\.1 (\d+)/.exec(this.text)?.[1]);
  }

  ended(timeoutMs = 5000) {
    return waitFor(() => this.closed, { what: `the end after ${JSON.stringify(this.text.slice(0, 100))}`, timeoutMs, giveUp: site.giveUp });
  }

  /** @param {RegExp} pattern */
  has(pattern) {
    return waitFor(() => pattern.test(this.text), { what: `${pattern} in ${this.text}`, giveUp: site.giveUp });
  }
}

const auth = () => `Authorization: Bearer ${alice.token}\r\n`;

/** @param {string} path @param {object} [options] */
const ask = (path, options = {}) => request(new URL(path, DAEMON_URL), { socketPath: site.pushSocket, ...options });

test('1.1 1.7 paths and methods', async () => {
  for (const path of ['/', '/stream', '/chat', '/chat/', '/chat/stream/', '/chat/streams', '/chatstream', '/chat/health']) {
    const answer = await ask(path);
    assert.equal(answer.status, 404, path);
    assert.equal(answer.headers['content-type'], 'application/problem+json');
    assert.equal(answer.json.code, 'no_route');
    assert.equal(answer.json.status, 404);
    assert.match(answer.json.request_id, /^push-\d+$/);
    assert.equal(answer.headers.connection, 'close');
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'BREW']) {
    const raw = new Raw().send(`${method} /chat/stream HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello`);
    await raw.ended();
    assert.equal(raw.status, 405, method);
    assert.match(raw.text, /\r\nAllow: GET, HEAD, OPTIONS\r\n/);
  }
  const head = await ask('/chat/stream', { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(head.headers['content-type'], 'text/event-stream; charset=utf-8');
  assert.equal(head.text, '');
});

test('1.8 health', async () => {
  await waitFor(async () => (await ask('/health')).status === 200);
  assert.deepEqual((await ask('/health')).json, { status: 'ok' });
  const head = new Raw().send('HEAD /health HTTP/1.1\r\nHost: a\r\n\r\n');
  await head.ended();
  assert.match(head.text, /^HTTP\/1\.1 200 [^]*\r\n\r\n$/);
  assert.equal((await ask('/health', { method: 'POST' })).status, 405);
});

test('1.2 a head in pieces, at every byte', async () => {
  const head = `GET /chat/stream HTTP/1.1\r\nHost: a\r\n${auth()}\r\n`;
  const raws = [];
  for (let cut = 1; cut < head.length; cut += 7) {
    const raw = new Raw().send(head.slice(0, cut));
    setTimeout(() => raw.send(head.slice(cut)), 20);
    raws.push(raw);
  }
  await Promise.all(raws.map((raw) => raw.has(/event: connected\n/)));
  for (const raw of raws) raw.socket.destroy();
});

test('1.2 what two readers could understand differently is refused', async () => {
  const start = 'GET /chat/stream HTTP/1.1\r\nHost: a\r\n';
  const bad = {
    'LF alone': 'GET /chat/stream HTTP/1.1\nHost: a\n\n',
    'CR alone': `${start}X: a\rY: b\r\n\r\n`,
    'a folded line': `${start}X: a\r\n b\r\n\r\n`,
    'a space before the colon': `${start}X : a\r\n\r\n`,
    NUL: `${start}X: a\0b\r\n\r\n`,
    'two hosts': `${start}Host: b\r\n\r\n`,
    'no host': 'GET /chat/stream HTTP/1.1\r\n\r\n',
    'two credentials': `${start}${auth()}Authorization: Bearer b\r\n\r\n`,
    'two lengths': `${start}Content-Length: 0\r\nContent-Length: 0\r\n\r\n`,
    'length and encoding': `${start}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`,
    'a body': `${start}Content-Length: 5\r\n\r\nhello`,
    'a chunked body': `${start}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'HTTP/0.9': 'GET /chat/stream\r\n\r\n',
    TLS: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    noise: '\xff\xfe\x00\x01\x02',
  };
  for (const [name, bytes] of Object.entries(bad)) {
    const raw = new Raw().send(bytes);
    await raw.ended();
    assert.equal(raw.status, 400, name);
    assert.match(raw.text, /application\/problem\+json/, name);
  }
});

test('1.2 a head that is too long, or has too many lines', async () => {
  const long = new Raw().send(`GET /chat/stream HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(HEAD_BYTES)}\r\n\r\n`);
  await long.ended();
  assert.equal(long.status, 431);
  const many = new Raw().send(`GET /chat/stream HTTP/1.1\r\nHost: a\r\n${'X:\r\n'.repeat(101)}\r\n`);
  await many.ended();
  assert.equal(many.status, 431);
});

test('1.2 a head that does not come: closed in time', async () => {
  const silent = new Raw();
  const half = new Raw().send('GET /chat/stream HTTP/1.1\r\nHost: a\r\n');
  const slow = new Raw();
  const drip = setInterval(() => slow.send('G'), 50);
  const began = Date.now();
  await Promise.all([silent.ended(), half.ended(), slow.ended()]);
  clearInterval(drip);
  assert.ok(Date.now() - began >= HANDSHAKE_MS - 50);
  assert.ok(Date.now() - began < HANDSHAKE_MS + 4000);
  await site.logged('pushd', /reason=handshake/);
});

test('1.3 what follows the head is passed over, but not without end', async () => {
  const raw = new Raw().send(`GET /chat/stream HTTP/1.1\r\nHost: a\r\n${auth()}\r\nGET /second HTTP/1.1\r\n\r\n`);
  await raw.has(/event: connected\n/);
  assert.equal(raw.text.match(/HTTP\/1\.1/g)?.length, 1);
  raw.send('x'.repeat(20_000));
  await raw.ended();
  await site.logged('pushd', /reason=flood/);
});

test('1.4 cookie and bearer token; the token beats the cookie', async () => {
  const { createHash } = await import('node:crypto');
  const name = `confab-${createHash('sha256').update('/chat').digest('hex').slice(0, 8)}`;
  const cases = {
    bearer: [auth(), true],
    cookie: [`Cookie: a=b; ${name}=${alice.token}\r\n`, true],
    'host cookie': [`Cookie: __Host-${name}=${alice.token}\r\n`, true],
    'another site on this host': [`Cookie: confab-00000000=${alice.token}\r\n`, false],
    'bad token, good cookie': [`Authorization: Bearer x\r\nCookie: ${name}=${alice.token}\r\n`, false],
    'in the address': ['', false],
  };
  for (const [what, [headers, good]] of Object.entries(cases)) {
    const raw = new Raw().send(`GET /chat/stream?token=${alice.token} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`);
    await raw.has(good ? /event: connected\n/ : /event: reset\n/);
    assert.equal(raw.status, 200, what);
    raw.socket.destroy();
  }
});

test('1.5 origins', async () => {
  /** @type {Array<[string, string, boolean]>} */
  const allowed = [
    ['https://site.example', 'site.example', false],
    ['http://site.example:8080', 'SITE.example:8080', false],
    ['https://friend.example', 'site.example', true],
    ['https://other.example:8443', 'site.example', true],
  ];
  for (const [origin, host, listed] of allowed) {
    const raw = new Raw().send(`GET /chat/stream HTTP/1.1\r\nHost: ${host}\r\nOrigin: ${origin}\r\n${auth()}\r\n`);
    await raw.has(/event: connected\n/);
    assert.equal(raw.text.includes(`\r\nAccess-Control-Allow-Origin: ${origin}\r\nAccess-Control-Allow-Credentials: true\r\n`), listed, origin);
    assert.match(raw.text, /\r\nVary: Origin\r\n/);
    raw.socket.destroy();
  }
  const refused = ['https://evil.example', 'null', '', 'https://', 'https://site.example.evil', 'https://site.example:8443',
    'ftp://site.example', 'https://friend.example.evil', 'https://friend', 'site.example', `https://${'x'.repeat(400)}`];
  for (const origin of refused) {
    const raw = new Raw().send(`GET /chat/stream HTTP/1.1\r\nHost: site.example\r\nOrigin: ${origin}\r\n${auth()}\r\n`);
    await raw.ended();
    assert.equal(raw.status, 403, origin);
    assert.doesNotMatch(raw.text, /Access-Control|event:/, origin);
    assert.match(raw.text, /\r\nVary: Origin\r\n/);
  }
});

test('1.5 preflight', async () => {
  const headers = { Origin: 'https://friend.example', 'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Headers': 'authorization' };
  const answer = await ask('/chat/stream', { method: 'OPTIONS', headers });
  assert.equal(answer.status, 204);
  assert.equal(answer.headers['access-control-allow-origin'], 'https://friend.example');
  assert.equal(answer.headers['access-control-allow-credentials'], 'true');
  assert.equal(answer.headers['access-control-allow-headers'], 'Authorization, Last-Event-ID');
  assert.equal(answer.headers.vary, 'Origin');
  const foreign = await ask('/chat/stream', { method: 'OPTIONS', headers: { ...headers, Origin: 'https://evil.example' } });
  assert.equal(foreign.status, 403);
});

test('the log has no token and no cursor of a client', async () => {
  const log = site.log('pushd');
  assert.match(log, /state conn=\d+ from=waiting to=live/);
  assert.ok(!log.includes(alice.token));
});
