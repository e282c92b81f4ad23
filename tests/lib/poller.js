// @ts-check

/** A client that polls, with the interface of the other readers: it asks again at once, or when the answer says. */

import { request } from './http.js';
import { Reader } from './reader.js';
import { pause } from './wait.js';

export class Poller extends Reader {
  #stopping = new AbortController();
  polls = 0;

  /**
   * @param {string | URL} url  of /poll or /api/v1/events
   * @param {{headers?: Record<string, string>, lastEventId?: string, socketPath?: string,
   *          giveUp?: () => Error | undefined}} [options]
   */
  constructor(url, { headers = {}, lastEventId, socketPath, giveUp } = {}) {
    super({ lastEventId, giveUp });
    this.#run(new URL(url), { headers, socketPath }).catch(() => {});
  }

  /** @param {URL} url @param {{headers: Record<string, string>, socketPath?: string}} options */
  async #run(url, options) {
    try {
      const { signal } = this.#stopping;
      while (!signal.aborted) {
        if (this.lastId) url.searchParams.set('after', this.lastId);
        const answer = await request(url, { ...options, signal, timeoutMs: 60_000 });
        this.status = answer.status;
        this.headers = answer.headers;
        if (answer.status !== 200) return;
        this.#take(answer.json);
        await pause(answer.json.interval_ms);
      }
    } finally {
      this.finish();
    }
  }

  /** @param {{events: Array<{type: string, data: any}>, cursor: string}} answer */
  #take({ events, cursor }) {
    if (this.polls++ === 0) this.record({ type: 'connected', data: {} });
    for (const { type, data } of events) this.record({ type, data });
    this.record({ type: 'mark', data: {}, id: cursor });
  }

  close() {
    this.#stopping.abort();
  }
}
