// @ts-check

/**
 * The event log across crashes of PostgreSQL (DESIGN.md, section 4). Transactions that end without a flush leave ids
 * that the next life of the server gives out again; a cursor that covers one of them loses whatever it then writes.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Cluster, backendPid } from '../lib/cluster.js';
import { pause, waitFor } from '../lib/wait.js';

/** @typedef {import('pg').Client} Client */

const CRASHES = 14;
const CRASHES_MAX = 4 * CRASHES;
const WRITERS = 4;
const BURNERS = 2;
const LIFE_MS = 150;
/** Half of the crashes come this long after the last synchronous commit, the others at any moment. */
const LULL_MS = 40;
const RECOVERY_MS = 30_000;

/** @type {Cluster} */
let cluster;

before(async () => {
  // The WAL writer would make asynchronous commits durable soon: the crash is to come first.
  cluster = await Cluster.start({ wal_writer_delay: '10s', shared_buffers: '16MB' });
});

after(() => cluster.stop());

/** @param {string} database */
async function reconnected(database) {
  return waitFor(() => cluster.connect(database), { what: 'PostgreSQL has recovered', timeoutMs: RECOVERY_MS });
}

/**
 * Does its work over and over until the server dies under it.
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
  select ${cursor} as cursor, array(select type from chat.event_after(${snapshot}) where $1 is not null order by id) as types`;

test(`${CRASHES} crashes under load: a clamped cursor loses and repeats nothing, an unclamped one loses`, { timeout: 240_000 }, async (t) => {
  const database = await cluster.database();
  const clamped = new Reader(readQuery('chat.cursor_now()', `chat.cursor_snapshot($1)`));
  const unclamped = new Reader(readQuery('pg_current_snapshot()', '$1::pg_snapshot'));
  const start = await cluster.connect(database);
  await clamped.look(start);
  await unclamped.look(start);
  let written = 0;
  /** Those whose commit was answered. @type {string[]} */
  const acknowledged = [];

  /** What both readers had looked for at the last crash but one: clamped.seen up to here. */
  let settled = 0;
  // Whether a crash takes back ids that somebody saw is a matter of luck: on a busy machine it may need more of them.
  for (let crash = 0; crash < CRASHES_MAX; crash += 1) {
    let lull = false;
    const reader = await reconnected(database);
    const unclampedSaw = new Set(unclamped.seen);
    if (crash >= CRASHES && clamped.seen.slice(0, settled).some((type) => !unclampedSaw.has(type))) break;
    settled = clamped.seen.length;
    const writers = await Promise.all(Array.from({ length: WRITERS }, () => cluster.connect(database)));
    const burners = await Promise.all(
      Array.from({ length: BURNERS }, () => cluster.connect(database, { settings: { synchronous_commit: 'off' } })),
    );
    const load = [
      ...writers.map((writer) =>
        untilCrash(async () => {
          if (lull) return pause(LULL_MS);
          const label = `${(written += 1)}`;
          await writer.query(`insert into chat.event (user_id, type, data) values (1, $1, '{}')`, [label]);
          return acknowledged.push(label);
        }),
      ),
      ...burners.map((burner) => untilCrash(() => burner.query('do $$ begin for i in 1..20 loop perform pg_current_xact_id(); commit; end loop; end $$'))),
      untilCrash(async () => {
        await clamped.look(reader);
        await unclamped.look(reader);
      }),
    ];
    await pause(LIFE_MS);
    lull = crash % 2 === 0;
    if (lull) await pause(LULL_MS);
    process.kill(backendPid(burners[0]), 'SIGKILL');
    lull = false;
    await Promise.all(load);
  }

  const client = await reconnected(database);
  // Enough to give out again every id that the last crash took back.
  for (let n = 0; n < 500; n += 1) await client.query(`insert into chat.event (user_id, type, data) values (1, $1, '{}')`, [`${(written += 1)}`]);
  await clamped.look(client);
  await unclamped.look(client);

  const { rows } = await client.query('select type from chat.event');
  const all = new Set(rows.map((row) => row.type));
  /** @param {Reader} reader */
  const missing = ({ seen }) => all.size - new Set(seen).size;
  t.diagnostic(`${all.size} events, ${missing(unclamped)} lost by the unclamped cursor`);
  assert.deepEqual(acknowledged.filter((label) => !all.has(label)), [], 'what was acknowledged is there');
  assert.deepEqual(clamped.seen.filter((type) => !all.has(type)), [], 'what was seen is there');
  assert.equal(clamped.seen.length - new Set(clamped.seen).size, 0, 'nothing was seen twice');
  assert.equal(missing(clamped), 0, `of ${all.size} events none was lost`);
  assert.ok(missing(unclamped) > 0, `counter-example: an unclamped cursor must lose events; of ${all.size} it lost none`);
});
