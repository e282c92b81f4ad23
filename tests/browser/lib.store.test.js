// @ts-check

/** The store: whatever order, repetition and loss the events come with, all clients end up with the same. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Store } from '../../htdocs/lib/store.js';
import { Random } from '../lib/random.js';

const ME = { id: 1, display_name: 'Me' };
const PEER = { id: 2, display_name: 'Peer' };
const ROOM = 7;

/** @typedef {import('../../htdocs/lib/types.js').Message} Message */

/** @param {number} seq @param {{id: number, display_name: string}} [sender] @returns {Message} */
function message(seq, sender = PEER) {
  const at = new Date(Date.UTC(2026, 0, 1) + seq * 1000).toISOString();
  return { room: ROOM, seq, sender, client_id: `id-${seq}`, type: 'text', body: `body ${seq}`, at };
}

/** @param {Partial<import('../../htdocs/lib/types.js').Room>} [more] */
function room(more = {}) {
  return {
    id: ROOM, kind: /** @type {const} */ ('dialog'), name: null, last_seq: 0, first_seq: 1, read_seq: 0,
    last_message: null, members_count: 2, peer: PEER,
    receipts: [{ user: ME.id, read_seq: 0 }, { user: PEER.id, read_seq: 0 }], ...more,
  };
}

/** @param {import('../../htdocs/lib/types.js').Room[]} [rooms] */
function loaded(rooms = [room()]) {
  const store = new Store();
  store.load({ user: ME, session: { id: 1, fingerprint: 'f' }, rooms, cursor: 'c' });
  return store;
}

/** @param {Store} store */
const seqs = (store) => store.log(ROOM).messages.map(({ seq }) => seq);

/** @param {number} from @param {number} to */
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/**
 * What GET /messages?after= would answer.
 *
 * @param {Message[]} all
 * @param {number} after
 * @param {number} limit
 */
function historyAfter(all, after, limit) {
  const items = all.filter(({ seq }) => seq > after);
  return { items: items.slice(0, limit), has_more: items.length > limit };
}

describe('messages', () => {
  test('random orders with repeats and losses: shown without a hole at every moment, and all in the end', () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      const random = new Random(seed);
      const total = 5 + Math.floor(random.next() * 60);
      const known = Math.floor(random.next() * total);
      const truth = range(1, total).map((seq) => message(seq, random.next() < 0.4 ? ME : PEER));
      const store = loaded([room({ last_seq: known, last_message: truth[known - 1] ?? null })]);
      const log = store.log(ROOM);
      log.status = 'loading';

      const events = truth.slice(known).flatMap((one) => (random.next() < 0.2 ? [] : random.next() < 0.3 ? [one, one] : [one]));
      events.sort(() => random.next() - 0.5);
      const begins = Math.floor(random.next() * (events.length + 1));
      events.forEach((one, i) => {
        if (i === begins) log.begin({ items: truth.slice(Math.max(0, known - 10), known), has_more: known > 10 });
        store.apply({ type: 'message.new', data: { eid: one.seq, message: one } });
        if (log.status !== 'ready') return;
        assert.deepEqual(seqs(store), range(log.low, log.high), `seed ${seed}: no hole on screen`);
        if (log.hole && random.next() < 0.3) log.fill(log.hole, historyAfter(truth, log.hole.after, 7));
      });
      if (begins >= events.length) log.begin({ items: truth.slice(Math.max(0, known - 10), known), has_more: known > 10 });
      store.put(room({ last_seq: total, last_message: truth[total - 1] }));
      for (let tries = 0; log.hole; tries += 1) {
        assert.ok(tries < 100, `seed ${seed}: holes come to an end`);
        log.fill(log.hole, historyAfter(truth, log.hole.after, 7));
      }
      assert.deepEqual(seqs(store), range(log.low, total), `seed ${seed}`);
      assert.equal(store.room(ROOM)?.last_seq, total);
      assert.equal(store.room(ROOM)?.last_message?.seq, total);
    }
  });

  test('a hole that history cannot fill is not there', () => {
    const store = loaded([room({ last_seq: 2 })]);
    const log = store.log(ROOM);
    log.begin({ items: [message(1), message(2)], has_more: false });
    store.apply({ type: 'message.new', data: { eid: 9, message: message(6) } });
    assert.deepEqual(seqs(store), [1, 2]);
    assert.deepEqual(log.hole, { after: 2, before: 6 });
    log.fill({ after: 2, before: 6 }, { items: [message(4), message(6)], has_more: false });
    assert.deepEqual(seqs(store), [1, 2, 4, 6]);
    assert.equal(log.hole, null);
  });

  test('an answer for a hole that closed meanwhile changes nothing', () => {
    const store = loaded([room({ last_seq: 1 })]);
    const log = store.log(ROOM);
    log.begin({ items: [message(1)], has_more: false });
    store.add(message(3));
    const { hole } = log;
    store.add(message(2));
    assert.deepEqual(seqs(store), [1, 2, 3]);
    log.fill(/** @type {{after: number, before: number}} */ (hole), { items: [message(2), message(3)], has_more: false });
    assert.deepEqual(seqs(store), [1, 2, 3]);
  });

  test('older pages go before, overlaps count once', () => {
    const log = loaded().log(ROOM);
    log.begin({ items: range(50, 60).map((seq) => message(seq)), has_more: true });
    log.older({ items: range(40, 52).map((seq) => message(seq)), has_more: true });
    assert.deepEqual(log.messages.map(({ seq }) => seq), range(40, 60));
    assert.equal(log.complete, false);
    log.older({ items: range(38, 39).map((seq) => message(seq)), has_more: false });
    assert.equal(log.low, 38);
    assert.equal(log.complete, true);
  });

  test('trimmed history can be loaded again', () => {
    const log = loaded().log(ROOM);
    log.begin({ items: range(1, 30).map((seq) => message(seq)), has_more: false });
    log.trim(10);
    assert.equal(log.low, 21);
    assert.equal(log.complete, false);
    log.older({ items: range(1, 20).map((seq) => message(seq)), has_more: false });
    assert.deepEqual(log.messages.map(({ seq }) => seq), range(1, 30));
  });

  test('between a reset and the next snapshot nothing is taken in', () => {
    const store = loaded();
    store.log(ROOM).begin({ items: [], has_more: false });
    store.forget();
    store.add(message(1));
    store.apply({ type: 'message.new', data: { eid: 1, message: message(1) } });
    store.put(room({ last_seq: 5 }));
    assert.equal(store.room(ROOM)?.last_seq, 0);
    store.load({ user: ME, session: { id: 1, fingerprint: 'f' }, rooms: [room({ last_seq: 3 })], cursor: 'c' });
    assert.equal(store.room(ROOM)?.last_seq, 3);
    assert.equal(store.log(ROOM).status, 'empty');
  });
});

describe('marks', () => {
  test('unread is last_seq - read_seq; marks only grow; a send reads what was before it', () => {
    const store = loaded([room({ last_seq: 4, read_seq: 1 })]);
    const it = () => /** @type {import('../../htdocs/lib/types.js').Room} */ (store.room(ROOM));
    assert.equal(store.unread(it()), 3);
    store.apply({ type: 'receipt.read', data: { eid: 5, room: ROOM, user: ME.id, seq: 3 } });
    store.apply({ type: 'receipt.read', data: { eid: 4, room: ROOM, user: ME.id, seq: 2 } });
    assert.equal(store.unread(it()), 1);
    store.add(message(5, ME));
    assert.equal(store.unread(it()), 0);
    store.apply({ type: 'receipt.read', data: { eid: 6, room: ROOM, user: PEER.id, seq: 5 } });
    store.apply({ type: 'receipt.read', data: { eid: 5, room: ROOM, user: PEER.id, seq: 4 } });
    assert.equal(store.readBy(it(), PEER.id), 5);
    store.put(room({ last_seq: 5, read_seq: 0 }));
    assert.equal(store.readBy(it(), PEER.id), 5);
    assert.equal(store.unread(it()), 0);
    assert.equal(store.unreadRooms, 0);
  });

  test('the room with the newest message comes first', () => {
    const other = room({ id: 8, last_at: message(3).at });
    const store = loaded([other, room({ last_at: message(1).at })]);
    assert.deepEqual(store.rooms.map(({ id }) => id), [8, 7]);
    store.add(message(9));
    assert.deepEqual(store.rooms.map(({ id }) => id), [7, 8]);
    store.put(room({ last_seq: 1, last_message: message(1), last_at: message(1).at }));
    assert.deepEqual(store.rooms.map(({ id }) => id), [7, 8], 'an older answer does not count');
    assert.equal(store.room(ROOM)?.last_message?.seq, 9);
  });
});

describe('rooms', () => {
  /** @param {number} eid @param {number} [user] */
  const leave = (eid, user = ME.id) => ({ type: 'member.leave', data: { eid, room: ROOM, user: { id: user } } });

  test('a message of an unknown room asks for it once, and is applied when it comes', () => {
    const store = loaded([]);
    /** @type {number[]} */
    const asked = [];
    store.on('unknown', (id) => asked.push(id));
    store.apply({ type: 'message.new', data: { eid: 3, message: message(1) } });
    store.apply({ type: 'message.new', data: { eid: 4, message: message(2) } });
    assert.deepEqual(asked, [ROOM]);
    store.put(room({ last_seq: 1 }));
    assert.equal(store.room(ROOM)?.last_seq, 2);
    assert.equal(store.room(ROOM)?.last_message?.seq, 2);
  });

  test('leaving removes the room; older events and answers do not bring it back; a new one does', () => {
    const store = loaded();
    store.apply({ type: 'room.new', data: { eid: 5, room: room() } });
    let changes = 0;
    store.on('change', () => (changes += 1));
    store.apply(leave(9));
    assert.equal(store.room(ROOM), undefined);
    assert.equal(changes, 1);
    store.apply({ type: 'room.new', data: { eid: 5, room: room() } });
    store.apply({ type: 'message.new', data: { eid: 6, message: message(1) } });
    store.put(room());
    assert.equal(store.room(ROOM), undefined);
    store.apply({ type: 'room.new', data: { eid: 12, room: room() } });
    assert.ok(store.room(ROOM));
    store.apply(leave(9));
    assert.ok(store.room(ROOM), 'an older leave does not count');
  });

  test("somebody else's leave has the room read again", () => {
    const store = loaded();
    let asked = 0;
    store.on('unknown', () => (asked += 1));
    store.apply(leave(3, PEER.id));
    assert.ok(store.room(ROOM));
    assert.equal(asked, 1);
  });

  test('unknown events are ignored', () => {
    const store = loaded();
    store.apply({ type: 'reaction.add', data: { eid: 1, room: ROOM } });
    store.apply({ type: 'from.the.future', data: {} });
    assert.equal(store.rooms.length, 1);
  });
});
