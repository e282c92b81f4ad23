// @ts-check

/**
 * A sender that never gives up on a message: it repeats each one under the same client_id until the server has said
 * yes or no, whatever is killed meanwhile, and keeps the log that checker.js judges.
 */

import { randomUUID } from 'node:crypto';
import { ApiError } from './person.js';
import { pause } from './wait.js';

const FIRST_RETRY_MS = 50;
const SLOWEST_RETRY_MS = 1_000;

export class Writer {
  /** @type {import('./checker.js').Send[]} */
  sends = [];
  /** No further message is begun. */
  #finishing = false;
  /** The one in hand is not repeated either. */
  #stopped = false;
  /** @type {Promise<void> | undefined} */
  #running;

  /**
   * @param {import('./person.js').Person} person
   * @param {number} room
   */
  constructor(person, room) {
    this.person = person;
    this.room = room;
  }

  /**
   * Sends one message, and returns when it is acknowledged. A refusal (4xx but 429) is thrown.
   *
   * @param {string} body
   */
  async send(body) {
    /** @type {import('./checker.js').Send} */
    const send = { room: this.room, clientId: randomUUID(), body, invokedAt: performance.now() };
    this.sends.push(send);
    for (let ms = FIRST_RETRY_MS; !this.#stopped; ms = Math.min(ms * 2, SLOWEST_RETRY_MS)) {
      try {
        const message = await this.person.send(this.room, body, { client_id: send.clientId });
        send.returnedAt = performance.now();
        send.seq = message.seq;
        return message;
      } catch (error) {
        if (error instanceof ApiError && error.status < 500 && error.status !== 429) throw error;
      }
      await pause(ms);
    }
    return undefined;
  }

  /** Sends without end, until stop(). @param {{everyMs?: number}} [options] everyMs: how long it rests in between */
  start({ everyMs = 0 } = {}) {
    this.#running = (async () => {
      for (let n = 1; !this.#finishing; n++) {
        await this.send(`${this.person.login} ${n}`);
        if (everyMs > 0) await pause(everyMs);
      }
    })();
    // The error is stop()'s to tell.
    this.#running.catch(() => {});
  }

  /** Ends after the message in hand, which is acknowledged first if that takes no longer than the deadline. */
  async stop(timeoutMs = 15_000) {
    this.#finishing = true;
    const timer = setTimeout(() => (this.#stopped = true), timeoutMs);
    await this.#running;
    clearTimeout(timer);
  }
}
