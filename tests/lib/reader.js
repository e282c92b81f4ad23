// @ts-check

/** What the clients of all transports have in common: they record every event as it came, and reconnect only when told. */

import { waitFor } from './wait.js';

/**
 * @typedef {object} StreamEvent
 * @property {string} type
 * @property {any} data         parsed JSON
 * @property {string} [id]      as given with this very event
 * @property {number} at        Date.now() when it was read
 */

export class Reader {
  /** @type {StreamEvent[]} */
  events = [];
  /** The newest cursor, to resume from. */
  lastId = '';
  status = 0;
  /** @type {import('node:http').IncomingHttpHeaders} */
  headers = {};
  closed = false;
  /** When anything came last, if only a sign of life; by performance.now(). */
  heardAt = performance.now();
  /** Is told each event as it comes. @type {(event: StreamEvent) => void} */
  onEvent = () => {};
  #tellOver = () => {};
  /** Resolves when the stream has ended. @type {Promise<void>} */
  over = new Promise((resolve) => (this.#tellOver = resolve));

  /** @param {{lastEventId?: string, giveUp?: () => Error | undefined}} options */
  constructor({ lastEventId, giveUp }) {
    this.lastId = lastEventId ?? '';
    this.giveUp = giveUp;
  }

  /** @param {{type: string, data: any, id?: string}} event */
  record({ type, data, id }) {
    if (id !== undefined) this.lastId = id;
    const event = { type, data, id, at: Date.now() };
    this.events.push(event);
    this.heard();
    this.onEvent(event);
  }

  heard() {
    this.heardAt = performance.now();
  }

  /** Nothing more can come. */
  finish() {
    this.closed = true;
    this.#tellOver();
  }

  /** Breaks the connection. */
  close() {
    throw new Error('each transport has its own');
  }

  /** Resolves when the stream is open, with its `connected` event. */
  async opened() {
    return this.event('connected');
  }

  /**
   * The first event of that type (after index `from`) that the predicate accepts.
   *
   * @param {string} type
   * @param {(data: any) => boolean} [accept]
   * @param {{from?: number, timeoutMs?: number}} [options]
   * @returns {Promise<StreamEvent>}
   */
  event(type, accept = () => true, { from = 0, timeoutMs } = {}) {
    return waitFor(
      () => this.events.slice(from).find((event) => event.type === type && accept(event.data)),
      { what: `event ${type}`, timeoutMs, giveUp: () => this.giveUp?.() ?? this.#noMore() },
    );
  }

  /** Why no further event can come. */
  #noMore() {
    return this.closed ? new Error(`the stream ended: HTTP ${this.status}`) : undefined;
  }

  /** The messages in the order in which they came. */
  messages() {
    return this.events.filter((event) => event.type === 'message.new').map((event) => event.data.message);
  }

  /** Resolves when the server (or close()) ended the stream. */
  ended(timeoutMs = 10_000) {
    return waitFor(() => this.closed, { what: 'the end of the stream', timeoutMs, giveUp: this.giveUp });
  }
}
