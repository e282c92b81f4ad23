// @ts-check

/**
 * The armed doorbell (docs/architecture.md), with real workers and daemons. The slow timer of most sites here runs
 * once a minute, so that what arrives was rung for: what nobody rang for arrives after every deadline.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { cgi, Worker } from '../lib/fcgi.js';
import { Guest } from '../lib/guest.js';
import { metric, scrape } from '../lib/metrics.js';
import { Site } from '../lib/site.js';
import { pause } from '../lib/wait.js';

const KEYS = 64;
const MINUTE_MS = 60_000;
let serial = 0;
const ENV = { CONFAB_PASSWORD_MEMORY_KIB: 64, CONFAB_PASSWORD_PASSES: 1 };

/** The doorbell's keys that are held shared, by daemons. */
const HELD = `from pg_locks where locktype = 'advisory' and mode = 'ShareLock' and granted and objsubid = 2
              and classid = chat.ring_class()::bit(32)::bigint::oid`;

/** @param {Site} site @param {number} [daemons] */
function asleep(site, daemons = 1) {
  return site.waitFor(async () => (await site.sql(`select ${HELD}`)).length === KEYS * daemons, {
    what: `${daemons} daemons to sleep`,
  });
}

/** What the daemon has counted so far. @param {Site} site @param {'rings' | 'looks' | 'events'} name */
async function counted(site, name) {
  return metric(await scrape(site.adminSocket), `confab_${name}_total`);
}

/** @param {Guest} guest @param {string} method @param {string} path @param {object} [body] */
function requestOf(guest, method, path, body) {
  const headers = { ...guest.headers(), 'Content-Type': 'application/json' };
  return { method, uri: `/api/v1${path}`, headers, body: body && JSON.stringify(body) };
}

/** @param {Guest} guest @param {number} room @param {string} body */
function sendOf(guest, room, body) {
  return requestOf(guest, 'POST', `/rooms/${room}/messages`, { body, client_id: randomUUID() });
}

/** @param {import('../lib/sse.js').SseReader} reader @param {string} body */
function shows(reader, body) {
  return reader.event('message.new', ({ message }) => message.body === body);
}

/** Two people, and the stream of one of them. @param {Site} site */
async function company(site) {
  const [alice, bob] = await Promise.all(['alice', 'bob'].map((name) => Guest.register(site, `${name}${(serial += 1)}`)));
  const room = await alice.dialogWith(bob);
  const reader = bob.stream();
  await reader.opened();
  // That he has come is told to the daemon by a signal, for which it looks; after it nothing wakes it but rings.
  await site.waitFor(async () => (await site.sql('select from chat.presence where user_id = $1 and online', [bob.id])).length === 1);
  return { alice, bob, room, reader };
}

describe('rung for', () => {
  /** @type {Site} */
  let site;
  /** @type {Worker} */
  let worker;
  /** @type {Awaited<ReturnType<typeof company>>} */
  let we;
  before(async () => {
    site = await Site.start({ front: null, env: { CONFAB_LOOK_INTERVAL_MS: MINUTE_MS } });
    worker = await Worker.start(site, { env: ENV });
    we = await company(site);
  });
  after(async () => {
    we?.reader.close();
    assert.deepEqual(await worker?.stop(), [0]);
    await site?.stop();
  });

  test('whatever workers write, and psql', async () => {
    const { alice, bob, room, reader } = we;
    const carol = await Guest.register(site, 'carol');
    const team = await alice.createRoom('Team');
    /** @type {[string, import('../lib/fcgi.js').FcgiRequest, string][]} what tells of it to bob */
    const writes = [
      ['a message', sendOf(alice, room, 'by REST'), 'message.new'],
      ['a join', requestOf(alice, 'PUT', `/rooms/${team}/members/${bob.id}`), 'room.new'],
      ['a delivery', requestOf(bob, 'PUT', `/rooms/${room}/delivered`, { seq: 1 }), 'receipt.delivered'],
      ['a mark', requestOf(bob, 'PUT', `/rooms/${room}/read`, { seq: 1 }), 'receipt.read'],
      ['another message', sendOf(alice, room, 'again by REST'), 'message.new'],
      ['marks', requestOf(bob, 'POST', '/receipts', { items: [{ room, kind: 'read', seq: 2 }] }), 'receipt.read'],
      ['a leave', requestOf(bob, 'DELETE', `/rooms/${team}/members/${bob.id}`), 'member.leave'],
      ['a dialog', requestOf(carol, 'PUT', `/dialogs/${bob.id}`), 'room.new'],
      ['a room', requestOf(carol, 'POST', '/rooms', { kind: 'private', name: 'Three', members: [bob.id] }), 'room.new'],
      ['a log-out', requestOf(await bob.device(), 'DELETE', '/session'), 'session.end'],
    ];
    for (const [what, request, told] of writes) {
      await asleep(site);
      const from = reader.events.length;
      const { status, text } = await worker.request(request);
      assert.ok(status < 300, `${what}: ${status} ${text}`);
      await reader.event(told, () => true, { from });
    }
    await asleep(site);
    const psql = spawn('psql', ['-X', '-q', '-d', site.conninfo('confab_admin'), '-c',
      `insert into chat.message (room_id, sender_id, body) values (${room}, ${alice.id}, 'by psql')`]);
    await shows(reader, 'by psql');
    assert.equal(psql.exitCode ?? (await new Promise((resolve) => psql.once('exit', resolve))), 0);
  });

  test('by plain CGI, and by a worker that begins anew after each request', async () => {
    const { alice, room, reader } = we;
    await asleep(site);
    const { status, exitStatus } = await cgi(site, { ...sendOf(alice, room, 'by CGI'), env: ENV });
    assert.deepEqual([status, exitStatus], [201, 0]);
    await shows(reader, 'by CGI');

    const brief = await Worker.start(site, { env: { ...ENV, CONFAB_WORKER_REQUESTS: 1 } });
    for (const body of ['first life', 'second life']) {
      await asleep(site);
      assert.equal((await brief.request(sendOf(alice, room, body))).status, 201);
      await shows(reader, body);
    }
    assert.deepEqual(await brief.stop(), [0]);
  });

  test('once for 10,000 rows by COPY', async () => {
    const ROWS = 10_000;
    const { alice } = we;
    const room = await alice.createRoom('Nobody listens');
    await asleep(site);
    const [rings, events] = [await counted(site, 'rings'), await counted(site, 'events')];
    const psql = spawn('psql', ['-X', '-q', '-d', site.conninfo('confab_admin'), '-c', '\\copy chat.message (room_id, sender_id, body) from stdin']);
    psql.stdin.end(`${room}\t${alice.id}\tone of many\n`.repeat(ROWS));
    await site.waitFor(async () => (await counted(site, 'events')) === events + ROWS, { what: 'the daemon to read them', timeoutMs: 30_000 });
    await asleep(site);
    assert.equal((await counted(site, 'rings')) - rings, 1);
  });

  test('a key that was in use when the daemon wanted to sleep is taken later', async () => {
    const { alice, room } = we;
    await worker.request(sendOf(alice, room, 'to have a connection'));
    const [{ key }] = await site.sql(`select pid % ${KEYS} as key from pg_stat_activity where application_name = 'confab.fcgi'`);
    await site.kill('pushd');
    const ringer = await site.connect();
    await ringer.query('select pg_advisory_lock(chat.ring_class(), $1)', [key]);
    await site.begin('pushd');
    const reader = we.bob.stream();
    await reader.opened();
    await site.waitFor(async () => (await counted(site, 'looks')) > 10, { what: 'the daemon to look again and again' });
    assert.deepEqual(await site.sql(`select ${HELD}`), []);
    await ringer.query('select pg_advisory_unlock(chat.ring_class(), $1)', [key]);
    await asleep(site);
    assert.equal((await worker.request(sendOf(alice, room, 'by the same key'))).status, 201);
    await shows(reader, 'by the same key');
    reader.close();
  });

  test('by several daemons, each for itself', async () => {
    const { alice, bob, room } = we;
    await asleep(site);
    await site.begin('pushd2');
    await asleep(site, 2);
    const readers = [bob.stream(), bob.stream({ daemon: 2 })];
    for (const reader of readers) await reader.opened();
    for (const body of ['for both', 'for both again']) {
      await asleep(site, 2);
      assert.equal((await worker.request(sendOf(alice, room, body))).status, 201);
      for (const reader of readers) await shows(reader, body);
    }
    await site.kill('pushd2', 'SIGKILL');
    await asleep(site);
    readers[1].close();
    await worker.request(sendOf(alice, room, 'for the one that is left'));
    await shows(readers[0], 'for the one that is left');
    readers[0].close();
  });
});

describe('rung for, at any moment', () => {
  const WRITERS = 4;
  const ROUNDS = 250;
  /** The next round begins within about the time that it takes a daemon to fall asleep. */
  const SPREAD_MS = 4;

  /** @type {Site} */
  let site;
  before(async () => {
    site = await Site.start({ front: null, env: { CONFAB_LOOK_INTERVAL_MS: MINUTE_MS } });
  });
  after(() => site?.stop());

  test('what is committed while a daemon falls asleep does not wait for its timer', async () => {
    const { alice, room, reader } = await company(site);
    const workers = await Worker.start(site, { env: ENV, count: WRITERS });
    for (let round = 0; round < ROUNDS; round += 1) {
      // The last of a round has nobody after it who would ring for it.
      await Promise.all(
        Array.from({ length: WRITERS }, async (_, writer) => {
          await pause(Math.random() * SPREAD_MS);
          const body = `${round} ${writer}`;
          assert.equal((await workers.request(sendOf(alice, room, body))).status, 201);
          await shows(reader, body);
        }),
      );
    }
    reader.close();
    assert.deepEqual(await workers.stop(), Array(WRITERS).fill(0));
  });
});

describe('rung for no more, or not yet', () => {
  /** @type {Site} */
  let site;
  /** @type {Awaited<ReturnType<typeof company>>} */
  let we;
  before(async () => {
    site = await Site.start({ front: null });
    we = await company(site);
  });
  after(async () => {
    we?.reader.close();
    await site?.stop();
  });

  /** Holds what every look reads. */
  async function holdLooks() {
    const client = await site.connect();
    await client.query('begin; lock table chat.log_state in access exclusive mode');
    return () => client.query('rollback');
  }

  function looking() {
    const waits = `select from pg_stat_activity where usename = 'confab_daemon' and wait_event_type = 'Lock'`;
    return site.waitFor(async () => (await site.sql(waits)).length === 1, { what: 'a look to wait' });
  }

  test('while the daemon is busy', async () => {
    const { alice, room, reader } = we;
    const worker = await Worker.start(site, { env: ENV });
    await asleep(site);
    const releaseFirst = await holdLooks();
    await worker.request(sendOf(alice, room, 'it looks'));
    await looking();
    await worker.request(sendOf(alice, room, 'and is rung again'));
    await worker.request(requestOf(alice, 'GET', '/me')); // which waits for the ring
    // In the queue behind the look that waits, so that the next one waits, too.
    const second = holdLooks();
    await site.waitFor(async () => (await site.sql(`select from pg_locks where relation = 'chat.log_state'::regclass and not granted`)).length === 2);
    await releaseFirst();
    const releaseSecond = await second;
    await looking();
    assert.deepEqual(await site.sql(`select ${HELD}`), []);
    const rings = await counted(site, 'rings');
    for (let n = 0; n < 20; n += 1) await worker.request(sendOf(alice, room, `busy ${n}`));
    await releaseSecond();
    await shows(reader, 'busy 19');
    assert.equal(await counted(site, 'rings'), rings);
    await asleep(site);
    assert.deepEqual(await worker.stop(), [0]);
  });

  /**
   * From now on a ring stops at a gate on its way, between commit and NOTIFY. What opens it.
   * @param {import('node:test').TestContext} t
   */
  async function shutGate(t) {
    await site.sql(`
      alter function chat.ring() rename to ring_behind_gate;
      create function chat.ring() returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
      begin
        perform pg_advisory_xact_lock_shared(1);
        return chat.ring_behind_gate();
      end $$;
      grant execute on function chat.ring() to confab_worker`);
    t.after(() => site.sql('drop function chat.ring(); alter function chat.ring_behind_gate() rename to ring'));
    const client = await site.connect();
    await client.query('select pg_advisory_lock(1)');
    return () => client.query('select pg_advisory_unlock(1)');
  }

  /** The backend whose ring stands at the gate. */
  async function ringing() {
    const [{ pid }] = await site.waitFor(async () => {
      const rows = await site.sql(`select pid from pg_stat_activity where application_name = 'confab.fcgi' and wait_event = 'advisory'`);
      return rows.length === 1 && rows;
    });
    return pid;
  }

  test('the answer does not wait for the ring; the next call does', async (t) => {
    const { alice, room, reader } = we;
    const openGate = await shutGate(t);
    const worker = await Worker.start(site, { env: { ...ENV, CONFAB_LOCK_TIMEOUT_MS: 4_000 } });
    assert.equal((await worker.request(sendOf(alice, room, 'before its ring'))).status, 201);
    await ringing();
    const next = worker.request(requestOf(alice, 'GET', '/me'));
    await openGate();
    assert.equal((await next).status, 200);
    await shows(reader, 'before its ring');
    assert.deepEqual(await worker.stop(), [0]);
  });

  test('a worker that dies between commit and ring costs a look of the slow timer', async (t) => {
    const { alice, room, reader } = we;
    const openGate = await shutGate(t);
    const worker = await Worker.start(site, { env: { ...ENV, CONFAB_LOCK_TIMEOUT_MS: 4_000 } });
    await asleep(site);
    const rings = await counted(site, 'rings');
    assert.equal((await worker.request(sendOf(alice, room, 'a last word'))).status, 201);
    const pid = await ringing();
    await worker.stop('SIGKILL');
    await site.sql('select pg_terminate_backend($1)', [pid]);
    await shows(reader, 'a last word');
    assert.equal(await counted(site, 'rings'), rings);
    await openGate();
  });

  test('a ring that fails costs as much, and the worker nothing', async (t) => {
    const { alice, room, reader } = we;
    const openGate = await shutGate(t);
    const worker = await Worker.start(site, { env: { ...ENV, CONFAB_LOCK_TIMEOUT_MS: 10 } });
    for (const body of ['failed ring', 'another one']) {
      assert.equal((await worker.request(sendOf(alice, room, body))).status, 201);
      await shows(reader, body);
    }
    assert.match(worker.log, /^fcgi warn db ring_failed sqlstate=55P03$/m);
    const backends = await site.sql(`select from pg_stat_activity where application_name = 'confab.fcgi'`);
    assert.equal(backends.length, 1);
    assert.deepEqual(await worker.stop(), [0]);
    await openGate();
  });

  test('a connection that is lost with its ring is made anew', async (t) => {
    const { alice, room, reader } = we;
    const openGate = await shutGate(t);
    const worker = await Worker.start(site, { env: { ...ENV, CONFAB_LOCK_TIMEOUT_MS: 4_000 } });
    assert.equal((await worker.request(sendOf(alice, room, 'cut off'))).status, 201);
    await site.sql('select pg_terminate_backend($1)', [await ringing()]);
    await openGate();
    assert.equal((await worker.request(sendOf(alice, room, 'and on'))).status, 201);
    for (const body of ['cut off', 'and on']) await shows(reader, body);
    assert.deepEqual(await worker.stop(), [0]);
  });
});
