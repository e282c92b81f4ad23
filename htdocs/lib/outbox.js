// @ts-check
import { ApiError } from './api.js';
import { Backoff } from './backoff.js';
import { Emitter } from './emitter.js';
import { Kept } from './kept.js';

/**
 * What a person has sent and the server has not yet acknowledged. It is kept in
 * the given storage, so that it survives a reload, and repeated with the same
 * client_id until there is an answer. The server takes each client_id once: that
 * two tabs send the same item is harmless.
 *
 * @typedef {import('./types.js').OutboxItem} OutboxItem
 */

/** A worker that answers `internal` for the same message so often will go on doing so. */
const INTERNAL_TRIES = 5;

/** @returns {string} a version 4 UUID; randomUUID exists on https and localhost only */
export function newClientId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** @extends {Emitter<{change: number, sent: import('./types.js').Message}>} change: the room */
export class Outbox extends Emitter {
  #kept;
  #send;
  /** @type {Map<string, OutboxItem>} in the order of writing */
  #items = new Map();
  /** @type {Map<number, ReturnType<typeof setTimeout>>} rooms that wait before their next try */
  #timers = new Map();
  /** @type {Map<number, Backoff>} */
  #backoffs = new Map();
  /** @type {Map<string, number>} tries answered `internal`, by client_id */
  #internal = new Map();
  #lastAt = 0;
  /** The session is not what it was: nothing is sent before it has been looked at. */
  #held = false;
  #stopped = false;

  /**
   * @param {object} options
   * @param {import('./kept.js').KeyValueStorage|null} options.storage null: nothing survives a reload
   * @param {string} options.prefix of the storage keys: this site and this person
   * @param {(item: OutboxItem) => Promise<import('./types.js').Message>} options.send
   */
  constructor({ storage, prefix, send }) {
    super();
    this.#kept = new Kept(storage, prefix);
    this.#send = send;
    this.#load();
  }

  get size() {
    return this.#items.size;
  }

  /** @param {number} room @returns {OutboxItem[]} in the order of writing */
  items(room) {
    return [...this.#items.values()].filter((item) => item.room === room);
  }

  /** @param {number} room @param {string} body */
  add(room, body) {
    // No two at the same time: the order of writing must survive a reload.
    this.#lastAt = Math.max(Date.now(), this.#lastAt + 1);
    /** @type {OutboxItem} */
    const item = { client_id: newClientId(), room, body, at: new Date(this.#lastAt).toISOString(), state: 'queued' };
    this.#items.set(item.client_id, item);
    this.#save(item);
    this.#changed(item);
    this.#pump(room);
  }

  /** Everything that waits is tried at once: the line has come back. */
  flush() {
    this.#held = false;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    for (const room of new Set([...this.#items.values()].map((item) => item.room))) this.#pump(room);
  }

  /** @param {string} clientId of a failed item */
  retry(clientId) {
    const item = this.#items.get(clientId);
    if (item?.state !== 'failed') return;
    item.state = 'queued';
    delete item.error;
    this.#internal.delete(clientId);
    this.#save(item);
    this.#changed(item);
    this.#pump(item.room);
  }

  /** @param {string} clientId */
  discard(clientId) {
    const item = this.#items.get(clientId);
    if (!item) return;
    this.#kept.delete(clientId);
    this.#items.delete(clientId);
    this.#changed(item);
  }

  /** Gives up everything that is not sent. */
  clear() {
    for (const clientId of [...this.#items.keys()]) this.discard(clientId);
  }

  /** The server has it, by answer or by event: it need not be kept any more. @param {string} clientId */
  acknowledge(clientId) {
    const item = this.#items.get(clientId);
    if (!item || item.state === 'sent') return;
    item.state = 'sent';
    this.#kept.delete(clientId);
    this.#changed(item);
  }

  /**
   * Drops what is on screen as a message by now.
   *
   * @param {number} room
   * @param {(item: OutboxItem) => boolean} isShown
   */
  settle(room, isShown) {
    for (const item of this.items(room)) {
      if (!isShown(item)) continue;
      this.#kept.delete(item.client_id);
      this.#items.delete(item.client_id);
    }
  }

  /**
   * Another tab changed the storage.
   *
   * @param {string} key
   * @param {string|null} value
   */
  changedElsewhere(key, value) {
    const item = value === null && this.#items.get(this.#kept.nameOf(key) ?? '');
    if (!item || item.state !== 'failed') return;
    this.#items.delete(item.client_id);
    this.#changed(item);
  }

  /** Nothing is sent any more; what is kept stays kept. */
  stop() {
    this.#stopped = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  /**
   * One message at a time in a room, so that they arrive in the order of writing.
   *
   * @param {number} room
   */
  async #pump(room) {
    const items = this.items(room);
    if (this.#stopped || this.#held || this.#timers.has(room) || items.some((item) => item.state === 'sending')) return;
    const item = items.find(({ state }) => state === 'queued');
    if (!item) return;
    item.state = 'sending';
    try {
      const message = await this.#send(item);
      this.#backoffs.delete(room);
      this.acknowledge(item.client_id);
      this.emit('sent', message);
    } catch (err) {
      if (!(err instanceof ApiError)) throw err;
      this.#refused(item, err);
    }
    this.#pump(room);
  }

  /** @param {OutboxItem} item @param {ApiError} err */
  #refused(item, err) {
    if (item.state !== 'sending') return; // its event came first
    item.state = this.#mayRepeat(item, err) ? 'queued' : 'failed';
    if (item.state === 'failed') {
      item.error = err.detail;
      this.#save(item);
    } else if (err.status !== 401) {
      this.#wait(item.room, err.retryAfter);
    } else {
      this.#held = true;
    }
    this.#changed(item);
  }

  /** @param {OutboxItem} item @param {ApiError} err */
  #mayRepeat(item, err) {
    if (err.code === 'internal') {
      const tries = (this.#internal.get(item.client_id) ?? 0) + 1;
      this.#internal.set(item.client_id, tries);
      return tries < INTERNAL_TRIES;
    }
    return err.transient || err.status === 401;
  }

  /** @param {number} room @param {number} atLeast ms */
  #wait(room, atLeast) {
    let backoff = this.#backoffs.get(room);
    if (!backoff) this.#backoffs.set(room, (backoff = new Backoff()));
    const again = () => {
      this.#timers.delete(room);
      this.#pump(room);
    };
    this.#timers.set(room, setTimeout(again, backoff.next(atLeast)));
  }

  /** @param {OutboxItem} item */
  #changed(item) {
    this.emit('change', item.room);
  }

  #load() {
    const kept = this.#kept.names.flatMap((name) => this.#kept.get(name) ?? []);
    kept.sort((a, b) => (a.at < b.at ? -1 : 1));
    for (const item of kept) this.#items.set(item.client_id, item.state === 'failed' ? item : { ...item, state: 'queued' });
  }

  /** @param {OutboxItem} item */
  #save(item) {
    this.#kept.set(item.client_id, item);
  }
}
