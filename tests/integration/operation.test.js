// @ts-check

/** Running the daemon: taken over, stopped, several at once, held by a supervisor. docs/confab-pushd.8, deployment.md. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PROGRAM, begin, killDaemons } from '../lib/daemon.js';
import { Follower } from '../lib/follower.js';
import { Guest } from '../lib/guest.js';
import { metric, scrape } from '../lib/metrics.js';
import { reservePort } from '../lib/ports.js';
import { Site } from '../lib/site.js';
import { Storm, ask } from '../lib/storm.js';
import { pause, waitFor } from '../lib/wait.js';
import { DAEMON_PATHS, straight } from '../lib/ways.js';

const STORM_MIN = 3000;
const TAKEOVERS = 3;
const FOLLOWERS = 24;
const QUEUED = 1500; // far more than one turn of the loop accepts

const ACTIVATE = fileURLToPath(new URL('../lib/activate.py', import.meta.url));

/** @typedef {'unix' | 'tcp'} Kind  of socket that the daemon listens on */
const KINDS = /** @type {Kind[]} */ (['unix', 'tcp']);

/** @type {string} */
let dir;
/** @type {() => void} */
let freePort;
/** @type {Record<Kind, {site: Site, target: import('node:net').NetConnectOpts}>} */
let places;
let people = 0;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'confab-operation-'));
  const { port, release } = await reservePort();
  freePort = release;
  const env = { CONFAB_STREAMS_PER_SESSION: 2 * QUEUED, CONFAB_STREAMS_PER_ADDRESS: 2 * QUEUED };
  const [unix, tcp] = await Promise.all([
    Site.start({ front: null, env }),
    Site.start({ front: null, env: { ...env, CONFAB_PUSH_LISTEN: `127.0.0.1:${port}` } }),
  ]);
  places = {
    unix: { site: unix, target: { path: unix.pushSocket } },
    tcp: { site: tcp, target: { host: '127.0.0.1', port } },
  };
});
after(async () => {
  killDaemons();
  await Promise.all([places?.unix.site.stop(), places?.tcp.site.stop()]);
  freePort?.();
  await rm(dir, { recursive: true, force: true });
});

/** A site with a daemon that has served nobody yet, and what this one has logged. @param {Kind} kind */
async function fresh(kind) {
  const { site, target } = places[kind];
  await site.kill('pushd').catch(() => {}); // a test may have done so
  const from = site.log('pushd').length;
  await site.begin('pushd');
  return { site, target, log: () => site.log('pushd').slice(from) };
}

/** Somebody new. @param {Site} site */
const somebody = (site) => Guest.register(site, `person${(people += 1)}`);

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

for (const kind of KINDS) {
  test(`takeover under a storm, ${kind}: nobody is refused or reset, and every stream shows all, once`, { timeout: 180_000 }, async () => {
    const { site, target, log } = await fresh(kind);
    const [alice, bob] = [await somebody(site), await somebody(site)];
    const room = await alice.createRoom('moving', [bob.id]);
    const followers = Array.from({ length: FOLLOWERS / 6 }, () => DAEMON_PATHS.flatMap((path) => [alice, bob].map((guest) => new Follower(guest, [straight(site, guest, path)])))).flat();
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
    assert.equal([...log().matchAll(/push takeover done pid=\d+\npush stop reason=takeover /g)].length, TAKEOVERS);
    if (kind === 'unix') {
      await site.kill('pushd');
      await assert.rejects(stat(site.pushSocket), 'the file goes with the last who has it');
    }
  });
}

test('a successor that dies before it serves changes nothing; a second one has to wait', { timeout: 60_000 }, async () => {
  const { site, log } = await fresh('unix');
  const alice = await somebody(site);
  const room = await alice.createRoom('here');
  const follower = new Follower(alice, [straight(site, alice, 'stream')]);
  await follower.opened();
  // Without a database it will never be ready.
  const conf = join(site.socketDir, 'away.conf');
  await writeFile(conf, (await readFile(site.conf, 'utf8')).replace(/^push_database = .*$/m, 'push_database = host=/nonexistent'));
  await chmod(conf, 0o644);
  const first = site.succeed(['-c', conf]);
  await waitFor(() => /takeover begun pid=\d+/.test(log()));
  await waitFor(() => /takeover claimed/.test(first.log));
  const second = site.succeed();
  second.ending = true;
  await second.ended;
  assert.equal(second.status, 1);
  assert.match(second.log, /takeover pid=\d+ error="no answer; it may be handing over to another"/);

  await first.end('SIGKILL');
  await waitFor(() => /takeover abandoned pid=\d+/.test(log()));
  await alice.send(room, 'as if nothing had happened');
  await allShown(site, [follower], room);
  assert.equal(follower.readers.length, 1);

  assert.equal(await site.replaced(site.succeed()), 0);
  await alice.send(room, 'from the new one');
  await allShown(site, [follower], room);
  await follower.stop();
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

test('the control socket is for the daemon\'s own user', async () => {
  const { site } = await fresh('unix');
  const controls = (await readdir(site.socketDir)).filter((name) => name.endsWith('.control'));
  assert.equal(controls.length, 1);
  assert.equal((await stat(join(site.socketDir, controls[0]))).mode & 0o777, 0o600);
});

for (const kind of KINDS) {
  test(`7.1 7.2 SIGTERM, ${kind}: who waits to be accepted is answered and told when to come back`, { timeout: 60_000 }, async () => {
    const { site, target, log } = await fresh(kind);
    const alice = await somebody(site);
    const head = `GET /stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${alice.token}\r\n\r\n`;
    const [slow] = await ask(target, [head.slice(0, 30)]);
    const pid = site.pid('pushd');
    site.signal('pushd', 'SIGSTOP');
    const queued = await ask(target, Array.from({ length: QUEUED }, () => head));
    const stopped = site.kill('pushd'); // it is seen when the daemon goes on
    process.kill(pid, 'SIGCONT');
    slow.socket.write(head.slice(30));
    await stopped;
    for (const client of [slow, ...queued]) {
      await waitFor(() => client.closed);
      assert.equal(client.error, '');
      assert.match(client.text, /^HTTP\/1\.1 200 [^]*event: bye\ndata: \{"retry":\d+\}\n\n$/);
    }
    assert.match(log(), new RegExp(`stop reason=signal [^]* closed_shutdown=${QUEUED + 1}\\b[^]*stopped\\n`));
  });
}

test('push_reuse_port: two share a port; one stops, and who waits for it is answered', { timeout: 60_000 }, async () => {
  const { port, release } = await reservePort();
  const target = { host: '127.0.0.1', port };
  const env = { CONFAB_PUSH_LISTEN: `127.0.0.1:${port}`, CONFAB_PUSH_REUSE_PORT: '1' };
  const daemons = ['a', 'b'].map((name) => begin({ ...env, CONFAB_RUNTIME_DIR: dir, CONFAB_ADMIN_LISTEN: `unix:${dir}/${name}.admin` }));
  for (const daemon of daemons) await daemon.logged(/admin listening/);
  const accepted = async (/** @type {string} */ name) => metric(await scrape(join(dir, `${name}.admin`)), 'confab_accepted_total');
  const storm = new Storm(target);
  await storm.goesOn(1000);
  await storm.stop();
  assert.ok((await accepted('a')) > 100 && (await accepted('b')) > 100);

  daemons[0].child.kill('SIGSTOP');
  const clients = await ask(target, Array.from({ length: QUEUED }, () => 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n'));
  await waitFor(() => clients.filter((client) => client.closed).length > 50, { what: 'the answers of the other one' });
  assert.ok(clients.filter((client) => !client.closed).length > 50);
  daemons[0].child.kill('SIGTERM');
  daemons[0].child.kill('SIGCONT');
  assert.equal(await daemons[0].ended, 0);
  await waitFor(() => clients.every((client) => client.closed));
  for (const { text, error } of clients) assert.match(`${text}${error}`, /^HTTP\/1\.1 503 [^]*"\}$/);
  daemons[1].child.kill('SIGTERM');
  assert.equal(await daemons[1].ended, 0);

  const refused = begin({ CONFAB_PUSH_LISTEN: `unix:${dir}/shared.sock`, CONFAB_PUSH_REUSE_PORT: '1' });
  assert.equal(await refused.ended, 1);
  assert.match(refused.log, /push_reuse_port needs a push_listen of HOST:PORT/);
  release();
});

for (const kind of KINDS) {
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
