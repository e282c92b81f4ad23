// @ts-check

/** How long a stream lives, how its end is told, and that nobody misses anything by it. Numbers are paragraphs of docs/protocol.md. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DAEMON_URL, Guest } from '../lib/guest.js';
import { request } from '../lib/http.js';
import { metric, scrape } from '../lib/metrics.js';
import { Person } from '../lib/person.js';
import { Site } from '../lib/site.js';

const RENEW_MS = 500;

/** @type {Site} */
let site;
/** @type {Person} */
let alice;
/** @type {Person} */
let bob;
before(async () => {
  site = await Site.start({ env: { CONFAB_STREAM_AGE_MIN_S: 2, CONFAB_STREAM_AGE_MAX_S: 2, CONFAB_SESSION_CHECK_S: 3600 } });
  [alice, bob] = await Promise.all([Person.register(site, 'alice'), Person.register(site, 'bob')]);
});
after(() => site?.stop());

it('7.1 a stream that has reached its age says bye, and may come back at once', async () => {
  const { id: room } = await alice.dialogWith(bob);
  const first = bob.stream();
  await first.opened();
  await alice.send(room, 'one');
  const { data } = await first.event('bye');
  assert.ok(data.retry <= RENEW_MS, `${data.retry}`);
  assert.equal(first.retryMs, data.retry);
  await first.ended();
  await alice.send(room, 'two');
  const second = bob.stream({ lastEventId: first.lastId });
  await second.event('message.new');
  assert.deepEqual([...first.messages(), ...second.messages()].map(({ body }) => body), ['one', 'two']);
  second.close();
});

it('6.4 a stream does not outlive its session', async () => {
  const guest = await bob.device();
  await site.sql(`update chat.session set expires_at = now() + interval '400 ms' where id = $1`, [guest.session.id]);
  const stream = guest.stream();
  await stream.opened();
  await stream.event('bye');
  await stream.ended();
  const again = guest.stream({ lastEventId: stream.lastId });
  assert.equal((await again.event('reset')).data.reason, 'auth');
  await again.ended();
});

it('10.5 a WebSocket that has reached its age is told so', async () => {
  const socket = (await Guest.register(site, 'carol')).websocket();
  await socket.ended();
  assert.equal(socket.events.at(-1)?.type, 'bye');
  assert.deepEqual([socket.closeCode, socket.closeReason], [4000, 'age']);
});

describe('other ends', () => {
  /** @type {Site} */
  let plain;
  /** @type {Guest} */
  let dave;
  before(async () => {
    plain = await Site.start({ front: null, env: { CONFAB_STREAMS_PER_SESSION: 1, CONFAB_HANDSHAKE_MS: 500 } });
    dave = await Guest.register(plain, 'dave');
  });
  after(() => plain?.stop());

  /** @param {Guest} guest @param {string} [cursor] */
  const poll = (guest, cursor) =>
    request(new URL(`/poll${cursor ? `?after=${encodeURIComponent(cursor)}` : ''}`, DAEMON_URL), {
      headers: guest.headers(),
      socketPath: plain.pushSocket,
    });

  /** A socket and a poll that wait. */
  async function waiting() {
    const [one, other] = [await dave.device(), await dave.device()];
    const socket = one.websocket();
    await socket.opened();
    const { json } = await poll(other);
    const answer = poll(other, json.cursor);
    const live = { state: 'live', transport: 'poll' };
    await plain.waitFor(async () => metric(await scrape(plain.adminSocket), 'confab_connections', live) === 1, { what: 'the poll to wait' });
    return { one, other, socket, answer, cursor: json.cursor };
  }

  /** @param {import('../lib/websocket.js').WsReader} socket @param {[number, string]} why */
  async function over(socket, why) {
    await socket.ended();
    assert.equal(socket.events.at(-1)?.type, 'bye');
    assert.deepEqual([socket.closeCode, socket.closeReason], why);
    return socket.events.at(-1)?.data.retry;
  }

  it('6.5 10.5 11.3 a newer stream of the session takes the place', async () => {
    const { one, other, socket, answer } = await waiting();
    const newer = one.websocket();
    assert.equal(await over(socket, [4429, 'session_limit']), 60_000);
    newer.close();
    await poll(other);
    const { status, json } = await answer;
    assert.deepEqual([status, json.events, json.interval_ms], [200, [], 60_000]);
  });

  it('7.1 10.5 11.3 the daemon stops', async () => {
    const { other, socket, answer, cursor } = await waiting();
    await plain.kill('pushd');
    const { status, json } = await answer;
    for (const retry of [await over(socket, [1012, 'shutdown']), json.interval_ms]) assert.ok(retry >= 2000 && retry < 6100, `${retry}`);
    assert.deepEqual([status, json.events], [200, []]);
    await dave.createRoom('meanwhile');
    await plain.begin('pushd');
    const missed = await poll(other, cursor);
    assert.deepEqual(missed.json.events.map((/** @type {any} */ { type }) => type), ['member.join', 'room.new']);
  });

  it('2.4 10.5 11.3 there is no database', async () => {
    await plain.kill('postgres');
    const socket = dave.websocket();
    const retry = await over(socket, [1013, 'unavailable']);
    assert.ok(retry >= 2000 && retry <= 6000, `${retry}`);
    const { status, headers, json } = await poll(dave);
    assert.deepEqual([status, json.code], [503, 'unavailable']);
    assert.ok(Number(headers['retry-after']) >= 2 && Number(headers['retry-after']) <= 6, headers['retry-after']);
    await plain.begin('postgres');
  });
});
