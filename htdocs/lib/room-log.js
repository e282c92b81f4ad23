// @ts-check

/**
 * The messages of one room as far as they are known: one unbroken range of `seq`
 * from `low` to `high`, in which whatever is missing does not exist. A message
 * beyond `high + 1` is put aside until history has answered for the hole before
 * it, so that a hole is never shown as if it were whole.
 *
 * @typedef {import('./types.js').Message} Message
 */

export class RoomLog {
  /** @type {'empty'|'loading'|'ready'|'error'} */
  status = 'empty';
  /** No older messages exist. */
  complete = false;
  /** @type {Message[]} ascending, within the range */
  #messages = [];
  /** @type {Map<number, Message>} beyond a hole, by seq */
  #aside = new Map();
  #low = 0;
  #high = 0;
  #newest;

  /** @param {number} newest the room's last_seq as known by now */
  constructor(newest) {
    this.#newest = newest;
  }

  /** What may be shown, ascending by seq. @returns {readonly Message[]} */
  get messages() {
    return this.#messages;
  }

  get low() {
    return this.#low;
  }

  get high() {
    return this.#high;
  }

  /** @param {number} seq the room is known to have reached */
  reached(seq) {
    this.#newest = Math.max(this.#newest, seq);
  }

  /**
   * A message that came by itself: an event, or the answer to a send.
   *
   * @param {Message} message
   * @returns {boolean} false for a repeat
   */
  add(message) {
    this.reached(message.seq);
    if (this.status === 'empty' || this.status === 'error') return false;
    if (message.seq <= this.#high && message.seq >= this.#low) return this.#insert(message);
    if (message.seq < this.#low || this.#aside.has(message.seq)) return false;
    this.#aside.set(message.seq, message);
    if (this.status === 'ready') this.#join();
    return true;
  }

  /**
   * The newest page: the range begins.
   *
   * @param {import('./types.js').MessagePage} page
   */
  begin({ items, has_more }) {
    this.status = 'ready';
    this.complete = !has_more;
    this.#messages = [...items];
    this.#high = items.at(-1)?.seq ?? 0;
    this.#low = items[0]?.seq ?? 1;
    this.#join();
  }

  /**
   * A page that ends before `low`.
   *
   * @param {import('./types.js').MessagePage} page
   */
  older({ items, has_more }) {
    this.complete = !has_more;
    const fresh = items.filter((message) => message.seq < this.#low);
    if (fresh.length === 0) return;
    this.#messages.unshift(...fresh);
    this.#low = fresh[0].seq;
  }

  /**
   * The hole after `high`, if there is one and the range has begun.
   *
   * @returns {{after: number, before: number}|null} both exclusive
   */
  get hole() {
    if (this.status !== 'ready' || this.#newest <= this.#high) return null;
    const next = Math.min(this.#newest + 1, ...this.#aside.keys());
    return { after: this.#high, before: next };
  }

  /**
   * History's answer for a hole. What it does not have is not there.
   *
   * @param {{after: number, before: number}} hole
   * @param {import('./types.js').MessagePage} page read with after=hole.after
   */
  fill(hole, { items, has_more }) {
    if (hole.after !== this.#high) return;
    for (const message of items) {
      this.reached(message.seq);
      this.#aside.set(message.seq, message);
    }
    const last = items.at(-1)?.seq ?? hole.after;
    this.#takeAside(has_more ? last : Math.max(last, hole.before - 1));
    this.#join();
  }

  /**
   * Forgets all but the newest `keep`, so that a long-lived page stays small.
   *
   * @param {number} keep
   */
  trim(keep) {
    if (this.#messages.length <= keep) return;
    this.#messages = this.#messages.slice(-keep);
    this.#low = this.#messages[0].seq;
    this.complete = false;
  }

  /** Moves what directly follows the range into it. */
  #join() {
    for (const seq of this.#aside.keys()) if (seq <= this.#high) this.#aside.delete(seq);
    let next = this.#high + 1;
    while (this.#aside.has(next)) next += 1;
    this.#takeAside(next - 1);
  }

  /** The range now reaches `seq`, with what lies aside up to there. @param {number} seq */
  #takeAside(seq) {
    const taken = [...this.#aside.values()].filter((message) => message.seq <= seq && message.seq > this.#high);
    taken.sort((a, b) => a.seq - b.seq);
    for (const message of taken) this.#aside.delete(message.seq);
    this.#messages.push(...taken);
    this.#high = Math.max(this.#high, seq);
  }

  /**
   * Within the range, where a message can only be missing because it was not yet
   * there when history was read.
   *
   * @param {Message} message
   */
  #insert(message) {
    const at = this.#messages.findLastIndex((known) => known.seq <= message.seq);
    if (this.#messages[at]?.seq === message.seq) return false;
    this.#messages.splice(at + 1, 0, message);
    return true;
  }
}
