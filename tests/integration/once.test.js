// @ts-check

/** What must happen once in the world, however many programs are there to do it: jobs, housekeeping, tickets. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Cluster, backendPid, blocked } from '../lib/cluster.js';
import { Random } from '../lib/random.js';
import { api, mutilate, populated } from '../lib/sql-api.js';
import { pause, waitFor } from '../lib/wait.js';

/** @typedef {import('pg').Client} Client */

/** @type {Cluster} */
let cluster;

before(async () => {
  cluster = await Cluster.start({ max_connections: 120 });
});

after(() => cluster.stop());

const JOBS = 120;
const CLAIMERS = 6;
const IDLE_MS = 20;

/** An empty database, with a table of the effects that jobs have. */
async function workshop() {
  const database = await cluster.database();
  const client = await cluster.connect(database);
  await client.query('create table effect (job bigint, who text, at timestamptz default clock_timestamp())');
  await client.query('grant insert on effect to confab_daemon');
  return { database, client };
}

/**
 * Claims what is due and does it, an effect in the transaction of its end, until told to stop. Now and then it is killed
 * in the middle, with all that it has claimed, and comes back.
 * @param {string} database
 * @param {number} number
 * @param {{stop: boolean}} state
 */
async function claimer(database, number, state) {
  const who = `claimer ${number}`;
  const random = new Random(number);
  const connect = () => cluster.connect(database, { user: 'confab_daemon' });
  let client = await connect();
  while (!state.stop) {
    const { rows } = await client.query(`select id from chat.job_claim('{test}', $1, '1 s', 3)`, [who]);
    for (const { id } of rows) {
      await client.query('begin');
      await client.query('insert into effect (job, who) values ($1, $2)', [id, who]);
      const [{ mine }] = (await client.query('select chat.job_done($1, $2) as mine', [id, who])).rows;
      if (random.next() < 0.1) {
        await client.query('select pg_terminate_backend(pg_backend_pid())').catch(() => {});
        client = await connect();
        break;
      }
      await client.query(mine ? 'commit' : 'rollback');
    }
    if (rows.length === 0) await pause(IDLE_MS);
  }
}

test('many claimers, some of which die with what they have claimed: every job is done once', { timeout: 120_000 }, async () => {
  const { database, client } = await workshop();
  await client.query(`select chat.job_add('test') from generate_series(1, $1)`, [JOBS]);
  await client.query(`update chat.job set attempts_max = null where kind = 'test'`); // however slow this machine is
  const state = { stop: false };
  const working = Promise.all(Array.from({ length: CLAIMERS }, (_, n) => claimer(database, n + 1, state)));
  await waitFor(async () => (await client.query(`select from chat.job where kind = 'test' and state = 'open'`)).rows.length === 0,
    { what: 'every job to be done', timeoutMs: 60_000 });
  state.stop = true;
  await working;

  const { rows } = await client.query(`
    select count(*)::int as effects, count(distinct job)::int as jobs, count(distinct who)::int > 1 as shared,
           (select max(attempts) > 1 from chat.job where kind = 'test') as retried
      from effect`);
  assert.deepEqual(rows, [{ effects: JOBS, jobs: JOBS, shared: true, retried: true }]);
});

test('whose lease has run out is late: what he did is taken back when another has claimed it', async () => {
  const { database, client } = await workshop();
  const [slow, next] = await Promise.all([1, 2].map(() => cluster.connect(database, { user: 'confab_daemon' })));
  await client.query(`select chat.job_add('test')`);
  const claim = async (/** @type {Client} */ one, /** @type {string} */ who, lease = '1 ms') =>
    (await one.query(`select id, attempts::int from chat.job_claim('{test}', $1, $2, 1)`, [who, lease])).rows[0];
  const job = await claim(slow, 'slow');
  assert.equal(job.attempts, 1);
  await slow.query('begin');
  await slow.query(`insert into effect values ($1, 'slow')`, [job.id]);
  const again = await waitFor(() => claim(next, 'next', '1 minute'), { what: 'the lease to run out' });
  assert.deepEqual(again, { id: job.id, attempts: 2 });
  assert.deepEqual((await slow.query(`select chat.job_done($1, 'slow') as mine`, [job.id])).rows, [{ mine: false }]);
  await slow.query('rollback');
  assert.deepEqual((await next.query(`insert into effect values ($1, 'next') returning chat.job_done($1, 'next') as mine`, [job.id])).rows, [{ mine: true }]);
  assert.deepEqual((await client.query('select who from effect')).rows, [{ who: 'next' }]);
});

test('one who is claiming holds up nobody, and what he has is not given twice', async () => {
  const { database, client } = await workshop();
  await client.query(`select chat.job_add('test') from generate_series(1, 4)`);
  const [one, two] = await Promise.all([1, 2].map(() => cluster.connect(database, { user: 'confab_daemon', settings: { lock_timeout: '1ms' } })));
  const claim = async (/** @type {Client} */ who) => (await who.query(`select id from chat.job_claim('{test}', 'x', '1 minute', 3)`)).rows.length;
  await one.query('begin');
  assert.equal(await claim(one), 3);
  assert.equal(await claim(two), 1);
  await one.query('rollback');
  assert.equal(await claim(two), 3, 'who dies in the middle of it has claimed nothing');
});

const SESSIONS = 40;

test('housekeeping by many at once: each chore once, each end told once', { timeout: 60_000 }, async () => {
  const { database, client } = await populated(cluster, { people: ['ada'], rooms: 0 });
  await client.query(`insert into chat.session (user_id, token_hash, expires_at)
    select (select id from chat.person), sha256(convert_to('over ' || n, 'UTF8')), now() - interval '1 s' from generate_series(1, $1) n`, [SESSIONS]);
  const keepers = await Promise.all(['confab_daemon', 'confab_daemon', 'confab_worker', 'confab_worker', 'confab_admin'].map((user) => cluster.connect(database, { user })));
  const done = (await Promise.all(keepers.map(async (keeper, n) => (await keeper.query('select kind from chat.housekeep($1)', [`keeper ${n}`])).rows))).flat();
  assert.deepEqual(done.map(({ kind }) => kind).sort(), ['housekeep.jobs', 'housekeep.sessions', 'housekeep.tickets']);
  const { rows } = await client.query(`select count(*)::int as told, count(distinct data::json ->> 'session')::int as sessions from chat.event where type = 'session.end'`);
  assert.deepEqual(rows, [{ told: SESSIONS, sessions: SESSIONS }]);

  // One that is killed in the middle has done nothing, and the next one does it.
  await client.query(`update chat.job set run_at = now()`);
  await client.query(`insert into chat.session (user_id, token_hash, expires_at) select id, sha256('one more'), now() from chat.person`);
  await client.query(`create function halt() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock_shared(1); return old; end $$`);
  await client.query('create trigger halt before delete on chat.session for each row execute function halt()');
  await client.query('select pg_advisory_lock(1)');
  const halted = keepers[0].query(`select chat.housekeep('halted')`).catch(() => {});
  await blocked(client, keepers[0]);
  assert.deepEqual((await keepers[1].query(`select kind from chat.housekeep('other')`)).rows, [], 'nobody waits for him');
  await client.query('select pg_terminate_backend($1)', [backendPid(keepers[0])]);
  await halted;
  await client.query('select pg_advisory_unlock(1)');
  const kept = await waitFor(async () => {
    const answer = await keepers[1].query(`select kind, rows_deleted::int as rows from chat.housekeep('other')`);
    return answer.rows.length > 0 && answer.rows;
  });
  assert.deepEqual(kept.find(({ kind }) => kind === 'housekeep.sessions'), { kind: 'housekeep.sessions', rows: 1 });
});

const TICKETS = 20;

test('a ticket that comes to several daemons at once opens one stream', { timeout: 60_000 }, async () => {
  const people = ['ada', 'bea', 'cyd', 'dot'];
  const { database } = await populated(cluster, { people, rooms: 0 });
  const daemons = await Promise.all([1, 2, 3, 4].map(() => cluster.connect(database, { user: 'confab_daemon', settings: { lock_timeout: '1ms' } })));
  const ticket = (/** @type {string} */ login, /** @type {number} */ n) => Buffer.from(`${login}${n}`.padEnd(32));
  const redeem = async (/** @type {Client} */ daemon, /** @type {Buffer[]} */ tickets) =>
    (await daemon.query('select ord from chat.feed_tickets($1, $2)', [tickets.map((_, n) => n), tickets])).rows.map(({ ord }) => tickets[ord].toString().trim());
  const all = people.flatMap((login) => Array.from({ length: TICKETS }, (_, n) => ticket(login, n)));
  const issue = () => Promise.all(people.map(async (login) => {
    const own = await cluster.connect(database, { user: 'confab_worker' });
    for (let n = 0; n < TICKETS; n += 1) assert.equal((await api(own, login, 'api_stream_ticket($2)', [ticket(login, n)])).outcome, '201');
  }));

  await issue();
  const redeemed = (await Promise.all(daemons.map(async (daemon, n) => {
    // Some at a time, each daemon in an order of its own.
    const own = n % 2 === 0 ? all : all.toReversed();
    const got = [];
    for (let at = 0; at < own.length; at += 5) got.push(...(await redeem(daemon, own.slice(at, at + 5))));
    return got;
  }))).flat();
  assert.deepEqual(redeemed.sort(), all.map((one) => one.toString().trim()).sort());

  await issue();
  await daemons[0].query('begin');
  assert.equal((await redeem(daemons[0], all.slice(0, 1))).length, 1);
  assert.deepEqual(await redeem(daemons[1], all.slice(0, 2)), [all[1].toString().trim()], 'nobody waits for a ticket that another one has');
  await daemons[0].query('commit');
  assert.deepEqual(await redeem(daemons[1], all.slice(0, 2)), []);
});

test('requests for tickets take turns: a session never has more than 20', async () => {
  /** The last place is taken, but not committed. @param {boolean} locked @returns {Promise<string>} what another request gets */
  const second = async (locked) => {
    const { database, client } = await populated(cluster, { people: ['ada'], rooms: 0 });
    if (!locked) await mutilate(client, 'api_stream_ticket', / for no key update/);
    const [open, worker] = await Promise.all([1, 2].map(() => cluster.connect(database, { user: 'confab_worker' })));
    const ask = (/** @type {Client} */ one, /** @type {string} */ name) => api(one, 'ada', 'api_stream_ticket($2)', [Buffer.from(name.padEnd(32))]);
    for (let n = 0; n < 19; n += 1) await ask(open, `ticket ${n}`);
    await open.query('begin');
    assert.equal((await ask(open, 'the last')).outcome, '201');
    const asking = ask(worker, 'one more');
    await (locked ? blocked(client, worker) : asking);
    await open.query('commit');
    return (await asking).outcome;
  };
  assert.equal(await second(true), 'CF009');
  assert.equal(await second(false), '201', 'counter-example: a twenty-first');
});
