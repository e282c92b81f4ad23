// @ts-check

/**
 * Clients that connect to a daemon as fast as they can, ask one thing, and note how it ends. Who is refused, reset, or
 * cut before the whole answer is a failure; being made to wait is none.
 */

import { connect } from 'node:net';
import { waitFor } from './wait.js';

/** What is asked, and how a whole answer looks. No credential: neither needs the database. */
const QUESTIONS = [
  { path: '/health', whole: /^HTTP\/1\.1 (200|503) [^]*\r\n\r\n\{"status":"\w+"\}$/ },
  { path: '/stream', whole: /^HTTP\/1\.1 200 [^]*\nevent: reset\ndata: \{.*\}\n\n$/ },
];

export class Storm {
  answered = 0;
  /** @type {Map<string, number>} */
  failures = new Map();
  #stopped = false;
  #running;

  /**
   * @param {import('node:net').NetConnectOpts} target
   * @param {number} [atOnce]
   */
  constructor(target, atOnce = 64) {
    this.#running = Promise.all(Array.from({ length: atOnce }, (_, n) => this.#ask(target, n)));
  }

  /** @param {import('node:net').NetConnectOpts} target @param {number} n */
  async #ask(target, n) {
    for (; !this.#stopped; n++) {
      const failure = await ask(target, QUESTIONS[n % QUESTIONS.length]);
      if (failure) this.failures.set(failure, (this.failures.get(failure) ?? 0) + 1);
      else this.answered++;
    }
  }

  /** Until so many more have been answered. @param {number} count */
  async goesOn(count) {
    const goal = this.answered + count;
    await waitFor(() => this.answered >= goal, { what: `${count} more answers`, timeoutMs: 60_000 });
  }

  async stop() {
    this.#stopped = true;
    await this.#running;
  }
}

/**
 * One connection; what went wrong with it, or undefined.
 *
 * @param {import('node:net').NetConnectOpts} target
 * @param {{path: string, whole: RegExp}} question
 * @returns {Promise<string | undefined>}
 */
function ask(target, { path, whole }) {
  return new Promise((resolve) => {
    const socket = connect(target);
    let text = '';
    let failure = '';
    socket.setEncoding('latin1');
    socket.on('data', (more) => (text += more));
    socket.on('error', (error) => (failure = /** @type {NodeJS.ErrnoException} */ (error).code ?? error.message));
    socket.on('close', () => resolve(whole.test(text) ? undefined : failure || `cut after ${text.length} bytes`));
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  });
}
