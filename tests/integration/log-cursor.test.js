// @ts-check

/**
 * The event log's order and cursor (docs/architecture.md): each rule beside the counter-example that loses, repeats or
 * misorders events, and must be seen to do so in the same run.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Cluster, blocked } from '../lib/cluster.js';
import { pause } from '../lib/wait.js';

/** @typedef {import('pg').Client} Client */

/** @type {Cluster} */
let cluster;

before(async () => {
  cluster = await Cluster.start();
});

after(() => cluster.stop());

/**
 * A database with one person and one room.
 * @returns {Promise<{database: string, client: Client}>}
 */
async function roomOfOne() {
  const database = await cluster.database();
  const client = await cluster.connect(database);
  await client.query(`
    insert into chat.person (login, display_name) values ('alice', 'Alice');
    insert into chat.session (user_id, token_hash, expires_at) select id, sha256('alice'), now() + interval '1 day' from chat.person;
    insert into chat.room (kind, name) values ('private', 'Room');
    insert into chat.member (room_id, user_id) select r.id, p.id from chat.room r, chat.person p;`);
  return { database, client };
}

/**
 * @param {Client} client
 * @param {string} label
 */
function say(client, label) {
  return client.query('insert into chat.message (room_id, sender_id, body) select room_id, user_id, $1 from chat.member', [label]);
}

/**
 * An event that takes no room's lock, so that writers overlap as they will.
 * @param {Client} client
 * @param {string} label
 */
function note(client, label) {
  return client.query(`insert into chat.event (user_id, type, data) select id, $1, '{}' from chat.person`, [label]);
}

/**
 * @param {Client} client
 * @param {string | null} cursor
 * @returns {Promise<{events: {id: string, type: string, data: string}[], cursor: string}>}
 */
async function feedRead(client, cursor) {
  const { rows } = await client.query('select id, type, data, cursor from chat.feed_read($1)', [cursor]);
  const last = rows.pop();
  assert.equal(last.type, null, `the feed was refused: ${last.data}`);
  return { events: rows, cursor: last.cursor };
}

/** @param {string[]} values */
function repeated(values) {
  return values.length - new Set(values).size;
}

/**
 * @param {string[]} all
 * @param {string[]} seen
 */
function lost(all, seen) {
  const known = new Set(seen);
  return all.filter((value) => !known.has(value)).length;
}

const WRITERS = 12;
const EVENTS_MIN = 4000;
const OVERLAP_MS = 20_000;

/**
 * One writer: short, long, rolled back and nested transactions in turn, until told to stop.
 * @param {Client} client
 * @param {number} n
 * @param {{stop: boolean, committed: number}} state
 */
async function overlap(client, n, state) {
  for (let turn = 0; !state.stop; turn += 1) {
    const label = `${n}-${turn}`;
    const kind = (turn + n) % 8;
    await client.query('begin');
    await note(client, `${label} a`);
    if (kind === 0) await pause(20 + ((turn * 37) % 80));
    if (kind <= 2) {
      await client.query('savepoint one');
      await note(client, `${label} b`);
      await client.query('savepoint two');
      await note(client, `${label} undone`);
      await client.query(kind === 1 ? 'rollback to one' : 'rollback to two');
      await note(client, `${label} c`);
    }
    await client.query(kind === 3 ? 'rollback' : 'commit');
    if (kind !== 3) state.committed += 1;
  }
}

test('overlapping transactions: a cursor gives every event once, "id >" loses some', async () => {
  const { database, client } = await roomOfOne();
  const state = { stop: false, committed: 0 };
  const writers = await Promise.all(Array.from({ length: WRITERS }, () => cluster.connect(database)));
  let { cursor } = await feedRead(client, null);
  const start = (await client.query('select max(id) as id from chat.event')).rows[0].id;
  let top = start;
  /** @type {string[]} */
  const exact = [];
  /** @type {string[]} */
  const naive = [];
  async function look() {
    const batch = await feedRead(client, cursor);
    const ids = batch.events.map((event) => BigInt(event.id));
    assert.deepEqual(ids, [...ids].sort((a, b) => Number(a - b)), 'a batch is in the order of ids');
    cursor = batch.cursor;
    exact.push(...batch.events.map((event) => event.type));
    const { rows } = await client.query('select id, type from chat.event where id > $1 order by id', [top]);
    top = rows.at(-1)?.id ?? top;
    naive.push(...rows.map((row) => row.type));
  }

  const writing = Promise.all(writers.map((writer, n) => overlap(writer, n, state)));
  const deadline = Date.now() + OVERLAP_MS;
  let naiveLost = 0;
  do {
    await look();
    if (state.committed >= EVENTS_MIN) {
      const { rows } = await client.query('select type from chat.event where id > $1 and id <= $2', [start, top]);
      naiveLost = lost(rows.map((row) => row.type), naive);
    }
  } while (naiveLost === 0 && Date.now() < deadline);
  state.stop = true;
  await writing;
  await look();

  const { rows } = await client.query('select type from chat.event where id > $1', [start]);
  const all = rows.map((row) => row.type);
  assert.ok(all.length >= EVENTS_MIN / 2, `${all.length} events were written`);
  assert.deepEqual({ lost: lost(all, exact), repeated: repeated(exact), seen: exact.length }, { lost: 0, repeated: 0, seen: all.length });
  assert.ok(lost(all, naive) > 0, `counter-example: "id >" must lose events; of ${all.length} it lost none`);
});

test('within a room, the order of id is the order of seq; the order of xid is not', async () => {
  const { database, client } = await roomOfOne();
  const early = await cluster.connect(database);
  const { cursor } = await feedRead(client, null);
  await early.query('begin');
  await early.query('select pg_current_xact_id()');
  await say(client, 'first');
  await say(early, 'second');
  await early.query('commit');

  const bodies = async (/** @type {string} */ order) => {
    const { rows } = await client.query(
      `select data::json #>> '{message,body}' as body from chat.event_after(chat.cursor_snapshot($1), null) order by ${order}`,
      [cursor],
    );
    return rows.map((row) => row.body);
  };
  assert.deepEqual(await bodies('id'), ['first', 'second']);
  assert.deepEqual(await bodies('xid, id'), ['second', 'first'], 'counter-example: by xid, the later message comes first');
});

const LIMIT = 10;

test('a read that is cut with LIMIT loses the rest; an uncut one nothing', async () => {
  const { client } = await roomOfOne();
  const { cursor } = await feedRead(client, null);
  for (let n = 0; n < LIMIT * 2; n += 1) await note(client, `note ${n}`);

  /** @param {string} limit */
  const readAll = async (limit) => {
    let from = cursor;
    let seen = 0;
    for (;;) {
      const { rows } = await client.query(
        `select chat.cursor_now() as cursor, array(select id from chat.event_after(chat.cursor_snapshot($1), null) order by id ${limit}) as ids`,
        [from],
      );
      from = rows[0].cursor;
      seen += rows[0].ids.length;
      if (rows[0].ids.length === 0) return seen;
    }
  };
  assert.equal(await readAll(''), LIMIT * 2);
  assert.equal(await readAll(`limit ${LIMIT}`), LIMIT, 'counter-example: what the first read left out is never seen');
});

// State and then a cursor, in two statements with a pause between them, as /snapshot would be if it were VOLATILE.
const SNAPSHOT_IN_PARTS = (/** @type {string} */ volatility) => `
  create function snapshot_${volatility}() returns json language plpgsql ${volatility} as $$
  declare
    v_last_seq bigint;
  begin
    select last_seq into v_last_seq from chat.room_counter;
    perform pg_advisory_lock_shared(1);
    perform pg_advisory_unlock_shared(1);
    return json_build_object('last_seq', v_last_seq, 'cursor', chat.cursor_now());
  end $$`;

test('a volatile snapshot function loses what commits between its statements; a stable one does not', async () => {
  const { database, client } = await roomOfOne();
  const gate = await cluster.connect(database);
  const reader = await cluster.connect(database);
  await gate.query('select pg_advisory_lock(1)');

  for (const volatility of ['stable', 'volatile']) {
    await client.query(SNAPSHOT_IN_PARTS(volatility));
    const reading = reader.query(`select snapshot_${volatility}() as snapshot`);
    await blocked(client, reader);
    await say(client, 'in between');
    await gate.query('select pg_advisory_unlock(1)');
    const { last_seq: shown, cursor } = (await reading).rows[0].snapshot;
    await gate.query('select pg_advisory_lock(1)');
    const { events } = await feedRead(client, cursor);
    const { rows } = await client.query('select last_seq from chat.room_counter');
    const missing = Number(rows[0].last_seq) - shown - events.length;
    assert.equal(missing, volatility === 'stable' ? 0 : 1, `${volatility}: messages in neither the state nor the events`);
  }
});

const SNAPSHOTS = 150;

test('/snapshot and its cursor fit together while messages are written', async () => {
  const { database, client } = await roomOfOne();
  const { rows: functions } = await client.query(`select distinct provolatile from pg_proc where proname in ('api_snapshot', 'api_events')`);
  assert.deepEqual(functions.map((row) => row.provolatile), ['s'], 'declared STABLE');

  const state = { stop: false };
  const writers = await Promise.all([1, 2, 3].map(() => cluster.connect(database)));
  const writing = Promise.all(
    writers.map(async (writer) => {
      while (!state.stop) await say(writer, 'busy');
    }),
  );
  for (let n = 0; n < SNAPSHOTS; n += 1) {
    const { rows } = await client.query(`select body::json as body from chat.api_snapshot(sha256('alice'))`);
    const { rooms, cursor } = rows[0].body;
    const polled = await client.query(`select body::json as body from chat.api_events(sha256('alice'), $1)`, [cursor]);
    /** @type {number[]} */
    const seqs = polled.rows[0].body.events.map((/** @type {any} */ event) => event.data.message.seq);
    assert.deepEqual(seqs, seqs.map((_, i) => rooms[0].last_seq + 1 + i), 'what follows a snapshot is what it does not hold');
    assert.equal(rooms[0].last_message?.seq ?? 0, rooms[0].last_seq);
  }
  state.stop = true;
  await writing;
});
