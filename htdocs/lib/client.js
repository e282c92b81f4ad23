// @ts-check
import { ApiError } from './api.js';
import { Drafts } from './drafts.js';
import { Emitter } from './emitter.js';
import { History } from './history.js';
import { Outbox } from './outbox.js';
import { ReadMarks } from './read-marks.js';
import { Store } from './store.js';
import { Stream } from './stream.js';

/**
 * A whole chat client without a screen: API, stream, store and outbox wired up.
 * Everything there is to show is in `store`, `outbox` and `stream.status`; every
 * change of it is announced by one of the events below.
 *
 * @typedef {object} ClientOptions
 * @property {import('./api.js').Api} api
 * @property {string} streamUrl
 * @property {string} site           tells several installations on one origin apart in the storage
 * @property {import('./kept.js').KeyValueStorage|null} storage
 * @property {() => Promise<(() => void)|null>} [slot]  as of Stream
 * @property {typeof EventSource} [EventSource]
 * @property {Partial<import('./stream.js').Times>} [times]
 */

/** How many messages of the room on screen are kept when it is trimmed. */
const KEEP_SHOWN = 200;

/**
 * change: something in that room (null: anything) · status: the stream's
 * loaded: a first or fresh snapshot is there · signedOut: only a log-in helps
 *
 * @extends {Emitter<{change: {room: number|null}, status: import('./stream.js').Status, loaded: null, signedOut: null}>}
 */
export class Client extends Emitter {
  api;
  store = new Store();
  stream;
  /** @type {Outbox|null} there is one from the first snapshot on */
  outbox = null;
  /** @type {Drafts|null} as the outbox */
  drafts = null;
  #history;
  /** @type {ReadMarks|null} as the outbox */
  #readMarks = null;
  #session = 0;
  #options;
  /** The room on screen. @type {number|null} */
  #open = null;
  /** @type {Set<number>} rooms being asked for */
  #asking = new Set();

  /** @param {ClientOptions} options */
  constructor(options) {
    super();
    this.#options = options;
    this.api = options.api;
    this.#history = new History(this.api, this.store);
    this.api.sessionLost = () => this.recheck();
    this.stream = new Stream({
      url: options.streamUrl,
      slot: options.slot,
      isOurs: (session) => session === this.#session,
      EventSource: options.EventSource,
      times: options.times,
      bootstrap: (signal) => this.#bootstrap(signal),
      poll: (cursor, signal) => this.api.events(cursor, signal),
    });
    this.stream.on('event', (event) => this.#onEvent(event));
    this.stream.on('reset', () => this.store.forget());
    this.stream.on('status', (status) => this.#onStatus(status));
    this.store.on('change', (change) => this.#onChange(change));
    this.store.on('unknown', (room) => this.#ask(room));
  }

  start() {
    this.stream.start();
  }

  stop() {
    this.stream.stop();
  }

  /** @param {{rebuild?: boolean}} [options] as of Stream.wake */
  wake(options) {
    this.stream.wake(options);
    this.outbox?.flush();
  }

  /** The session may be over, or another's: begin anew as whoever is logged in now. */
  recheck() {
    this.stream.renew(0);
  }

  /** The room on screen; null when there is none. @param {number|null} room */
  show(room) {
    if (this.#open !== null && this.#open !== room) this.store.rest(this.#open);
    this.#open = room;
    if (room !== null && this.store.ready) this.#history.open(room);
  }

  /** Only the newest messages are looked at: the others can be loaded again. @param {number} room */
  trim(room) {
    this.store.log(room).trim(KEEP_SHOWN);
    this.store.touched(room);
  }

  /** @param {number} room */
  loadOlder(room) {
    return this.#history.older(room);
  }

  /** @param {number} room @param {string} body */
  send(room, body) {
    this.outbox?.add(room, body);
  }

  /** All up to `seq` was seen. @param {number} room @param {number} seq */
  markRead(room, seq) {
    const known = this.store.room(room);
    if (!known || !this.store.user || seq <= known.read_seq) return;
    this.store.markRead(room, this.store.user.id, seq);
    this.#readMarks?.mark(room, seq);
  }

  /** @param {number} user @returns {Promise<number>} the room's id */
  async openDialog(user) {
    const room = await this.api.openDialog(user);
    this.store.put(room);
    return room.id;
  }

  /** @returns {Promise<boolean>} false: somebody else has logged in in another tab, and stays in */
  async logOut() {
    const { user } = this.store;
    try {
      await this.api.logOut();
    } catch (err) {
      if (!(err instanceof ApiError) || err.status !== 401) throw err;
      const now = await this.api.whoIsIn();
      if (now && now.user.id !== user?.id) return false;
      // The same person has logged in once more in another tab.
      if (now) await this.api.logOut(now.session.fingerprint);
    }
    this.#signedOut();
    return true;
  }

  /** The session that all this is for; 0: not known yet. */
  get session() {
    return this.#session;
  }

  /** @param {AbortSignal} signal @returns {Promise<string>} */
  async #bootstrap(signal) {
    const snapshot = await this.api.snapshot(signal);
    if (signal.aborted) return '';
    this.#session = snapshot.session.id;
    this.api.session = snapshot.session.fingerprint;
    if (snapshot.user.id !== this.store.user?.id) this.#unpack(snapshot.user.id);
    this.store.load(snapshot);
    this.outbox?.flush();
    this.emit('loaded', null);
    if (this.#open !== null) this.show(this.store.room(this.#open) ? this.#open : null);
    return snapshot.cursor;
  }

  /** What a person has of her own, whoever was here before. @param {number} user */
  #unpack(user) {
    this.#readMarks?.stop();
    this.#readMarks = new ReadMarks(this.api);
    const { storage, site } = this.#options;
    this.drafts = new Drafts({ storage, prefix: `confab:draft:${site}:${user}:` });
    this.outbox?.stop();
    const outbox = new Outbox({
      storage,
      prefix: `confab:outbox:${site}:${user}:`,
      send: ({ room, client_id, body }) => this.api.send(room, { client_id, body }),
    });
    outbox.on('sent', (message) => this.store.add(message));
    outbox.on('change', (room) => this.#onChange({ room }));
    this.outbox = outbox;
  }

  /** @param {import('./types.js').StreamEvent} event */
  #onEvent(event) {
    const message = event.type === 'message.new' ? event.data.message : null;
    if (message?.client_id && message.sender.id === this.store.user?.id) this.outbox?.acknowledge(message.client_id);
    this.store.apply(event);
  }

  /** @param {import('./stream.js').Status} status */
  #onStatus(status) {
    this.emit('status', status);
    if (status.state === 'closed') return this.#signedOut();
    if (status.state !== 'open') return;
    this.outbox?.flush();
    if (this.#open !== null) this.#history.open(this.#open);
  }

  /** @param {{room: number|null}} change */
  #onChange(change) {
    const { room } = change;
    if (room !== null) {
      this.#settle(room);
      const known = this.store.room(room);
      if (known && this.store.log(room).hole) {
        if (room === this.#open) this.#history.fill(room);
        else this.store.rest(room);
      }
    }
    this.emit('change', change);
  }

  /** What is in the log now need not be shown as pending any more. @param {number} room */
  #settle(room) {
    if (!this.outbox || this.outbox.items(room).length === 0) return;
    const log = this.store.log(room);
    const mine = log.messages.filter((message) => message.sender.id === this.store.user?.id);
    const shown = new Set(mine.map((message) => message.client_id));
    const unseen = log.status === 'empty';
    this.outbox.settle(room, (item) => shown.has(item.client_id) || (unseen && item.state === 'sent'));
  }

  /** Reads a room that an event named. @param {number} room */
  async #ask(room) {
    if (this.#asking.has(room)) return;
    this.#asking.add(room);
    const { generation } = this.store;
    try {
      const fresh = await this.api.room(room);
      if (this.store.generation === generation) this.store.put(fresh);
    } catch (err) {
      if (!(err instanceof ApiError)) throw err;
      if (this.store.generation !== generation) return;
      if (err.status === 404 || err.status === 403) this.store.drop(room);
      // A room that cannot be read now would be missing: a snapshot will have it.
      else if (!this.store.room(room)) this.stream.renew();
    } finally {
      this.#asking.delete(room);
    }
  }

  #signedOut() {
    this.stream.stop({ forget: true });
    this.api.session = '';
    this.#readMarks?.stop();
    this.outbox?.stop();
    this.outbox = null;
    this.drafts = null;
    this.store.clear();
    this.#open = null;
    this.emit('signedOut', null);
  }
}
