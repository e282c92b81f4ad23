// @ts-check
import { ApiError } from './api.js';
import { sleep } from './backoff.js';

/**
 * The events by plain requests, for places where nothing may stream and for
 * times when no daemon runs. The same handlers as in transport-sse.js; the first
 * answer is the hello.
 *
 * @typedef {import('./transport-sse.js').TransportHandlers} TransportHandlers
 */

export class PollTransport {
  name = 'poll';
  lastHeardAt = Date.now();
  #abort = new AbortController();
  #handlers;
  #poll;

  /**
   * @param {(cursor: string, signal: AbortSignal) => Promise<import('./types.js').Poll>} poll
   * @param {string} cursor
   * @param {TransportHandlers} handlers
   */
  constructor(poll, cursor, handlers) {
    this.#poll = poll;
    this.#handlers = handlers;
    this.#run(cursor);
  }

  close() {
    this.#abort.abort();
  }

  /** @param {string} cursor */
  async #run(cursor) {
    const { signal } = this.#abort;
    let greeted = false;
    while (!signal.aborted) {
      let answer;
      try {
        answer = await this.#poll(cursor, signal);
      } catch (err) {
        if (!signal.aborted) this.#fail(err);
        return;
      }
      if (signal.aborted) return;
      this.lastHeardAt = Date.now();
      if (!greeted) this.#handlers.hello(cursor);
      greeted = true;
      cursor = answer.cursor;
      this.#deliver(answer);
      await sleep(answer.interval_ms * (0.9 + Math.random() * 0.2), signal);
    }
  }

  /**
   * A handler may close us; what is left of the answer is then nobody's, and the
   * cursor has not moved past it.
   *
   * @param {import('./types.js').Poll} answer
   */
  #deliver({ events, cursor }) {
    for (const event of events) {
      if (this.#abort.signal.aborted) return;
      if (event.type === 'reset') {
        this.close();
        this.#handlers.reset(event.data);
        return;
      }
      this.#handlers.event(event);
    }
    if (!this.#abort.signal.aborted) this.#handlers.mark(cursor);
  }

  /** @param {unknown} err */
  #fail(err) {
    this.close();
    if (!(err instanceof ApiError)) throw err;
    this.#handlers.fail({ code: err.code, status: err.status, retryAfter: err.retryAfter });
  }
}
