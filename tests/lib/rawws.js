// @ts-check

/**
 * A WebSocket's client made of bytes: it sends any frame, right or wrong, in any pieces, and hides nothing of what
 * comes back. It follows RFC 6455 independently of the program under test, and notes where that does not.
 */

import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { waitFor } from './wait.js';

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

/** @param {number | bigint} length @param {number} bytes */
function number(length, bytes) {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64BE(BigInt(length));
  return buffer.subarray(8 - bytes);
}

/**
 * One frame.
 *
 * @param {number} opcode
 * @param {string | Buffer} [payload]
 * @param {object} [options]
 * @param {boolean} [options.fin]
 * @param {number} [options.rsv]  4 is RSV1, 2 RSV2, 1 RSV3
 * @param {Buffer | null} [options.mask]  null: none
 * @param {number | bigint} [options.length]  what the head says, if not the truth
 * @param {0 | 2 | 8} [options.lengthBytes]  beside the second byte; as few as will do
 */
export function frame(opcode, payload = '', { fin = true, rsv = 0, mask = MASK, length, lengthBytes } = {}) {
  const plain = Buffer.from(payload);
  const stated = length ?? plain.length;
  const extra = lengthBytes ?? (stated < 126 ? 0 : stated < 65536 ? 2 : 8);
  const short = extra === 0 ? Number(stated) : extra === 2 ? 126 : 127;
  return Buffer.concat([
    Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode, (mask ? 0x80 : 0) | short]),
    number(stated, extra),
    mask ?? Buffer.alloc(0),
    mask ? plain.map((byte, i) => byte ^ mask[i % 4]) : plain,
  ]);
}

/** A close frame. @param {number} code @param {string | Buffer} [reason] */
export const close = (code, reason = '') => frame(OPCODE.close, Buffer.concat([number(code, 2), Buffer.from(reason)]));

/** Bytes in pieces of so many. @param {Buffer} bytes @param {number} step */
export function pieces(bytes, step) {
  const all = [];
  for (let at = 0; at < bytes.length; at += step) all.push(bytes.subarray(at, at + step));
  return all;
}

export class RawWs {
  /** @type {string[]} what came but for events and pings: "text JSON", "pong PAYLOAD", "close CODE" */
  said = [];
  /** @type {any[]} */
  events = [];
  /** @type {string[]} where the server broke the RFC */
  faults = [];
  head = '';
  ended = false;
  closed = false;
  #rest = Buffer.alloc(0);

  /**
   * Connects and asks for a WebSocket, whatever comes of it.
   *
   * @param {import('./guest.js').Guest} guest
   * @param {object} [options]
   * @param {string} [options.path]
   * @param {string} [options.method]
   * @param {string} [options.version]  of HTTP
   * @param {Record<string, string | null>} [options.headers]  null: leave it out
   * @param {Buffer} [options.after]  sent with the request
   */
  constructor(guest, { path = '/ws', method = 'GET', version = '1.1', headers = {}, after } = {}) {
    /** @type {Record<string, string | null>} */
    const all = {
      Host: 'daemon.test',
      Upgrade: 'websocket',
      Connection: 'Upgrade',
      'Sec-WebSocket-Key': KEY,
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Protocol': 'confab.v1',
      ...guest.headers(),
      ...headers,
    };
    const lines = Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}\r\n`]));
    this.giveUp = guest.site.giveUp;
    this.socket = connect({ path: guest.site.pushSocket, allowHalfOpen: true });
    this.socket.setNoDelay(true);
    this.socket.on('data', (bytes) => this.#take(bytes));
    this.socket.on('end', () => (this.ended = true));
    this.socket.on('close', () => (this.closed = this.ended = true));
    this.socket.on('error', () => (this.closed = this.ended = true));
    this.socket.write(Buffer.concat([Buffer.from(`${method} ${path} HTTP/${version}\r\n${lines.join('')}\r\n`), after ?? Buffer.alloc(0)]));
  }

  /** A WebSocket that is open. @param {import('./guest.js').Guest} guest */
  static async open(guest) {
    const socket = new RawWs(guest);
    await socket.until(() => socket.events.some(({ type }) => type === 'connected'), 'connected');
    return socket;
  }

  get status() {
    return Number(/^HTTP\/1\.1 (\d+)/.exec(this.head)?.[1]);
  }

  /** @param {Buffer} bytes */
  #take(bytes) {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    if (this.head === '') {
      const end = this.#rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.head = this.#rest.subarray(0, end + 4).toString('latin1');
      this.#rest = this.#rest.subarray(end + 4);
      if (this.status === 101) this.#checkHead();
    }
    if (this.status !== 101) return;
    while (this.#takeFrame());
  }

  #checkHead() {
    const accept = createHash('sha1').update(KEY + GUID).digest('base64');
    for (const line of ['Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${accept}`, 'Sec-WebSocket-Protocol: confab.v1']) {
      if (!this.head.includes(`\r\n${line}\r\n`)) this.faults.push(`no ${line}`);
    }
    if (/^Sec-WebSocket-Extensions:/im.test(this.head)) this.faults.push('an extension');
  }

  /** Takes a frame, if one is there. */
  #takeFrame() {
    const [first, second] = this.#rest;
    if (second === undefined) return false;
    const extra = second === 126 ? 2 : second === 127 ? 8 : 0;
    if (this.#rest.length < 2 + extra) return false;
    const length = extra === 0 ? second : Number(BigInt(`0x${this.#rest.subarray(2, 2 + extra).toString('hex')}`));
    if (this.#rest.length < 2 + extra + length) return false;
    const payload = this.#rest.subarray(2 + extra, 2 + extra + length);
    this.#rest = this.#rest.subarray(2 + extra + length);

    if ((first & 0xf0) !== 0x80) this.faults.push(`a first byte of ${first}`);
    if (second > 127) this.faults.push('a mask');
    if ((extra === 2 && length < 126) || (extra === 8 && length < 65536)) this.faults.push(`${length} in ${extra} bytes`);
    if (this.said.at(-1)?.startsWith('close')) this.faults.push('a frame after the close');
    this.#hear(first & 15, payload);
    return true;
  }

  /** @param {number} opcode @param {Buffer} payload */
  #hear(opcode, payload) {
    if (opcode === OPCODE.text) {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(payload);
      const message = JSON.parse(text);
      if ('data' in message) this.events.push(message);
      else this.said.push(`text ${text}`);
    } else if (opcode === OPCODE.pong) {
      this.said.push(`pong ${payload.toString('latin1')}`);
    } else if (opcode === OPCODE.close) {
      this.said.push(`close ${payload.length === 0 ? 1005 : payload.readUInt16BE()}`);
    } else if (opcode !== OPCODE.ping) {
      this.faults.push(`opcode ${opcode}`);
    }
  }

  /** Sends these, each with a write of its own. @param {...Buffer} parts */
  async send(...parts) {
    for (const part of parts) {
      await new Promise((resolve) => this.socket.write(part, resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** @param {() => any} condition @param {string} what */
  until(condition, what) {
    return waitFor(condition, { what: `${what}; ${this.head.split('\r\n')[0]}, ${JSON.stringify(this.said).slice(0, 300)}`, giveUp: this.giveUp });
  }

  /** Resolves when all that the server has to say was said, and it has ended. */
  async over() {
    await this.until(() => this.ended, 'the end');
    this.socket.end();
  }

  /** Asks for an answer, as a client does that is alive, and takes it off what was said. */
  async alive() {
    await this.send(frame(OPCODE.text, '{"op":"ping","ref":"alive"}'));
    await this.until(() => this.said.at(-1) === 'text {"type":"pong","ref":"alive"}', 'a sign of life');
    this.said.pop();
  }

  /** The closing handshake, begun by us; with it the connection ends. */
  async bye() {
    await this.send(close(1000));
    await this.over();
  }
}
