// @ts-check
import { ApiError } from './api.js';
import { Backoff } from './backoff.js';

/** Tells the server how far one has read: the newest mark of each room, at most once a second. */

const INTERVAL_MS = 1000;

export class ReadMarks {
  #api;
  /** @type {Map<number, number>} room -> seq still to be told */
  #pending = new Map();
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  #backoff = new Backoff();

  /** @param {import('./api.js').Api} api */
  constructor(api) {
    this.#api = api;
  }

  /** @param {number} room @param {number} seq */
  mark(room, seq) {
    this.#pending.set(room, Math.max(seq, this.#pending.get(room) ?? 0));
    if (this.#timer === undefined) this.#tell();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pending.clear();
  }

  async #tell() {
    const batch = [...this.#pending];
    this.#pending.clear();
    this.#timer = undefined;
    if (batch.length === 0) return;
    this.#timer = setTimeout(() => this.#tell(), INTERVAL_MS);
    const results = await Promise.all(batch.map(([room, seq]) => this.#put(room, seq)));
    if (this.#timer === undefined) return this.#pending.clear(); // stopped meanwhile
    if (results.every(Boolean)) return this.#backoff.reset();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tell(), INTERVAL_MS + this.#backoff.next());
  }

  /** @param {number} room @param {number} seq @returns {Promise<boolean>} false: try again */
  async #put(room, seq) {
    try {
      await this.#api.markRead(room, seq);
    } catch (err) {
      if (!(err instanceof ApiError)) throw err;
      if (!err.transient) return true;
      this.#pending.set(room, Math.max(seq, this.#pending.get(room) ?? 0));
      return false;
    }
    return true;
  }
}
