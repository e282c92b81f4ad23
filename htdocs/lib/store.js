// @ts-check
import { Emitter } from './emitter.js';
import { RoomLog } from './room-log.js';

/**
 * What this client knows: pure state, no requests. Events and answers may come
 * late, twice or in another order than they were made, and the outcome is the
 * same: a message counts once by (room, seq), marks only grow, and every other
 * event of a room applies only when its `eid` is above the last one applied.
 *
 * Whoever owns the store fetches what it asks for: `unknown` names a room that
 * must be read, and room logs tell their holes.
 *
 * @typedef {import('./types.js').Room} Room
 * @typedef {import('./types.js').Message} Message
 * @typedef {import('./types.js').StreamEvent} StreamEvent
 */

/** How many messages of a room that is not on screen are kept. */
const KEEP_CLOSED = 100;

/** @extends {Emitter<{change: {room: number|null}, unknown: number}>} room null: everything */
export class Store extends Emitter {
  /** False before the first snapshot, and between a reset and the next one. */
  ready = false;
  /** Counts snapshots and resets: answers asked for in another one are void. */
  generation = 0;
  /** @type {import('./types.js').User|null} */
  user = null;
  /** @type {Map<number, Room>} */
  #rooms = new Map();
  /** @type {Map<number, RoomLog>} */
  #logs = new Map();
  /** @type {Map<number, number>} room -> last eid applied; outlives the room, or a repeated room.new would revive it */
  #eids = new Map();
  /** @type {Set<number>} rooms left: an answer from before the leave does not bring them back */
  #left = new Set();
  /** @type {Map<number, StreamEvent[]>} events of rooms that are being asked for */
  #waiting = new Map();

  /** @param {import('./types.js').Snapshot} snapshot */
  load(snapshot) {
    this.forget();
    this.user = snapshot.user;
    this.#rooms = new Map(snapshot.rooms.map((room) => [room.id, room]));
    this.ready = true;
    this.emit('change', { room: null });
  }

  /**
   * After a reset. Rooms stay, so that there is something to look at until the
   * next snapshot replaces them; what could mix two histories does not.
   */
  forget() {
    this.ready = false;
    this.generation += 1;
    this.#logs.clear();
    this.#eids.clear();
    this.#left.clear();
    this.#waiting.clear();
  }

  /** The person has gone: nothing stays. */
  clear() {
    this.forget();
    this.user = null;
    this.#rooms.clear();
  }

  /** Newest activity first. @returns {Room[]} */
  get rooms() {
    const at = (/** @type {Room} */ room) => Date.parse(room.last_at ?? room.last_message?.at ?? '') || 0;
    return [...this.#rooms.values()].sort((a, b) => at(b) - at(a) || b.id - a.id);
  }

  /** @param {number} id */
  room(id) {
    return this.#rooms.get(id);
  }

  /**
   * By definition, not by counting.
   *
   * @param {Room} room
   */
  unread(room) {
    return Math.max(0, room.last_seq - room.read_seq);
  }

  /** Rooms with anything unread. */
  get unreadRooms() {
    return [...this.#rooms.values()].filter((room) => this.unread(room) > 0).length;
  }

  /** How far somebody has read a dialog. @param {Room} room @param {number} user */
  readBy(room, user) {
    return room.receipts?.find((receipt) => receipt.user === user)?.read_seq ?? 0;
  }

  /**
   * The messages of a room; made on first use, and then followed.
   *
   * @param {number} id of a room that is known
   */
  log(id) {
    let log = this.#logs.get(id);
    if (!log) this.#logs.set(id, (log = new RoomLog(this.#rooms.get(id)?.last_seq ?? 0)));
    return log;
  }

  /** The room left the screen. @param {number} id */
  rest(id) {
    const log = this.#logs.get(id);
    if (log?.status === 'ready' && !log.hole) log.trim(KEEP_CLOSED);
    else this.#logs.delete(id);
  }

  /** Tells listeners that a log was changed from outside. @param {number} room */
  touched(room) {
    this.emit('change', { room });
  }

  /** @param {StreamEvent} event */
  apply({ type, data }) {
    if (!this.ready) return;
    switch (type) {
      case 'message.new':
        return this.#onMessage(data);
      case 'room.new':
        return this.#onRoom(data);
      case 'member.join':
      case 'member.leave':
        return this.#onMember(type, data);
      case 'receipt.read':
        return this.#inRoom(data.room, { type, data }, () => this.markRead(data.room, data.user, data.seq));
    }
  }

  /**
   * A message that is known to be in the database: by event, or by the answer to a send.
   *
   * @param {Message} message
   */
  add(message) {
    const room = this.#rooms.get(message.room);
    if (!this.ready || !room) return;
    this.#logs.get(room.id)?.add(message);
    room.last_seq = Math.max(room.last_seq, message.seq);
    if (message.seq > (room.last_message?.seq ?? 0)) {
      room.last_message = message;
      room.last_at = message.at;
    }
    // Whoever writes has read what was before.
    if (message.sender.id !== null) this.#raiseMark(room, message.sender.id, message.seq);
    this.emit('change', { room: room.id });
  }

  /**
   * A room as some answer shows it, which may be older than what events told.
   *
   * @param {Room} fresh
   */
  put(fresh) {
    if (!this.ready || this.#left.has(fresh.id)) return;
    const known = this.#rooms.get(fresh.id);
    this.#rooms.set(fresh.id, known ? merged(known, fresh) : fresh);
    this.#logs.get(fresh.id)?.reached(fresh.last_seq);
    const events = this.#waiting.get(fresh.id) ?? [];
    this.#waiting.delete(fresh.id);
    for (const event of events) this.apply(event);
    this.emit('change', { room: fresh.id });
  }

  /** A room that was asked for is not there, or not ours. @param {number} id */
  drop(id) {
    this.#waiting.delete(id);
    this.#logs.delete(id);
    if (this.#rooms.delete(id)) this.emit('change', { room: null });
  }

  /**
   * @param {number} id
   * @param {number} user
   * @param {number} seq
   */
  markRead(id, user, seq) {
    const room = this.#rooms.get(id);
    if (!room) return;
    this.#raiseMark(room, user, seq);
    this.emit('change', { room: id });
  }

  /** @param {{eid: number, message: Message}} data */
  #onMessage(data) {
    const { room } = data.message;
    if (!this.#rooms.has(room) && !this.#isNew(room, data.eid)) return;
    this.#inRoom(room, { type: 'message.new', data }, () => {
      this.#isNew(room, data.eid);
      this.add(data.message);
    });
  }

  /** @param {{eid: number, room: Room}} data */
  #onRoom({ eid, room }) {
    if (!this.#isNew(room.id, eid)) return;
    this.#left.delete(room.id);
    this.put(room);
  }

  /**
   * @param {string} type
   * @param {{eid: number, room: number, user: {id: number}}} data
   */
  #onMember(type, data) {
    const mine = data.user.id === this.user?.id;
    if (!this.#isNew(data.room, data.eid)) return;
    if (mine && type === 'member.leave') {
      this.#left.add(data.room);
      return this.drop(data.room);
    }
    if (mine) this.#left.delete(data.room);
    // How many members there are is read, not counted.
    this.emit('unknown', data.room);
  }

  /**
   * Remembers the eid. @param {number} room @param {number} eid
   * @returns {boolean} whether it is above all before it
   */
  #isNew(room, eid) {
    if (eid <= (this.#eids.get(room) ?? 0)) return false;
    this.#eids.set(room, eid);
    return true;
  }

  /**
   * @param {number} room
   * @param {StreamEvent} event  kept, and applied again, when the room must be asked for first
   * @param {() => void} act
   */
  #inRoom(room, event, act) {
    if (this.#rooms.has(room)) return act();
    const events = this.#waiting.get(room);
    if (events) return void events.push(event);
    this.#waiting.set(room, [event]);
    this.emit('unknown', room);
  }

  /** @param {Room} room @param {number} user @param {number} seq */
  #raiseMark(room, user, seq) {
    if (user === this.user?.id) room.read_seq = Math.max(room.read_seq, seq);
    const receipt = room.receipts?.find((one) => one.user === user);
    if (receipt) receipt.read_seq = Math.max(receipt.read_seq, seq);
    else if (room.receipts) room.receipts.push({ user, read_seq: seq });
  }
}

/**
 * @param {Room} known
 * @param {Room} fresh
 * @returns {Room}
 */
function merged(known, fresh) {
  const ahead = (known.last_message?.seq ?? 0) > (fresh.last_message?.seq ?? 0) ? known : fresh;
  const receipts = fresh.receipts?.map(({ user, read_seq }) => {
    const before = known.receipts?.find((receipt) => receipt.user === user)?.read_seq ?? 0;
    return { user, read_seq: Math.max(before, read_seq) };
  });
  return {
    ...fresh,
    receipts,
    last_message: ahead.last_message,
    last_at: ahead.last_at,
    last_seq: Math.max(known.last_seq, fresh.last_seq),
    read_seq: Math.max(known.read_seq, fresh.read_seq),
  };
}
