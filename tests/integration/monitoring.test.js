// @ts-check

/** What the daemon tells of itself on its private address. docs/confab-pushd.8, MONITORING. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { begin, killDaemons } from '../lib/daemon.js';
import { DAEMON_URL, Guest } from '../lib/guest.js';
import { request } from '../lib/http.js';
import { metric, scrape } from '../lib/metrics.js';
import { Site } from '../lib/site.js';
import { ask } from '../lib/storm.js';
import { waitFor } from '../lib/wait.js';

const CONNECTIONS_MAX = 8;

/** @type {Site} */
let site;
/** @type {Guest} */
let alice;
/** @type {string} */
let dir;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'confab-monitoring-'));
  site = await Site.start({ front: null, env: { CONFAB_LOOK_INTERVAL_MS: 100 } });
  alice = await Guest.register(site, 'alice');
});
after(async () => {
  killDaemons();
  await site?.stop();
  await rm(dir, { recursive: true, force: true });
});

test('metrics: what is counted is what happened', { timeout: 60_000 }, async () => {
  const bob = await Guest.register(site, 'bob');
  const room = await alice.createRoom('counted', [bob.id]);
  const socket = bob.websocket();
  const streams = [alice.stream(), alice.stream(), bob.stream()];
  await Promise.all([socket, ...streams].map((stream) => stream.opened()));
  await alice.send(room, 'one');
  await Promise.all(streams.map((stream) => stream.event('message.new')));
  await site.waitFor(async () => metric(await scrape(site.adminSocket), 'confab_looks_total') > 0);
  const live = await scrape(site.adminSocket);
  assert.equal(metric(live, 'confab_connections', { state: 'live', transport: 'sse' }), 3);
  assert.equal(metric(live, 'confab_connections', { state: 'live', transport: 'websocket' }), 1);
  assert.equal(metric(live, 'confab_users'), 2);
  assert.equal(metric(live, 'confab_sessions'), 2);
  assert.equal(metric(live, 'confab_rooms'), 1);
  assert.equal(metric(live, 'confab_database_up'), 1);
  assert.equal(metric(live, 'confab_ready'), 1);
  assert.equal(metric(live, 'confab_streams_total'), 4);
  assert.ok(metric(live, 'confab_deliveries_total') >= 4);
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
  await site.waitFor(async () => metric(await scrape(site.adminSocket), 'confab_closed_total', { reason: 'auth' }) === 2);
  assert.equal(metric(await scrape(site.adminSocket), 'confab_connections', { state: 'live', transport: 'sse' }), 1);
});

test('health while the loop turns; readiness while events flow', { timeout: 60_000 }, async () => {
  /** @param {string} path @param {string} [method] */
  const get = (path, method = 'GET') => request(new URL(path, DAEMON_URL), { socketPath: site.adminSocket, method });
  await site.waitFor(async () => (await get('/ready')).status === 200);
  assert.deepEqual((await get('/ready')).json, { status: 'ready' });
  assert.equal((await get('/ready', 'HEAD')).text, '');
  assert.equal((await get('/')).status, 404);
  assert.equal((await get('/metrics', 'POST')).status, 405);
  await site.kill('postgres');
  await site.waitFor(async () => (await get('/ready')).status === 503, { timeoutMs: 20_000 });
  assert.deepEqual((await get('/ready')).json, { status: 'late' });
  assert.deepEqual((await get('/health')).json, { status: 'ok' });
  assert.equal(metric(await scrape(site.adminSocket), 'confab_database_up'), 0);
  await site.begin('postgres');
  await site.waitFor(async () => (await get('/ready')).status === 200, { timeoutMs: 20_000 });

  // While it stops it says so: this stream's reader does not let it go.
  const [stuck] = await ask({ path: site.pushSocket }, [`GET /stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${alice.token}\r\n\r\n`]);
  stuck.socket.allowHalfOpen = true;
  await waitFor(() => stuck.text.includes('event: connected'));
  const stopped = site.kill('pushd');
  await waitFor(() => stuck.text.includes('event: bye'));
  assert.deepEqual((await get('/ready')).json, { status: 'stopping' });
  assert.equal((await get('/health')).status, 200);
  stuck.socket.destroy();
  await stopped;
  await assert.rejects(stat(site.adminSocket));
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

  const descriptors = async () => (await readdir(`/proc/${daemon.child.pid}/fd`)).length;
  await daemon.logged(/database down/);
  const ownFds = await descriptors();
  const idle = await ask({ path: admin }, Array.from({ length: 2 * CONNECTIONS_MAX - 1 }, () => 'GET /health HTTP/1.1\r\n'));
  const asked = request(new URL('/health', DAEMON_URL), { socketPath: admin });
  await waitFor(async () => (await descriptors()) >= ownFds + CONNECTIONS_MAX, { what: 'as many as may' });
  // Its loop has turned often enough for more when it has answered this.
  await request(new URL('/health', DAEMON_URL), { socketPath: `${dir}/bounded.sock` });
  assert.ok((await descriptors()) <= ownFds + CONNECTIONS_MAX + 1, 'who comes waits');
  await waitFor(() => idle.every((client) => client.closed), { what: 'the end of those who ask nothing', timeoutMs: 30_000 });
  assert.equal((await asked).status, 200);
  for (const [text, status] of [
    [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(5000)}\r\n\r\n`, 400],
    ['GET /health HTTP/1.1\n\n', 400],
    ['GET /health HTTP/1.1\r\nHost: a\r\n\r\nand more', 200],
  ]) {
    const [client] = await ask({ path: admin }, [String(text)]);
    await waitFor(() => client.closed);
    assert.match(client.text, new RegExp(`^HTTP/1\\.1 ${status} `));
  }
  daemon.child.kill('SIGTERM');
  assert.equal(await daemon.ended, 0);
});

test('without descriptors nobody is accepted, and nobody is lost', { timeout: 60_000 }, async () => {
  const paths = { push: join(dir, 'few.sock'), admin: join(dir, 'few.admin') };
  const daemon = begin({ CONFAB_PUSH_LISTEN: `unix:${paths.push}`, CONFAB_ADMIN_LISTEN: `unix:${paths.admin}`, CONFAB_RUNTIME_DIR: dir });
  await daemon.logged(/admin listening/);
  /** @param {string} path */
  const get = (path) => request(new URL(path, DAEMON_URL), { socketPath: paths.admin });
  const limit = (/** @type {string} */ most) => execFileSync('prlimit', ['--pid', String(daemon.child.pid), `--nofile=${most}`]);
  assert.equal((await get('/health')).status, 200);
  limit('8:20000'); // fewer than it has open
  const asked = [get('/health'), request(new URL('/health', DAEMON_URL), { socketPath: paths.push })];
  await daemon.logged(/accept paused reason="Too many open files"/);
  const ticks = await cpuTicks(daemon.child.pid);
  await daemon.logged(/(accept paused[^]*){3}/);
  assert.ok((await cpuTicks(daemon.child.pid)) - ticks < 50, 'it waits, and does not spin');
  limit('20000:20000');
  for (const answer of asked) assert.ok([200, 503].includes((await answer).status));
  daemon.child.kill('SIGTERM');
  assert.equal(await daemon.ended, 0);
});

/** Processor time of a process so far, in ticks. @param {number | undefined} pid */
async function cpuTicks(pid) {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1].split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
