// @ts-check

/**
 * P7: who does not read harms nobody but himself, costs no more than the bound, and goes on exactly where he was; and who
 * is not there any more is found. Numbers are paragraphs of docs/protocol.md.
 */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { endChild, startChild } from '../lib/child.js';
import { Follower } from '../lib/follower.js';
import { Guest } from '../lib/guest.js';
import { metric, scrape } from '../lib/metrics.js';
import { reservePort } from '../lib/ports.js';
import { Site } from '../lib/site.js';
import { pause } from '../lib/wait.js';
import { straight } from '../lib/ways.js';

const VANISH = fileURLToPath(new URL('../lib/vanish.py', import.meta.url));

const QUEUE_BYTES = 262_144;
const RING_BYTES = 1_000_000;
const SILENT_MS = 2_000;
const BODY_BYTES = 8_000;
/** What the kernel holds for a connection is less. */
const MORE_THAN_THE_KERNEL_TAKES = 600_000;
const PATHS = /** @type {const} */ (['stream', 'ws']);
const ENV = {
  CONFAB_STREAM_QUEUE_BYTES: QUEUE_BYTES,
  CONFAB_RING_BYTES: RING_BYTES,
  CONFAB_STREAM_HEARTBEAT_MS: 300,
  CONFAB_RESET_WITHIN_S: 0,
};

/** @typedef {import('../lib/sse.js').SseReader | import('../lib/websocket.js').WsReader} Pausable */

/** @param {Site} site @param {number} room @param {Guest} sender @param {number} bytes  in all, some messages a transaction */
async function say(site, room, sender, bytes) {
  for (let said = 0; said < bytes; said += 10 * BODY_BYTES) {
    await site.sql('insert into chat.message (room_id, sender_id, body) select $1, $2, repeat($3, $4) from generate_series(1, 10)', [
      room,
      sender.id,
      'x',
      BODY_BYTES,
    ]);
  }
}

/** @param {Site} site @param {number} room @returns {Promise<number[]>} */
async function written(site, room) {
  return (await site.sql('select seq::int from chat.message where room_id = $1 order by seq', [room])).map(({ seq }) => seq);
}

/** How many connections the daemon has closed for that reason. @param {Site} site @param {'slow' | 'peer'} reason */
const closes = (site, reason) => site.log('pushd').split(` reason=${reason} `).length - 1;

describe('readers that stop', () => {
  /** @type {Site} */
  let site;
  /** @type {Guest} */
  let alice;
  /** @type {Guest} */
  let bob;
  before(async () => {
    site = await Site.start({ front: null, env: ENV });
    alice = await Guest.register(site, 'alice');
    bob = await Guest.register(site, 'bob');
  });
  after(() => site?.stop());

  /** @param {typeof PATHS[number]} path @param {Guest} [guest] */
  const open = (path, guest = bob) => /** @type {Pausable} */ (straight(site, guest, path).open());

  /** The daemon's memory, in bytes. @param {'VmRSS' | 'VmHWM'} what */
  async function memory(what) {
    const status = await readFile(`/proc/${site.pid('pushd')}/status`, 'utf8');
    return 1024 * Number(new RegExp(`${what}:\\s+(\\d+) kB`).exec(status)?.[1]);
  }

  it('8.2 P7 forty that read nothing cost no more than their bound, and hold nobody up', { timeout: 120_000 }, async (t) => {
    const TOTAL_BYTES = 30_000_000;
    const room = await alice.createRoom('loud', [bob.id]);
    const reading = new Follower(bob, [straight(site, bob, 'stream')], { name: 'one who reads' });
    t.after(() => reading.stop());
    await reading.opened();
    const devices = await Promise.all([bob.device(), bob.device()]);
    const stopped = devices.flatMap((device) => PATHS.flatMap((path) => Array.from({ length: 10 }, () => open(path, device))));
    t.after(() => stopped.forEach((reader) => reader.close()));
    await Promise.all(stopped.map((reader) => reader.opened()));
    stopped.forEach((reader) => reader.pause(true));
    const rest = await memory('VmRSS');
    await say(site, room, alice, TOTAL_BYTES);
    await site.waitFor(() => closes(site, 'slow') >= stopped.length, { what: 'all of them are closed', timeoutMs: 30_000 });
    const all = await written(site, room);
    await site.waitFor(() => reading.shown(room).length >= all.length, { what: 'all on the screen', timeoutMs: 60_000 });
    assert.deepEqual(reading.shown(room), all);
    const grown = (await memory('VmHWM')) - rest;
    t.diagnostic(`${stopped.length} stopped readers, ${TOTAL_BYTES} bytes told to each: ${grown} bytes at most`);
    // Address sanitizer keeps what was freed.
    if (!process.env.BUILD?.includes('san')) assert.ok(grown < stopped.length * QUEUE_BYTES + 2 * RING_BYTES, `${grown} bytes`);
  });

  for (const path of PATHS) {
    it(`8.2 /${path}: one that stopped above its bound is closed, and goes on exactly`, { timeout: 60_000 }, async (t) => {
      const room = await alice.createRoom(`stopped on ${path}`, [bob.id]);
      const follower = new Follower(bob, [straight(site, bob, path)]);
      t.after(() => follower.stop());
      await follower.opened();
      await alice.send(room, 'before');
      await site.waitFor(() => follower.shown(room).length === 1);
      const slow = closes(site, 'slow');
      /** @type {any} */ (follower.readers[0]).pause(true);
      await say(site, room, alice, MORE_THAN_THE_KERNEL_TAKES + QUEUE_BYTES);
      await site.waitFor(() => closes(site, 'slow') > slow, { what: 'the daemon to close it' });
      /** @type {any} */ (follower.readers[0]).pause(false);
      await alice.send(room, 'after');
      const all = await written(site, room);
      await site.waitFor(() => follower.shown(room).at(-1) === all.at(-1), { what: 'all on the screen' });
      assert.deepEqual(follower.shown(room), all);
      assert.ok(follower.readers.length > 1);
    });

    it(`8.2 /${path}: one that stops below its bound is not closed, and misses nothing`, async (t) => {
      const room = await alice.createRoom(`a pause on ${path}`, [bob.id]);
      const reader = open(path);
      t.after(() => reader.close());
      await reader.opened();
      reader.pause(true);
      for (let n = 0; n < 5; n++) await alice.send(room, `${n}`);
      // Another stream of the same person has them all: so has what waits for this one.
      const other = open(path, bob);
      t.after(() => other.close());
      await other.opened();
      reader.pause(false);
      await reader.event('message.new', ({ message }) => message.body === '4');
      assert.deepEqual(reader.messages().map(({ body }) => body), ['0', '1', '2', '3', '4']);
      assert.ok(!reader.closed);
    });
  }
});

it('7.2 what is pending is written before bye, and its mark', { timeout: 60_000 }, async (t) => {
  const site = await Site.start({ front: null, env: ENV });
  t.after(() => site.stop());
  const [alice, bob] = [await Guest.register(site, 'alice'), await Guest.register(site, 'bob')];
  const room = await alice.createRoom('to the last', [bob.id]);
  for (const path of PATHS) {
    const reader = /** @type {Pausable} */ (straight(site, bob, path).open());
    const other = straight(site, bob, path).open();
    t.after(() => [reader, other].forEach((each) => each.close()));
    await Promise.all([reader.opened(), other.opened()]);
    reader.pause(true);
    const morePending = async () => {
      await say(site, room, alice, 10 * BODY_BYTES);
      return metric(await scrape(site.adminSocket), 'confab_queued_bytes') > 0;
    };
    await site.waitFor(morePending, { what: 'the kernel to take no more' });
    const last = (await written(site, room)).at(-1);
    await other.event('message.new', ({ message }) => message.seq === last);
    await other.event('mark', () => true, { from: other.events.findLastIndex(({ type }) => type === 'message.new') });
    const ended = site.kill('pushd');
    await site.waitFor(() => !existsSync(site.pushSocket), { what: 'the daemon to stop' });
    reader.pause(false);
    await reader.ended();
    await ended;
    assert.deepEqual(reader.events.slice(-2).map(({ type }) => type), ['mark', 'bye'], path);
    assert.deepEqual(reader.messages(), other.messages(), path);
    assert.equal(reader.messages().at(-1).seq, last, path);
    await site.begin('pushd');
  }
});

describe('clients that are not there any more', () => {
  /** @type {Site} */
  let site;
  /** @type {Guest} */
  let alice;
  /** @type {Guest} */
  let bob;
  before(async () => {
    site = await Site.start({ front: null, env: { ...ENV, CONFAB_STREAM_SILENT_MS: SILENT_MS } });
    alice = await Guest.register(site, 'alice');
    bob = await Guest.register(site, 'bob');
  });
  after(() => site?.stop());

  /** @param {typeof PATHS[number]} path */
  const open = (path) => /** @type {Pausable} */ (straight(site, bob, path).open());

  it('10.6 a WebSocket whose client answers no ping is closed; one that answers stays', async (t) => {
    const [frozen, alive] = [open('ws'), open('ws')];
    t.after(() => [frozen, alive].forEach((reader) => reader.close()));
    await Promise.all([frozen.opened(), alive.opened()]);
    const earlier = closes(site, 'peer');
    frozen.pause(true);
    await site.waitFor(() => closes(site, 'peer') > earlier, { what: 'the daemon to close it', timeoutMs: 30_000 });
    assert.ok(!alive.closed);
  });

  it('10.6 a daemon that stood still for longer than that takes nobody for gone', async (t) => {
    const readers = Array.from({ length: 10 }, () => open('ws'));
    t.after(() => readers.forEach((reader) => reader.close()));
    await Promise.all(readers.map((reader) => reader.opened()));
    site.signal('pushd', 'SIGSTOP');
    await pause(1.5 * SILENT_MS);
    site.signal('pushd', 'SIGCONT');
    const from = readers.map(({ events }) => events.length);
    for (const [n, reader] of readers.entries()) await reader.event('mark', () => true, { from: from[n] });
    assert.ok(readers.every(({ closed }) => !closed));
  });

  it('8.2 one that takes nothing of what waits is closed, however little that is', { timeout: 90_000 }, async (t) => {
    const room = await alice.createRoom('stuck', [bob.id]);
    const reader = open('stream');
    t.after(() => reader.close());
    await reader.opened();
    reader.pause(true);
    // Not fast: when the kernel takes no more, some of it waits, but never as much as the bound.
    const sendsUntilClosed = async () => {
      await alice.send(room, 'x'.repeat(BODY_BYTES));
      return closes(site, 'slow') > 0;
    };
    await site.waitFor(sendsUntilClosed, { what: 'the daemon to close it', timeoutMs: 60_000 });
    const [, pending] = / reason=slow .*pending=(\d+)/.exec(site.log('pushd')) ?? [];
    assert.ok(Number(pending) > 0 && Number(pending) < QUEUE_BYTES / 2, `${pending} bytes were pending`);
  });
});

it('8.2 a peer that vanishes without a word is found', { timeout: 90_000 }, async (t) => {
  const { port, release } = await reservePort();
  t.after(release);
  const site = await Site.start({ front: null, env: { ...ENV, CONFAB_PUSH_LISTEN: `127.0.0.1:${port}`, CONFAB_STREAM_SILENT_MS: SILENT_MS } });
  t.after(() => site.stop());
  const bob = await Guest.register(site, 'bob');
  const client = startChild(VANISH, [String(port), `Authorization: Bearer ${bob.token}`], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => endChild(client));
  let told = '';
  client.stdout?.on('data', (text) => (told += text));
  await site.waitFor(() => told === 'gone\n', { what: 'the client to be gone' });
  await site.logged('pushd', / reason=peer state=live /, 60_000);
  assert.equal(client.exitCode, null, 'its end never said a word');
});
