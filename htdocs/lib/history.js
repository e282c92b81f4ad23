// @ts-check
import { ApiError } from './api.js';
import { Backoff, sleep } from './backoff.js';

/**
 * Brings messages into the store's room logs: the newest page, older pages, and
 * what a hole lacks. One request a room and purpose at a time; an answer that was
 * asked for before a reset is thrown away.
 */

/** Events of other writers are usually a moment behind the answer to one's own send. */
const HOLE_GRACE_MS = 300;
const RETRY_CAP_MS = 10000;
const PAGE = 50;
const PAGE_MAX = 200;

export class History {
  #api;
  #store;
  /** @type {Set<number>} rooms with an older page on its way */
  #older = new Set();
  /** @type {Set<number>} rooms with a hole being filled */
  #filling = new Set();

  /**
   * @param {import('./api.js').Api} api
   * @param {import('./store.js').Store} store
   */
  constructor(api, store) {
    this.#api = api;
    this.#store = store;
  }

  /** Sees to it that the newest messages of a room are there. @param {number} id */
  async open(id) {
    const room = this.#store.room(id);
    const log = this.#store.log(id);
    if (!room || log.status === 'ready' || log.status === 'loading') return;
    const { generation } = this.#store;
    const backoff = new Backoff({ cap: RETRY_CAP_MS });
    log.status = 'loading';
    this.#store.touched(id);
    // Enough to reach back behind what is unread, as far as one page goes.
    const limit = Math.min(PAGE_MAX, Math.max(PAGE, this.#store.unread(room) + PAGE / 2));
    for (;;) {
      try {
        const page = await this.#api.messages(id, { limit });
        if (/** @type {string} */ (log.status) !== 'ready') log.begin(page);
        return this.#store.touched(id);
      } catch (err) {
        if (!(err instanceof ApiError)) throw err;
        log.status = 'error';
        this.#store.touched(id);
        if (!err.transient) return;
        // While it is away the stream may well stay open: nothing else would tell that it is back.
        await sleep(backoff.next(err.retryAfter));
      }
      if (log.status !== 'error' || this.#store.generation !== generation || !this.#store.room(id)) return;
    }
  }

  /** The page before what is known. @param {number} id */
  async older(id) {
    const log = this.#store.log(id);
    if (log.status !== 'ready' || log.complete || this.#older.has(id)) return;
    this.#older.add(id);
    try {
      log.older(await this.#api.messages(id, { before: log.low, limit: PAGE }));
    } catch (err) {
      if (!(err instanceof ApiError)) throw err;
      return; // scrolling on asks again
    } finally {
      this.#older.delete(id);
    }
    this.#store.touched(id);
  }

  /** @param {number} id */
  async fill(id) {
    const log = this.#store.log(id);
    if (!log.hole || this.#filling.has(id)) return;
    this.#filling.add(id);
    const { generation } = this.#store;
    const backoff = new Backoff();
    await sleep(HOLE_GRACE_MS);
    while (log.hole && this.#store.generation === generation && this.#store.room(id)) {
      const { hole } = log;
      try {
        log.fill(hole, await this.#api.messages(id, { after: hole.after, limit: PAGE_MAX }));
        this.#store.touched(id);
      } catch (err) {
        if (!(err instanceof ApiError)) throw err;
        if (!err.transient) break;
        await sleep(backoff.next(err.retryAfter));
      }
    }
    this.#filling.delete(id);
  }
}
