// @ts-check

/**
 * The event log across crashes of PostgreSQL (docs/architecture.md). Transactions that end without a flush leave ids
 * that the next life of the server gives out again; a cursor that covers one of them loses whatever it then writes.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Cluster, backendPid } from '../lib/cluster.js';
import { pause, waitFor } from '../lib/wait.js';

/** @typedef {import('pg').Client} Client */

const CRASHES = 14;
const WRITERS = 4;
const BURNERS = 2;
const LIFE_MS = 50;
/** Half of the crashes come at any moment; the others when writers rest, the WAL writer is held, and the reader has looked so often. */
const LOOKS_AT_REST = 3;
const REST_MS = 5;
/** Each life begins with so many events, which get the ids that the crash took back. */
const FIRST_WRITES = 100;
const RECOVERY_MS = 30_000;

const WRITE = `insert into chat.event (user_id, type, data) values (1, $1, '{}')`;
/** Transactions that end without a flush. */
const BURN = 'do $$ begin for i in 1..20 loop perform pg_current_xact_id(); commit; end loop; end $$';

/** @type {Cluster} */
let cluster;

before(async () => {
  cluster = await Cluster.start();
});

after(() => cluster.stop());

/** @param {string} database */
async function reconnected(database) {
  return waitFor(() => cluster.connect(database), { what: 'PostgreSQL has recovered', timeoutMs: RECOVERY_MS });
}

/**
 * Does its work over and over until it fails, at the latest because the server dies.
 * @param {() => Promise<unknown>} work
 */
async function untilCrash(work) {
  try {
    for (;;) await work();
  } catch {
    // That was it.
  }
}

/** A reader that goes on from its cursor through every crash. */
class Reader {
  /** @type {string[]} */
  seen = [];
  /** @type {string | null} */
  cursor = null;

  /** @param {string} query  events after the cursor $1, then the next cursor, in one statement */
  constructor(query) {
    this.query = query;
  }

  /** @param {Client} client */
  async look(client) {
    const { rows } = await client.query(this.query, [this.cursor]);
    this.cursor = rows[0].cursor;
    this.seen.push(...rows[0].types);
  }
}

/** @param {string} cursor @param {string} snapshot */
const readQuery = (cursor, snapshot) => `
  select ${cursor} as cursor, array(select type from chat.event_after(${snapshot}, null) where $1 is not null order by id) as types`;

/**
 * One life of the server: it takes load until a backend of it is killed.
 * @param {string} database
 * @param {Reader[]} readers
 * @param {{written: number, acknowledged: string[]}} events
 * @param {boolean} held  whether writers rest and the WAL writer is held before the crash
 */
async function live(database, readers, events, held) {
  const first = events.written;
  let rest = false;
  let looks = 0;
  const reader = await reconnected(database);
  const walWriter = (await reader.query(`select pid from pg_stat_activity where backend_type = 'walwriter'`)).rows[0].pid;
  const writers = await Promise.all(Array.from({ length: WRITERS }, () => cluster.connect(database)));
  const burners = await Promise.all(
    Array.from({ length: BURNERS }, () => cluster.connect(database, { settings: { synchronous_commit: 'off' } })),
  );
  const load = [
    ...writers.map((writer) =>
      untilCrash(async () => {
        if (rest) throw new Error('no more in this life');
        const label = `${(events.written += 1)}`;
        await writer.query(WRITE, [label]);
        events.acknowledged.push(label);
      }),
    ),
    ...burners.map((burner) => untilCrash(() => (events.written < first + FIRST_WRITES ? pause(REST_MS) : burner.query(BURN)))),
    untilCrash(async () => {
      for (const each of readers) await each.look(reader);
      looks += 1;
    }),
  ];
  await waitFor(() => events.written > first + 2 * FIRST_WRITES, { what: 'events' });
  await pause(LIFE_MS);
  if (held) {
    rest = true;
    process.kill(walWriter, 'SIGSTOP');
    const looked = looks;
    await waitFor(() => looks >= looked + LOOKS_AT_REST, { what: 'looks of the reader' });
  }
  process.kill(backendPid(burners[0]), 'SIGKILL');
  await Promise.all(load);
  // Only now, when it finds SIGQUIT waiting: earlier, it would write what the crash is to take back.
  if (held) process.kill(walWriter, 'SIGCONT');
}

test(`${CRASHES} crashes under load: a clamped cursor loses and repeats nothing, an unclamped one loses`, { timeout: 90_000 }, async (t) => {
  const database = await cluster.database();
  const clamped = new Reader(readQuery('chat.cursor_now()', 'chat.cursor_snapshot($1)'));
  const unclamped = new Reader(readQuery('pg_current_snapshot()', '$1::pg_snapshot'));
  const readers = [clamped, unclamped];
  const events = { written: 0, acknowledged: /** @type {string[]} */ ([]) };

  const start = await cluster.connect(database);
  for (const reader of readers) await reader.look(start);
  for (let crash = 0; crash < CRASHES; crash += 1) await live(database, readers, events, crash % 2 === 0);
  const end = await reconnected(database);
  for (let n = 0; n < FIRST_WRITES; n += 1) await end.query(WRITE, [`${(events.written += 1)}`]);
  for (const reader of readers) await reader.look(end);

  const { rows } = await end.query('select type from chat.event');
  const all = new Set(rows.map((row) => row.type));
  /** @param {Reader} reader */
  const missing = ({ seen }) => all.size - new Set(seen).size;
  t.diagnostic(`${all.size} events, ${missing(unclamped)} lost by the unclamped cursor`);
  assert.deepEqual(events.acknowledged.filter((label) => !all.has(label)), [], 'what was acknowledged is there');
  assert.deepEqual(clamped.seen.filter((type) => !all.has(type)), [], 'what was seen is there');
  assert.equal(clamped.seen.length - new Set(clamped.seen).size, 0, 'nothing was seen twice');
  assert.equal(missing(clamped), 0, `of ${all.size} events none was lost`);
  assert.ok(missing(unclamped) > 0, `counter-example: an unclamped cursor must lose events; of ${all.size} it lost none`);
});
