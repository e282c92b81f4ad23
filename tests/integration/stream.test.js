// @ts-check

/** The stream, from its opening to its end. Numbers in the names are paragraphs of docs/protocol.md. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test, { after, before } from 'node:test';
import { DAEMON_URL, Guest } from '../lib/guest.js';
import { Site } from '../lib/site.js';
import { SseReader } from '../lib/sse.js';

/** @type {Site} */
let site;
/** @type {Guest} */
let alice;
/** @type {Guest} */
let bob;
/** @type {number} */
let room;

before(async () => {
  site = await Site.start({
    front: null,
    env: {
      CONFAB_STREAM_HEARTBEAT_MS: 400,
      CONFAB_SESSION_CHECK_S: 1,
      CONFAB_STREAMS_PER_SESSION: 3,
      CONFAB_RESET_WITHIN_S: 7,
      CONFAB_ORIGINS: 'https://friend.example',
    },
  });
  alice = await Guest.register(site, 'alice');
  bob = await Guest.register(site, 'bob');
  room = await alice.dialogWith(bob);
});
after(() => site?.stop());

/** @param {SseReader} reader */
const types = (reader) => reader.events.map((event) => event.type);

/** @param {SseReader} reader */
const bodies = (reader) => reader.messages().map((message) => message.body);

/** The daemon starts anew, so its ring is empty and it reads replays from the log. */
async function forget() {
  await site.restart('pushd');
}

test('2.1 2.2 3.5 opens with headers, retry, padding and connected', async () => {
  const reader = bob.stream();
  const connected = await reader.opened();
  assert.equal(reader.status, 200);
  assert.equal(reader.headers['content-type'], 'text/event-stream; charset=utf-8');
  assert.equal(reader.headers['cache-control'], 'no-store, no-transform');
  assert.equal(reader.headers['x-accel-buffering'], 'no');
  assert.equal(reader.headers.connection, 'close');
  assert.equal(reader.headers['transfer-encoding'], undefined);
  assert.equal(reader.headers.vary, 'Origin');
  assert.ok(Number(reader.retryMs) >= 2000 && Number(reader.retryMs) <= 6000, `retry ${reader.retryMs}`);
  assert.ok(reader.comments[0].length >= 2048);
  assert.equal(reader.events[0].type, 'connected', 'a comment is no event');
  assert.match(connected.id ?? '', /^[0-9a-f]{8}-\d+:\d+:/);
  assert.equal(typeof connected.data.session, 'number');
  assert.ok(Math.abs(Date.parse(connected.data.time) - Date.now()) < 5000);
  assert.ok(connected.data.expires_in > 29 * 86400);
  reader.close();
});

test('3.1 3.3 4.1 a message reaches both sides at once, then the mark', async () => {
  const readers = [alice.stream(), bob.stream(), bob.stream()];
  await Promise.all(readers.map((reader) => reader.opened()));
  const began = Date.now();
  const sent = await alice.send(room, 'hello\r\n"quoted" \u2028 😀');
  for (const reader of readers) {
    const event = await reader.event('message.new');
    assert.deepEqual(event.data.message, sent);
    assert.ok(event.at - began < 5000);
    const mark = await reader.event('mark');
    assert.deepEqual(mark.data, {});
    assert.notEqual(mark.id, reader.events[0].id);
    assert.equal(reader.messages().length, 1);
    reader.close();
  }
});

test('3.2 the events of the log are those of the table, and so is their data', async () => {
  const protocol = await readFile(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
  const [, table] = protocol.split('| event | data besides `eid` |');
  const wanted = table.split('\n\n')[0].split('\n').slice(2).flatMap((row) => {
    const [events, fields] = row.replace(/\(.*\)/, '').split(' | ').map((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name));
    return events.map((event) => [event, ['eid', ...fields].sort()]);
  });
  const phone = await bob.device();
  const reader = bob.stream();
  await reader.opened();
  const club = await alice.createRoom('table', [bob.id]);
  const { seq } = await alice.send(club, 'to be read');
  await bob.call('api_delivered', club, seq);
  await bob.call('api_read', club, seq);
  await bob.remove(club);
  await phone.logOut();
  await reader.event('session.end');
  reader.close();
  const logged = reader.events.filter(({ data }) => 'eid' in data);
  assert.deepEqual(Object.fromEntries(logged.map(({ type, data }) => [type, Object.keys(data).sort()])), Object.fromEntries(wanted));
});

test('P5 a row inserted by psql is an event like any other', async () => {
  const reader = bob.stream();
  await reader.opened();
  await site.sql('insert into chat.message (room_id, sender_id, body) values ($1, $2, $3)', [room, alice.id, 'by hand']);
  await reader.event('message.new', (data) => data.message.body === 'by hand');
  reader.close();
});

test('2.3 4.3 going on from an id: all that was missed, once, from memory and from the log', async () => {
  const first = bob.stream();
  const { id } = await first.opened();
  await alice.send(room, 'one');
  const mark = await first.event('mark');
  first.close();
  await alice.send(room, 'two');
  await alice.send(room, 'three');

  for (const where of ['ring', 'log']) {
    if (where === 'log') await forget();
    const again = bob.stream({ lastEventId: mark.id });
    await again.event('mark');
    assert.equal(again.events[0].type, 'connected');
    assert.equal(again.events[0].id, mark.id, where);
    assert.deepEqual(bodies(again).slice(0, 2), ['two', 'three'], where);
    const missed = again.messages().length;
    await alice.send(room, `live ${where}`);
    await again.event('message.new', (data) => data.message.body === `live ${where}`);
    assert.equal(again.messages().length, missed + 1);
    again.close();
    const all = bob.stream({ lastEventId: id });
    await all.event('mark');
    assert.deepEqual(bodies(all).slice(0, 3), ['one', 'two', 'three'], where);
    all.close();
  }
  assert.match(site.log('pushd'), /replays_ring=[1-9]/);
});

test('1.6 the header beats the parameter; empty ones are as good as none', async () => {
  const first = bob.stream();
  const { id } = await first.opened();
  first.close();
  const sent = await alice.send(room, 'once');
  const path = `/stream?last_event_id=${encodeURIComponent(String(id))}`;
  const byParameter = bob.stream({ path });
  await byParameter.event('message.new', (data) => data.message.seq === sent.seq);
  const { id: later } = await byParameter.event('mark');
  const byHeader = bob.stream({ path, lastEventId: later });
  await byHeader.event('mark');
  assert.deepEqual(bodies(byHeader), []);
  const empty = bob.stream({ path: '/stream?last_event_id=', headers: { 'Last-Event-ID': '' } });
  await empty.event('mark');
  assert.deepEqual(types(empty).filter((type) => type !== 'mark'), ['connected']);
  for (const reader of [byParameter, byHeader, empty]) reader.close();
});

test('2.3 a snapshot read over SQL and a stream from its cursor fit together', async () => {
  const { cursor } = await bob.snapshot();
  await alice.send(room, 'after the snapshot');
  const reader = bob.stream({ lastEventId: cursor });
  await reader.event('mark');
  assert.deepEqual(bodies(reader), ['after the snapshot']);
  reader.close();
});

test('5.1 5.2 5.3 ids that cannot be gone on from: reset before anything else, and a stream that goes on', async () => {
  const first = bob.stream();
  const id = String((await first.opened()).id);
  first.close();
  const [epoch, xmin, xmax] = id.split(/[-:]/);
  const many = Array.from({ length: 1001 }, (_, n) => Number(xmax) + n).join(',');
  const bad = {
    garbage: ['expired', 'no cursor at all'],
    'a huge one': ['expired', 'x'.repeat(8000)],
    'with a line end': ['expired', `${id}%0Adata: forged`],
    'another epoch': ['epoch', `00000000-${xmin}:${xmax}:`],
    'from the future': ['expired', `${epoch}-${Number(xmax) + 100000}:${Number(xmax) + 100000}:`],
    'too many transactions': ['expired', `${epoch}-${xmin}:${Number(xmax) + 2000}:${many}`],
    'beyond 64 bits': ['expired', `${epoch}-1:99999999999999999999999:`],
  };
  for (const [name, [reason, lastEventId]] of Object.entries(bad)) {
    for (const where of ['header', 'parameter']) {
      const header = where === 'header' && !lastEventId.includes('%');
      const path = header ? '/stream' : `/stream?last_event_id=${lastEventId.replace(/ /g, '%20')}`;
      const reader = bob.stream({ path, lastEventId: header ? lastEventId : undefined });
      const reset = await reader.event('reset');
      const mark = await reader.event('mark');
      assert.deepEqual(reset.data, { reason, within: 7 }, name);
      assert.deepEqual(types(reader).slice(0, 3), ['connected', 'reset', 'mark'], name);
      assert.equal(reader.events[0].id, undefined, name);
      assert.match(String(mark.id), /^[0-9a-f]{8}-/, name);
      const sent = await alice.send(room, `after ${name}`);
      await reader.event('message.new', (data) => data.message.seq === sent.seq);
      reader.close();
    }
  }
});

test('6.6 P6 leaving ends a room at once, and no cursor brings it back', async () => {
  const club = await alice.createRoom('club', [bob.id]);
  const reader = bob.stream();
  const { id } = await reader.opened();
  await alice.send(club, 'before');
  await reader.event('message.new');
  await bob.remove(club);
  for (let n = 0; n < 5; n++) await alice.send(club, `secret ${n}`);
  await alice.send(room, 'end');
  await reader.event('message.new', (data) => data.message.body === 'end');
  assert.deepEqual(bodies(reader), ['before', 'end']);
  const leave = await reader.event('member.leave');
  assert.equal(leave.data.room, club);
  reader.close();

  for (const where of ['ring', 'log']) {
    if (where === 'log') await forget();
    const again = bob.stream({ lastEventId: id });
    await again.event('mark');
    assert.deepEqual(bodies(again), ['end'], where);
    assert.deepEqual(again.events.filter((event) => event.type === 'member.leave').length, 1, where);
    again.close();
  }
});

test('6.6 joining: from the join on, on all streams; joined again: nothing of the time between', async () => {
  const club = await alice.createRoom('second club');
  await alice.send(club, 'before');
  const readers = [bob.stream(), bob.stream()];
  const [{ id }] = await Promise.all(readers.map((reader) => reader.opened()));
  await alice.add(club, bob.id);
  await alice.send(club, 'welcome');
  for (const reader of readers) {
    await reader.event('message.new');
    assert.deepEqual(bodies(reader), ['welcome']);
    assert.ok(types(reader).includes('member.join'));
  }
  await alice.remove(club, bob.id);
  await alice.send(club, 'meanwhile');
  await alice.add(club, bob.id);
  await alice.send(club, 'again');
  for (const reader of readers) {
    await reader.event('message.new', (data) => data.message.body === 'again');
    assert.deepEqual(bodies(reader), ['welcome', 'again']);
    reader.close();
  }
  const resumed = bob.stream({ lastEventId: id });
  await resumed.event('mark');
  assert.deepEqual(bodies(resumed), ['again']);
  resumed.close();
});

test('P6 strangers get nothing of a room', async () => {
  const eve = await Guest.register(site, 'eve');
  const reader = eve.stream();
  await reader.opened();
  const other = await alice.dialogWith(eve);
  await alice.send(room, 'not for eve');
  await alice.send(other, 'for eve');
  await reader.event('message.new');
  assert.deepEqual(bodies(reader), ['for eve']);
  reader.close();
});

test('6.1 no credential, or none that is known: reset auth, and the end', async () => {
  for (const headers of [{}, { Authorization: 'Bearer nonsense' }, { Cookie: 'confab-00000000=nonsense' }]) {
    const reader = new SseReader(`${DAEMON_URL}/stream`, { headers, socketPath: site.pushSocket, giveUp: site.giveUp });
    await reader.ended();
    assert.deepEqual(reader.events.map(({ type, data }) => [type, data]), [['reset', { reason: 'auth', within: 0 }]]);
    assert.equal(reader.retryMs, 600000);
    assert.equal(reader.status, 200);
  }
});

test('6.2 a token that proved dead gets 204 the second time', async () => {
  const stranger = new Guest(site, 'nobody');
  const first = stranger.stream();
  await first.ended();
  assert.deepEqual(types(first), ['reset']);
  assert.equal(first.retryMs, 600000);
  const second = stranger.stream();
  await second.ended();
  assert.equal(second.status, 204);
});

test('6.3 a log-out closes the streams of that session at once, and no other', async () => {
  const phone = await bob.device();
  const gone = [phone.stream(), phone.stream()];
  const stays = bob.stream();
  await Promise.all([...gone, stays].map((reader) => reader.opened()));
  const began = Date.now();
  await phone.logOut();
  await alice.send(room, 'after the log-out');
  for (const reader of gone) {
    await reader.ended();
    assert.ok(Date.now() - began < 5000);
    assert.deepEqual(reader.events.filter(({ type }) => type === 'reset').map(({ data }) => data.reason), ['auth']);
    assert.equal(reader.retryMs, 600000);
    assert.deepEqual(bodies(reader), []);
  }
  await stays.event('message.new');
  assert.deepEqual(bodies(stays), ['after the log-out']);
  assert.ok(!stays.closed);
  stays.close();
});

/** Messages that follow the log-out in one and the same look must not reach the session either. */
test('6.3 P6 what is committed with and after a log-out, and read in one look', async () => {
  const phone = await bob.device();
  const gone = phone.stream();
  const stays = bob.stream();
  await Promise.all([gone.opened(), stays.opened()]);
  const client = await site.connect();
  await client.query('begin');
  await client.query('delete from chat.session where token_hash = sha256($1)', [Buffer.from(phone.token)]);
  for (let n = 0; n < 50; n++) {
    await client.query('insert into chat.message (room_id, sender_id, body) values ($1, $2, $3)', [room, alice.id, `late ${n}`]);
  }
  await client.query('commit');
  await gone.ended();
  await stays.event('message.new', (data) => data.message.body === 'late 49');
  assert.equal(stays.messages().length, 50);
  assert.deepEqual(types(gone).filter((type) => type !== 'mark'), ['connected', 'reset']);
  stays.close();
});

test('6.4 a stream does not outlive its session', async () => {
  const device = await bob.device('1500 ms');
  const reader = device.stream();
  const connected = await reader.opened();
  assert.ok(connected.data.expires_in <= 2);
  await reader.ended();
  const last = reader.events.at(-1);
  assert.ok(last?.type === 'bye' || last?.data.reason === 'auth', last?.type);
  const again = device.stream({ lastEventId: reader.lastId });
  await again.ended();
  assert.ok(again.status === 204 || again.events.every(({ data }) => data.reason === 'auth'));
});

test('6.4 a session is looked up again while its streams are open', async () => {
  const device = await bob.device();
  const reader = device.stream();
  const { data } = await reader.opened();
  // That it will expire earlier than it was to is told to nobody.
  await site.sql(`update chat.session set expires_at = now() + interval '100 ms' where id = $1`, [data.session]);
  await reader.event('reset', ({ reason }) => reason === 'auth');
  await reader.ended();
});

test('6.5 one stream too many of a session ends its oldest', async () => {
  const device = await bob.device();
  const readers = [];
  for (let n = 0; n < 4; n++) {
    readers.push(device.stream());
    await readers[n].opened();
  }
  await readers[0].ended();
  assert.deepEqual(readers[0].events.at(-1)?.data, { retry: 60000 });
  assert.equal(readers[0].retryMs, 60000);
  assert.deepEqual(readers.map((reader) => reader.closed), [true, false, false, false]);
  for (const reader of readers) reader.close();
  await site.logged('pushd', /reason=session_limit/);
});

test('8.1 a silent stream gets marks whose id goes on', async () => {
  const eve = await Guest.register(site, 'silent');
  const reader = eve.stream();
  const connected = await reader.opened();
  const mark = await reader.event('mark');
  assert.ok(mark.at - connected.at >= 300 && mark.at - connected.at < 10_000, `${mark.at - connected.at} ms`);
  await alice.send(room, 'elsewhere');
  await reader.event('mark', () => true, { from: reader.events.length });
  const later = await reader.event('mark', () => true, { from: reader.events.length });
  assert.notEqual(later.id, connected.id);
  reader.close();
});

test('8.3 with nobody to ring, the slow timer finds events', async () => {
  const reader = bob.stream();
  await reader.opened();
  const client = await site.connect();
  await client.query(`select set_config('chat.ring', 'off', false)`);
  const began = Date.now();
  await client.query('insert into chat.message (room_id, sender_id, body) values ($1, $2, $3)', [room, alice.id, 'silently']);
  const event = await reader.event('message.new');
  assert.ok(event.at - began < 5000);
  reader.close();
});
