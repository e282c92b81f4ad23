// @ts-check

/** The daemon as a program: options, signals, its socket. docs/confab-pushd.8 is what it is held against. */

import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { chmod, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { PROGRAM, begin, killDaemons } from '../lib/daemon.js';
import { Guest } from '../lib/guest.js';
import { Site } from '../lib/site.js';
import { waitFor } from '../lib/wait.js';

/** @type {string} */
let dir;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'confab-pushd-'));
});
after(async () => {
  killDaemons();
  await rm(dir, { recursive: true, force: true });
});

/** Runs it to its end. @param {string[]} args @param {Record<string, string>} [env] @returns {Promise<{code: number, out: string, err: string}>} */
function run(args, env = {}) {
  return new Promise((resolve) => {
    execFile(PROGRAM, args, { env: { PATH: process.env.PATH, ...env }, timeout: 10_000 }, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err });
    });
  });
}

test('options', async () => {
  for (const flag of ['-h', '--help']) {
    const { code, out } = await run([flag]);
    assert.equal(code, 0);
    for (const option of ['-c FILE', '-n', '-T', '-h', '-V']) assert.ok(out.includes(option), option);
  }
  assert.match((await run(['--version'])).out, /^confab-pushd \d+\.\d+\.\d+\n$/);
  assert.equal((await run(['-x'])).code, 2);
  assert.equal((await run(['surplus'])).code, 2);
});

test('-n checks, -T prints what can be read again', async () => {
  const conf = join(dir, 'a.conf');
  await writeFile(conf, 'stream_heartbeat_ms = 1234\norigins = https://a.example https://b.example\n');
  const first = await run(['-c', conf, '-T'], { CONFAB_RING_BYTES: '99999' });
  assert.equal(first.code, 0, first.err);
  assert.match(first.out, /^stream_heartbeat_ms = 1234$/m);
  assert.match(first.out, /^ring_bytes = 99999$/m);
  await writeFile(conf, first.out);
  assert.equal((await run(['-c', conf, '-T'])).out, first.out);
  assert.deepEqual(await run(['-c', conf, '-n']), { code: 0, out: '', err: '' });

  for (const bad of ['no_such_key = 1', 'ring_bytes = many', 'ring_bytes = -1', 'push_listen = here', 'push_proxies = 10.0.0.0/8', 'stream_age_min_s = 9\nstream_age_max_s = 8']) {
    await writeFile(conf, bad);
    const { code, err } = await run(['-c', conf, '-n']);
    assert.equal(code, 1, bad);
    assert.match(err, /configuration /, bad);
  }
  assert.equal((await run(['-c', join(dir, 'missing'), '-n'])).code, 1);
});

test('output that cannot be written is an error', async () => {
  for (const option of ['-T', '--help', '--version']) {
    const { status, stderr } = spawnSync('sh', ['-c', `"$0" ${option} -c /dev/null >/dev/full`, PROGRAM], { encoding: 'utf8' });
    assert.equal(status, 1, option);
    assert.match(stderr, /output error="No space left on device"/);
  }
});

test('a socket file is replaced only when nobody listens on it', async () => {
  const path = join(dir, 'push.sock');
  const env = { CONFAB_PUSH_LISTEN: `unix:${path}` };
  const first = begin(env);
  await first.logged(/listening/);
  assert.equal((await stat(path)).mode & 0o777, 0o660);
  const second = begin(env);
  assert.equal(await second.ended, 1);
  assert.match(second.log, /another process listens there/);

  first.child.kill('SIGKILL');
  await first.ended;
  const third = begin(env);
  await third.logged(/listening/);
  third.child.kill('SIGTERM');
  assert.equal(await third.ended, 0);
  await assert.rejects(stat(path));

  await writeFile(path, 'somebody\'s');
  const fourth = begin(env);
  assert.equal(await fourth.ended, 1);
  assert.equal(await readFile(path, 'utf8'), 'somebody\'s');
  await rm(path);
});

test('a socket file that has become another one\'s is left alone', async () => {
  const path = join(dir, 'moved.sock');
  const env = { CONFAB_PUSH_LISTEN: `unix:${path}` };
  const first = begin(env);
  await first.logged(/listening/);
  await rename(path, `${path}.old`);
  const second = begin(env);
  await second.logged(/listening/);
  first.child.kill('SIGTERM');
  assert.equal(await first.ended, 0);
  assert.ok((await stat(path)).isSocket());
  second.child.kill('SIGTERM');
  assert.equal(await second.ended, 0);
  await assert.rejects(stat(path));
});

test('while it stops it takes nobody in, and a second signal ends it at once', async () => {
  const path = join(dir, 'stop.sock');
  const daemon = begin({ CONFAB_PUSH_LISTEN: `unix:${path}` });
  await daemon.logged(/listening/);
  // Without a database a stream waits; these readers do not close their side when they are told bye.
  const readers = Array.from({ length: 3 }, () => {
    const socket = connect({ path, allowHalfOpen: true }).setEncoding('utf8');
    const reader = { socket, text: '' };
    socket.on('data', (more) => (reader.text += more));
    socket.on('error', () => {});
    socket.write(`GET /stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${'A'.repeat(43)}\r\n\r\n`);
    return reader;
  });
  await waitFor(() => readers.every(({ text }) => text.includes('\nretry: ')), { what: 'open streams' });
  daemon.child.kill('SIGTERM');
  await waitFor(() => readers.every(({ text }) => text.includes('event: bye\n')), { what: 'bye to all' });

  let answer = '';
  const late = connect({ path }).setEncoding('utf8');
  const lateEnds = new Promise((resolve) => late.once('close', resolve));
  late.on('data', (text) => (answer += text));
  late.on('error', () => {});
  await new Promise((resolve) => late.write('GET /health HTTP/1.1\r\nHost: a\r\n\r\n', resolve));
  // Two turns of its loop later it would have answered.
  for (const n of [0, 1]) {
    const goes = daemon.log.split('close conn=').length;
    readers[n].socket.destroy();
    await waitFor(() => daemon.log.split('close conn=').length > goes, { what: `the end of reader ${n}` });
  }
  let ended = false;
  daemon.ended.then(() => (ended = true));
  daemon.child.kill('SIGTERM');
  // Less than the one that is left may take.
  await waitFor(() => ended, { what: 'the end', timeoutMs: 4000 });
  assert.equal(await daemon.ended, 0);
  await lateEnds;
  assert.equal(answer, '');
  readers[2].socket.destroy();
});

test('it listens on TCP too, and a taken port is an error', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = /** @type {import('node:net').AddressInfo} */ (taken.address());
  const refused = begin({ CONFAB_PUSH_LISTEN: `127.0.0.1:${port}` });
  assert.equal(await refused.ended, 1);
  assert.match(refused.log, /bind address=127\.0\.0\.1:\d+ error=/);
  await new Promise((resolve) => taken.close(resolve));

  const daemon = begin({ CONFAB_PUSH_LISTEN: `127.0.0.1:${port}` });
  await daemon.logged(/listening/);
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (more) => (text += more));
  socket.write('GET /health HTTP/1.1\r\nHost: a\r\n\r\n');
  await waitFor(() => text.startsWith('HTTP/1.1 503 '));
  daemon.child.kill('SIGINT');
  assert.equal(await daemon.ended, 0);
});

test('descriptors run out: it waits, says so, and goes on', async () => {
  const path = join(dir, 'few.sock');
  const child = spawn('/bin/sh', ['-c', `ulimit -n 160; exec "$0"`, PROGRAM], {
    env: { PGHOST: '/nonexistent', CONFAB_CONF: '/dev/null', CONFAB_PUSH_LISTEN: `unix:${path}` },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (log += text));
  await waitFor(() => /listening .*connections_max=96/.test(log), { what: 'it listens' });
  const sockets = Array.from({ length: 150 }, () => connect({ path }));
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
  await waitFor(() => /accept paused reason="descriptor reserve"/.test(log), { what: 'a pause' });
  for (const socket of sockets) socket.destroy();
  const late = connect({ path });
  let text = '';
  late.setEncoding('utf8').on('data', (more) => (text += more));
  late.write('GET /health HTTP/1.1\r\nHost: a\r\n\r\n');
  await waitFor(() => text.startsWith('HTTP/1.1 503 '), { what: 'an answer' });
  child.kill('SIGTERM');
  assert.equal(await new Promise((resolve) => child.once('close', resolve)), 0);
});

test('SIGTERM says bye, spread out, and exits 0; SIGHUP takes all or nothing; SIGUSR1 counts', { timeout: 60_000 }, async () => {
  const site = await Site.start({ front: null, env: { CONFAB_STREAM_RETRY_MIN_MS: 100, CONFAB_STREAM_RETRY_MAX_MS: 900 } });
  try {
    const alice = await Guest.register(site, 'alice');
    await hangUp(site, alice);
    site.signal('pushd', 'SIGUSR1');
    await site.logged('pushd', /stats accepted=\d+ streams=[1-9]/);

    const readers = [];
    for (let n = 0; n < 10; n++) readers.push(alice.stream());
    await Promise.all(readers.map((reader) => reader.opened()));
    const room = await alice.createRoom('last words');
    await alice.send(room, 'just before');
    await readers[9].event('message.new');
    await site.kill('pushd');
    const waits = new Set();
    for (const reader of readers) {
      await reader.ended();
      const bye = reader.events.at(-1);
      assert.equal(bye?.type, 'bye');
      assert.equal(reader.retryMs, bye?.data.retry);
      assert.ok(bye?.data.retry >= 100 && bye?.data.retry <= 910);
      assert.equal(reader.events.at(-2)?.type, 'mark', 'all that came before has its mark');
      waits.add(bye?.data.retry);
    }
    assert.ok(waits.size > 4, 'spread out');
    assert.match(site.log('pushd'), /closed_shutdown=10\b[^]*stopped\n/);
  } finally {
    await site.stop();
  }
});

/** @param {Site} site @param {Guest} alice */
async function hangUp(site, alice) {
  const reader = alice.stream();
  await reader.opened();
  const conf = await readFile(site.conf, 'utf8');
  const change = async (/** @type {string} */ text) => {
    await writeFile(site.conf, text);
    await chmod(site.conf, 0o644);
    site.signal('pushd', 'SIGHUP');
  };
  await change(`${conf}\nstream_heartbeat_ms = soon\n`);
  await site.logged('pushd', /reload error=.*kept="all as before"/);
  await change(`${conf.replace(/^(stream_heartbeat_ms|ring_bytes) .*\n/gm, '')}stream_heartbeat_ms = 200\nring_bytes = 70000\n`);
  await site.logged('pushd', /reload key=ring_bytes kept="needs a restart"/);
  await site.logged('pushd', /reload changed=1/);
  const other = alice.stream();
  const { at } = await other.opened();
  const mark = await other.event('mark');
  assert.ok(mark.at - at < 10_000, 'the new heartbeat');
  assert.ok(!reader.closed);
  await change(conf);
  await site.logged('pushd', /reload changed=1[^]*reload changed=1/);
  reader.close();
  other.close();
}
