// @ts-check

/**
 * A client of the stream that hides nothing: it records every event as it came, and reconnects only when told.
 * The parser follows the HTML standard (section 9.2.6), independently of the program under test.
 */

import { request } from 'node:http';
import { Reader } from './reader.js';

export class SseParser {
  #rest = '';
  #type = '';
  /** @type {string[]} */
  #data = [];
  /** @type {string | undefined} */
  #id;
  /** @type {string[]} */
  comments = [];
  /** @type {number | undefined} */
  retryMs;
  #onEvent;

  /** @param {(event: {type: string, text: string, id: string | undefined}) => void} onEvent */
  constructor(onEvent) {
    this.#onEvent = onEvent;
  }

  /** @param {string} text */
  push(text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line);
  }

  /** @param {string} line */
  #line(line) {
    if (line === '') return this.#dispatch();
    if (line.startsWith(':')) return void this.comments.push(line.slice(1));
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#type = value;
    else if (field === 'data') this.#data.push(value);
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value);
  }

  #dispatch() {
    if (this.#data.length > 0) {
      this.#onEvent({ type: this.#type || 'message', text: this.#data.join('\n'), id: this.#id });
    }
    this.#type = '';
    this.#data = [];
    this.#id = undefined;
  }
}

export class SseReader extends Reader {
  #parser;
  #request;
  /** @type {import('node:http').IncomingMessage | undefined} */
  #incoming;
  #paused = false;

  /**
   * @param {string | URL} url
   * @param {{headers?: import('node:http').OutgoingHttpHeaders, lastEventId?: string, socketPath?: string,
   *          giveUp?: () => Error | undefined}} [options]
   */
  constructor(url, { headers = {}, lastEventId, socketPath, giveUp } = {}) {
    super({ lastEventId, giveUp });
    this.#parser = new SseParser(({ type, text, id }) => this.record({ type, data: JSON.parse(text), id }));
    const all = { Accept: 'text/event-stream', ...headers, ...(lastEventId && { 'Last-Event-ID': lastEventId }) };
    this.#request = request(url, { headers: all, socketPath, agent: false }, (incoming) => {
      this.status = incoming.statusCode ?? 0;
      this.headers = incoming.headers;
      this.#incoming = incoming;
      incoming.setEncoding('utf8');
      incoming.on('data', (text) => {
        this.heard();
        this.#parser.push(text);
      });
      incoming.on('close', () => this.finish());
      incoming.on('error', () => this.finish());
      if (this.#paused) incoming.pause();
    });
    this.#request.on('error', () => this.finish());
    this.#request.end();
  }

  get comments() {
    return this.#parser.comments;
  }

  get retryMs() {
    return this.#parser.retryMs;
  }

  /** Stops or begins again to read what comes. @param {boolean} paused */
  pause(paused) {
    this.#paused = paused;
    if (paused) this.#incoming?.pause();
    else this.#incoming?.resume();
  }

  close() {
    this.#request.destroy();
  }
}
