// @ts-check

/**
 * A room of 10,000 readers, of whom a hundred read nothing for the whole time and another hundred leave and resume at
 * random: each of them gets each of a hundred messages once, and in order.
 */

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import test from 'node:test';
import { populate } from '../bench/people.js';
import { Random } from '../lib/random.js';
import { Site } from '../lib/site.js';
import { SseParser } from '../lib/sse.js';
import { pause, waitFor } from '../lib/wait.js';

const READERS = 10_000;
const STALLED = 100;
const HOPPING = 100;
const MESSAGES = 100;
/** All messages are more than a socket keeps for one who does not read, and less than is replayed. */
const BODY_CHARS = 3_500;
/** Who reads nothing for so long, while there is something for him, is closed in the midst of it. */
const SILENT_MS = 5_000;
const WRITE_EVERY_MS = 300;
const STAYS_MS = /** @type {const} */ ([100, 3_000]);
const CONNECTING_MAX = 500;
const DEADLINE_MS = 300_000;

/** One stream after the other; goes on from its last id. */
class Reader {
  /** The seqs of the messages that it shows, as they came. @type {number[]} */
  seqs = [];
  /** How often it was sent again, after a cut, what had no mark yet: that is passed over (docs/protocol.md, 3.4). */
  repeats = 0;
  /** What else it was told but connected and mark. @type {string[]} */
  others = [];
  streams = 0;
  live = false;
  #id = '';
  #path;
  #token;
  /** @type {import('node:net').Socket | undefined} */
  #socket;

  /** @param {string} path  of the daemon's socket @param {number} number  of the person */
  constructor(path, number) {
    this.#path = path;
    this.#token = String(number).padStart(43, '0');
  }

  open() {
    const socket = connect(this.#path);
    const parser = new SseParser((event) => this.#take(event));
    let head = '';
    let inHead = true;
    this.#socket = socket;
    this.streams++;
    socket.setEncoding('utf8');
    socket.on('data', (/** @type {string} */ text) => {
      if (socket !== this.#socket) return;
      if (!inHead) return parser.push(text);
      head += text;
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      assert.match(head, /^HTTP\/1\.1 200 /);
      inHead = false;
      parser.push(head.slice(end + 4));
    });
    socket.on('error', () => {}); // told by its close
    socket.on('close', () => {
      if (socket !== this.#socket) return;
      this.live = false;
      this.open();
    });
    const lastId = this.#id && `Last-Event-ID: ${this.#id}\r\n`;
    socket.write(`GET /stream HTTP/1.1\r\nHost: crowd\r\nAuthorization: Bearer ${this.#token}\r\n${lastId}\r\n`);
  }

  /** @param {{type: string, text: string, id: string | undefined}} event */
  #take({ type, text, id }) {
    if (id) this.#id = id;
    if (type === 'message.new') this.#show(JSON.parse(text).message.seq);
    else if (type === 'connected') this.live = true;
    else if (type !== 'mark') this.others.push(`${type} ${text}`);
  }

  /** @param {number} seq */
  #show(seq) {
    if (this.streams > 1 && this.seqs.includes(seq)) this.repeats++;
    else this.seqs.push(seq);
  }

  stall() {
    this.#socket?.pause();
  }

  readOn() {
    this.#socket?.resume();
  }

  leave() {
    this.#socket?.destroy();
  }

  stop() {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }
}

/** @param {Reader[]} readers */
const opened = (readers) => waitFor(() => readers.every((reader) => reader.live), { what: 'all are connected', timeoutMs: DEADLINE_MS });

/** @param {Reader[]} readers */
const served = (readers) =>
  waitFor(() => readers.every((reader) => reader.seqs.length >= MESSAGES), { what: 'all messages have come', timeoutMs: DEADLINE_MS });

test(`${READERS} readers of one room, ${STALLED} who read nothing, ${HOPPING} who come and go`, async (t) => {
  const random = new Random();
  t.diagnostic(`SEED=${random.seed}`);
  const site = await Site.start({ front: null, env: { CONFAB_STREAM_SILENT_MS: SILENT_MS } });
  t.after(() => site.stop());
  const { firstRoom, firstSender } = await populate(site, [{ readers: READERS, rooms: 1 }], 1);
  const readers = Array.from({ length: READERS }, (_, i) => new Reader(site.pushSocket, i));
  t.after(() => readers.forEach((reader) => reader.stop()));
  for (let i = 0; i < READERS; i += CONNECTING_MAX) {
    const some = readers.slice(i, i + CONNECTING_MAX);
    for (const reader of some) reader.open();
    await opened(some);
  }

  const stalled = readers.slice(0, STALLED);
  const hopping = readers.slice(STALLED, STALLED + HOPPING);
  for (const reader of stalled) reader.stall();
  let written = false;
  const hops = hopping.map(async (reader) => {
    while (!written) {
      await pause(random.between(...STAYS_MS));
      reader.leave();
    }
  });
  const client = await site.connect();
  for (let seq = 1; seq <= MESSAGES; seq++) {
    await client.query('insert into chat.message (room_id, sender_id, body) values ($1, $2, $3)', [
      firstRoom,
      firstSender,
      'x'.repeat(BODY_CHARS),
    ]);
    await pause(random.between(0, 2 * WRITE_EVERY_MS));
  }
  await served(readers.slice(STALLED + HOPPING));
  written = true;
  await Promise.all(hops);
  await served(hopping);
  assert.ok(stalled.every((reader) => reader.seqs.length === 0), 'who reads nothing has nothing');
  const closed = (site.log('pushd').match(/ close conn=\d+ reason=slow /g) ?? []).length;
  for (const reader of stalled) reader.readOn();
  await served(stalled);

  const all = Array.from({ length: MESSAGES }, (_, i) => i + 1);
  for (const reader of readers) {
    assert.deepEqual(reader.seqs, all);
    assert.deepEqual(reader.others.filter((other) => !other.startsWith('bye ')), []);
  }
  const streams = hopping.reduce((sum, reader) => sum + reader.streams, 0);
  assert.ok(streams > 2 * HOPPING, `they came and went: ${streams} streams`);
  assert.ok(closed > 0, 'who read nothing was closed');
  t.diagnostic(`${MESSAGES * READERS} deliveries; ${streams} streams of the ${HOPPING}; ${closed} of the ${STALLED} were closed as slow; ${readers.reduce((sum, { repeats }) => sum + repeats, 0)} repeats after cuts`);
});
