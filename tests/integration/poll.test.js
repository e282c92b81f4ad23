// @ts-check

/** GET /events of the worker beside the daemon's streams. Numbers in the names are paragraphs of docs/protocol.md. */

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { Worker } from '../lib/fcgi.js';
import { Guest } from '../lib/guest.js';
import { Site } from '../lib/site.js';

/** @type {Site} */
let site;
/** @type {Worker} */
let worker;
/** @type {Guest} */
let alice;
/** @type {Guest} */
let bob;
/** @type {number} */
let room;
/** @type {number} */
let other;

before(async () => {
  site = await Site.start({ front: null, env: { CONFAB_STREAM_HEARTBEAT_MS: 400 } });
  worker = await Worker.start(site, { env: { CONFAB_POLL_INTERVAL_MS: 1234 } });
  alice = await Guest.register(site, 'alice');
  bob = await Guest.register(site, 'bob');
  room = await alice.dialogWith(bob);
  other = await alice.createRoom('other', [bob.id]);
});
after(async () => {
  assert.deepEqual(await worker?.stop(), [0]);
  await site?.stop();
});

/** @param {Guest} guest @param {{after?: string, rooms?: number[]}} [query] */
async function poll(guest, { after: from, rooms } = {}) {
  const query = new URLSearchParams({ ...(from && { after: from }), ...(rooms && { rooms: rooms.join(',') }) });
  const { status, json } = await worker.request({ uri: `/api/v1/events?${query}`, headers: guest.headers() });
  assert.equal(status, 200);
  assert.ok(json.cursor);
  assert.equal(json.interval_ms, 1234);
  return json;
}

/** @param {{events: {type: string, data: any}[]}} answer */
const said = ({ events }) => events.map(({ type, data }) => data.message?.body ?? data.reason ?? type);

test('12.1 from a stream to polls and back, while the daemon is away', async () => {
  const stream = bob.stream();
  await stream.opened();
  await alice.send(room, 'streamed');
  await stream.event('message.new');
  await stream.event('mark');
  stream.close();
  await site.kill('pushd', 'SIGKILL');
  await alice.send(room, 'one');
  const first = await poll(bob, { after: stream.lastId });
  assert.deepEqual(said(first), ['one']);
  await alice.send(room, 'two');
  const second = await poll(bob, { after: first.cursor });
  assert.deepEqual(said(second), ['two']);
  assert.deepEqual(said(await poll(bob, { after: second.cursor })), []);
  await alice.send(room, 'three');
  await site.begin('pushd');
  const again = bob.stream({ lastEventId: second.cursor });
  await again.event('message.new');
  await again.event('mark');
  assert.deepEqual(again.messages().map(({ body }) => body), ['three']);
  again.close();
});

test('1.9 12.1 a narrowed cursor is the same to the worker and to the daemon', async () => {
  for (const rooms of [[other], [room, other], [other, room, other]]) {
    const path = `/stream?rooms=${rooms}`;
    const start = await poll(bob, { rooms });
    const stream = bob.stream({ path, lastEventId: start.cursor });
    await stream.opened();
    await alice.send(room, 'elsewhere');
    await alice.send(other, 'here');
    await stream.event('message.new', ({ message }) => message.body === 'here');
    await stream.event('mark', () => true, { from: stream.events.length - 1 });
    stream.close();
    const wanted = stream.messages().map(({ body }) => body);
    assert.deepEqual(said(await poll(bob, { rooms, after: start.cursor })), wanted);
    assert.deepEqual(wanted, rooms.includes(room) ? ['elsewhere', 'here'] : ['here']);
    assert.deepEqual(said(await poll(bob, { rooms, after: stream.lastId })), []);
    assert.deepEqual(said(await poll(bob, { rooms: [room], after: stream.lastId })), ['filter']);
    assert.deepEqual(said(await poll(bob, { after: stream.lastId })), ['filter']);
    assert.deepEqual(said(await poll(bob, { rooms: [room], after: 'nonsense' })), ['expired']);
  }
});

test('3.6 a receipt reaches the room, and one\'s own other devices, whatever they are narrowed to', async () => {
  const phone = await bob.device();
  const narrow = await poll(phone, { rooms: [room] });
  const stranger = await poll(alice, { rooms: [room] });
  const streams = [alice.stream(), phone.stream({ path: `/stream?rooms=${room}` })];
  await Promise.all(streams.map((stream) => stream.opened()));
  const { seq } = await alice.send(other, 'to be read');
  await bob.call('api_delivered', other, seq);
  await bob.call('api_receipts', JSON.stringify([{ room: other, kind: 'read', seq }]));
  for (const stream of streams) {
    await stream.event('receipt.read');
    const receipts = stream.events.filter(({ type }) => type.startsWith('receipt.'));
    assert.deepEqual(receipts.map(({ type, data }) => [type, data.room, data.user, data.seq]), [
      ['receipt.delivered', other, bob.id, seq],
      ['receipt.read', other, bob.id, seq],
    ]);
    stream.close();
  }
  assert.deepEqual(said(await poll(phone, { rooms: [room], after: narrow.cursor })), ['receipt.delivered', 'receipt.read']);
  assert.deepEqual(said(await poll(alice, { rooms: [room], after: stranger.cursor })), [], 'others\' only in their rooms');
});

test('6.3 all sessions of a person are ended by one DELETE, and all their streams', async () => {
  const devices = await Promise.all([alice.device(), alice.device(), alice.device()]);
  const gone = devices.map((device) => device.stream());
  const stays = bob.stream();
  await Promise.all([...gone, stays].map((stream) => stream.opened()));
  await site.sql('delete from chat.session where user_id = $1', [alice.id]);
  for (const stream of gone) {
    await stream.ended();
    assert.deepEqual(stream.events.filter(({ type }) => type === 'reset').map(({ data }) => data.reason), ['auth']);
  }
  assert.ok(!stays.closed);
  stays.close();
});
