// @ts-check

/**
 * A client that trusts docs/protocol.md alone, and nothing else: it goes on from its last id whenever a stream ends, on
 * whichever way comes next, drops what it has shown (3.4), and when it is told reset forgets all and reads it anew (5.1).
 * If an event goes missing, comes twice or out of order, so does the message here; checker.js is to find it.
 */

import { Random } from './random.js';
import { pause, waitFor } from './wait.js';

const FIRST_RETRY_MS = 50;
const SLOWEST_RETRY_MS = 1_000;
const LOOK_AT_SILENCE_MS = 100;
const PAGE = 200;

/**
 * What was on the screen from one reset to the next.
 *
 * @typedef {object} Life
 * @property {Array<import('./checker.js').Row & {eid?: number}>} rows  eid: of what came as an event
 * @property {Array<{type: string, room: number, eid: number}>} changes  all other events of rooms, but receipts
 * @property {string} [reset]  the reason that it ended for
 */

/** @param {any} message @param {number} [eid] @returns {Life['rows'][0]} */
const rowOf = ({ room, seq, client_id: clientId, body }, eid) => ({ room, seq, clientId, body, eid });

/** The room that an event is about; undefined when it is about none. @param {any} data @returns {number | undefined} */
export const roomOf = (data) => data.message?.room ?? data.room?.id ?? data.room;

export class Follower {
  /** One after the other; the last one may be open. @type {import('./reader.js').Reader[]} */
  readers = [];
  /** @type {Life[]} */
  lives = [{ rows: [], changes: [] }];
  /** What the server did against the protocol, in words. @type {string[]} */
  broken = [];
  /** Why it last could not read what it must. @type {unknown} */
  trouble;
  #member;
  #ways;
  #options;
  #random;
  /** Where to go on from; empty: at the present. */
  #id;
  /** Of what is on the screen, (room, seq). */
  #shown = new Set();
  /** The newest event of each room, messages included. @type {Map<number, number>} */
  #eids = new Map();
  /** While it reads all anew: what came meanwhile. @type {Array<import('./reader.js').StreamEvent> | undefined} */
  #waiting;
  /** Over when the screen is whole again. @type {Promise<void>} */
  #whole = Promise.resolve();
  #stopped = false;
  #leave = () => {};
  #retryMs = 0;
  #running;

  /**
   * @param {import('./ways.js').Member} member
   * @param {import('./ways.js').Way[]} ways  taken in turn
   * @param {object} [options]
   * @param {string} [options.name]
   * @param {string} [options.lastEventId]  to begin with
   * @param {boolean} [options.refetches]  else it only notes that there is a gap, and shows what comes after it
   * @param {boolean} [options.startsWhole]  with snapshot and history; else at the present
   * @param {[number, number]} [options.staysMs]  it leaves each stream after a random time; else when that ends
   * @param {number} [options.silentMs]  when nothing was heard for so long, it tries another
   * @param {Random} [options.random]
   */
  constructor(member, ways, { name = 'a follower', random = new Random(), lastEventId = '', ...options } = {}) {
    this.name = name;
    this.#member = member;
    this.#ways = ways;
    this.#options = { refetches: true, startsWhole: false, silentMs: Infinity, ...options };
    this.#random = random;
    this.#id = lastEventId;
    this.#running = this.#follow();
    // The error is also stop()'s to tell.
    this.#running.catch((error) => (this.trouble = error));
  }

  async #follow() {
    if (this.#options.startsWhole) this.#begin(0);
    for (let n = 0; ; n++) {
      // Of a reset that came while an earlier one was being mended, too.
      for (let whole; whole !== this.#whole; ) await (whole = this.#whole);
      if (this.#stopped) return;
      await this.#hear(this.#ways[n % this.#ways.length]);
      await this.#between();
    }
  }

  /** One connection, until it ends or is left. @param {import('./ways.js').Way} way */
  async #hear(way) {
    const reader = way.open(this.#id || undefined);
    const left = new Promise((resolve) => (this.#leave = () => resolve(null)));
    /** The order of what one connection brings. @type {Map<number, number>} */
    const eids = new Map();
    this.readers.push(reader);
    reader.onEvent = (event) => {
      this.#checkOrder(event, eids);
      this.#take(event);
    };
    const { staysMs, silentMs } = this.#options;
    const timer = staysMs && setTimeout(this.#leave, this.#random.between(...staysMs));
    const watch = setInterval(() => {
      if (performance.now() - reader.heardAt > silentMs || this.#member.site.giveUp?.()) this.#leave();
    }, LOOK_AT_SILENCE_MS);
    await Promise.race([reader.over, left]);
    clearTimeout(timer);
    clearInterval(watch);
    reader.onEvent = () => {};
    if (!reader.closed) reader.close();
    if (reader.status === 401 || reader.status === 403) throw new Error(`${this.name}: ${way.name} answers ${reader.status}`);
    const failure = this.#member.site.giveUp?.();
    if (failure) throw failure;
  }

  /** What the server asked for, else at once; and ever later while nothing is heard at all. */
  async #between() {
    const last = this.readers.at(-1);
    const heard = (last?.events.length ?? 0) > 0;
    const asked = last?.events.at(-1)?.data.retry ?? Number(last?.headers['retry-after'] ?? 0) * 1000;
    this.#retryMs = heard ? 0 : Math.min(this.#retryMs * 2 || FIRST_RETRY_MS, SLOWEST_RETRY_MS);
    if (!this.#stopped) await pause(Math.min(asked, SLOWEST_RETRY_MS) + this.#random.between(0, this.#retryMs));
  }

  /** @param {import('./reader.js').StreamEvent} event @param {Map<number, number>} eids */
  #checkOrder({ type, data }, eids) {
    if (type === 'reset') eids.clear();
    const room = roomOf(data);
    if (room === undefined || data.eid === undefined || type === 'receipt.read') return;
    const before = eids.get(room) ?? 0;
    if (data.eid <= before) this.broken.push(`${this.name}: ${type} ${data.eid} of room ${room} came after ${before}`);
    eids.set(room, data.eid);
  }

  /** @param {import('./reader.js').StreamEvent} event */
  #take(event) {
    const { type, data, id } = event;
    if (id) this.#id = id;
    if (type === 'reset' && data.reason === 'auth') {
      this.broken.push(`${this.name}: the session is over`);
    } else if (type === 'reset') {
      this.#lifeEnds(data);
    } else if (this.#waiting) {
      this.#waiting.push(event);
    } else {
      this.#show(event);
    }
  }

  /** @param {{reason: string, within: number}} reset */
  #lifeEnds({ reason, within }) {
    this.#life.reset = reason;
    this.lives.push({ rows: [], changes: [] });
    this.#shown.clear();
    this.#eids.clear();
    if (!this.#options.refetches) return;
    this.#id = '';
    this.#begin(within);
  }

  /** Reads all anew; what comes meanwhile is shown after it. @param {number} within seconds */
  #begin(within) {
    const life = this.lives.length;
    this.#waiting = [];
    this.#whole = this.#refetch(life, within);
  }

  /** @param {number} life @param {number} within seconds */
  async #refetch(life, within) {
    const isNow = () => !this.#stopped && life === this.lives.length;
    await pause(this.#random.between(0, within * 1000));
    while (isNow()) {
      try {
        const { cursor, rooms } = await this.#member.snapshot();
        const pages = await Promise.all(rooms.map((/** @type {any} */ { id }) => this.#history(id)));
        if (!isNow()) return;
        for (const message of pages.flat()) this.#showMessage(message);
        // Marks that came meanwhile are of the stream, which goes on from there.
        this.#id ||= cursor;
        const waiting = this.#waiting ?? [];
        this.#waiting = undefined;
        for (const event of waiting) this.#show(event);
        return;
      } catch (error) {
        this.trouble = error;
        await pause(this.#random.between(FIRST_RETRY_MS, SLOWEST_RETRY_MS));
      }
    }
  }

  /** All messages of a room. @param {number} room */
  async #history(room) {
    const items = [];
    for (let more = true; more; ) {
      const page = await this.#member.history(room, `?after=${items.at(-1)?.seq ?? 0}&limit=${PAGE}`);
      items.push(...page.items);
      more = page.has_more;
    }
    return items;
  }

  /** @param {import('./reader.js').StreamEvent} event */
  #show({ type, data }) {
    const room = roomOf(data);
    if (room === undefined || data.eid === undefined) return;
    const newest = this.#eids.get(room) ?? 0;
    if (type === 'message.new') this.#showMessage(data.message, data.eid);
    else if (type !== 'receipt.read' && data.eid > newest) this.#life.changes.push({ type, room, eid: data.eid });
    this.#eids.set(room, Math.max(data.eid, newest));
  }

  /** @param {any} message @param {number} [eid] */
  #showMessage(message, eid) {
    const place = `${message.room}/${message.seq}`;
    if (this.#shown.has(place)) return;
    this.#shown.add(place);
    this.#life.rows.push(rowOf(message, eid));
  }

  get #life() {
    return this.lives[this.lives.length - 1];
  }

  // ---- What it has to show ----

  /** The screen as it is now. */
  get rows() {
    return this.#life.rows;
  }

  /** The seqs of a room's messages, as they stand on the screen. @param {number} room */
  shown(room) {
    return this.rows.filter((row) => row.room === room).map(({ seq }) => seq);
  }

  /** Why each reset was told. */
  get resets() {
    return this.lives.flatMap(({ reset }) => reset ?? []);
  }

  /** Every screen that there was, for the checker. @returns {import('./checker.js').Screen[]} */
  get screens() {
    return this.lives.map(({ rows, reset }, n) => ({ name: `${this.name}, life ${n + 1}`, shown: rows, cut: reset !== undefined }));
  }

  /** All that came, before anything was dropped. */
  get events() {
    return this.readers.flatMap((reader) => reader.events);
  }

  /** @param {string} type */
  all(type) {
    return this.events.filter((event) => event.type === type).map((event) => event.data);
  }

  // ---- What it is told ----

  /** Resolves when the first stream is live: what is sent from then on must be shown. */
  opened() {
    return waitFor(() => this.all('connected').length > 0, { what: `${this.name} to be live`, giveUp: this.#member.site.giveUp });
  }

  /** Leaves the stream that it hears, and takes the next way. */
  hop() {
    this.#leave();
  }

  async stop() {
    this.#stopped = true;
    this.#leave();
    await this.#running;
  }
}
