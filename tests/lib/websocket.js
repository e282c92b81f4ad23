// @ts-check

/** A client of the WebSocket (npm's ws, which nobody here wrote) with the interface of the other readers. */

import { WebSocket } from 'ws';
import { Reader } from './reader.js';
import { waitFor } from './wait.js';

export class WsReader extends Reader {
  /** @type {number | undefined} of the server's close */
  closeCode;
  closeReason = '';
  /** @type {any[]} acks, errors and pongs */
  answers = [];
  #socket;
  #refs = 0;

  /**
   * @param {string | URL} url
   * @param {{headers?: Record<string, string>, lastEventId?: string, socketPath?: string,
   *          giveUp?: () => Error | undefined}} [options]
   */
  constructor(url, { headers = {}, lastEventId, socketPath, giveUp } = {}) {
    super({ lastEventId, giveUp });
    const { href, pathname, search } = new URL(url);
    const address = socketPath ? `ws+unix:${socketPath}:${pathname}${search}` : href.replace(/^http/, 'ws');
    const all = { ...headers, ...(lastEventId && { 'Last-Event-ID': lastEventId }) };
    this.#socket = new WebSocket(address, 'confab.v1', { headers: all, perMessageDeflate: false });
    this.#socket.on('upgrade', (response) => {
      this.status = response.statusCode ?? 0;
      this.headers = response.headers;
    });
    this.#socket.on('unexpected-response', (_, response) => {
      this.status = response.statusCode ?? 0;
      this.headers = response.headers;
      response.destroy();
      this.finish();
    });
    this.#socket.on('ping', () => this.heard());
    this.#socket.on('message', (data) => this.#take(JSON.parse(data.toString())));
    this.#socket.on('error', () => {});
    this.#socket.on('close', (code, reason) => {
      this.closeCode = code;
      this.closeReason = reason.toString();
      this.finish();
    });
  }

  /** @param {any} message */
  #take(message) {
    if ('data' in message) this.record(message);
    else this.answers.push(message);
  }

  /**
   * Sends an operation, and resolves with the server's answer to it.
   *
   * @param {string} op
   * @param {object} [fields]
   */
  async do(op, fields = {}) {
    const ref = String(++this.#refs);
    this.#socket.send(JSON.stringify({ op, ref, ...fields }));
    return this.answerTo(ref);
  }

  /** @param {string | number} ref */
  answerTo(ref) {
    return waitFor(() => this.answers.find((answer) => answer.ref === ref), { what: `an answer to ${ref}`, giveUp: this.giveUp });
  }

  /** @param {string | Buffer} data */
  send(data) {
    this.#socket.send(data);
  }

  /** Stops or begins again to read what comes. @param {boolean} paused */
  pause(paused) {
    if (paused) this.#socket.pause();
    else this.#socket.resume();
  }

  close() {
    this.#socket.terminate();
  }
}
