// @ts-check

/**
 * What the stream keeps through concurrency and faults: nothing lost, nothing out of order, and a gap that could not be
 * filled is announced. Numbers are paragraphs of docs/protocol.md.
 */

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import test, { after, before } from 'node:test';
import { Follower } from '../lib/follower.js';
import { Guest } from '../lib/guest.js';
import { Site } from '../lib/site.js';
import { pause, waitFor } from '../lib/wait.js';
import { straight } from '../lib/ways.js';

/** @type {Site} */
let site;
/** @type {Guest} */
let alice;
/** @type {Guest} */
let bob;
let made = 0;

before(async () => {
  site = await Site.start({
    front: null,
    env: { CONFAB_REPLAY_EVENTS: 100_000, CONFAB_HANDSHAKE_MS: 4000, CONFAB_STREAM_HEARTBEAT_MS: 1000, CONFAB_RING_BYTES: 1_000_000 },
  });
  alice = await Guest.register(site, 'alice');
  bob = await Guest.register(site, 'bob');
});
after(() => site?.stop());

/** @param {ConstructorParameters<typeof Follower>[2]} [options] */
const follow = (options) => new Follower(bob, [straight(site, bob, 'stream')], options);

const newRoom = () => alice.createRoom(`room ${(made += 1)}`, [bob.id]);

/** @param {number} room @returns {Promise<number[]>} */
async function written(room) {
  const rows = await site.sql('select seq from chat.message where room_id = $1 order by seq', [room]);
  return rows.map((row) => Number(row.seq));
}

/** Until the follower shows all that the room has; then the same, in the same order. @param {Follower} follower @param {number} room */
async function showsAll(follower, room, timeoutMs = 30_000) {
  const expected = await written(room);
  await site.waitFor(() => follower.shown(room).length >= expected.length, {
    what: `${expected.length} messages on the screen`,
    timeoutMs,
  }).catch(() => {}); // what is missing is told better below
  assert.deepEqual(follower.shown(room), expected);
  assert.deepEqual(follower.all('reset'), []);
}

/** Inserts one message after the other, trying again while the database is away, until stopped. */
class Traffic {
  #stopped = false;
  sent = 0;

  /** @param {number} room @param {number} [everyMs] */
  constructor(room, everyMs = 5) {
    this.running = this.#run(room, everyMs);
  }

  /** @param {number} room @param {number} everyMs */
  async #run(room, everyMs) {
    while (!this.#stopped) {
      const added = await alice.send(room, `message ${this.sent}`).then(() => 1, () => 0);
      this.sent += added;
      await pause(everyMs);
    }
  }

  /** @param {number} count */
  async reaches(count) {
    const goal = this.sent + count;
    await waitFor(() => this.sent >= goal, { what: `${count} more sends`, timeoutMs: 30_000, giveUp: site.giveUp });
  }

  async stop() {
    this.#stopped = true;
    await this.running;
  }
}

test('3.3 3.4 thousands of events of overlapping transactions: exact, live and resumed', { timeout: 120_000 }, async () => {
  const rooms = [await newRoom(), await newRoom(), await newRoom()];
  const steady = follow();
  // Cut at random, so that it resumes in the middle of batches, from the ring.
  const nervous = follow({ staysMs: [20, 220] });
  await Promise.all([steady.opened(), nervous.opened()]);

  await Promise.all(Array.from({ length: 12 }, async (_, writer) => {
    const client = await site.connect();
    for (let n = 0; n < 120; n++) {
      const room = rooms[(writer + n) % rooms.length];
      const insert = (/** @type {string} */ body) => client.query('insert into chat.message (room_id, sender_id, body) values ($1, $2, $3)', [room, alice.id, body]);
      await client.query('begin');
      // The transaction id is taken now, the room's lock later: commits are not in the order of ids.
      await client.query('select pg_current_xact_id()');
      if (n % 10 === 0) await pause(Math.random() * 50);
      await insert('kept');
      if (n % 4 === 0) {
        await client.query('savepoint a');
        await insert('undone');
        await client.query('rollback to a');
        await insert('kept too');
      }
      if (n % 7 === 0) await insert('in another one');
      await client.query(n % 5 === 0 ? 'rollback' : 'commit');
    }
  }));

  for (const room of rooms) {
    assert.ok((await written(room)).length > 400);
    await showsAll(steady, room);
    await showsAll(nervous, room);
  }
  assert.ok(nervous.readers.length > 5);
  // Nothing doubled where nothing was cut.
  assert.equal(steady.readers.length, 1);
  const seen = steady.events.map((event) => event.data.eid).filter((eid) => eid !== undefined);
  assert.equal(new Set(seen).size, seen.length);
  await Promise.all([steady.stop(), nervous.stop()]);
});

test('7.3 the daemon is killed and restarted under traffic', { timeout: 60_000 }, async () => {
  const room = await newRoom();
  const follower = follow();
  await follower.opened();
  const traffic = new Traffic(room);
  for (let n = 0; n < 3; n++) {
    await traffic.reaches(20);
    await site.restart('pushd', n === 1 ? 'SIGTERM' : 'SIGKILL');
  }
  await traffic.reaches(20);
  await traffic.stop();
  await showsAll(follower, room);
  await follower.stop();
});

test('8.4 a backend is killed, so all connections are lost, and PostgreSQL is restarted in immediate mode', { timeout: 90_000 }, async () => {
  const room = await newRoom();
  const follower = follow();
  await follower.opened();
  const traffic = new Traffic(room);
  for (let n = 0; n < 3; n++) {
    await traffic.reaches(20);
    const [{ pid }] = await site.waitFor(async () => {
      const rows = await site.sql(`select pid from pg_stat_activity where application_name = 'confab-pushd'`);
      return rows.length > 0 && rows;
    });
    process.kill(pid, 'SIGKILL');
  }
  await traffic.reaches(20);
  await site.restart('postgres', 'SIGQUIT');
  await traffic.reaches(20);
  await traffic.stop();
  await showsAll(follower, room);
  assert.equal(follower.readers.length, 1, 'the stream stayed open');
  await follower.stop();
});

test('8.4 the connection to the database is lost in the middle of a look', { timeout: 60_000 }, async () => {
  const ROWS = 50_000;
  const room = await newRoom();
  const reader = bob.stream();
  await reader.opened();
  const insert = `insert into chat.message (room_id, sender_id, body) select $1, $2, 'row ' || n from generate_series(1, ${ROWS}) n`;
  await site.sql(insert, [room, alice.id]);
  await reader.event('message.new', (data) => data.message.room === room);
  await site.sql(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'confab-pushd'`);
  assert.ok(reader.messages().length < ROWS, 'in the middle');
  await site.waitFor(() => reader.messages().length >= ROWS, { what: 'all rows', timeoutMs: 30_000 });
  await reader.event('mark', () => true, { from: reader.events.length - 1 });
  assert.deepEqual(reader.messages().map((message) => message.seq), await written(room));
  const batch = reader.events.slice(reader.events.findIndex(({ type }) => type === 'message.new'));
  assert.equal(batch.findIndex(({ type }) => type === 'mark'), ROWS, 'no mark before the end');
  reader.close();
});

test('8.4 a database that answers no more is given up, and found again', { timeout: 60_000 }, async (t) => {
  const room = await newRoom();
  const reader = bob.stream();
  t.after(() => reader.close());
  await reader.opened();
  const [{ pid }] = await site.sql(`select pid from pg_stat_activity where application_name = 'confab-pushd'`);
  process.kill(pid, 'SIGSTOP');
  try {
    await alice.send(room, 'meanwhile');
    await site.waitFor(() => reader.messages().some(({ body }) => body === 'meanwhile'), { what: 'the message', timeoutMs: 40_000 });
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await site.logged('pushd', /database down reason="no answer in time"/);
  assert.ok(reader.events.every(({ type }) => type !== 'reset'));
});

test('2.4 8.4 while the database is away', { timeout: 60_000 }, async () => {
  const room = await newRoom();
  const live = bob.stream();
  await live.opened();
  await site.kill('postgres');
  await site.logged('pushd', /database down/);
  const waiting = bob.stream();
  await waiting.ended();
  assert.equal(waiting.status, 200);
  assert.deepEqual(waiting.events.map(({ type }) => type), ['bye']);
  assert.equal(waiting.events[0].data.retry, waiting.retryMs);
  const from = live.events.length;
  await live.event('mark', (data) => data.late === true, { from });
  assert.ok(!live.closed);
  const patient = bob.stream();
  await site.waitFor(() => patient.comments.length > 0);
  const away = live.events.length;
  await site.begin('postgres');
  await live.event('mark', (data) => !data.late, { from: away });
  await patient.opened();
  await alice.send(room, 'it is back');
  await live.event('message.new', (data) => data.message.body === 'it is back');
  await patient.event('message.new', (data) => data.message.body === 'it is back');
  assert.ok(live.events.every(({ type }) => type !== 'reset'));
  live.close();
  patient.close();
});

test('8.2 a COPY of 100,000 rows reaches a reader that reads, exactly', { timeout: 180_000 }, async () => {
  const room = await newRoom();
  const small = await newRoom();
  const reader = bob.stream();
  await reader.opened();
  const stopped = connect({ path: site.pushSocket });
  stopped.on('error', () => {});
  stopped.write(`GET /stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${bob.token}\r\n\r\n`);
  stopped.pause();
  const began = Date.now();
  await site.sql(
    `insert into chat.message (room_id, sender_id, body) select $1, $2, 'row ' || n || repeat('.', n % 100) from generate_series(1, 100000) n`,
    [room, alice.id],
  );
  await site.waitFor(() => reader.messages().length >= 100_000, { what: 'all rows', timeoutMs: 120_000 });
  const { id } = await reader.event('mark', () => true, { from: reader.events.length - 1 });
  assert.ok(Date.now() - began < 120_000);
  const seqs = reader.messages().map((message) => message.seq);
  assert.equal(seqs.length, 100_000);
  assert.ok(seqs.every((seq, n) => seq === n + 1), 'in order');
  const batch = reader.events.slice(reader.events.findIndex(({ type }) => type === 'message.new'));
  assert.equal(batch.findIndex(({ type }) => type === 'mark'), 100_000, 'no mark before the end');
  await alice.send(small, 'and on it goes');
  await reader.event('message.new', (data) => data.message.room === small);
  const again = bob.stream({ lastEventId: id });
  await again.event('message.new', (data) => data.message.room === small);
  assert.equal(again.messages().length, 1);
  for (const each of [reader, again]) each.close();
  stopped.destroy();
});

test('5.4 another life of the database: every stream is told, and goes on', { timeout: 60_000 }, async () => {
  const room = await newRoom();
  const readers = [bob.stream(), alice.stream()];
  const [{ id }] = await Promise.all(readers.map((reader) => reader.opened()));
  await site.sql(`update chat.log_state set epoch = '00000000'`);
  for (const reader of readers) {
    const reset = await reader.event('reset');
    assert.deepEqual(reset.data, { reason: 'epoch', within: 5 });
    assert.ok(!reader.closed);
  }
  await alice.send(room, 'in the new life');
  for (const reader of readers) {
    await reader.event('message.new', (data) => data.message.body === 'in the new life');
    const types = reader.events.map(({ type }) => type);
    assert.equal(types.filter((type) => type === 'reset').length, 1);
    reader.close();
  }
  // The epoch is the same digest as before, but the log was emptied: what the cursor covers is as it was.
  const again = bob.stream({ lastEventId: id });
  await again.event('mark');
  again.close();
});
