// @ts-check

/** SIGHUP: every option that confab.conf(5) marks as re-read takes effect in the running daemon. */

import assert from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import test, { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DAEMON_URL, Guest } from '../lib/guest.js';
import { request } from '../lib/http.js';
import { metric, parseMetrics } from '../lib/metrics.js';
import { reservePort } from '../lib/ports.js';
import { Site } from '../lib/site.js';

/** Sooner than any default would have it; when it must not happen, a part of that will do. */
const IN_TIME_MS = 4_500;
const NOT_YET_MS = 1_500;
const SETTINGS = fileURLToPath(new URL('../../common/settings.c', import.meta.url));

/** @type {Site} */
let site;
/** @type {Guest} */
let alice;
/** @type {string} */
let conf;
let reloads = 0;
let guests = 0;
let patienceMs = NOT_YET_MS;
/** @type {() => void} */
let freePort;

before(async () => {
  // TCP, since who comes by a unix socket is always a proxy.
  const { port, release } = await reservePort();
  site = await Site.start({ front: null, env: { CONFAB_PUSH_LISTEN: `127.0.0.1:${port}` } });
  freePort = release;
  alice = await Guest.register(site, 'alice');
  conf = await readFile(site.conf, 'utf8');
});
after(async () => {
  await site?.stop();
  freePort?.();
});

/** @param {Record<string, string>} changes */
async function reload(changes) {
  const kept = conf.split('\n').filter((line) => !(line.split(' ')[0] in changes));
  await writeFile(site.conf, [...kept, ...Object.entries(changes).map(([name, value]) => `${name} = ${value}`), ''].join('\n'));
  await chmod(site.conf, 0o644);
  reloads++;
  site.signal('pushd', 'SIGHUP');
  await site.waitFor(() => site.log('pushd').split('push reload changed=').length > reloads, { what: 'the reload' });
}

/** @param {Record<string, string>} headers */
const status = async (headers) => (await request(`http://${site.pushListen}/stream`, { headers })).status;

/** Whether one of two streams from these addresses (as a proxy tells) is ended at once. @param {string[]} addresses */
async function oneEnds(...addresses) {
  const streams = addresses.map((address) => alice.stream({ headers: { 'X-Forwarded-For': address } }));
  await Promise.all(streams.map((stream) => site.waitFor(() => stream.events.length > 0)));
  const ended = await site.waitFor(() => streams.some((stream) => stream.closed), { timeoutMs: 500 }).catch(() => false);
  for (const stream of streams) stream.close();
  return ended;
}

/** A stream that goes on from before three messages of 1,500 bytes. */
async function resumed() {
  const first = alice.stream();
  const { id } = await first.opened();
  first.close();
  const room = await alice.createRoom('missed');
  for (let n = 0; n < 3; n++) await alice.send(room, 'x'.repeat(1500));
  const again = alice.stream({ lastEventId: id });
  await again.event('mark');
  again.close();
  return again.events.filter(({ type }) => type === 'reset').map(({ data }) => data.reason);
}

async function looks() {
  const { text } = await request(new URL('/metrics', DAEMON_URL), { socketPath: site.adminSocket });
  return metric(parseMetrics(text), 'confab_looks_total');
}

/**
 * Whether the new values are in force. Each is asked before the change too, when it must not hold; so `in time` means
 * sooner than the defaults would let it happen.
 *
 * @type {Array<{set: Record<string, string>, holds: () => Promise<unknown>}>}
 */
const TABLE = [
  {
    set: { origins: 'https://new.example' },
    holds: async () => (await status({ Origin: 'https://new.example' })) === 200,
  },
  {
    set: { stream_head_bytes: '1024' },
    holds: async () => (await status({ X: 'x'.repeat(2000) })) === 431,
  },
  {
    set: { stream_retry_min_ms: '77', stream_retry_max_ms: '77' },
    holds: async () => {
      const stream = alice.stream();
      await stream.opened();
      stream.close();
      return stream.retryMs === 77;
    },
  },
  {
    set: { streams_per_session: '1' },
    holds: () => oneEnds('10.0.0.1', '10.0.0.2'),
  },
  { set: { streams_per_address: '1' }, holds: () => oneEnds('10.0.0.1', '10.0.0.1') },
  { set: { streams_per_address: '1', push_proxies: '10.9.9.9' }, holds: () => oneEnds('10.0.0.1', '10.0.0.2') },
  { set: { stream_queue_bytes: '4096' }, holds: async () => (await resumed()).includes('limit') },
  { set: { replay_events: '2' }, holds: async () => (await resumed()).includes('limit') },
  {
    set: { reset_within_s: '3599' },
    holds: async () => {
      const stream = alice.stream({ lastEventId: 'none' });
      const { data } = await stream.event('reset');
      stream.close();
      return data.within === 3599;
    },
  },
  {
    set: { log_level: 'debug' },
    holds: async () => {
      const from = site.log('pushd').length;
      const stream = alice.stream();
      await stream.opened();
      stream.close();
      return inTime(() => /^push debug state conn=\d+ from=head /m.test(site.log('pushd').slice(from)));
    },
  },
  {
    set: { stream_heartbeat_ms: '100' },
    holds: async () => {
      const stream = alice.stream();
      await stream.opened();
      const from = stream.events.length;
      const beat = await inTime(() => stream.events.slice(from).filter(({ type }) => type === 'mark').length > 1);
      stream.close();
      return beat;
    },
  },
  {
    set: { stream_age_min_s: '1', stream_age_max_s: '1' },
    holds: async () => {
      const stream = alice.stream();
      await stream.opened();
      const ended = await inTime(() => stream.closed);
      stream.close();
      return ended;
    },
  },
  {
    set: { handshake_ms: '100' },
    holds: async () => {
      let closed = false;
      const [host, port] = site.pushListen.split(':');
      const silent = connect({ host, port: Number(port) }).on('close', () => (closed = true));
      silent.resume();
      const ended = await inTime(() => closed);
      silent.destroy();
      return ended;
    },
  },
  {
    set: { stream_silent_ms: '1000', stream_heartbeat_ms: '100' },
    holds: async () => {
      const [host, port] = site.pushListen.split(':');
      let closed = false;
      const silent = connect({ host, port: Number(port) }).on('close', () => (closed = true));
      silent.resume(); // it reads, but never answers a ping
      silent.write('GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\nSec-WebSocket-Protocol: confab.v1\r\n` +
        `Authorization: ${alice.headers().Authorization}\r\n\r\n`);
      const ended = await inTime(() => closed);
      silent.destroy();
      return ended;
    },
  },
  {
    set: { poll_wait_ms: '100' },
    holds: async () => {
      const stream = alice.stream();
      const { id } = await stream.opened();
      stream.close();
      const url = `http://${site.pushListen}/poll?after=${id}`;
      return request(url, { headers: alice.headers(), timeoutMs: patienceMs }).catch(() => false);
    },
  },
  {
    set: { look_interval_ms: '10' },
    holds: async () => {
      const from = await looks();
      return inTime(async () => (await looks()) > from + 50);
    },
  },
  {
    set: { probe_ms: '100' },
    holds: async () => {
      const client = await site.connect();
      let heard = 0;
      client.on('notification', () => heard++);
      await client.query('listen chat_probe');
      const often = await inTime(() => heard > 2);
      await client.query('unlisten *');
      return often;
    },
  },
  {
    set: { presence_grace_s: '1' },
    holds: async () => {
      const guest = await Guest.register(site, `guest${(guests += 1)}`);
      const lease = (/** @type {string} */ seconds) =>
        inTime(async () => (await site.sql(`select from chat.lease where user_id = $1 and until - seen_at <= make_interval(secs => $2)`, [guest.id, seconds])).length > 0);
      const stream = guest.stream();
      await stream.opened();
      await lease('3600');
      stream.close();
      return lease('1');
    },
  },
  {
    set: { session_check_s: '1' },
    holds: async () => {
      const device = await alice.device();
      const stream = device.stream();
      const { data } = await stream.opened();
      await site.sql(`update chat.session set expires_at = now() + interval '100 ms' where id = $1`, [data.session]);
      const ended = await inTime(() => stream.closed);
      stream.close();
      return ended;
    },
  },
];

/** It acts a minute or two later: a unit test has it. */
const ELSEWHERE = ['event_keep_hours'];

/** @param {() => boolean | Promise<boolean>} condition */
const inTime = (condition) => site.waitFor(condition, { timeoutMs: patienceMs }).catch(() => false);

test('each option that is re-read has its row', async () => {
  const source = await readFile(SETTINGS, 'utf8');
  const rows = source.split(/^ {4}(?:TEXT|NUMBER)\(/m).slice(1);
  const reloadable = rows.filter((row) => /, true,\s+"/.test(row)).map((row) => row.split(',')[0]);
  assert.ok(rows.length > 30);
  const tried = new Set([...TABLE.flatMap(({ set }) => Object.keys(set)), ...ELSEWHERE]);
  assert.deepEqual([...tried].sort(), reloadable.sort());
});

for (const { set, holds } of TABLE) {
  test(`re-read: ${Object.keys(set).join(', ')}`, { timeout: 60_000 }, async () => {
    patienceMs = NOT_YET_MS;
    assert.ok(!(await holds()), 'not before');
    await reload(set);
    patienceMs = IN_TIME_MS;
    assert.ok(await holds(), 'but after');
    await reload({});
  });
}
