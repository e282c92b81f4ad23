// @ts-check

/** The load generator (load.c), as the runner drives it. */

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../../build/bench/load', import.meta.url));

/** The core that the load has for itself. */
export const LOAD_CORE = 1;

/**
 * @typedef {{p50: number, p99: number, max: number}} Times  in ms
 *
 * @typedef {object} Connected
 * @property {number} seconds    until all are in, and have got all that is under way
 * @property {Times} opening     of each
 * @property {number} refused    so many were ended before they were open, and tried again
 * @property {number} deliveries
 *
 * @typedef {object} Figures   what a run gave
 * @property {number} seconds
 * @property {number} messages
 * @property {number} deliveries
 * @property {number} bytes       that the readers got
 * @property {number} refused     requests that were answered 503, and made again
 * @property {Times} delivery     from a message's being due to each reader
 * @property {Times} reached      to the last reader
 * @property {Times} answer       to the server's answer to the writer
 */

export class Load {
  /** @type {{resolve: (answer: any) => void, reject: (error: Error) => void}[]} */
  #waiting = [];
  #errors = '';
  #child;

  /** @param {string} server  its name @param {Record<string, string | number | undefined>} options  of load.c */
  constructor(server, options) {
    const words = Object.entries(options).flatMap(([name, value]) =>
      value === undefined ? [] : [`--${name}`, String(value)],
    );
    this.#child = spawn('taskset', ['-c', String(LOAD_CORE), PROGRAM, ...words], { stdio: 'pipe' });
    this.#child.stderr.on('data', (text) => (this.#errors += text));
    this.#child.stdin.on('error', () => {}); // told by its end
    createInterface(this.#child.stdout).on('line', (line) => this.#waiting.shift()?.resolve(JSON.parse(line)));
    /** @type {Promise<void>} */
    this.ended = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        const error = new Error(`load of ${server} ended (${signal ?? code}): ${this.#errors.trim()}`);
        for (const { reject } of this.#waiting.splice(0)) reject(error);
        resolve();
      });
    });
  }

  /**
   * @param {string} verb
   * @param {Record<string, string | number | undefined>} [values]
   * @returns {Promise<any>}
   */
  #tell(verb, values = {}) {
    const words = Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : `${name}=${value}`));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      if (this.#child.exitCode !== null) reject(new Error(`load has ended: ${this.#errors.trim()}`));
      else this.#child.stdin.write(`${[verb, ...words].join(' ')}\n`);
    });
  }

  /** @param {{under_way?: number, cursor?: string}} [how] @returns {Promise<Connected>} */
  connect(how) {
    return this.#tell('connect', how);
  }

  async drop() {
    await this.#tell('drop');
  }

  async pong() {
    await this.#tell('pong');
  }

  /**
   * @param {{seconds: number, bytes: number, window?: number, rate?: number, rows?: number, random?: number,
   *          pace_us?: number}} how
   * @returns {Promise<Figures>}
   */
  run(how) {
    return this.#tell('run', how);
  }

  /** @param {{count: number, bytes: number, rows?: number}} how @returns {Promise<Figures>} */
  send(how) {
    return this.#tell('send', how);
  }

  async stop() {
    this.#child.stdin.end();
    await this.ended;
  }
}
