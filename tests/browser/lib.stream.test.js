// @ts-check

/** The stream against a real HTTP server that follows a script: each request is answered by the next line of it. */

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { afterEach, test } from 'node:test';
import { EventSource } from 'eventsource';
import { ApiError } from '../../htdocs/lib/api.js';
import { Stream } from '../../htdocs/lib/stream.js';
import { waitFor } from '../lib/wait.js';

/** Waits that a test can wait for; those that guard against a dead line are long, for busy machines. */
const TIMES = {
  helloMs: 500, silenceMs: 20_000, staleMs: 20_000, backoffBaseMs: 10, backoffCapMs: 40, stableMs: 100,
  probeMinMs: 60, probeMaxMs: 100, tickMs: 60_000,
};

/**
 * @typedef {import('node:http').ServerResponse} Response
 * @typedef {(response: Response, cursor: string) => void} Answer
 */

/** @type {Array<() => void>} */
let cleanups = [];

afterEach(() => {
  for (const cleanup of cleanups.reverse()) cleanup();
  cleanups = [];
});

/** @param {string} id */
const hello = (id) => `retry: 3000\n:${' '.repeat(64)}\n\nevent: connected\nid: ${id}\ndata: {"session":1}\n\n`;
/** @param {string} id */
const mark = (id) => `event: mark\nid: ${id}\ndata: {}\n\n`;
/** @param {number} seq */
const event = (seq) => `event: message.new\ndata: {"eid":${seq},"message":{"room":1,"seq":${seq}}}\n\n`;

/** @param {Response} response */
function sse(response) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  return response;
}

/** An orderly stream that stays open. @param {...string} blocks @returns {Answer} */
const says = (...blocks) => (response, cursor) => void sse(response).write(hello(cursor) + blocks.join(''));

/** @param {number} code @param {Record<string, string>} [headers] @returns {Answer} */
const status = (code, headers = {}) => (response) => void response.writeHead(code, headers).end();

/**
 * A scripted server and a stream that talks to it. The last line of the script answers for ever.
 *
 * @param {Answer[]} script
 * @param {Partial<import('../../htdocs/lib/stream.js').StreamOptions>} [options]
 */
async function scripted(script, options = {}) {
  /** @type {string[]} cursors asked for */
  const asked = [];
  const server = createServer((request, response) => {
    const url = new URL(String(request.url), 'http://localhost');
    asked.push(url.searchParams.get('last_event_id') ?? '');
    script[Math.min(asked.length, script.length) - 1](response, asked[asked.length - 1]);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());

  /** @type {number[]} */
  const seqs = [];
  /** @type {string[]} */
  const states = [];
  const stream = new Stream({
    url: `http://127.0.0.1:${port}/stream`,
    EventSource: /** @type {any} */ (EventSource),
    times: TIMES,
    bootstrap: async () => 'start',
    poll: () => Promise.reject(new ApiError({ status: 0, code: 'network' })),
    ...options,
  });
  stream.on('event', ({ data }) => seqs.push(data.message.seq));
  stream.on('status', ({ state }) => states.push(state));
  cleanups.push(() => {
    stream.stop();
    server.closeAllConnections();
    server.close();
  });
  return { stream, seqs, states, asked };
}

/** @param {number[]} seqs @param {number[]} wanted */
async function got(seqs, wanted) {
  await waitFor(() => seqs.length >= wanted.length, { what: `events ${wanted}` });
  assert.deepEqual(seqs, wanted);
}

test('bootstrap, connect, events, and the cursor of the last mark on reconnect', async () => {
  const { stream, seqs, states, asked } = await scripted([
    (response, cursor) => sse(response).end(hello(cursor) + event(1) + mark('m1') + event(2)),
    says(event(2), event(3), mark('m3')),
  ]);
  stream.start();
  await got(seqs, [1, 2, 2, 3]);
  assert.deepEqual(asked, ['start', 'm1']);
  assert.deepEqual(states, ['connecting', 'open', 'waiting', 'connecting', 'open']);
  assert.equal(stream.status.transport, 'sse');
});

test('a cut in the middle of an event leaves no half of it', async () => {
  for (const cut of [1, 20, event(1).length - 1]) {
    const { stream, seqs, asked } = await scripted([
      (response, cursor) => {
        sse(response).write(hello(cursor) + mark('m0') + event(1).slice(0, cut));
        setTimeout(() => response.socket?.resetAndDestroy(), 20);
      },
      says(event(1)),
    ]);
    stream.start();
    await got(seqs, [1]);
    assert.deepEqual(asked, ['start', 'm0']);
  }
});

test('503, a wrong content type and silence before the hello: it tries again, and then polls', async () => {
  for (const bad of [status(503), status(502), status(404), status(204), (/** @type {Response} */ response) => void response.end('<html>'), () => {}]) {
    const polled = { events: [{ type: 'message.new', data: { eid: 1, message: { room: 1, seq: 1 } } }], cursor: 'p1', interval_ms: 20 };
    /** @type {string[]} */
    const cursors = [];
    const { stream, seqs, asked } = await scripted([bad, bad, says(event(2), mark('m2'))], {
      poll: async (cursor) => {
        cursors.push(cursor);
        return cursors.length === 1 ? polled : { ...polled, events: [] };
      },
    });
    /** @type {string[]} */
    const transports = [];
    stream.on('status', ({ state, transport }) => void (state === 'open' && transports.push(transport)));
    stream.start();
    await got(seqs, [1, 2]);
    assert.deepEqual(transports, ['poll', 'sse']);
    assert.equal(cursors[0], 'start');
    assert.deepEqual(asked, ['start', 'start', 'p1']);
  }
});

test('what was not handed over is asked for again; what was is not', async () => {
  /** @type {string[]} */
  const cursors = [];
  const events = [1, 2].map((seq) => ({ type: 'message.new', data: { eid: seq, message: { room: 1, seq } } }));
  const { stream, seqs } = await scripted([status(503)], {
    slot: async () => null,
    poll: async (cursor) => {
      cursors.push(cursor);
      return { events: cursor === 'start' ? events : [], cursor: 'p1', interval_ms: 5 };
    },
  });
  const off = stream.on('event', () => {
    off();
    stream.stop();
  });
  stream.start();
  await got(seqs, [1]);
  stream.start();
  await got(seqs, [1, 1, 2]);
  await waitFor(() => cursors.length >= 4);
  assert.deepEqual(cursors.slice(0, 4), ['start', 'start', 'p1', 'p1']);
});

test('a stream that fell silent counts as one that failed: after one more it polls', async () => {
  const { stream, asked } = await scripted([says(), status(503)], {
    times: { ...TIMES, silenceMs: 50, probeMinMs: 60_000 },
    poll: async () => ({ events: [], cursor: 'p1', interval_ms: 20 }),
  });
  stream.start();
  await waitFor(() => stream.status.state === 'open' && stream.status.transport === 'poll');
  assert.equal(asked.length, 2);
});

test("a browser's place for a stream is taken once, and free while it polls and when it ends", async () => {
  let taken = 0;
  let most = 0;
  const slot = async () => {
    taken += 1;
    most = Math.max(most, taken);
    let held = true;
    return () => {
      if (held) taken -= 1;
      held = false;
    };
  };
  const { stream, asked } = await scripted([says(), status(503), status(503), status(503), status(503), says()], {
    slot,
    poll: async () => ({ events: [], cursor: 'p1', interval_ms: 20 }),
  });
  stream.start();
  await waitFor(() => stream.status.transport === 'sse');
  stream.wake({ rebuild: true });
  await waitFor(() => stream.status.transport === 'poll' && taken === 0);
  await waitFor(() => stream.status.transport === 'sse', { what: 'a stream after two that failed beside the poll' });
  assert.equal(asked.length, 6);
  assert.equal(most, 1);
  assert.equal(taken, 1);
  stream.stop();
  assert.equal(taken, 0);
});

test('lines that do not last are tried more and more seldom; one that did last is not counted', async (t) => {
  t.mock.method(Math, 'random', () => 1);
  for (const [stableMs, wanted] of /** @type {const} */ ([[60_000, [100, 200, 400]], [-1, [100, 100, 100]]])) {
    const { stream } = await scripted([(response, cursor) => void sse(response).end(hello(cursor))], {
      times: { ...TIMES, stableMs, backoffBaseMs: 100, backoffCapMs: 1000 },
    });
    /** @type {number[]} */
    const waits = [];
    const { now } = Date;
    stream.on('status', ({ state, retryAt }) => void (state === 'waiting' && waits.push(retryAt - now())));
    stream.start();
    await waitFor(() => waits.length >= 3);
    wanted.forEach((ms, i) => assert.ok(waits[i] <= ms && waits[i] > ms / 2, `${stableMs}: ${waits}`));
  }
});

test('silence after the hello is noticed', async () => {
  const { stream, seqs, asked } = await scripted([says(event(1), mark('m1')), says(event(2))], {
    times: { ...TIMES, silenceMs: 200 },
  });
  stream.start();
  await got(seqs, [1, 2]);
  assert.deepEqual(asked.slice(0, 2), ['start', 'm1']);
});

test('marks keep a quiet stream alive', async () => {
  const silenceMs = 1000;
  let marks = 0;
  const { stream, states } = await scripted(
    [
      (response, cursor) => {
        sse(response).write(hello(cursor));
        const timer = setInterval(() => response.write(mark(`m${(marks += 1)}`)), silenceMs / 10);
        response.on('close', () => clearInterval(timer));
      },
    ],
    { times: { ...TIMES, silenceMs } },
  );
  stream.start();
  await waitFor(() => marks >= 25, { what: 'more marks than fit into the silence' });
  assert.deepEqual(states, ['connecting', 'open']);
});

test('reset: forget, wait, read a snapshot, go on from its cursor', async () => {
  let snapshots = 0;
  /** @type {string[]} */
  const resets = [];
  const { stream, seqs, asked } = await scripted(
    [
      says(event(1), 'event: reset\ndata: {"reason":"limit","within":0.05}\n\n', event(99)),
      says(event(2)),
    ],
    { bootstrap: async () => `snapshot${(snapshots += 1)}` },
  );
  stream.on('reset', ({ reason }) => resets.push(reason));
  stream.start();
  await got(seqs, [1, 2]);
  assert.deepEqual(asked, ['snapshot1', 'snapshot2']);
  assert.deepEqual(resets, ['limit']);
});

test('a stream of another session than the snapshot is left before it says anything', async () => {
  let snapshots = 0;
  const { stream, seqs, states, asked } = await scripted([says(event(1)), says(event(2))], {
    bootstrap: async () => `snapshot${(snapshots += 1)}`,
    isOurs: (session) => session === 1 && snapshots > 1,
  });
  stream.start();
  await got(seqs, [2]);
  assert.deepEqual(asked, ['snapshot1', 'snapshot2']);
  assert.deepEqual(states, ['connecting', 'waiting', 'connecting', 'open']);
});

test('a mark may say that the server cannot read what is new; the next one may take it back', async () => {
  /** @type {boolean[]} */
  const late = [];
  const { stream } = await scripted([says(mark('a'), 'event: mark\nid: a\ndata: {"late":true}\n\n', mark('a'))]);
  stream.on('status', (now) => now.state === 'open' && late.push(now.late));
  stream.start();
  await waitFor(() => late.length >= 3);
  assert.deepEqual(late, [false, true, false]);
});

test('reset for auth: the snapshot is refused, and the stream is closed for good', async () => {
  let snapshots = 0;
  const { stream, states } = await scripted([says('event: reset\ndata: {"reason":"auth","within":0}\n\n')], {
    bootstrap: async () => {
      snapshots += 1;
      if (snapshots > 1) throw new ApiError({ status: 401, code: 'unauthenticated' });
      return 'start';
    },
  });
  stream.start();
  await waitFor(() => stream.status.state === 'closed');
  assert.equal(stream.status.reason, 'auth');
  assert.deepEqual(states, ['connecting', 'open', 'waiting', 'connecting', 'closed']);
});

test('204 to a dead session: the poll says 401, and the stream is closed', async () => {
  const { stream } = await scripted([status(204)], {
    poll: () => Promise.reject(new ApiError({ status: 401, code: 'unauthenticated' })),
  });
  stream.start();
  await waitFor(() => stream.status.state === 'closed');
});

test('bye: waits as long as it is told, and resumes', async () => {
  const { stream, seqs, asked } = await scripted([
    says(mark('m0'), 'event: bye\ndata: {"retry":60}\n\n'),
    says(event(1)),
  ]);
  let due = 0;
  stream.on('status', ({ reason, retryAt }) => {
    if (reason === 'bye') due = retryAt;
  });
  const from = Date.now();
  stream.start();
  await got(seqs, [1]);
  assert.ok(due >= from + 60, 'it was to wait');
  assert.ok(Date.now() >= due, 'it waited');
  assert.deepEqual(asked, ['start', 'm0']);
});

test('a snapshot that fails is tried again, not before Retry-After', async () => {
  let tries = 0;
  const from = Date.now();
  const { stream, seqs } = await scripted([says(event(1))], {
    bootstrap: async () => {
      tries += 1;
      if (tries < 3) throw new ApiError({ status: 503, code: 'unavailable', retryAfter: 40 });
      return 'late';
    },
  });
  stream.start();
  await got(seqs, [1]);
  assert.equal(tries, 3);
  assert.ok(Date.now() - from >= 80);
});

test('wake: a waiting stream connects at once, a silent one is rebuilt, a fresh one is left alone', async () => {
  let down = true;
  const { stream, seqs, asked } = await scripted([says(event(1), mark('m1'))], {
    times: { ...TIMES, backoffBaseMs: 60_000, backoffCapMs: 60_000, staleMs: 1000 },
    bootstrap: async () => {
      if (down) throw new ApiError({ status: 0, code: 'network' });
      return 'start';
    },
  });
  stream.start();
  await waitFor(() => stream.status.state === 'waiting');
  down = false;
  stream.wake();
  await got(seqs, [1]);
  stream.wake();
  assert.equal(asked.length, 1, 'fresh');
  await waitFor(() => (stream.wake(), seqs.length === 2), { what: 'the stale stream to be rebuilt' });
  stream.wake({ rebuild: true });
  await got(seqs, [1, 1, 1]);
  assert.deepEqual(asked, ['start', 'm1', 'm1']);
});

test('a clock that jumped: the machine slept, and the connection is made anew', async () => {
  const { stream, seqs, asked } = await scripted([says(event(1), mark('m1')), says(event(2))], {
    times: { ...TIMES, tickMs: 20 },
  });
  stream.start();
  await got(seqs, [1]);
  const { now } = Date;
  cleanups.push(() => (Date.now = now));
  Date.now = () => now() + 3_600_000;
  await got(seqs, [1, 2]);
  assert.deepEqual(asked, ['start', 'm1']);
});

test('stop and start resume', async () => {
  const { stream, seqs, asked, states } = await scripted([says(event(1), mark('m1')), says(event(2))]);
  stream.start();
  await got(seqs, [1]);
  stream.stop();
  assert.equal(stream.status.state, 'idle');
  stream.start();
  await got(seqs, [1, 2]);
  assert.deepEqual(asked, ['start', 'm1']);
  assert.deepEqual(states, ['connecting', 'open', 'idle', 'connecting', 'open']);
});
