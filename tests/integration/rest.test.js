// @ts-check

/** What each endpoint answers when it is used as docs/rest.md says. */

import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import test from 'node:test';
import { Worker } from '../lib/fcgi.js';
import { Site } from '../lib/site.js';

const ORIGIN = 'http://chat.example';
const LISTED = 'https://friend.example';
const PASSWORD = 'long enough';
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/;

/** @type {Site} */
let site;
/** @type {Worker} */
let worker;

test.before(async () => {
  site = await Site.start({ front: null, pushd: false });
  worker = await Worker.start(site, {
    env: { CONFAB_PASSWORD_MEMORY_KIB: 64, CONFAB_PASSWORD_PASSES: 1, CONFAB_ORIGINS: LISTED },
  });
});

test.after(async () => {
  assert.deepEqual(await worker.stop(), [0]);
  await site.stop();
});

/**
 * @param {string} method
 * @param {string} path  below /api/v1
 * @param {{token?: string, body?: any, headers?: Record<string, string>, https?: boolean}} [options]
 */
function call(method, path, { token, body, headers = {}, https } = {}) {
  return worker.request({
    method,
    uri: `/api/v1${path}`,
    https,
    headers: {
      ...(token && { Authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

/** A person with a bearer token. @param {string} login */
async function person(login) {
  const body = { login, password: PASSWORD, display_name: login.toUpperCase(), token: true };
  const { status, json } = await call('POST', '/users', { body });
  assert.equal(status, 201);
  return { id: json.user.id, token: json.token, login };
}

/** Two people and their dialog. */
async function pair() {
  const name = randomUUID().slice(0, 8);
  const [a, b] = [await person(`a${name}`), await person(`b${name}`)];
  const { json } = await call('PUT', `/dialogs/${b.id}`, { token: a.token });
  return { a, b, room: json.id };
}

test('POST /users logs in by cookie', async () => {
  const answer = await call('POST', '/users', {
    body: { login: 'Cook.ie', password: PASSWORD, display_name: 'Cook\u00efe' },
    headers: { Origin: ORIGIN, 'User-Agent': 'test' },
  });
  assert.equal(answer.status, 201);
  assert.equal(answer.json.user.login, 'cook.ie');
  assert.equal(answer.json.token, undefined);
  assert.match(
    answer.headers['set-cookie'],
    /^confab-[0-9a-f]{8}=[\w-]{43}; Path=\/; Max-Age=2592000; HttpOnly; SameSite=Lax$/,
  );
  const cookie = answer.headers['set-cookie'].split(';')[0];

  const me = await call('GET', '/me', { headers: { Cookie: cookie } });
  assert.deepEqual(me.json, answer.json.user);

  const out = await call('DELETE', '/session', { headers: { Cookie: cookie, 'Sec-Fetch-Site': 'same-origin' } });
  assert.equal(out.status, 204);
  assert.equal(out.text, '');
  assert.match(out.headers['set-cookie'], /^confab-[0-9a-f]{8}=; Path=\/; Max-Age=0; /);
  assert.equal((await call('GET', '/me', { headers: { Cookie: cookie } })).status, 401);
});

test('a session that is not the one meant is refused, and changes nothing', async () => {
  const { a, b, room } = await pair();
  const { fingerprint } = (await call('GET', '/session', { token: a.token })).json.session;
  assert.match(fingerprint, /^[0-9a-f]{16}$/);
  const send = (/** @type {string} */ token) =>
    call('POST', `/rooms/${room}/messages`, { token, body: { body: 'mine' }, headers: { 'Confab-Session': fingerprint } });
  assert.equal((await send(a.token)).status, 201);
  const refused = await send(b.token);
  assert.equal(refused.status, 401);
  assert.equal(refused.json.code, 'unauthenticated');
  const { items } = (await call('GET', `/rooms/${room}/messages`, { token: a.token })).json;
  assert.deepEqual(items.map((/** @type {any} */ { sender }) => sender.id), [a.id]);
});

test('the cookie of an https site is a __Host- cookie', async () => {
  const answer = await call('POST', '/users', {
    body: { login: 'secure', password: PASSWORD, display_name: 'S' },
    headers: { Origin: ORIGIN.replace('http:', 'https:') },
    https: true,
  });
  assert.match(
    answer.headers['set-cookie'],
    /^__Host-confab-[0-9a-f]{8}=[\w-]{43}; Path=\/; .*; Secure; HttpOnly; SameSite=Lax$/,
  );
  const [cookie] = answer.headers['set-cookie'].split(';');
  // The secure one counts, whatever a neighbour on plain http may have set.
  const plain = `${cookie.slice('__Host-'.length).split('=')[0]}=${'A'.repeat(43)}`;
  assert.equal((await call('GET', '/me', { headers: { Cookie: `${plain}; ${cookie}` }, https: true })).status, 200);
});

test('POST /users: a login is taken once', async () => {
  await person('only');
  const answer = await call('POST', '/users', {
    body: { login: 'ONLY', password: PASSWORD, display_name: 'x', token: true },
  });
  assert.equal(answer.status, 409);
  assert.equal(answer.json.code, 'login_taken');
});

test('rules of the database name the field', async () => {
  const body = { login: 'no spaces', password: PASSWORD, display_name: 'x', token: true };
  const answer = await call('POST', '/users', { body });
  assert.equal(answer.status, 422);
  assert.deepEqual(
    answer.json.errors.map((/** @type {any} */ error) => error.pointer),
    ['/login'],
  );
});

test('POST /session: right, wrong and unknown', async () => {
  const someone = await person('someone');
  const body = { login: 'someone', password: PASSWORD, token: true };
  const good = await call('POST', '/session', { body });
  assert.equal(good.status, 201);
  assert.equal(good.json.user.id, someone.id);
  assert.match(good.json.token, /^[\w-]{43}$/);
  assert.match(good.json.session.expires_at, RFC3339);

  const wrong = await call('POST', '/session', { body: { ...body, password: 'not this one' } });
  const unknown = await call('POST', '/session', { body: { ...body, login: 'nobody' } });
  for (const answer of [wrong, unknown]) {
    assert.equal(answer.status, 401);
    assert.equal(answer.json.code, 'wrong_credentials');
  }
  assert.deepEqual({ ...wrong.json, request_id: '' }, { ...unknown.json, request_id: '' });
});

test('a login renews a hash of other costs', async () => {
  await person('renewed');
  const dearer = await Worker.start(site, { env: { CONFAB_PASSWORD_MEMORY_KIB: 128, CONFAB_PASSWORD_PASSES: 2 } });
  const request = {
    method: 'POST',
    uri: '/api/v1/session',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ login: 'renewed', password: PASSWORD, token: true }),
  };
  assert.equal((await dearer.request(request)).status, 201);
  await dearer.stop();
  const [{ password_hash: hash }] = await site.sql("select password_hash from chat.person where login = 'renewed'");
  assert.match(hash, /^\$argon2id\$v=19\$m=128,t=2,p=1\$/);
  assert.equal((await worker.request(request)).status, 201);
});

test('GET /session and DELETE /session by token', async () => {
  const { id, token } = await person('sessions');
  const { json } = await call('GET', '/session', { token });
  assert.equal(json.user.id, id);
  assert.match(json.session.created_at, RFC3339);
  const out = await call('DELETE', '/session', { token });
  assert.equal(out.status, 204);
  assert.equal(out.headers['set-cookie'], undefined);
  assert.equal((await call('GET', '/session', { token })).json.code, 'unauthenticated');
});

test('GET /users finds people, page by page', async () => {
  const { token } = await person('seeker');
  for (const n of [1, 2, 3]) await person(`findable${n}`);
  const first = await call('GET', '/users?q=findable&limit=2', { token });
  assert.equal(first.status, 200);
  assert.deepEqual(
    first.json.items.map((/** @type {any} */ user) => user.login),
    ['findable1', 'findable2'],
  );
  assert.equal(first.json.has_more, true);
  const [, next] = /^<\/api\/v1([^>]+)>; rel="next"$/.exec(first.headers.link) ?? [];
  const second = await call('GET', next, { token });
  assert.deepEqual(
    second.json.items.map((/** @type {any} */ user) => user.login),
    ['findable3'],
  );
  assert.equal(second.json.has_more, false);
  assert.equal(second.headers.link, undefined);

  const { id } = first.json.items[0];
  assert.deepEqual((await call('GET', `/users/${id}`, { token })).json, first.json.items[0]);
  assert.equal((await call('GET', '/users/999999', { token })).status, 404);
  // The query survives the way through a Link.
  const odd = await call('GET', '/users?q=%22%3E%0d%0aX-Evil:%201&limit=1', { token });
  assert.equal(odd.status, 200);
  assert.equal(odd.headers['x-evil'], undefined);
});

test('PUT /dialogs/{user} makes one room, and finds it again', async () => {
  const [a, b] = [await person('dialog1'), await person('dialog2')];
  const made = await call('PUT', `/dialogs/${b.id}`, { token: a.token });
  assert.equal(made.status, 201);
  assert.equal(made.json.kind, 'dialog');
  assert.equal(made.json.peer.id, b.id);
  const found = await call('PUT', `/dialogs/${a.id}`, { token: b.token });
  assert.equal(found.status, 200);
  assert.equal(found.json.id, made.json.id);
  assert.equal((await call('PUT', `/dialogs/${a.id}`, { token: a.token })).status, 422);
});

test('rooms: create, list, join, members, leave', async () => {
  const [owner, guest, third] = [await person('owner'), await person('guest'), await person('third')];
  const made = await call('POST', '/rooms', {
    token: owner.token,
    body: { kind: 'public', name: 'Garden', topic: 'Plants', members: [third.id] },
  });
  assert.equal(made.status, 201);
  const room = made.json.id;
  assert.equal(made.json.members_count, 2);
  assert.deepEqual((await call('GET', '/rooms', { token: owner.token })).json.items[0].id, room);
  assert.equal((await call('GET', `/rooms/${room}`, { token: guest.token })).status, 200);

  assert.equal((await call('PUT', `/rooms/${room}/members/me`, { token: guest.token })).status, 201);
  assert.equal((await call('PUT', `/rooms/${room}/members/me`, { token: guest.token })).status, 200);
  const members = await call('GET', `/rooms/${room}/members?limit=2`, { token: guest.token });
  assert.equal(members.json.items.length, 2);
  assert.match(members.headers.link, new RegExp(`^</api/v1/rooms/${room}/members\\?`));

  assert.equal((await call('DELETE', `/rooms/${room}/members/${third.id}`, { token: guest.token })).status, 403);
  assert.equal((await call('DELETE', `/rooms/${room}/members/${third.id}`, { token: owner.token })).status, 204);
  assert.equal((await call('DELETE', `/rooms/${room}/members/me`, { token: guest.token })).status, 204);
  assert.equal((await call('GET', `/rooms/${room}/members`, { token: guest.token })).status, 403);
});

test('a private room is not there for others', async () => {
  const { b, room } = await pair();
  const stranger = await person('stranger');
  for (const path of [
    `/rooms/${room}`,
    `/rooms/${room}/members`,
    `/rooms/${room}/messages`,
    `/rooms/${room}/messages/1`,
  ]) {
    assert.equal((await call('GET', path, { token: stranger.token })).status, 404, path);
  }
  const sent = await call('POST', `/rooms/${room}/messages`, { token: stranger.token, body: { body: 'x' } });
  assert.equal(sent.status, 404);
  assert.equal((await call('GET', `/rooms/${room}/messages`, { token: b.token })).json.items.length, 0);
});

test('a message, its repeat, and its impostor', async () => {
  const { a, room } = await pair();
  const body = { body: 'Привет 👋 <b>\u202e', client_id: randomUUID(), meta: { x: 0.1, y: [1, null] }, type: 'note' };
  const path = `/rooms/${room}/messages`;
  const first = await call('POST', path, { token: a.token, body });
  assert.equal(first.status, 201);
  assert.equal(first.json.body, body.body);
  assert.deepEqual(first.json.meta, body.meta);
  assert.match(first.text, /"x": ?0\.1[,}]/);
  assert.equal(first.json.client_id, body.client_id);
  assert.equal(first.headers['idempotent-replay'], undefined);

  const again = await call('POST', path, { token: a.token, body });
  assert.equal(again.status, 200);
  assert.equal(again.headers['idempotent-replay'], 'true');
  assert.deepEqual(again.json, first.json);

  const other = await call('POST', path, { token: a.token, body: { ...body, body: 'Other' } });
  assert.equal(other.status, 422);
  assert.equal(other.json.code, 'idempotency_mismatch');
  assert.deepEqual((await call('GET', `${path}/${first.json.seq}`, { token: a.token })).json, first.json);
  const reply = await call('POST', path, { token: a.token, body: { body: 'r', reply_to: first.json.seq } });
  assert.equal(reply.json.reply_to, first.json.seq);
});

test('all that is wrong is told at once', async () => {
  const { a, room } = await pair();
  // Short enough as JSON, but not as PostgreSQL writes it, with spaces.
  const meta = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`k${i}`, 1]));
  /** @type {[string, any, string[]][]} */
  const bad = [
    ['/users', { login: '.dot', password: PASSWORD, display_name: '\u200b' }, ['/login', '/display_name']],
    ['/users', { login: '.dot', password: 'x', display_name: 'a\nb' }, ['/password', '/display_name', '/login']],
    ['/rooms', { kind: 'secret', name: ' ', topic: 5, history: 'some', members: [0] },
      ['/topic', '/members', '/history', '/kind', '/name']],
    ['/rooms', { kind: 'secret', name: ' ', topic: 'a\u0007', history: 'some', members: [1e15] },
      ['/kind', '/name', '/topic', '/history', '/members']],
    [`/rooms/${room}/messages`, { body: ' ', type: 'Text', client_id: 'none' }, ['/client_id', '/body', '/type']],
    [`/rooms/${room}/messages`, { body: ' ', type: 'Text', meta }, ['/body', '/type', '/meta']],
  ];
  for (const [path, body, pointers] of bad) {
    const answer = await call('POST', path, { token: a.token, body, headers: { Origin: ORIGIN } });
    assert.equal(answer.status, 422, answer.text);
    assert.deepEqual(answer.json.errors.map((/** @type {any} */ { pointer }) => pointer), pointers);
    for (const { detail } of answer.json.errors) assert.match(detail, /^[A-Z][^\n]+\.$/);
  }
});

test('Idempotency-Key is a client_id', async () => {
  const { a, room } = await pair();
  const path = `/rooms/${room}/messages`;
  const key = randomUUID();
  /** @param {string} value @param {object} [more] */
  const send = (value, more = {}) =>
    call('POST', path, { token: a.token, body: { body: 'once', ...more }, headers: { 'Idempotency-Key': value } });
  assert.equal((await send(key)).json.client_id, key);
  assert.equal((await send(`"${key}"`)).status, 200);
  assert.equal((await send(key, { client_id: key.toUpperCase() })).status, 200);
  for (const answer of [await send('not a uuid'), await send(key, { client_id: randomUUID() })]) {
    assert.equal(answer.status, 422);
    assert.deepEqual(
      answer.json.errors.map((/** @type {any} */ error) => error.pointer),
      ['/client_id'],
    );
  }
});

test('a bearer token may send text/plain', async () => {
  const { a, room } = await pair();
  const answer = await worker.request({
    method: 'POST',
    uri: `/api/v1/rooms/${room}/messages`,
    headers: { Authorization: `Bearer ${a.token}`, 'Content-Type': 'text/plain; charset=utf-8' },
    body: '{"body": "as it stands"}\n',
  });
  assert.equal(answer.status, 201);
  assert.equal(answer.json.body, '{"body": "as it stands"}\n');
});

test('a message of 10,000 characters passes, one more does not', async () => {
  const { a, room } = await pair();
  const path = `/rooms/${room}/messages`;
  const long = '\u{1f600}'.repeat(10_000);
  const answer = await call('POST', path, { token: a.token, body: { body: long } });
  assert.equal(answer.status, 201);
  assert.equal(answer.json.body, long);
  const over = await call('POST', path, { token: a.token, body: { body: `${long}!` } });
  assert.deepEqual(
    over.json.errors.map((/** @type {any} */ error) => error.pointer),
    ['/body'],
  );
});

test('history: pages both ways, linked', async () => {
  const { a, b, room } = await pair();
  const path = `/rooms/${room}/messages`;
  for (let n = 1; n <= 5; n += 1) await call('POST', path, { token: a.token, body: { body: `m${n}` } });
  /** @param {any} answer */
  const seqs = (answer) => answer.json.items.map((/** @type {any} */ message) => message.seq);
  let page = await call('GET', `${path}?limit=2`, { token: b.token });
  assert.deepEqual(seqs(page), [4, 5]);
  assert.equal(page.json.has_more, true);
  const seen = [seqs(page)];
  while (page.headers.link) {
    const [, next] = /^<\/api\/v1([^>]+)>/.exec(page.headers.link) ?? [];
    page = await call('GET', next, { token: b.token });
    seen.push(seqs(page));
  }
  assert.deepEqual(seen, [[4, 5], [2, 3], [1]]);
  assert.deepEqual(seqs(await call('GET', `${path}?after=3`, { token: b.token })), [4, 5]);
  assert.deepEqual(seqs(await call('GET', `${path}?around=3&limit=2`, { token: b.token })), [2, 3]);
  assert.equal((await call('GET', `${path}?after=1&before=3`, { token: b.token })).status, 400);
});

test('read, unread and snapshot agree', async () => {
  const { a, b, room } = await pair();
  for (const text of ['1', '2', '3'])
    await call('POST', `/rooms/${room}/messages`, { token: a.token, body: { body: text } });
  assert.deepEqual((await call('GET', '/unread', { token: b.token })).json, { total: 3, rooms: [{ room, unread: 3 }] });
  const read = await call('PUT', `/rooms/${room}/read`, { token: b.token, body: { seq: 2 } });
  assert.deepEqual(read.json, { room, read_seq: 2, delivered_seq: 2, last_seq: 3, unread: 1 });
  // Marks only grow, and never pass the newest message.
  assert.equal((await call('PUT', `/rooms/${room}/read`, { token: b.token, body: { seq: 1 } })).json.read_seq, 2);
  assert.equal((await call('PUT', `/rooms/${room}/read`, { token: b.token, body: { seq: 99 } })).json.read_seq, 3);

  const { json } = await call('GET', '/snapshot', { token: b.token });
  assert.equal(json.user.id, b.id);
  assert.equal(json.rooms[0].id, room);
  assert.equal(json.rooms[0].unread, 0);
  assert.equal(json.unread.total, 0);
  assert.match(json.cursor, /^[0-9a-f]{8}-\d+:\d+:/);
  assert.match(json.at, RFC3339);
});

test('what came to a device, and what was read, in several rooms at once', async () => {
  const [one, two] = [await pair(), await pair()];
  const { token } = one.b;
  assert.equal((await call('POST', '/rooms', { token, body: { kind: 'private', name: 'Own', members: [two.a.id] } })).status, 201);
  for (const text of ['1', '2', '3'])
    await call('POST', `/rooms/${one.room}/messages`, { token: one.a.token, body: { body: text } });
  const delivered = await call('PUT', `/rooms/${one.room}/delivered`, { token, body: { seq: 3 } });
  assert.deepEqual(delivered.json, { room: one.room, read_seq: 0, delivered_seq: 3, last_seq: 3, unread: 3 });
  const seen = await call('GET', `/rooms/${one.room}`, { token: one.a.token });
  assert.deepEqual(seen.json.receipts, [
    { user: one.a.id, read_seq: 3, delivered_seq: 3 },
    { user: one.b.id, read_seq: 0, delivered_seq: 3 },
  ]);

  const items = [{ room: one.room, kind: 'read', seq: 2 }, { room: one.room, kind: 'delivered', seq: 1 }];
  const both = await call('POST', '/receipts', { token, body: { items } });
  assert.equal(both.status, 200);
  assert.deepEqual(both.json, { items: [{ room: one.room, read_seq: 2, delivered_seq: 3, last_seq: 3, unread: 1 }] });
  const refused = await call('POST', '/receipts', {
    token,
    body: { items: [{ room: one.room, kind: 'read', seq: 3 }, { room: two.room, kind: 'read', seq: 0 }] },
  });
  assert.equal(refused.status, 422);
  assert.deepEqual(refused.json.errors.map((/** @type {any} */ { pointer }) => pointer), ['/items/1/room', '/items/1/seq']);
  assert.equal((await call('GET', '/unread', { token })).json.total, 1, 'all or nothing');
});

test('a stream ticket: from the system\'s randomness, its hash stored, twenty at a time', async () => {
  const { token } = await person('ticketed');
  const tickets = new Set();
  for (let n = 0; n < 20; n += 1) {
    const { status, json } = await call('POST', '/stream-tickets', { token });
    assert.equal(status, 201);
    assert.deepEqual(Object.keys(json).sort(), ['expires_in', 'ticket']);
    assert.match(json.ticket, /^[\w-]{43}$/);
    assert.equal(json.expires_in, 30);
    tickets.add(json.ticket);
  }
  assert.equal(tickets.size, 20);
  const hashes = [...tickets].map((ticket) => createHash('sha256').update(ticket).digest('hex'));
  const stored = await site.sql("select encode(ticket_hash, 'hex') as hash from chat.stream_ticket");
  assert.deepEqual(stored.map(({ hash }) => hash).sort(), hashes.sort());

  const refused = await call('POST', '/stream-tickets', { token });
  assert.equal(refused.status, 429);
  assert.equal(refused.json.code, 'rate_limited');
  assert.ok(Number(refused.headers['retry-after']) > 1 && Number(refused.headers['retry-after']) <= 31);
  const redeemed = await site.sql('select ord from chat.feed_tickets(array[1], array[$1::bytea])', [Buffer.from(hashes[0], 'hex')]);
  assert.deepEqual(redeemed, [{ ord: 1 }]);
  assert.equal((await call('POST', '/stream-tickets', { token })).status, 201);

  await call('DELETE', '/session', { token });
  assert.deepEqual(await site.sql('select from chat.stream_ticket'), []);
  for (const ticket of tickets) assert.ok(!worker.log.includes(ticket), 'a ticket is logged');
});

test('polling goes on from a cursor', async () => {
  const { a, b, room } = await pair();
  const start = await call('GET', '/events', { token: b.token });
  assert.deepEqual(start.json.events, []);
  assert.equal(start.json.interval_ms, 3000);
  await call('POST', `/rooms/${room}/messages`, { token: a.token, body: { body: 'polled' } });
  const next = await call('GET', `/events?after=${encodeURIComponent(start.json.cursor)}`, { token: b.token });
  assert.deepEqual(
    next.json.events.map((/** @type {any} */ event) => event.type),
    ['message.new'],
  );
  assert.equal(next.json.events[0].data.message.body, 'polled');
  const end = await call('GET', `/events?after=${encodeURIComponent(next.json.cursor)}`, { token: b.token });
  assert.deepEqual(end.json.events, []);
  const lost = await call('GET', '/events?after=nonsense', { token: b.token });
  assert.equal(lost.status, 200);
  assert.equal(lost.json.events[0].type, 'reset');
});

test('polling some rooms only, without a daemon', async () => {
  const [one, two] = [await pair(), await pair()];
  const { token } = one.b;
  const poll = async (/** @type {string} */ rooms, cursor = '') => {
    const { status, json } = await call('GET', `/events?rooms=${rooms}${cursor && `&after=${encodeURIComponent(cursor)}`}`, { token });
    assert.equal(status, 200);
    assert.equal(json.interval_ms, 3000);
    return { ...json, types: json.events.map((/** @type {any} */ { type, data }) => data.reason ?? type) };
  };
  const made = await call('POST', '/rooms', { token: two.a.token, body: { kind: 'private', name: 'Group' } });
  const group = made.json.id;
  const start = await poll(String(one.room));
  assert.match(start.cursor, /~[0-9a-f]{8}$/);
  const member = `/rooms/${group}/members/${one.b.id}`;
  assert.equal((await call('PUT', member, { token: two.a.token })).status, 201);
  await call('POST', `/rooms/${group}/messages`, { token: two.a.token, body: { body: 'elsewhere' } });
  await call('POST', `/rooms/${one.room}/messages`, { token: one.a.token, body: { body: 'here' } });
  await call('PUT', `/rooms/${group}/read`, { token, body: { seq: 1 } });
  const next = await poll(`${one.room},${one.room}`, start.cursor);
  assert.deepEqual(next.types, ['member.join', 'room.new', 'message.new', 'receipt.read']);
  assert.equal(next.events[2].data.message.body, 'here');
  assert.deepEqual((await poll(String(one.room), next.cursor)).types, []);

  for (const [rooms, cursor] of [[`${one.room},${group}`, next.cursor], [String(one.room), (await call('GET', '/events', { token })).json.cursor]]) {
    assert.deepEqual((await poll(rooms, cursor)).types, ['filter']);
  }
  const bare = await call('GET', `/events?after=${encodeURIComponent(next.cursor)}`, { token });
  assert.equal(bare.json.events[0].data.reason, 'filter');

  // Left, and joined again: of what was said meanwhile nothing comes.
  const both = await poll(`${group},${one.room}`);
  await call('DELETE', member, { token: two.a.token });
  await call('POST', `/rooms/${group}/messages`, { token: two.a.token, body: { body: 'without him' } });
  assert.deepEqual((await poll(`${group},${one.room}`, both.cursor)).types, ['member.leave']);
  await call('PUT', member, { token: two.a.token });
  await call('POST', `/rooms/${group}/messages`, { token: two.a.token, body: { body: 'with him' } });
  assert.deepEqual((await poll(`${one.room},${group}`, both.cursor)).types, ['member.leave', 'member.join', 'room.new', 'message.new']);
});

test('GET /health and GET /server need nobody', async () => {
  assert.deepEqual((await call('GET', '/health')).json, { status: 'ok' });
  const { json } = await call('GET', '/server');
  assert.equal(json.name, 'confab');
  assert.equal(json.api, 1);
});

test('HEAD is GET without the body', async () => {
  const get = await call('GET', '/server');
  const head = await call('HEAD', '/server');
  assert.equal(head.status, 200);
  assert.equal(head.text, '');
  assert.equal(head.headers['content-length'], get.headers['content-length']);
  assert.equal((await call('HEAD', '/me')).status, 401);
});

test('pages of a listed origin may call, others may not read', async () => {
  const preflight = await call('OPTIONS', '/rooms', {
    headers: {
      Origin: LISTED,
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'authorization',
    },
  });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers['access-control-allow-origin'], LISTED);
  assert.equal(preflight.headers['access-control-allow-methods'], 'GET, HEAD, POST, OPTIONS');
  assert.match(preflight.headers['access-control-allow-headers'], /Authorization/);
  assert.equal(preflight.headers.vary, 'Origin');

  const { token } = await person('cors');
  const good = await call('GET', '/me', { token, headers: { Origin: LISTED } });
  assert.equal(good.headers['access-control-allow-origin'], LISTED);
  for (const Origin of ['https://evil.example', `${LISTED}.evil.example`, 'null', LISTED.replace('https', 'http')]) {
    for (const method of ['GET', 'OPTIONS']) {
      const bad = await call(method, '/me', { token, headers: { Origin } });
      assert.equal(bad.headers['access-control-allow-origin'], undefined, `${method} ${Origin}`);
      assert.equal(bad.headers.vary, 'Origin');
    }
  }
  // Errors can be read too.
  const refused = await call('GET', '/me', { headers: { Origin: LISTED } });
  assert.equal(refused.status, 401);
  assert.equal(refused.headers['access-control-allow-origin'], LISTED);
  // A listed origin may write by cookie.
  const login = await call('POST', '/session', {
    body: { login: 'cors', password: PASSWORD },
    headers: { Origin: LISTED },
  });
  assert.equal(login.status, 201);
});
