// @ts-check

/** A worker whose database is away, restarted, stuck or broken: a clear 503 in time, nothing lost, nothing twice. */

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import { Worker } from '../lib/fcgi.js';
import { Site } from '../lib/site.js';

const ENV = { CONFAB_PASSWORD_MEMORY_KIB: 64, CONFAB_PASSWORD_PASSES: 1 };
const STATEMENT_TIMEOUT_MS = 1000;
/** After statement_timeout a worker waits this long for a server that does not keep it. */
const GRACE_MS = 2000;
const SLACK_MS = 1500;

/** @type {Site} */
let site;
/** @type {Worker} */
let worker;
let serial = 0;

test.before(async () => {
  site = await Site.start({ front: null, pushd: false });
  worker = await Worker.start(site, {
    env: { ...ENV, CONFAB_STATEMENT_TIMEOUT_MS: STATEMENT_TIMEOUT_MS, CONFAB_LOCK_TIMEOUT_MS: 800 },
  });
});

test.after(async () => {
  assert.deepEqual(await worker.stop(), [0]);
  await site.stop();
});

/** @param {string} method @param {string} path @param {{token?: string, body?: object}} [options] @param {Worker} [via] */
function call(method, path, { token, body } = {}, via = worker) {
  return via.request({
    method,
    uri: `/api/v1${path}`,
    headers: { ...(token && { Authorization: `Bearer ${token}` }), 'Content-Type': 'application/json' },
    body: JSON.stringify(body ?? {}),
  });
}

function newcomer() {
  return { login: `person${(serial += 1)}`, password: 'long enough', display_name: 'P', token: true };
}

/** A person with a private room. */
async function resident() {
  const { json } = await call('POST', '/users', { body: newcomer() });
  const room = await call('POST', '/rooms', { token: json.token, body: { kind: 'private', name: 'R' } });
  return { token: json.token, room: room.json.id };
}

/** @param {import('../lib/fcgi.js').FcgiAnswer} answer @param {string} code */
function assertAway(answer, code = 'unavailable') {
  assert.equal(answer.status, 503, answer.text);
  assert.equal(answer.json.code, code);
  assert.ok(Number(answer.headers['retry-after']) >= 1);
  assert.doesNotMatch(answer.text, /psql|postgres|socket|host=|role/i);
}

/** The backend of the worker's connection. @param {Worker} of */
async function backendOf(of = worker) {
  const rows = await site.sql(
    "select pid from pg_stat_activity where application_name = 'confab.fcgi' and usename = 'confab_worker' order by backend_start",
  );
  assert.equal(rows.length, 1, `one connection, of ${of.pids}`);
  return rows[0].pid;
}

function waitForLock() {
  return site.waitFor(
    async () => {
      const rows = await site.sql(
        "select from pg_stat_activity where application_name = 'confab.fcgi' and wait_event_type = 'Lock'",
      );
      return rows.length > 0;
    },
    { what: 'the worker to wait for a lock' },
  );
}

/** Holds a room's lock in a transaction that is left open. @param {number} room */
async function holdRoom(room) {
  const client = await site.connect();
  await client.query('begin');
  await client.query('select from chat.room_counter where room_id = $1 for update', [room]);
  return () => client.query('rollback');
}

/** @param {() => Promise<any>} action */
async function timed(action) {
  const start = Date.now();
  const value = await action();
  return { value, ms: Date.now() - start };
}

test('restarted between two requests: nobody notices', async () => {
  const { token, room } = await resident();
  for (const signal of /** @type {NodeJS.Signals[]} */ (['SIGINT', 'SIGQUIT'])) {
    const requests = [
      () => call('GET', '/me', { token }),
      () => call('POST', `/rooms/${room}/messages`, { token, body: { body: 'no client_id' } }),
      () => call('POST', '/users', { body: newcomer() }),
    ];
    for (const send of requests) {
      await site.restart('postgres', signal);
      const { status, text } = await send();
      assert.ok(status === 200 || status === 201, `${signal}: ${status} ${text}`);
    }
  }
});

test('away: 503 at once, and back without a restart of ours', async () => {
  const { token } = await resident();
  await site.kill('postgres');
  const fresh = await Worker.start(site, { env: ENV });
  for (const via of [worker, fresh]) {
    const { value, ms } = await timed(() => call('GET', '/me', { token }, via));
    assertAway(value);
    assert.ok(ms < 1000, `${ms} ms`);
    assertAway(await call('GET', '/health', {}, via));
  }
  await site.begin('postgres');
  for (const via of [worker, fresh]) assert.equal((await call('GET', '/me', { token }, via)).status, 200);
  assert.deepEqual(await fresh.stop(), [0]);
});

test('lost in the middle: what may be repeated is repeated, once', async () => {
  const { token, room } = await resident();
  const body = { body: 'Once', client_id: randomUUID() };
  const release = await holdRoom(room);
  const answer = call('POST', `/rooms/${room}/messages`, { token, body });
  await waitForLock();
  await site.sql('select pg_terminate_backend($1)', [await backendOf()]);
  await release();
  assert.equal((await answer).status, 201);
  const rows = await site.sql('select seq from chat.message where client_id = $1', [body.client_id]);
  assert.equal(rows.length, 1);
});

test('lost in the middle: what may not be repeated is 503', async () => {
  const { token, room } = await resident();
  const release = await holdRoom(room);
  const answer = call('POST', `/rooms/${room}/messages`, { token, body: { body: 'Maybe' } });
  await waitForLock();
  await site.sql('select pg_terminate_backend($1)', [await backendOf()]);
  await release();
  assertAway(await answer);
  assert.equal((await call('GET', '/me', { token })).status, 200);
});

test('a commit that fails is not answered 201', async () => {
  const { token, room } = await resident();
  // At the commit, when the statement's rows have gone out already.
  await site.sql(
    "create function pg_temp_fail() returns trigger language plpgsql as 'begin raise exception $$no$$; end'",
  );
  await site.sql(`create constraint trigger fail after insert on chat.message deferrable initially deferred
                  for each row execute function pg_temp_fail()`);
  const answer = await call('POST', `/rooms/${room}/messages`, { token, body: { body: 'x', client_id: randomUUID() } });
  await site.sql('drop trigger fail on chat.message');
  await site.sql('drop function pg_temp_fail');
  assert.equal(answer.status, 500);
  assert.equal(answer.json.code, 'internal');
  assert.equal((await site.sql('select from chat.message where room_id = $1', [room])).length, 0);
  assert.equal((await call('GET', '/me', { token })).status, 200);
});

test('a transaction left open in one room: 503 in about a second, other rooms go on', async () => {
  const { token, room } = await resident();
  const other = await call('POST', '/rooms', { token, body: { kind: 'private', name: 'Other' } });
  const release = await holdRoom(room);
  const { value, ms } = await timed(() => call('POST', `/rooms/${room}/messages`, { token, body: { body: 'x' } }));
  assertAway(value);
  assert.ok(ms < 1500, `${ms} ms`);
  const there = await call('POST', `/rooms/${other.json.id}/messages`, { token, body: { body: 'x' } });
  assert.equal(there.status, 201);
  await release();
  assert.equal((await call('POST', `/rooms/${room}/messages`, { token, body: { body: 'x' } })).status, 201);
});

test('a server that hangs: given up in time, its connection dropped', async () => {
  const { token } = await resident();
  const pid = await backendOf();
  // It waits for the ring behind the call before it; one that is still to come would be given up instead of this call.
  assert.equal((await call('GET', '/me', { token })).status, 200);
  process.kill(pid, 'SIGSTOP');
  try {
    const { value, ms } = await timed(() => call('GET', '/me', { token }));
    assertAway(value);
    assert.ok(ms < STATEMENT_TIMEOUT_MS + GRACE_MS + SLACK_MS, `${ms} ms`);
    assert.ok(ms > STATEMENT_TIMEOUT_MS, `${ms} ms`);
    // The next request has a new connection.
    assert.equal((await call('GET', '/me', { token })).status, 200);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await site.waitFor(async () => (await site.sql('select from pg_stat_activity where pid = $1', [pid])).length === 0);
});

test('a server that does not even answer the connection', async () => {
  const { token } = await resident();
  const fresh = await Worker.start(site, { env: { ...ENV, CONFAB_DB_CONNECT_TIMEOUT_S: 2 } });
  site.signal('postgres', 'SIGSTOP');
  try {
    const { value, ms } = await timed(() => call('GET', '/me', { token }, fresh));
    assertAway(value);
    assert.ok(ms < 2000 + SLACK_MS, `${ms} ms`);
    // Who comes next is not made to wait for it too.
    const next = await timed(() => call('GET', '/me', { token }, fresh));
    assertAway(next.value);
    assert.ok(next.ms < 500, `${next.ms} ms`);
  } finally {
    site.signal('postgres', 'SIGCONT');
  }
  await site.waitFor(async () => (await call('GET', '/me', { token }, fresh)).status === 200);
  assert.deepEqual(await fresh.stop(), [0]);
});

test('no connection to be had: 503', async () => {
  await site.sql('alter role confab_worker connection limit 0');
  const fresh = await Worker.start(site, { env: ENV });
  assertAway(await call('GET', '/health', {}, fresh));
  await site.sql('alter role confab_worker connection limit -1');
  assert.equal((await call('GET', '/health', {}, fresh)).status, 200);
  assert.match(fresh.log, /db connect_failed .*too many connections for role/);
  assert.deepEqual(await fresh.stop(), [0]);
});

test('a standby is not good enough', async () => {
  await site.sql(`alter database ${site.database} set default_transaction_read_only = on`);
  const fresh = await Worker.start(site, { env: ENV });
  assertAway(await call('GET', '/health', {}, fresh));
  await site.sql(
    `set default_transaction_read_only = off; alter database ${site.database} reset default_transaction_read_only`,
  );
  assert.equal((await call('GET', '/health', {}, fresh)).status, 200);
  assert.deepEqual(await fresh.stop(), [0]);
});

test('the epoch of the log changes: begun anew, and nobody notices', async () => {
  const { token } = await resident();
  const before = (await call('GET', '/snapshot', { token })).json.cursor;
  await site.sql("update chat.log_state set epoch = '00000000'");
  const answers = [await call('GET', '/snapshot', { token }), await call('GET', `/events?after=${before}`, { token })];
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200],
  );
  const [{ epoch }] = await site.sql('select epoch from chat.log_state');
  assert.notEqual(epoch, '00000000');
  assert.match(worker.log, /db epoch_begin result=ok/);
});

test('the settings of a session are the configured ones', async () => {
  const { token } = await resident();
  const fresh = await Worker.start(site, {
    env: { ...ENV, CONFAB_DATABASE: `${site.conninfo('confab_worker')} options='-c work_mem=5MB'`, CONFAB_WORKERS: 6 },
  });
  assert.equal((await call('GET', '/me', { token }, fresh)).status, 200);
  await site.sql(`create function chat.api_server_settings() returns text language sql as $$
    select concat_ws(' ', current_setting('work_mem'), current_setting('lock_timeout'), current_setting('statement_timeout'),
      current_setting('chat.room_waiters'), current_setting('client_encoding'), current_setting('application_name')) $$`);
  await site.sql(`create or replace function chat.api_health() returns chat.answer language sql security definer as $$
    select chat.answered(200, json_build_object('status', chat.api_server_settings())) $$`);
  const { json } = await call('GET', '/health', {}, fresh);
  assert.equal(json.status, '5MB 800ms 5s 3 UTF8 confab.fcgi');
  assert.deepEqual(await fresh.stop(), [0]);
});
