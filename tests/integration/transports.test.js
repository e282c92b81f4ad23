// @ts-check

/** WebSocket and long poll beside Server-Sent Events. Numbers in the names are paragraphs of docs/protocol.md. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test, { after, before } from 'node:test';
import { DAEMON_URL, Guest } from '../lib/guest.js';
import { request } from '../lib/http.js';
import { Site } from '../lib/site.js';

/** @type {Site} */
let site;
/** @type {Guest} */
let alice;
/** @type {Guest} */
let bob;
/** @type {number} */
let room;

before(async () => {
  site = await Site.start({
    front: null,
    env: { CONFAB_STREAM_HEARTBEAT_MS: 400, CONFAB_POLL_WAIT_MS: 1500, CONFAB_HANDSHAKE_MS: 60_000, CONFAB_STREAMS_PER_ADDRESS: 3, CONFAB_ORIGINS: 'https://friend.example' },
  });
  alice = await Guest.register(site, 'alice');
  bob = await Guest.register(site, 'bob');
  room = await alice.dialogWith(bob);
});
after(() => site?.stop());

/** @param {import('../lib/reader.js').Reader} reader */
const bodies = (reader) => reader.messages().map((message) => message.body);

/** One poll. @param {Guest} guest @param {string} query */
const poll = (guest, query = '') =>
  request(new URL(`/poll${query}`, DAEMON_URL), { headers: guest.headers(), socketPath: site.pushSocket });

test('10.1 a WebSocket has the events of a stream, and its marks', async () => {
  const [socket, stream] = [bob.websocket(), bob.stream()];
  const connected = await socket.opened();
  await stream.opened();
  assert.equal(socket.status, 101);
  assert.equal(socket.headers['sec-websocket-protocol'], 'confab.v1');
  assert.ok(connected.id && connected.data.session && connected.data.expires_in > 0);
  await alice.send(room, 'through a socket \u{1F600} "quoted"');
  await socket.event('message.new');
  const mark = await socket.event('mark', () => true, { from: socket.events.length - 1 });
  await stream.event('message.new');
  assert.ok(mark.id);
  assert.deepEqual(socket.messages(), stream.messages());
  socket.close();
  stream.close();
});

test('10.1 a WebSocket goes on where a stream stopped, and a poll where the socket did', async () => {
  const stream = bob.stream();
  await stream.opened();
  const start = stream.lastId;
  stream.close();
  await alice.send(room, 'one');
  const socket = bob.websocket({ lastEventId: start });
  await socket.event('message.new', ({ message }) => message.body === 'one');
  await socket.event('mark');
  socket.close();
  await alice.send(room, 'two');
  const { json } = await poll(bob, `?after=${encodeURIComponent(socket.lastId)}`);
  assert.deepEqual(json.events.map((/** @type {any} */ event) => event.data.message.body), ['two']);
  assert.deepEqual(bodies(socket), ['one']);
  const again = bob.stream({ lastEventId: json.cursor });
  await again.event('mark');
  assert.deepEqual(bodies(again), []);
  again.close();
});

test('11.1 a poll without a cursor gets one at once, and waits with it', async () => {
  const { status, headers, json } = await poll(bob);
  assert.equal(status, 200);
  assert.equal(headers['cache-control'], 'no-store');
  assert.deepEqual(json.events, []);
  const waiting = poll(bob, `?after=${encodeURIComponent(json.cursor)}`);
  await site.sql('select 1');
  await alice.send(room, 'for the poll');
  const answer = await waiting;
  assert.deepEqual(answer.json.events.map((/** @type {any} */ event) => [event.type, event.data.message.body]), [
    ['message.new', 'for the poll'],
  ]);
  assert.equal(answer.json.events[0].eid, answer.json.events[0].data.eid);
});

test('11.2 a poll in which nothing comes is answered after a while, with a cursor', async () => {
  const first = await poll(bob);
  const { status, json } = await poll(bob, `?after=${encodeURIComponent(first.json.cursor)}`);
  assert.equal(status, 200);
  assert.deepEqual(json.events, []);
  assert.ok(json.cursor);
});

test('11.3 a poll without a session is answered 401, on which nobody gives up for good', async () => {
  const stranger = new Guest(site, 'stranger');
  for (let i = 0; i < 2; i++) {
    const { status, json } = await poll(stranger);
    assert.equal(status, 401);
    assert.equal(json.code, 'unauthenticated');
  }
  const { status } = await request(new URL('/poll', DAEMON_URL), { socketPath: site.pushSocket });
  assert.equal(status, 401);
});

test('10.5 a WebSocket without a session is told, and closed with 4401', async () => {
  const stranger = new Guest(site, 'stranger');
  const socket = stranger.websocket();
  await socket.ended();
  assert.deepEqual(socket.events.map(({ type, data }) => [type, data.reason]), [['reset', 'auth']]);
  assert.equal(socket.closeCode, 4401);
  assert.equal(socket.closeReason, 'auth');
});

test('10.2 ping is answered with its ref, what is no operation with an error', async () => {
  const socket = bob.websocket();
  await socket.opened();
  assert.deepEqual(await socket.do('ping'), { type: 'pong', ref: '1' });
  const unknown = await socket.do('dance');
  assert.equal(unknown.type, 'error');
  assert.equal(unknown.code, 'invalid');
  socket.send('[]');
  await site.waitFor(() => socket.answers.some((answer) => answer.code === 'bad_request'));
  assert.deepEqual(await socket.do('ping'), { type: 'pong', ref: '3' });
  socket.close();
});

test('10.2 typing and receipts by a WebSocket do what they do by REST, and are acknowledged', async () => {
  const [socket, other] = [bob.websocket(), alice.stream()];
  await Promise.all([socket.opened(), other.opened()]);
  const { seq } = await alice.send(room, 'to be read');
  const fields = { room, seq };
  assert.equal((await socket.do('receipt', { ...fields, kind: 'delivered' })).type, 'ack');
  assert.equal((await socket.do('receipt', { ...fields, kind: 'read' })).type, 'ack');
  assert.deepEqual((await other.event('receipt.read', (data) => data.seq === seq)).data.user, bob.id);
  await other.event('receipt.delivered', (data) => data.seq === seq);
  await socket.event('receipt.read', (data) => data.seq === seq);
  assert.equal((await socket.do('typing', { room, state: 'start' })).type, 'ack');
  const typing = await other.event('typing.start');
  assert.equal(typing.data.user.id, bob.id);
  assert.equal(typing.id, undefined);
  assert.equal(socket.events.some(({ type }) => type === 'typing.start'), false);
  assert.equal((await socket.do('typing', { room, state: 'stop' })).type, 'ack');
  await other.event('typing.stop');
  for (const [op, rest] of /** @type {[string, object][]} */ ([['typing', { state: 'start' }], ['receipt', { seq, kind: 'read' }]])) {
    const answer = await socket.do(op, { room: 999_999, ...rest });
    assert.deepEqual([answer.type, answer.code], ['error', 'not_found']);
  }
  const many = await Promise.all(Array.from({ length: 40 }, () => socket.do('receipt', { ...fields, kind: 'read' })));
  assert.equal(many.every(({ type }) => type === 'ack'), true);
  socket.close();
  other.close();
});

test('10.2 what was done, but could not be committed, is not acknowledged', async () => {
  const own = await alice.createRoom('uncommitted', [bob.id]);
  const { seq } = await alice.send(own, 'unread');
  const socket = bob.websocket();
  await socket.opened();
  await site.sql(`create function fail() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$`);
  for (const [table, op, fields] of /** @type {[string, string, object][]} */ ([
    ['member', 'receipt', { room: own, seq, kind: 'read' }],
    ['typing', 'typing', { room: own, state: 'start' }],
  ])) {
    // At the commit, when the statement's rows have gone out already.
    await site.sql(`create constraint trigger fail after insert or update on chat.${table} deferrable initially deferred
                    for each row execute function fail()`);
    const { type, code } = await socket.do(op, fields);
    await site.sql(`drop trigger fail on chat.${table}`);
    assert.deepEqual([type, code], ['error', 'unavailable'], op);
    await site.waitFor(async () => (await socket.do(op, fields)).type === 'ack', { what: `an ack of ${op}` });
  }
  await site.logged('pushd', /query failed stmt="commit" sqlstate=P0001 error="no"/);
  await site.sql('drop function fail');
  socket.close();
});

test('10.2 what is said while the database is away is answered when it is back, or with an error', async () => {
  const socket = bob.websocket();
  await socket.opened();
  const { seq } = await alice.send(room, 'before it goes');
  await site.kill('postgres');
  const answer = socket.do('receipt', { room, seq, kind: 'read' });
  assert.deepEqual(await socket.do('ping'), { type: 'pong', ref: '2' });
  await site.begin('postgres');
  assert.match((await answer).type, /^(ack|error)$/);
  await site.waitFor(async () => (await socket.do('receipt', { room, seq, kind: 'read' })).type === 'ack');
  const [{ read_seq }] = await site.sql('select read_seq from chat.member where room_id = $1 and user_id = $2', [room, bob.id]);
  assert.equal(Number(read_seq), seq);
  socket.close();
});

test('10.2 what is said before connected is unavailable, and the socket goes on', async () => {
  const ticket = await bob.ticket();
  const stranger = new Guest(site, 'nobody');
  await site.kill('postgres');
  const sockets = [bob.websocket(), stranger.websocket({ path: `/ws?ticket=${ticket}`, headers: { Authorization: '' } })];
  for (const socket of sockets) {
    await site.waitFor(() => socket.status === 101);
    for (const [op, fields] of /** @type {[string, object][]} */ ([
      ['typing', { room, state: 'start' }],
      ['receipt', { room, seq: 1, kind: 'read' }],
    ])) {
      const { type, code } = await socket.do(op, fields);
      assert.deepEqual([type, code], ['error', 'unavailable'], op);
    }
    assert.equal((await socket.do('ping')).type, 'pong');
    assert.deepEqual(socket.events, []);
  }
  await site.begin('postgres');
  for (const socket of sockets) {
    await socket.opened();
    assert.equal((await socket.do('receipt', { room, seq: 1, kind: 'read' })).type, 'ack');
    socket.close();
  }
});

test('1.10 a ticket opens one stream of its session, of any transport', async () => {
  const stranger = new Guest(site, 'nobody');
  const headers = { Authorization: '' };
  for (const open of [
    (/** @type {string} */ query) => stranger.stream({ path: `/stream${query}`, headers }),
    (/** @type {string} */ query) => stranger.websocket({ path: `/ws${query}`, headers }),
  ]) {
    const ticket = await bob.ticket();
    const first = open(`?ticket=${ticket}`);
    assert.equal((await first.opened()).data.session, (await bob.call('api_session')).session.id);
    const second = open(`?ticket=${ticket}`);
    assert.equal((await second.event('reset')).data.reason, 'auth');
    await alice.send(room, 'for whoever showed it');
    await first.event('message.new');
    first.close();
    await second.ended();
  }
  const polled = await request(new URL(`/poll?ticket=${await bob.ticket()}`, DAEMON_URL), { socketPath: site.pushSocket });
  assert.equal(polled.status, 200);
  const never = await request(new URL(`/poll?ticket=${randomBytes(32).toString('base64url')}`, DAEMON_URL), { socketPath: site.pushSocket });
  assert.equal(never.status, 401);
});

test('10.4 a WebSocket needs an Origin of ours, or a credential that no browser adds by itself', async () => {
  const foreign = bob.websocket({ headers: { Origin: 'http://evil.example' } });
  await foreign.ended();
  assert.equal(foreign.status, 403);
  const friend = bob.websocket({ headers: { Origin: 'https://friend.example' } });
  await friend.opened();
  friend.close();
});

test('1.9 a stream is narrowed to rooms, and its cursor with it', async () => {
  const other = await alice.createRoom('other', [bob.id]);
  for (const open of [
    (/** @type {any} */ options) => bob.stream({ path: `/stream?rooms=${other}`, ...options }),
    (/** @type {any} */ options) => bob.websocket({ path: `/ws?rooms=${other}`, ...options }),
    (/** @type {any} */ options) => bob.poller({ path: `/poll?rooms=${other}`, ...options }),
  ]) {
    const narrow = open({});
    await narrow.opened();
    await alice.send(room, 'elsewhere');
    await alice.send(other, 'here');
    await narrow.event('message.new');
    await narrow.event('mark', () => true, { from: narrow.events.findIndex((/** @type {any} */ e) => e.type === 'message.new') });
    assert.deepEqual(bodies(narrow), ['here']);
    narrow.close();
    await alice.send(room, 'elsewhere again');
    await alice.send(other, 'here again');
    const again = open({ lastEventId: narrow.lastId });
    await again.event('message.new');
    assert.deepEqual(bodies(again), ['here again']);
    again.close();
    for (const rooms of ['', 'x', '0', '1,', Array.from({ length: 101 }, (_, n) => n + 1).join()]) {
      const wrong = await request(new URL(`/stream?rooms=${rooms}`, DAEMON_URL), { headers: bob.headers(), socketPath: site.pushSocket });
      assert.equal(wrong.status, 400, rooms);
    }
    const wide = bob.stream({ lastEventId: narrow.lastId });
    assert.equal((await wide.event('reset')).data.reason, 'filter');
    wide.close();
  }
});

test('6.7 one address holds so many streams, whatever their transports', async () => {
  const headers = { 'X-Forwarded-For': '6.6.6.6, 203.0.113.7' };
  const held = [bob.stream({ headers }), alice.websocket({ headers }), alice.stream({ headers })];
  await Promise.all(held.map((reader) => reader.opened()));
  const fourth = bob.stream({ headers });
  assert.equal((await fourth.event('bye')).data.retry, 60_000);
  await fourth.ended();
  const socket = bob.websocket({ headers });
  await socket.ended();
  assert.equal(socket.closeCode, 4429);
  assert.equal(socket.closeReason, 'address_limit');
  const { status, headers: told } = await request(new URL('/poll', DAEMON_URL), {
    headers: { ...bob.headers(), ...headers },
    socketPath: site.pushSocket,
  });
  assert.deepEqual([status, told['retry-after']], [503, '60']);
  const neighbour = bob.stream({ headers: { 'X-Forwarded-For': '203.0.113.8' } });
  await neighbour.opened();
  held[1].close();
  await site.waitFor(async () => {
    const again = bob.stream({ headers });
    await site.waitFor(() => again.events.length > 0);
    again.close();
    return again.events[0].type === 'connected';
  });
  for (const reader of [...held, neighbour]) reader.close();
});
