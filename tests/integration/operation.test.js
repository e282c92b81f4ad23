// @ts-check

/** Running the daemon: taken over, stopped, several at once, held by a supervisor. docs/confab-pushd.8, deployment.md. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PROGRAM, begin, killDaemons } from '../lib/daemon.js';
import { DAEMON_URL, Follower, Guest } from '../lib/guest.js';
import { request } from '../lib/http.js';
import { metric, parseMetrics } from '../lib/metrics.js';
import { reservePort } from '../lib/ports.js';
import { Site } from '../lib/site.js';
import { Storm } from '../lib/storm.js';
import { pause, waitFor } from '../lib/wait.js';

const STORM_MIN = 3000;
const TAKEOVERS = 3;
const FOLLOWERS = 24;
const VIAS = /** @type {const} */ (['stream', 'websocket', 'poller']);

const ACTIVATE = fileURLToPath(new URL('../lib/activate.py', import.meta.url));

/** @type {string} */
let dir;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'confab-operation-'));
});
after(async () => {
  killDaemons();
  await rm(dir, { recursive: true, force: true });
});

/** A site whose daemon listens on a unix socket or on TCP. @param {'unix' | 'tcp'} kind @param {Record<string, string | number>} [env] */
async function siteOn(kind, env = {}) {
  const { port, release } = await reservePort();
  const site = await Site.start({ front: null, env: { ...(kind === 'tcp' && { CONFAB_PUSH_LISTEN: `127.0.0.1:${port}` }), ...env } });
  return { site, target: kind === 'tcp' ? { host: '127.0.0.1', port } : { path: site.pushSocket }, release };
}

/** Sends until stopped; so many were sent. @param {Guest} guest @param {number} room */
function traffic(guest, room) {
  let stopped = false;
  const running = (async () => {
    for (let n = 0; !stopped; n++) {
      await guest.send(room, `message ${n}`);
      await pause(2);
    }
  })();
  return { stop: () => ((stopped = true), running) };
}

/** @param {Site} site @param {Follower[]} followers @param {number} room */
async function allShown(site, followers, room) {
  const rows = await site.sql('select seq from chat.message where room_id = $1 order by seq', [room]);
  const expected = rows.map((row) => Number(row.seq));
  for (const follower of followers) {
    await site.waitFor(() => follower.shown(room).length >= expected.length, { what: 'all messages on the screen' }).catch(() => {});
    assert.deepEqual(follower.shown(room), expected);
    assert.deepEqual(follower.all('reset'), []);
  }
  return expected.length;
}

for (const kind of /** @type {const} */ (['unix', 'tcp'])) {
  test(`takeover under a storm, ${kind}: nobody is refused or reset, and every stream shows all, once`, { timeout: 180_000 }, async () => {
    const { site, target, release } = await siteOn(kind);
    try {
      const alice = await Guest.register(site, 'alice');
      const bob = await Guest.register(site, 'bob');
      const room = await alice.createRoom('moving', [bob.id]);
      const followers = Array.from({ length: FOLLOWERS / 6 }, () => VIAS.flatMap((via) => [alice, bob].map((guest) => new Follower(guest, { via })))).flat();
      await Promise.all(followers.map((follower) => follower.opened()));
      const sending = traffic(alice, room);
      const storm = new Storm(target);
      for (let n = 0; n < TAKEOVERS; n++) {
        await storm.goesOn(STORM_MIN / TAKEOVERS);
        assert.equal(await site.replaced(site.succeed()), 0);
      }
      await storm.goesOn(STORM_MIN / TAKEOVERS);
      await storm.stop();
      await sending.stop();
      assert.deepEqual([...storm.failures], []);
      assert.ok(storm.answered >= STORM_MIN, `${storm.answered}`);
      assert.ok((await allShown(site, followers, room)) > 100);
      await Promise.all(followers.map((follower) => follower.stop()));
      assert.equal([...site.log('pushd').matchAll(/push takeover done pid=\d+\npush stop reason=takeover /g)].length, TAKEOVERS);
      if (kind === 'unix') {
        await site.kill('pushd');
        await assert.rejects(stat(site.pushSocket), 'the file goes with the last who has it');
      }
    } finally {
      await site.stop();
      release();
    }
  });
}

test('a successor that dies before it serves changes nothing; a second one has to wait', { timeout: 60_000 }, async () => {
  const { site, release } = await siteOn('unix');
  try {
    const alice = await Guest.register(site, 'alice');
    const room = await alice.createRoom('here');
    const follower = new Follower(alice);
    await follower.opened();
    // Without a database it will never be ready.
    const conf = join(site.socketDir, 'away.conf');
    await writeFile(conf, (await readFile(site.conf, 'utf8')).replace(/^push_database = .*$/m, 'push_database = host=/nonexistent'));
    await chmod(conf, 0o644);
    const first = site.succeed(['-c', conf]);
    await site.logged('pushd', /takeover begun pid=\d+/);
    await waitFor(() => /takeover claimed/.test(first.log));
    const second = site.succeed();
    second.ending = true;
    await second.ended;
    assert.equal(second.status, 1);
    assert.match(second.log, /takeover pid=\d+ error="no answer; it may be handing over to another"/);

    await first.end('SIGKILL');
    await site.logged('pushd', /takeover abandoned pid=\d+/);
    await alice.send(room, 'as if nothing had happened');
    await allShown(site, [follower], room);
    assert.equal(follower.readers.length, 1);

    assert.equal(await site.replaced(site.succeed()), 0);
    await alice.send(room, 'from the new one');
    await allShown(site, [follower], room);
    await follower.stop();
  } finally {
    await site.stop();
    release();
  }
});

test('told to stop while a successor gets ready, or killed: the successor serves', { timeout: 60_000 }, async () => {
  for (const signal of /** @type {const} */ (['SIGTERM', 'SIGKILL'])) {
    const env = { CONFAB_PUSH_LISTEN: `unix:${join(dir, `${signal}.sock`)}`, CONFAB_RUNTIME_DIR: dir };
    const first = begin(env);
    await first.logged(/listening/);
    const second = begin(env, ['-t']);
    await second.logged(/takeover claimed/);
    assert.doesNotMatch(second.log, /listening/);
    first.child.kill(signal);
    await first.ended;
    await second.logged(/takeover serving[^]*listening/);
    const storm = new Storm({ path: join(dir, `${signal}.sock`) }, 4);
    await storm.goesOn(10);
    await storm.stop();
    assert.deepEqual([...storm.failures], []);
    second.child.kill('SIGTERM');
    assert.equal(await second.ended, 0);
    await assert.rejects(stat(join(dir, `${signal}.sock`)));
  }
});

test('-t with nobody there starts plainly; without a runtime_dir all works but this', async () => {
  const path = join(dir, 'plain.sock');
  const daemon = begin({ CONFAB_PUSH_LISTEN: `unix:${path}`, CONFAB_RUNTIME_DIR: join(dir, 'missing') }, ['-t']);
  await daemon.logged(/listening address=unix:/);
  await daemon.logged(/takeover unavailable runtime_dir=\S+ error="No such file or directory"/);
  daemon.child.kill('SIGTERM');
  assert.equal(await daemon.ended, 0);
});

test('another user takes nothing over', { skip: process.getuid?.() !== 0, timeout: 60_000 }, async () => {
  const { site, release } = await siteOn('unix');
  try {
    // The site's daemon is www-data's, and root may connect to anything.
    const env = { CONFAB_CONF: site.conf, CONFAB_ADMIN_LISTEN: '' };
    const root = begin(env, ['-t']);
    assert.equal(await root.ended, 1);
    assert.match(root.log, /takeover refused pid=\d+ uid=\d+/);
    const [control] = (await readdir(site.socketDir)).filter((name) => name.endsWith('.control'));
    assert.equal((await stat(join(site.socketDir, control))).mode & 0o777, 0o600);
  } finally {
    await site.stop();
    release();
  }
});

/** Connections to a daemon that is stopped (SIGSTOP), with their requests: the kernel holds them. @param {import('node:net').NetConnectOpts} target @param {string[]} requests */
async function queue(target, requests) {
  const clients = requests.map((text) => {
    const socket = connect(target).setEncoding('latin1');
    const client = { socket, text: '', error: '', closed: false };
    socket.on('data', (more) => (client.text += more));
    socket.on('error', (error) => (client.error = error.message));
    socket.on('close', () => (client.closed = true));
    socket.write(text);
    return client;
  });
  await Promise.all(clients.map(({ socket }) => new Promise((resolve) => socket.once('connect', resolve))));
  return clients;
}

for (const kind of /** @type {const} */ (['unix', 'tcp'])) {
  test(`SIGTERM, ${kind}: who waits to be accepted is answered and told when to come back`, { timeout: 60_000 }, async () => {
    const { site, target, release } = await siteOn(kind, { CONFAB_STREAMS_PER_SESSION: 1000 });
    try {
      const alice = await Guest.register(site, 'alice');
      const head = `GET /stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${alice.token}\r\n\r\n`;
      const [slow] = await queue(target, [head.slice(0, 30)]);
      const pid = site.pid('pushd');
      site.signal('pushd', 'SIGSTOP');
      const queued = await queue(target, Array.from({ length: 200 }, () => head));
      const stopped = site.kill('pushd'); // it is seen when the daemon goes on
      process.kill(pid, 'SIGCONT');
      slow.socket.write(head.slice(30));
      await stopped;
      for (const client of [slow, ...queued]) {
        await waitFor(() => client.closed);
        assert.equal(client.error, '');
        assert.match(client.text, /^HTTP\/1\.1 200 [^]*event: bye\ndata: \{"retry":\d+\}\n\n$/);
      }
      assert.match(site.log('pushd'), /stop reason=signal [^]*closed_shutdown=201\b[^]*stopped\n/);
    } finally {
      await site.stop();
      release();
    }
  });
}

test('push_reuse_port: two share a port; one stops, and nobody is refused or reset', { timeout: 60_000 }, async () => {
  const { port, release } = await reservePort();
  const env = { CONFAB_PUSH_LISTEN: `127.0.0.1:${port}`, CONFAB_PUSH_REUSE_PORT: '1' };
  const daemons = ['a', 'b'].map((name) => begin({ ...env, CONFAB_RUNTIME_DIR: dir, CONFAB_ADMIN_LISTEN: `unix:${dir}/${name}.admin` }));
  for (const daemon of daemons) await daemon.logged(/listening address=127/);
  const storm = new Storm({ host: '127.0.0.1', port });
  await storm.goesOn(1000);
  for (const name of ['a', 'b']) {
    assert.ok(metric(await scrape(join(dir, `${name}.admin`)), 'confab_accepted_total') > 100);
  }
  daemons[0].child.kill('SIGTERM');
  assert.equal(await daemons[0].ended, 0);
  await storm.goesOn(1000);
  await storm.stop();
  assert.deepEqual([...storm.failures], []);
  daemons[1].child.kill('SIGTERM');
  assert.equal(await daemons[1].ended, 0);

  const refused = begin({ CONFAB_PUSH_LISTEN: `unix:${dir}/shared.sock`, CONFAB_PUSH_REUSE_PORT: '1' });
  assert.equal(await refused.ended, 1);
  assert.match(refused.log, /push_reuse_port needs a push_listen of HOST:PORT/);
  release();
});

for (const kind of /** @type {const} */ (['unix', 'tcp'])) {
  test(`a socket that a supervisor holds, ${kind}: restarts refuse nobody`, { timeout: 60_000 }, async () => {
    const { port, release } = await reservePort();
    const path = join(dir, 'held.sock');
    const target = kind === 'tcp' ? { host: '127.0.0.1', port } : { path };
    const supervisor = spawn(ACTIVATE, [kind === 'tcp' ? String(port) : path, PROGRAM], {
      env: { PATH: process.env.PATH, PGHOST: '/nonexistent', CONFAB_CONF: '/dev/null', CONFAB_RUNTIME_DIR: dir, CONFAB_ADMIN_LISTEN: '' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let told = '';
    supervisor.stdout.setEncoding('utf8').on('data', (text) => (told += text));
    /** @param {RegExp} pattern */
    const tells = (pattern) => waitFor(() => pattern.test(told), { what: `${pattern} in ${told}` });
    await tells(/^READY=1\n/);
    const storm = new Storm(target);
    await storm.goesOn(300);
    for (let n = 0; n < 3; n++) {
      const from = told.length;
      supervisor.stdin.write('restart\n');
      await waitFor(() => /^ended 0\n[^]*^READY=1\n/m.test(told.slice(from)), { what: `another one in ${told}` });
      await storm.goesOn(300);
      assert.match(told.slice(from), /^STOPPING=1$/m);
    }
    await storm.stop();
    assert.deepEqual([...storm.failures], []);
    await tells(/WATCHDOG=1\n/);
    if (kind === 'unix') assert.ok((await stat(path)).isSocket(), 'its file is the supervisor\'s');
    supervisor.stdin.end();
    await new Promise((resolve) => supervisor.once('close', resolve));
    await rm(path, { force: true });
    release();
  });
}

// ---- The private address ----

/** @param {string} socketPath */
async function scrape(socketPath) {
  const answer = await request(new URL('/metrics', DAEMON_URL), { socketPath });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  return parseMetrics(answer.text);
}

test('metrics: what is counted is what happened', { timeout: 60_000 }, async () => {
  const { site, release } = await siteOn('unix');
  try {
    const alice = await Guest.register(site, 'alice');
    const bob = await Guest.register(site, 'bob');
    const room = await alice.createRoom('counted', [bob.id]);
    const streams = [alice.stream(), alice.stream(), bob.stream()];
    await Promise.all(streams.map((stream) => stream.opened()));
    await alice.send(room, 'one');
    await Promise.all(streams.map((stream) => stream.event('message.new')));
    await site.waitFor(async () => metric(await scrape(site.adminSocket), 'confab_looks_total') > 0);
    const live = await scrape(site.adminSocket);
    assert.equal(metric(live, 'confab_connections', { state: 'live', transport: 'sse' }), 3);
    assert.equal(metric(live, 'confab_users'), 2);
    assert.equal(metric(live, 'confab_sessions'), 2);
    assert.equal(metric(live, 'confab_rooms'), 1);
    assert.equal(metric(live, 'confab_database_up'), 1);
    assert.equal(metric(live, 'confab_ready'), 1);
    assert.equal(metric(live, 'confab_streams_total'), 3);
    assert.ok(metric(live, 'confab_deliveries_total') >= 3);
    assert.ok(metric(live, 'confab_ring_messages') >= 1);
    assert.ok(metric(live, 'confab_ring_bytes') > 0);
    assert.equal(metric(live, 'confab_look_seconds', { le: '+Inf' }), metric(live, 'confab_looks_total'));
    assert.ok(metric(live, 'process_resident_memory_bytes') > 1_000_000);
    assert.ok(metric(live, 'process_cpu_seconds_total') > 0);
    assert.ok(Math.abs(metric(live, 'process_start_time_seconds') - Date.now() / 1000) < 60);
    assert.match(live.get('confab_build_info')?.samples[0].labels.version ?? '', /^\d+\.\d+\.\d+$/);
    streams[0].close();
    await bob.logOut();
    await streams[2].ended();
    await site.waitFor(async () => metric(await scrape(site.adminSocket), 'confab_closed_total', { reason: 'peer' }) >= 1);
    await site.waitFor(async () => metric(await scrape(site.adminSocket), 'confab_closed_total', { reason: 'auth' }) === 1);
    assert.equal(metric(await scrape(site.adminSocket), 'confab_connections', { state: 'live', transport: 'sse' }), 1);
  } finally {
    await site.stop();
    release();
  }
});

test('health while the loop turns; readiness while events flow', { timeout: 60_000 }, async () => {
  const { site, release } = await siteOn('unix', { CONFAB_LOOK_INTERVAL_MS: 100 });
  /** @param {string} path @param {string} [method] */
  const ask = (path, method = 'GET') => request(new URL(path, DAEMON_URL), { socketPath: site.adminSocket, method });
  try {
    await site.waitFor(async () => (await ask('/ready')).status === 200);
    assert.deepEqual((await ask('/ready')).json, { status: 'ready' });
    assert.equal((await ask('/ready', 'HEAD')).text, '');
    assert.equal((await ask('/')).status, 404);
    assert.equal((await ask('/metrics', 'POST')).status, 405);
    await site.kill('postgres');
    await site.waitFor(async () => (await ask('/ready')).status === 503, { timeoutMs: 20_000 });
    assert.deepEqual((await ask('/ready')).json, { status: 'late' });
    assert.deepEqual((await ask('/health')).json, { status: 'ok' });
    assert.equal(metric(await scrape(site.adminSocket), 'confab_database_up'), 0);
    await site.begin('postgres');
    await site.waitFor(async () => (await ask('/ready')).status === 200, { timeoutMs: 20_000 });

    // While it stops it says so: this stream's reader does not let it go.
    const alice = await Guest.register(site, 'alice');
    const [stuck] = await queue({ path: site.pushSocket }, [`GET /stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${alice.token}\r\n\r\n`]);
    stuck.socket.allowHalfOpen = true;
    await waitFor(() => stuck.text.includes('event: connected'));
    const stopped = site.kill('pushd');
    await waitFor(() => stuck.text.includes('event: bye'));
    assert.deepEqual((await ask('/ready')).json, { status: 'stopping' });
    assert.equal((await ask('/health')).status, 200);
    stuck.socket.destroy();
    await stopped;
    await assert.rejects(stat(site.adminSocket));
  } finally {
    await site.stop();
    release();
  }
});

test('the private address is bounded, and never in the way', { timeout: 60_000 }, async () => {
  const admin = join(dir, 'bounded.admin');
  const env = { CONFAB_PUSH_LISTEN: `unix:${dir}/bounded.sock`, CONFAB_ADMIN_LISTEN: `unix:${admin}`, CONFAB_RUNTIME_DIR: dir };
  // Somebody else is there first: it is tried again.
  await writeFile(admin, '');
  const daemon = begin(env);
  await daemon.logged(/admin address=unix:\S+ error="exists and is no socket" retry_ms=\d+/);
  await rm(admin);
  await daemon.logged(/admin listening/);

  const idle = await queue({ path: admin }, Array.from({ length: 20 }, () => 'GET /health HTTP/1.1\r\n'));
  const asked = request(new URL('/health', DAEMON_URL), { socketPath: admin });
  await waitFor(() => idle.every((client) => client.closed), { what: 'the end of those who ask nothing', timeoutMs: 30_000 });
  assert.equal((await asked).status, 200);
  for (const [text, status] of [
    [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(5000)}\r\n\r\n`, 400],
    ['GET /health HTTP/1.1\n\n', 400],
    ['GET /health HTTP/1.1\r\nHost: a\r\n\r\nand more', 200],
  ]) {
    const [client] = await queue({ path: admin }, [String(text)]);
    await waitFor(() => client.closed);
    assert.match(client.text, new RegExp(`^HTTP/1\\.1 ${status} `));
  }
  daemon.child.kill('SIGTERM');
  assert.equal(await daemon.ended, 0);
});
