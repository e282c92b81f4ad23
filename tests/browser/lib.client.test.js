// @ts-check

/** The client's parts together, in front of a server that is a script: what must hold between log-in and log-out. */

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { ApiError } from '../../htdocs/lib/api.js';
import { Client } from '../../htdocs/lib/client.js';
import { memory } from '../lib/memory.js';
import { waitFor } from '../lib/wait.js';

const ME = { id: 1, display_name: 'Me' };
const PEER = { id: 2, display_name: 'Peer' };
const ROOM = 7;

/**
 * @typedef {import('../../htdocs/lib/types.js').Message} Message
 * @typedef {import('../../htdocs/lib/types.js').Room} Room
 */

const down = () => new ApiError({ status: 503, code: 'unavailable' });

/** @param {number} seq @param {Partial<Message>} [more] @returns {Message} */
const message = (seq, more = {}) =>
  ({ room: ROOM, seq, sender: PEER, client_id: null, type: 'text', body: `body ${seq}`, at: '2026-01-01T00:00:00Z', ...more });

/** @param {number} last @param {Partial<Room>} [more] @returns {Room} */
const room = (last, more = {}) =>
  ({ id: ROOM, kind: 'private', name: 'Room', last_seq: last, first_seq: 1, read_seq: 0, last_message: null, members_count: 3, peer: null, ...more });

/** @type {Client[]} */
const clients = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.stop();
});

/** A server, as far as a client asks it; it is polled. */
class Far {
  user = ME;
  /** @type {Room[]} */
  rooms = [room(2)];
  /** @type {Message[]} */
  messages = [message(1), message(2)];
  /** @type {string[]} what was done, by whom */
  done = [];
  snapshots = 0;
  polls = 0;
  /** What stands for an answer, the next time or for ever. @type {Map<string, Array<() => any>>} */
  instead = new Map();
  /** @type {import('../../htdocs/lib/types.js').StreamEvent[]} */
  #events = [];
  #eid = 100;

  /** @param {string} type @param {object} data */
  tell(type, data) {
    this.#events.push({ type, data: { eid: (this.#eid += 1), ...data } });
  }

  reset() {
    this.#events.push({ type: 'reset', data: { reason: 'limit', within: 0 } });
  }

  /** @param {string} name @param {...() => any} answers  throw, or hold back */
  next(name, ...answers) {
    this.instead.set(name, answers);
  }

  api() {
    const answer = async (/** @type {string} */ name, /** @type {() => any} */ usual) => {
      const other = this.instead.get(name)?.shift();
      return structuredClone(await (other ? other() : usual()));
    };
    return /** @type {any} */ ({
      snapshot: () => answer('snapshot', () => {
        this.snapshots += 1;
        return { user: this.user, session: { id: this.user.id, fingerprint: `f${this.user.id}` }, rooms: this.rooms, cursor: 'c' };
      }),
      events: () => answer('events', () => {
        this.polls += 1;
        return { events: this.#events.splice(0), cursor: 'c', interval_ms: 5 };
      }),
      room: (/** @type {number} */ id) => answer('room', () => this.rooms.find((one) => one.id === id)),
      messages: (/** @type {number} */ id, /** @type {{after?: number}} */ { after = 0 }) => answer('messages', () =>
        ({ items: this.messages.filter((one) => one.room === id && one.seq > after), has_more: false })),
      send: (/** @type {number} */ id, /** @type {{client_id: string, body: string}} */ { client_id, body }) => answer('send', () => {
        this.done.push(`${this.user.display_name} sends ${body}`);
        const sent = message(this.messages.length + 1, { room: id, sender: this.user, client_id, body });
        this.messages.push(sent);
        return sent;
      }),
      markRead: (/** @type {number} */ id, /** @type {number} */ seq) => answer('markRead', () => {
        this.done.push(`${this.user.display_name} reads ${id} up to ${seq}`);
        return {};
      }),
      logOut: () => answer('logOut', () => null),
    });
  }

  /** A client of it, for whoever is logged in. */
  async client(storage = memory()) {
    const client = new Client({ api: this.api(), streamUrl: 'none', site: '/', storage, slot: async () => null });
    clients.push(client);
    client.start();
    await waitFor(() => client.stream.status.state === 'open');
    return client;
  }
}

/** @param {Client} client */
const seqs = (client) => client.store.log(ROOM).messages.map(({ seq }) => seq);

/** A room that ends with 2 on screen, and has come to 5; only the last one was told. @param {Far} far */
function leap(far) {
  far.messages.push(message(3), message(4), message(5));
  far.tell('message.new', { message: message(5) });
}

test('a hole in the room on screen is fetched, however often that fails', async () => {
  const far = new Far();
  const client = await far.client();
  client.show(ROOM);
  await waitFor(() => seqs(client).length === 2);
  far.next('messages', () => Promise.reject(down()), () => Promise.reject(new ApiError({ status: 0, code: 'network' })));
  leap(far);
  await waitFor(() => seqs(client).length > 2);
  assert.deepEqual(seqs(client), [1, 2, 3, 4, 5]);
});

test('a hole in a room that was on screen is closed when it is there again', async () => {
  const far = new Far();
  const client = await far.client();
  client.show(ROOM);
  await waitFor(() => seqs(client).length === 2);
  client.show(null);
  leap(far);
  await waitFor(() => client.store.room(ROOM)?.last_seq === 5);
  client.show(ROOM);
  await waitFor(() => seqs(client).length === 5);
});

test('what one sent is pending until it is in the log, and then once', async () => {
  const far = new Far();
  const client = await far.client();
  client.show(ROOM);
  await waitFor(() => seqs(client).length === 2);
  client.send(ROOM, 'hello');
  assert.equal(client.outbox?.items(ROOM).length, 1);
  await waitFor(() => seqs(client).length === 3);
  assert.equal(client.outbox?.size, 0);
});

test('its event says that a message was sent, though the answer never comes', async () => {
  const far = new Far();
  const storage = memory();
  const client = await far.client(storage);
  far.next('send', () => new Promise(() => {}));
  client.send(ROOM, 'hello');
  const [{ client_id }] = /** @type {import('../../htdocs/lib/outbox.js').Outbox} */ (client.outbox).items(ROOM);
  far.tell('message.new', { message: message(3, { sender: ME, client_id, body: 'hello' }) });
  await waitFor(() => client.outbox?.size === 0);
  assert.equal(storage.length, 0);
});

test('what waits is sent as soon as the stream is open again', async () => {
  const far = new Far();
  const client = await far.client();
  far.next('send', () => Promise.reject(new ApiError({ status: 503, code: 'unavailable', retryAfter: 3_600_000 })));
  client.send(ROOM, 'patient');
  await waitFor(() => client.outbox?.items(ROOM)[0].state === 'queued');
  client.stop();
  client.start();
  await waitFor(() => far.done.length > 0);
  assert.deepEqual(far.done, ['Me sends patient']);
});

test('a room that is gone goes; one that cannot be read comes with a new snapshot', async (t) => {
  t.mock.method(Math, 'random', () => 0);
  const far = new Far();
  const client = await far.client();
  far.next('room', () => Promise.reject(new ApiError({ status: 404, code: 'not_found' })));
  far.tell('member.leave', { room: ROOM, user: PEER });
  await waitFor(() => !client.store.room(ROOM));

  far.next('room', () => Promise.reject(down()));
  far.rooms = [room(1, { id: 9 })];
  far.tell('message.new', { message: message(1, { room: 9 }) });
  await waitFor(() => client.store.room(9));
  assert.equal(far.snapshots, 2);
});

test('an answer that was asked for before a reset brings nothing back', async () => {
  const far = new Far();
  const client = await far.client();
  /** @type {(late: Room) => void} */
  let answer = () => {};
  const late = new Promise((resolve) => (answer = resolve));
  far.next('room', () => late);
  far.tell('member.join', { room: ROOM, user: PEER });
  await waitFor(() => far.instead.get('room')?.length === 0);
  far.rooms = [];
  far.reset();
  await waitFor(() => client.store.ready && !client.store.room(ROOM));
  answer(room(2));
  await late;
  // Answered later than it, so it was seen by then.
  far.rooms = [room(1, { id: 9 })];
  far.tell('room.new', { room: room(1, { id: 9 }) });
  await waitFor(() => client.store.room(9));
  assert.equal(client.store.room(ROOM), undefined);
});

test('log-out leaves nothing of the person, and the same person can go on afterwards', async () => {
  const far = new Far();
  const client = await far.client();
  await client.logOut();
  assert.deepEqual([client.store.user, client.store.rooms, client.outbox, client.drafts], [null, [], null, null]);
  client.start();
  await waitFor(() => client.outbox);
  assert.equal(far.snapshots, 2);
  client.send(ROOM, 'again');
  await waitFor(() => far.done.includes('Me sends again'));
});

test('the same person, logged in anew in another tab, goes on with what is unsent', async () => {
  const far = new Far();
  const client = await far.client();
  far.next('send', () => Promise.reject(new ApiError({ status: 401, code: 'unauthenticated' })));
  client.send(ROOM, 'patient');
  await waitFor(() => client.outbox?.items(ROOM)[0].state === 'queued');
  client.send(ROOM, 'meanwhile');
  assert.deepEqual(far.done, []);
  client.recheck();
  await waitFor(() => far.done.length === 2);
  assert.deepEqual(far.done, ['Me sends patient', 'Me sends meanwhile']);
  assert.equal(far.snapshots, 2);
});

test('what one person left unsent or untold is never done as another', async (t) => {
  t.mock.method(Math, 'random', () => 0); // so that what could go on without being asked would do so at once
  /** @type {Array<[string, (client: Client, far: Far) => unknown]>} */
  const ways = [['log-out', (client) => client.logOut()], ['another log-in in another tab', (_, far) => far.reset()], ['word of one', (client) => client.recheck()]];
  for (const [how, leave] of ways) {
    const far = new Far();
    const storage = memory();
    const client = await far.client(storage);
    far.next('send', ...Array.from({ length: 1000 }, () => () => Promise.reject(down())));
    client.send(ROOM, 'mine');
    client.drafts?.set(ROOM, 'my draft');
    client.markRead(ROOM, 1);
    client.markRead(ROOM, 2);
    await waitFor(() => (far.instead.get('send')?.length ?? 0) < 990);
    far.user = PEER;
    far.done = [];
    await leave(client, far);
    client.start();
    await waitFor(() => client.store.user?.id === PEER.id);
    far.next('send');
    assert.equal(client.outbox?.size, 0, how);
    assert.equal(client.drafts?.get(ROOM), '', how);
    client.send(ROOM, 'theirs');
    client.markRead(ROOM, 1);
    await waitFor(() => far.done.includes('Peer sends theirs') && far.done.some((one) => one.includes('reads')));
    // Whatever goes on by itself has had its turn by then.
    const { polls } = far;
    await waitFor(() => far.polls >= polls + 4);
    assert.deepEqual(far.done.filter((one) => one !== 'Peer sends theirs'), ['Peer reads 7 up to 1'], how);

    const back = new Far();
    const again = await back.client(storage);
    assert.equal(again.drafts?.get(ROOM), 'my draft');
    await waitFor(() => back.done.includes('Me sends mine'), { what: 'the own message, once its writer is back' });
  }
});
