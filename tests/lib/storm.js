// @ts-check

/**
 * Clients that connect to a daemon as fast as they can, ask one thing, and note how it ends. Who is refused, reset, or
 * cut before the whole answer is a failure; being made to wait is none.
 */

import { once } from 'node:events';
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
      const failure = await askOnce(target, QUESTIONS[n % QUESTIONS.length]);
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
function askOnce(target, { path, whole }) {
  return new Promise((resolve) => {
    const client = open(target, `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    client.socket.once('close', () => {
      resolve(whole.test(client.text) ? undefined : client.error || `cut after ${client.text.length} bytes`);
    });
  });
}

/** @param {import('node:net').NetConnectOpts} target @param {string} request */
function open(target, request) {
  const socket = connect(target).setEncoding('latin1');
  const client = { socket, text: '', error: '', closed: false };
  socket.on('data', (more) => (client.text += more));
  socket.on('error', (error) => (client.error = /** @type {NodeJS.ErrnoException} */ (error).code ?? error.message));
  socket.on('close', () => (client.closed = true));
  socket.write(request);
  return client;
}

/**
 * Connections with a request each, once the kernel has taken them: whether the program has is another matter.
 *
 * @param {import('node:net').NetConnectOpts} target
 * @param {string[]} requests
 */
export async function ask(target, requests) {
  const clients = requests.map((request) => open(target, request));
  await Promise.all(clients.map(({ socket }) => once(socket, 'connect')));
  return clients;
}
