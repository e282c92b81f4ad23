// @ts-check

/**
 * The daemon as a WebSocket server, spoken to in raw bytes: what RFC 6455 demands of it, case by case. Numbers are
 * paragraphs of docs/protocol.md.
 */

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import test, { after, before } from 'node:test';
import { Guest } from '../lib/guest.js';
import { pairwise } from '../lib/pairwise.js';
import { OPCODE, RawWs, close, frame, pieces } from '../lib/rawws.js';
import { Site } from '../lib/site.js';

const MESSAGE_MAX_BYTES = 16384;
const HEAD_BYTES = 6; // of a short frame

/** @type {Site} */
let site;
/** @type {Guest} */
let alice;

before(async () => {
  site = await Site.start({ front: null, env: { CONFAB_STREAMS_PER_SESSION: 1000, CONFAB_LOG_LEVEL: 'debug' } });
  alice = await Guest.register(site, 'alice');
});
after(() => site?.stop());

const { continuation, text, binary, ping, pong } = OPCODE;
const begin = { fin: false };
const PING_1 = '{"op":"ping","ref":1}';
const PONG_1 = 'text {"type":"pong","ref":1}';
const LONG = 'x'.repeat(125);

/** A ping of so many bytes. @param {number} bytes @param {string} [letter] */
function message(bytes, letter = 'x') {
  const [start, end] = ['{"op":"ping","ref":1,"pad":"', '"}'];
  const room = bytes - start.length - end.length;
  const letters = Math.floor(room / Buffer.byteLength(letter));
  return Buffer.from(start + letter.repeat(letters) + 'x'.repeat(room - letters * Buffer.byteLength(letter)) + end);
}

/**
 * Sends, and sees that the answers are those expected, in order; a close ends them, without one the connection is
 * alive and can be closed in order.
 *
 * @param {string} name
 * @param {Buffer[]} parts
 * @param {string[]} expected
 */
async function check(name, parts, expected) {
  const socket = await RawWs.open(alice);
  await socket.send(...parts);
  if (expected.at(-1)?.startsWith('close')) {
    await socket.over();
  } else {
    await socket.alive();
    await socket.bye();
    expected = [...expected, 'close 1000'];
  }
  assert.deepEqual(socket.said, expected, name);
  assert.deepEqual(socket.faults, [], name);
}

/** All at the same time, each on a connection of its own. @param {Record<string, [Buffer[], string[]]>} cases */
function checkAll(cases) {
  return Promise.all(
    Object.entries(cases).flatMap(([name, [parts, expected]]) => {
      const bytes = Buffer.concat(parts);
      return [
        check(name, parts, expected),
        check(`${name}, at once`, [bytes], expected),
        check(`${name}, byte by byte`, [...pieces(bytes.subarray(0, 300), 1), bytes.subarray(300)], expected),
      ];
    }),
  );
}

// ---- The opening handshake ----

test('10.1 10.4 what is a handshake, and what is not', async () => {
  /** @type {Record<string, [object, number]>} */
  const cases = {
    'a handshake': [{}, 101],
    'lists, and any case': [{ headers: { Upgrade: 'h2c, WebSocket', Connection: 'keep-alive,\tupgrade' } }, 101],
    'more subprotocols': [{ headers: { 'Sec-WebSocket-Protocol': 'chat, confab.v1' } }, 101],
    'an extension': [{ headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' } }, 101],
    'no upgrade': [{ headers: { Upgrade: null, Connection: null } }, 426],
    'an upgrade to something else': [{ headers: { Upgrade: 'h2c' } }, 426],
    'no upgrade of the connection': [{ headers: { Connection: 'keep-alive' } }, 426],
    'another version': [{ headers: { 'Sec-WebSocket-Version': '8' } }, 426],
    'no version': [{ headers: { 'Sec-WebSocket-Version': null } }, 426],
    'HTTP/1.0': [{ version: '1.0' }, 426],
    'no key': [{ headers: { 'Sec-WebSocket-Key': null } }, 400],
    'a short key': [{ headers: { 'Sec-WebSocket-Key': 'AAAA' } }, 400],
    'two keys': [{ headers: { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' } }, 400],
    'no subprotocol': [{ headers: { 'Sec-WebSocket-Protocol': null } }, 400],
    'another subprotocol': [{ headers: { 'Sec-WebSocket-Protocol': 'confab.v2' } }, 400],
    'no list': [{ headers: { Connection: 'upgrade keep-alive' } }, 400],
    'a frame before the answer': [{ after: frame(ping) }, 400],
    'a body': [{ headers: { 'Content-Length': '2' }, after: Buffer.from('{}') }, 400],
    POST: [{ method: 'POST' }, 405],
    HEAD: [{ method: 'HEAD' }, 405],
  };
  const ask = async (/** @type {string} */ name, /** @type {object} */ options, /** @type {number} */ status) => {
    const socket = new RawWs(alice, options);
    await socket.until(() => socket.head !== '', name);
    assert.equal(socket.status, status, name);
    if (status === 426) assert.match(socket.head, /\r\nUpgrade: websocket\r\n[^]*Sec-WebSocket-Version: 13\r\n/, name);
    if (status === 101) await socket.bye();
    else await socket.over();
    assert.deepEqual(socket.faults, [], name);
  };
  await Promise.all(Object.entries(cases).map(([name, [options, status]]) => ask(name, options, status)));
});

test('10.4 a cookie counts only beside an Origin of ours', async () => {
  const mallory = await Guest.register(site, 'mallory');
  const name = `confab-${createHash('sha256').update('').digest('hex').slice(0, 8)}`;
  const cookie = { Authorization: null, Cookie: `${name}=${alice.token}` };
  const none = { Authorization: null };
  const own = { Origin: 'http://daemon.test' };
  const dead = randomBytes(32).toString('base64url');
  const ticket = await mallory.ticket();
  /** What is to come: a status that refuses, or whose stream it is, or nobody's. @type {Record<string, [Record<string, string | null>, number | Guest | null, string?]>} */
  const cases = {
    'our Origin': [{ ...cookie, ...own }, alice],
    'our Origin, and an empty Authorization': [{ ...cookie, ...own, Authorization: '' }, alice],
    'our Origin, and no cookie': [{ ...none, ...own }, null],
    'a foreign Origin': [{ ...cookie, Origin: 'http://evil.example' }, 403],
    'an opaque Origin': [{ ...cookie, Origin: 'null' }, 403],
    'an empty Origin': [{ ...cookie, Origin: '' }, 403],
    'no Origin': [cookie, 403],
    'no Origin, and an empty Authorization': [{ ...cookie, Authorization: '' }, 403],
    'no Origin, and a scheme without a token': [{ ...cookie, Authorization: 'Bearer' }, 403],
    'no Origin, and what browsers add by themselves': [{ ...cookie, Authorization: 'Basic eng6eno=' }, 403],
    'no Origin, and no cookie': [none, 403],
    'no Origin, no cookie, and an empty Authorization': [{ Authorization: '' }, 403],
    'no Origin, and a token': [{ ...cookie, ...mallory.headers() }, mallory],
    'no Origin, and a dead token': [{ ...cookie, Authorization: `Bearer ${dead}` }, null],
    'no Origin, and what is no token': [{ ...cookie, Authorization: 'Bearer short' }, null],
    'no Origin, and a ticket': [cookie, mallory, `?ticket=${ticket}`],
    'no Origin, and a dead ticket': [cookie, null, `?ticket=${dead}`],
    'no Origin, and what is no ticket': [cookie, null, '?ticket=short'],
  };
  const ask = async (/** @type {string} */ what) => {
    const [headers, expected, query = ''] = cases[what];
    const socket = new RawWs(alice, { path: `/ws${query}`, headers });
    await socket.until(() => socket.events.length > 0 || socket.ended, what);
    assert.equal(socket.status, typeof expected === 'number' ? expected : 101, what);
    if (expected instanceof Guest) {
      assert.equal(socket.events[0].data.session, (await expected.call('api_session')).session.id, what);
      return socket.bye();
    }
    await socket.over();
    assert.deepEqual(socket.events.map(({ data }) => data.reason), expected === null ? ['auth'] : [], what);
  };
  await Promise.all(Object.keys(cases).map(ask));
});

// ---- What is right ----

const MASKS = {
  'one mask': () => Buffer.from([0x37, 0xfa, 0x21, 0x3d]),
  'no change by the mask': () => Buffer.alloc(4),
  'all bits masked': () => Buffer.alloc(4, 0xff),
  'a mask for each frame': () => randomBytes(4),
};

/** How a message is cut into fragments. @type {Record<string, (bytes: Buffer) => Buffer[]>} */
const FRAGMENTS = {
  'one frame': (bytes) => [bytes],
  'two fragments': (bytes) => [bytes.subarray(0, 31), bytes.subarray(31)],
  'fragments of 97 bytes': (bytes) => pieces(bytes, 97),
  'fragments of a byte': (bytes) => pieces(bytes, 1),
  'an empty first and last fragment': (bytes) => [Buffer.alloc(0), bytes, Buffer.alloc(0)],
};

/** What stands between fragments: control frames, and the answers to them. @type {Record<string, [number, string][]>} */
const BETWEEN = {
  'nothing between': [],
  'an empty ping between': [[ping, '']],
  'the longest ping between': [[ping, LONG]],
  'a pong between': [[pong, 'nobody asked']],
  'several between': [[ping, 'a'], [pong, LONG], [ping, '\xff'], [ping, LONG]],
};

/** How the bytes are cut into writes. @type {Record<string, (frames: Buffer[]) => Buffer[]>} */
const CUTS = {
  'written at once': (frames) => [Buffer.concat(frames)],
  'written frame by frame': (frames) => frames,
  'written up to the last byte of each frame': (frames) => frames.flatMap((bytes) => [bytes.subarray(0, -1), bytes.subarray(-1)]),
  'written with each head cut': (frames) => frames.flatMap((bytes) => [bytes.subarray(0, 1), bytes.subarray(1, 5), bytes.subarray(5)]),
  'written in small pieces': (frames) => {
    const bytes = Buffer.concat(frames);
    return pieces(bytes, Math.ceil(bytes.length / 700));
  },
};

test('10.3 frames may be cut and fragmented in any way, with control frames between', async () => {
  const combinations = pairwise({
    fragments: Object.keys(FRAGMENTS),
    between: Object.keys(BETWEEN),
    mask: Object.keys(MASKS),
    cut: Object.keys(CUTS),
    bytes: [40, 125, 126, 5000, MESSAGE_MAX_BYTES],
    letter: ['x', 'ß', '€', '\u{1F600}'],
  });
  const tryOut = (/** @type {(typeof combinations)[0]} */ way) => {
    const mask = MASKS[/** @type {keyof MASKS} */ (way.mask)];
    const parts = FRAGMENTS[way.fragments](message(way.bytes, way.letter));
    const controls = parts.length > 1 ? BETWEEN[way.between] : [];
    const frames = parts.flatMap((part, i) => [
      ...(i === 1 ? controls.map(([opcode, payload]) => frame(opcode, Buffer.from(payload, 'latin1'), { mask: mask() })) : []),
      frame(i === 0 ? text : continuation, part, { fin: i === parts.length - 1, mask: mask() }),
    ]);
    const pongs = controls.filter(([opcode]) => opcode === ping).map(([, payload]) => `pong ${payload}`);
    return check(Object.values(way).join(', '), CUTS[way.cut](frames), [...pongs, PONG_1]);
  };
  await Promise.all(combinations.map(tryOut));
});

test('10.2 10.3 what is allowed, though it is seldom seen', () =>
  checkAll({
    'an empty text': [[frame(text)], ['text {"type":"error","code":"bad_request","title":"Bad request"}']],
    'nothing but empty fragments': [
      [frame(text, '', begin), frame(continuation, '', begin), frame(continuation)],
      ['text {"type":"error","code":"bad_request","title":"Bad request"}'],
    ],
    'pongs that nobody asked for': [[frame(pong), frame(pong, LONG), frame(text, PING_1)], [PONG_1]],
    'pings with any bytes': [[frame(ping, Buffer.from([0, 0xff, 0xfe])), frame(ping)], ['pong \0\xff\xfe', 'pong ']],
    'as many as may come at once': [Array(40).fill(frame(ping, 'x')), Array(40).fill('pong x')],
    'a close amid a message': [[frame(text, 'a', begin), close(1000)], ['close 1000']],
    'a close, and more': [[close(1001), frame(ping, 'x'), Buffer.from('noise')], ['close 1001']],
  }));

// ---- Closing ----

test('10.3 close codes and reasons', async () => {
  const good = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
  const bad = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 65535];
  await Promise.all(good.map((code) => check(`${code}`, [close(code, 'why')], [`close ${code}`])));
  await Promise.all(bad.map((code) => check(`${code}`, [close(code)], ['close 1002'])));
  await checkAll({
    'no code': [[frame(OPCODE.close)], ['close 1005']],
    'half a code': [[frame(OPCODE.close, '\x03')], ['close 1002']],
    'the longest reason': [[close(4000, 'x'.repeat(123))], ['close 4000']],
    'a reason in Greek': [[close(1000, 'κόσμε')], ['close 1000']],
    'a reason that is not UTF-8': [[close(1000, Buffer.from([0x61, 0xc3, 0x28]))], ['close 1007']],
    'a reason that ends amid a character': [[close(1000, Buffer.from([0x61, 0xe2, 0x82]))], ['close 1007']],
  });
});

test('10.3 who does not end his side is not waited for', async () => {
  const socket = await RawWs.open(alice);
  await socket.send(frame(text, PING_1, { mask: null }));
  await socket.until(() => socket.ended, "the server's end");
  assert.deepEqual(socket.said, ['close 1002']);
  await socket.until(async () => {
    await socket.send(frame(ping));
    return socket.closed;
  }, 'the connection is gone');
});

test('an end without a close is an end', async () => {
  const socket = await RawWs.open(alice);
  await socket.send(frame(text, 'amid a mess', begin));
  socket.socket.end();
  await socket.until(() => socket.closed, 'the end');
  assert.deepEqual(socket.said, []);
});

// ---- What is wrong ----

test('10.3 what breaks the framing is answered with 1002', () => {
  const wrong = /** @type {const} */ (['close 1002']);
  /** @type {Record<string, [Buffer[], string[]]>} */
  const cases = {
    'nothing to be continued': [[frame(continuation, 'a')], [...wrong]],
    'nothing left to be continued': [[frame(text, PING_1), frame(continuation, 'a')], [PONG_1, ...wrong]],
    'a text in a text': [[frame(text, 'a', begin), frame(text, 'b')], [...wrong]],
    'a binary in a text': [[frame(text, 'a', begin), frame(binary, 'b')], [...wrong]],
    'a text in a text, after a ping': [[frame(text, 'a', begin), frame(ping, 'x'), frame(text, 'b')], ['pong x', ...wrong]],
    'no mask': [[frame(text, PING_1, { mask: null })], [...wrong]],
    'no mask, after a good frame': [[frame(text, PING_1), frame(ping, '', { mask: null })], [PONG_1, ...wrong]],
    '125 in 16 bits': [[frame(text, LONG, { lengthBytes: 2 })], [...wrong]],
    '125 in 64 bits': [[frame(text, LONG, { lengthBytes: 8 })], [...wrong]],
    '126 in 64 bits': [[frame(text, `${LONG}x`, { lengthBytes: 8 })], [...wrong]],
    'the highest bit of the length': [[frame(text, 'a', { length: 2n ** 63n })], [...wrong]],
  };
  for (const rsv of [1, 2, 4, 7]) {
    cases[`RSV ${rsv}`] = [[frame(text, PING_1, { rsv })], [...wrong]];
    cases[`RSV ${rsv} of a ping`] = [[frame(ping, 'x', { rsv })], [...wrong]];
    cases[`RSV ${rsv} of a continuation`] = [[frame(text, 'a', begin), frame(continuation, 'b', { rsv })], [...wrong]];
  }
  for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
    cases[`opcode ${opcode}`] = [[frame(opcode, 'a')], [...wrong]];
    cases[`opcode ${opcode}, empty, amid a message`] = [[frame(text, 'a', begin), frame(opcode)], [...wrong]];
  }
  for (const opcode of [OPCODE.close, ping, pong]) {
    cases[`a fragment of ${opcode}`] = [[frame(opcode, '', begin)], [...wrong]];
    cases[`126 bytes of ${opcode}`] = [[frame(opcode, `${LONG}x`)], [...wrong]];
  }
  return checkAll(cases);
});

test('10.3 a binary message is answered with 1003, one that is too long with 1009', async () => {
  const over = message(MESSAGE_MAX_BYTES + 1);
  await checkAll({
    'a binary message': [[frame(binary, PING_1)], ['close 1003']],
    'an empty binary message': [[frame(binary)], ['close 1003']],
    'a binary message in fragments': [[frame(binary, '{', begin), frame(ping, 'x'), frame(continuation, '}')], ['pong x', 'close 1003']],
    'too long by a byte': [[frame(text, over)], ['close 1009']],
    'too long in fragments': [
      [frame(text, over.subarray(0, 10_000), begin), frame(ping), frame(continuation, over.subarray(10_000))],
      ['pong ', 'close 1009'],
    ],
    'too long, as far as one can tell': [[frame(text, 'a', { length: 2 ** 40 })], ['close 1009']],
    'as long as can be': [[frame(text, 'a', { length: 2n ** 63n - 1n })], ['close 1009']],
  });
});

// ---- UTF-8 ----

/** Bytes that are no UTF-8, and the first of them that no text can have there (the length: it ends too early). */
const NOT_UTF8 = /** @type {const} */ ([
  [[0x80], 0],
  [[0x61, 0xbf], 1],
  [[0xc0, 0x80], 0],
  [[0xc1, 0xbf], 0],
  [[0xe0, 0x9f, 0xbf], 1],
  [[0xf0, 0x8f, 0xbf, 0xbf], 1],
  [[0xed, 0xa0, 0x80], 1],
  [[0xed, 0xbf, 0xbf], 1],
  [[0xf4, 0x90, 0x80, 0x80], 1],
  [[0xf5, 0x80, 0x80, 0x80], 0],
  [[0xce, 0xba, 0xe1, 0xbd, 0xb9, 0xff, 0x61], 5],
  [[0xc3, 0x28], 1],
  [[0xe2, 0x82, 0x28], 2],
  [[0xf0, 0x9f, 0x98, 0x28], 3],
  [[0xe2, 0x82], 2],
  [[0xf0, 0x9f, 0x98], 3],
]);

test('10.3 a text that is not UTF-8 is answered with 1007, wherever it is cut', () => {
  const checks = NOT_UTF8.flatMap(([codes, bad]) => {
    const bytes = Buffer.from(codes);
    const whole = frame(text, bytes);
    return [...bytes, null].flatMap((_, cut) => {
      const name = `${bytes.toString('hex')}, cut at ${cut}`;
      const frames = [frame(text, bytes.subarray(0, cut), begin), frame(ping, 'x'), frame(continuation, bytes.subarray(cut))];
      return [
        check(name, [whole.subarray(0, HEAD_BYTES + cut), whole.subarray(HEAD_BYTES + cut)], ['close 1007']),
        check(`${name}, in fragments`, frames, bad < cut ? ['close 1007'] : ['pong x', 'close 1007']),
      ];
    });
  });
  return Promise.all(checks);
});

test('10.3 a text that is not UTF-8 is answered at its first bad byte', () => {
  const early = NOT_UTF8.filter(([codes, bad]) => bad < codes.length);
  const begun = early.map(([codes, bad]) => Buffer.from(codes.slice(0, bad + 1)));
  return Promise.all(begun.map((bytes) => check(bytes.toString('hex'), [frame(text, bytes, { length: 1000 })], ['close 1007'])));
});

// ---- Too much ----

test('10.3 a flood ends the connection that sends it, and no other', async () => {
  const other = await RawWs.open(alice);
  for (const one of [frame(ping, LONG), frame(pong), frame(text, PING_1), frame(text, '')]) {
    const socket = await RawWs.open(alice);
    await socket.send(Buffer.concat(Array(2000).fill(one)));
    await socket.over();
    assert.equal(socket.said.at(-1), 'close 1008');
    assert.deepEqual(socket.faults, []);
  }
  await site.logged('pushd', /reason=flood/);
  await other.alive();
  await other.bye();
});

test('10.3 a client that sends on, whatever it is told, still hears why it was closed', async () => {
  const flood = Buffer.concat(Array(8000).fill(frame(ping, LONG)));
  const big = frame(text, 'x'.repeat(1 << 20));
  const hears = async (/** @type {Buffer} */ bytes, /** @type {string} */ last) => {
    const socket = await RawWs.open(alice);
    await socket.send(bytes);
    await socket.over();
    assert.equal(socket.said.at(-1), last);
  };
  for (let i = 0; i < 10; i++) {
    await hears(flood, 'close 1008');
    await hears(big, 'close 1009');
  }
});
