// @ts-check

/**
 * P6: nobody sees what they may not, by any way there is: REST, history, search of rooms, polls, streams, replays.
 */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Person } from '../lib/person.js';
import { Site } from '../lib/site.js';

/** @type {Site} */
let site;
/** @type {Person} */
let alice;
/** @type {Person} */
let bob;
/** @type {Person} */
let eve;

before(async () => {
  site = await Site.start();
  [alice, bob, eve] = await Promise.all(['alice', 'bob', 'eve'].map((login) => Person.register(site, login)));
});
after(() => site?.stop());

/** Everything that a room answers to. @param {number} room @returns {[string, string, any?][]} */
const roomRequests = (room) => [
  ['GET', `rooms/${room}`],
  ['GET', `rooms/${room}/messages`],
  ['GET', `rooms/${room}/messages?around=1`],
  ['GET', `rooms/${room}/messages/1`],
  ['GET', `rooms/${room}/members`],
  ['PUT', `rooms/${room}/members/me`],
  ['DELETE', `rooms/${room}/members/me`],
  ['PUT', `rooms/${room}/members/${eve.id}`],
  ['DELETE', `rooms/${room}/members/${alice.id}`],
  ['POST', `rooms/${room}/messages`, { body: 'let me in' }],
  ['PUT', `rooms/${room}/read`, { seq: 1 }],
];

/** Everything that asks for a log-in. */
const ownRequests = /** @type {[string, string, any?][]} */ ([
  ['GET', 'session'],
  ['DELETE', 'session'],
  ['GET', 'me'],
  ['GET', 'users?q=alice'],
  ['GET', 'users/1'],
  ['PUT', 'dialogs/1'],
  ['GET', 'rooms'],
  ['POST', 'rooms', { kind: 'private', name: 'mine' }],
  ['GET', 'snapshot'],
  ['GET', 'unread'],
  ['GET', 'events'],
]);

/** What the caller's polls tell from a cursor on. @param {Person} person @param {string} cursor */
async function polled(person, cursor) {
  return (await person.events(cursor)).events.map((/** @type {any} */ event) => event.type);
}

/** The events about a room, as a stream told them. @param {import('../lib/sse.js').SseReader} stream @param {number} room */
const about = (stream, room) =>
  stream.events.filter(({ data }) => (data.message?.room ?? data.room?.id ?? data.room) === room).map(({ type }) => type);

/** The whole database, for "nothing changed". */
async function state() {
  return site.sql(`
    select (select count(*) from chat.message) as messages, (select count(*) from chat.member) as members,
           (select count(*) from chat.room) as rooms, (select count(*) from chat.event) as events`);
}

describe('a dialog of two others', () => {
  it('does not exist, as far as an outsider can tell, and nothing of it reaches him', async () => {
    const stream = eve.stream();
    await stream.opened();
    const cursor = (await eve.snapshot()).cursor;
    const { id: room } = await alice.dialogWith(bob);
    await alice.send(room, 'between us');
    const unchanged = await state();

    for (const [method, path, body] of roomRequests(room)) {
      const answer = await eve.request(method, path, body);
      const nowhere = await eve.request(method, path.replace(`rooms/${room}`, 'rooms/999999'), body);
      assert.equal(answer.status, 404, `${method} ${path}: ${answer.text}`);
      assert.deepEqual({ ...answer.json, request_id: '' }, { ...nowhere.json, request_id: '' }, `${method} ${path}`);
    }
    assert.deepEqual(await state(), unchanged);
    assert.deepEqual((await eve.snapshot()).rooms, []);
    assert.deepEqual((await eve.call('GET', 'rooms')).items, []);
    assert.deepEqual(await polled(eve, cursor), []);
    // What is hers comes after it in the log, and is the first she hears.
    const own = await eve.createRoom({ name: 'own' });
    await stream.event('room.new', ({ room: created }) => created.id === own.id);
    assert.deepEqual(about(stream, room), []);
    stream.close();
  });
});

describe('a stranger', () => {
  for (const [what, headers] of /** @type {[string, Record<string, string>][]} */ ([
    ['no credential', {}],
    ['an unknown token', { Authorization: `Bearer ${'A'.repeat(43)}` }],
    ['a malformed token', { Authorization: 'Bearer short' }],
  ])) {
    it(`with ${what} gets 401 everywhere, and a stream that only says so`, async () => {
      const stranger = new Person(site, 'nobody');
      const unchanged = await state();
      for (const [method, path, body] of [...ownRequests, ...roomRequests(1)]) {
        const answer = await stranger.request(method, path, body, headers);
        assert.equal(answer.status, 401, `${method} ${path}: ${answer.text}`);
        assert.match(String(answer.headers['www-authenticate']), /^Bearer/);
      }
      assert.deepEqual(await state(), unchanged);
      const stream = stranger.stream({ headers });
      const reset = await stream.event('reset');
      assert.equal(reset.data.reason, 'auth');
      await stream.ended();
      assert.deepEqual(stream.events.map(({ type }) => type), ['reset']);
    });
  }
});

describe('a session that was ended', () => {
  it('gives nothing any more, its stream is closed at once, and other devices go on', async () => {
    const lost = await bob.device();
    const { id: room } = await alice.dialogWith(bob);
    const [dead, live] = [lost.stream(), bob.stream()];
    await Promise.all([dead.opened(), live.opened()]);
    const cookies = new Map(lost.cookies);
    await lost.logOut();
    await alice.send(room, 'after the log-out');
    await dead.ended();
    await live.event('message.new', ({ message }) => message.body === 'after the log-out');
    assert.deepEqual(dead.messages().map(({ body }) => body), []);

    lost.cookies = cookies;
    for (const [method, path, body] of [...ownRequests, ...roomRequests(room)]) {
      assert.equal((await lost.request(method, path, body)).status, 401, `${method} ${path}`);
    }
    const again = lost.stream({ lastEventId: dead.lastId });
    await again.ended();
    assert.deepEqual(again.messages(), []);
    live.close();
  });

  it('also when an administrator ends it by a DELETE in psql', async () => {
    const lost = await bob.device();
    const stream = lost.stream();
    await stream.opened();
    await site.sql('delete from chat.session where id = $1', [lost.session.id]);
    await stream.ended();
    assert.equal((await lost.request('GET', 'me')).status, 401);
  });
});

describe('a room that was left', () => {
  it('ends at the leave, on live streams, on resumed ones and in polls', async () => {
    const { id: room } = await alice.createRoom({ name: 'leave', members: [bob.id, eve.id] });
    const [live, witness] = [bob.stream(), eve.stream()];
    await Promise.all([live.opened(), witness.opened()]);
    await alice.send(room, 'before');
    await live.event('message.new', ({ message }) => message.body === 'before');
    const cursor = (await bob.snapshot()).cursor;

    await bob.call('DELETE', `rooms/${room}/members/me`);
    await alice.send(room, 'after');
    await witness.event('message.new', ({ message }) => message.body === 'after');
    // An event that is his own comes later in the log: what was to come before it has come.
    const later = await bob.createRoom({ name: 'later' });
    await live.event('room.new', ({ room: created }) => created.id === later.id);
    assert.deepEqual(about(live, room), ['message.new', 'member.leave']);

    assert.deepEqual(await polled(bob, cursor), ['member.leave', 'member.join', 'room.new']);
    const resumed = bob.stream({ lastEventId: cursor });
    await resumed.event('room.new', ({ room: created }) => created.id === later.id);
    assert.deepEqual(resumed.messages(), []);
    assert.equal((await bob.request('GET', `rooms/${room}/messages`)).status, 404);
    for (const stream of [live, witness, resumed]) stream.close();
  });

  it('leaves nothing behind for a cursor from before the join', async () => {
    const cursor = (await bob.snapshot()).cursor;
    const { id: room } = await alice.createRoom({ name: 'short', history: 'all' });
    await alice.send(room, 'secret');
    await alice.call('PUT', `rooms/${room}/members/${bob.id}`);
    await alice.call('DELETE', `rooms/${room}/members/${bob.id}`);
    const later = await bob.createRoom({ name: 'later' });
    assert.deepEqual(await polled(bob, cursor), ['member.leave', 'member.join', 'room.new']);
    // From the log, then from the daemon's memory.
    for (const daemon of ['restarted', 'running']) {
      if (daemon === 'restarted') await site.restart('pushd');
      const resumed = bob.stream({ lastEventId: cursor });
      await resumed.event('room.new', ({ room: created }) => created.id === later.id);
      assert.deepEqual(about(resumed, room), ['member.leave'], daemon);
      assert.ok(!JSON.stringify(resumed.events).includes('secret'), daemon);
      resumed.close();
    }
  });

  it('is whole again after a new join, but for what was said in between', async () => {
    const { id: room } = await alice.createRoom({ name: 'return', members: [bob.id] });
    const live = bob.stream();
    await live.opened();
    const cursor = (await bob.snapshot()).cursor;
    await alice.send(room, 'one');
    await alice.call('DELETE', `rooms/${room}/members/${bob.id}`);
    await alice.send(room, 'two');
    await alice.call('PUT', `rooms/${room}/members/${bob.id}`);
    await alice.send(room, 'three');
    await live.event('message.new', ({ message }) => message.body === 'three');
    assert.deepEqual(live.messages().map(({ body }) => body), ['one', 'three']);
    // By the membership of today, only what came after the last join is his.
    const resumed = bob.stream({ lastEventId: cursor });
    await resumed.event('message.new', ({ message }) => message.body === 'three');
    assert.deepEqual(resumed.messages().map(({ body }) => body), ['three']);
    assert.deepEqual((await bob.history(room)).items.map((/** @type {any} */ m) => m.body), ['three']);
    live.close();
    resumed.close();
  });
});
