// @ts-check

/** The outbox: nothing is lost, nothing goes twice under two names, and the order of writing is kept. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../../htdocs/lib/api.js';
import { newClientId, Outbox } from '../../htdocs/lib/outbox.js';
import { memory } from '../lib/memory.js';
import { waitFor } from '../lib/wait.js';

const ROOM = 5;

/**
 * A server with an order of its own, which fails as often as it is told to, before or after it took the message.
 *
 * @param {Array<'before'|'after'|ApiError>} [failures]
 */
function server(failures = []) {
  /** @type {import('../../htdocs/lib/types.js').OutboxItem[]} */
  const taken = [];
  return {
    taken,
    bodies: () => taken.map(({ body }) => body),
    /** @param {import('../../htdocs/lib/types.js').OutboxItem} item */
    send: async (item) => {
      const failure = failures.shift();
      if (failure instanceof ApiError) throw failure;
      if (failure === 'before') throw new ApiError({ status: 0, code: 'network' });
      let seq = taken.findIndex(({ client_id }) => client_id === item.client_id) + 1;
      if (seq === 0) seq = taken.push({ ...item });
      if (failure === 'after') throw new ApiError({ status: 0, code: 'network' });
      return { room: item.room, seq, sender: { id: 1, display_name: 'Me' }, client_id: item.client_id, type: 'text', body: item.body, at: item.at };
    },
  };
}

/**
 * @param {(item: import('../../htdocs/lib/types.js').OutboxItem) => Promise<import('../../htdocs/lib/types.js').Message>} send
 * @param {import('../../htdocs/lib/kept.js').KeyValueStorage|null} [storage]
 */
const outboxFor = (send, storage = memory()) => new Outbox({ storage, prefix: 'confab:outbox:/:1:', send });

test('a client id is a UUID, also without randomUUID', () => {
  const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  assert.match(newClientId(), uuid);
  const { randomUUID } = crypto;
  Object.defineProperty(crypto, 'randomUUID', { value: undefined, configurable: true });
  try {
    assert.match(newClientId(), uuid);
  } finally {
    Object.defineProperty(crypto, 'randomUUID', { value: randomUUID, configurable: true });
  }
});

test('lost requests and lost answers: each message once, in the order of writing', async () => {
  const far = server(['before', 'after', 'after']);
  const outbox = outboxFor(far.send);
  for (const body of ['one', 'two', 'three']) outbox.add(ROOM, body);
  await waitFor(() => outbox.items(ROOM).every(({ state }) => state === 'sent') || void outbox.flush());
  assert.deepEqual(far.bodies(), ['one', 'two', 'three']);
});

test('what is not acknowledged survives a reload, with its id', async () => {
  const storage = memory();
  const before = outboxFor(() => new Promise(() => {}), storage);
  // More than one in a millisecond, too.
  for (let n = 1; n <= 8; n += 1) before.add(ROOM, `kept ${n}`);
  const ids = before.items(ROOM).map(({ client_id }) => client_id);
  before.stop();

  const far = server();
  const after = outboxFor(far.send, storage);
  assert.deepEqual(after.items(ROOM).map(({ client_id }) => client_id), ids);
  after.flush();
  await waitFor(() => storage.length === 0);
  assert.deepEqual(far.taken.map(({ client_id }) => client_id), ids);
});

test('a refusal is shown, and does not hold up what comes after it', async () => {
  const far = server([new ApiError({ status: 403, code: 'forbidden', detail: 'You may not write here.' })]);
  const outbox = outboxFor(far.send);
  outbox.add(ROOM, 'refused');
  outbox.add(ROOM, 'taken');
  await waitFor(() => far.bodies().includes('taken'));
  const [item] = outbox.items(ROOM);
  assert.equal(item.state, 'failed');
  assert.equal(item.error, 'You may not write here.');
  const { client_id } = item;
  outbox.retry(client_id);
  await waitFor(() => far.bodies().includes('refused'));
  assert.equal(far.taken.at(-1)?.client_id, client_id);
});

test('a failure stays one through a reload, until another tab has discarded it', async () => {
  const storage = memory();
  const far = server([new ApiError({ status: 403, code: 'forbidden', detail: 'Not here.' })]);
  outboxFor(far.send, storage).add(ROOM, 'refused');
  await waitFor(() => storage.getItem(String(storage.key(0)))?.includes('Not here.'));
  const outbox = outboxFor(far.send, storage);
  outbox.flush();
  const [{ client_id, state, error }] = outbox.items(ROOM);
  assert.deepEqual([state, error], ['failed', 'Not here.']);
  outbox.changedElsewhere(`confab:outbox:/:11:${client_id}`, null);
  outbox.changedElsewhere(`confab:outbox:/:1:${client_id}`, 'changed');
  assert.equal(outbox.size, 1);
  outbox.changedElsewhere(`confab:outbox:/:1:${client_id}`, null);
  assert.equal(outbox.size, 0);
  assert.deepEqual(far.taken, []);
});

test('each trouble begins with a short wait again', async (t) => {
  t.mock.method(Math, 'random', () => 1);
  const { setTimeout } = globalThis;
  /** @type {number[]} */
  const waits = [];
  t.mock.method(globalThis, 'setTimeout', (/** @type {() => void} */ act, /** @type {number} */ ms) => {
    if (ms >= 1000) waits.push(ms);
    return setTimeout(act, ms >= 1000 ? 0 : ms);
  });
  /** @type {Array<'before'|'after'>} */
  const failures = ['before', 'before', 'after'];
  const outbox = outboxFor(server(failures).send);
  outbox.add(ROOM, 'one');
  await waitFor(() => outbox.items(ROOM)[0].state === 'sent');
  failures.push('before');
  outbox.add(ROOM, 'two');
  await waitFor(() => outbox.items(ROOM)[1].state === 'sent');
  assert.deepEqual(waits, [1000, 2000, 4000, 1000]);
});

test('a failure that was discarded is gone, from the storage too', async () => {
  const storage = memory();
  const far = server([new ApiError({ status: 422, code: 'invalid' })]);
  const outbox = outboxFor(far.send, storage);
  outbox.add(ROOM, 'bad');
  await waitFor(() => outbox.items(ROOM)[0].state === 'failed');
  outbox.discard(outbox.items(ROOM)[0].client_id);
  assert.equal(outbox.size, 0);
  assert.equal(storage.length, 0);
});

test('Retry-After is kept', async () => {
  const far = server([new ApiError({ status: 429, code: 'rate_limited', retryAfter: 150 })]);
  const outbox = outboxFor(far.send);
  const from = Date.now();
  outbox.add(ROOM, 'patient');
  await waitFor(() => far.taken.length === 1);
  assert.ok(Date.now() - from >= 150);
});

test('the same internal error again and again becomes a failure', async () => {
  const outbox = outboxFor(() => Promise.reject(new ApiError({ status: 500, code: 'internal' })));
  outbox.add(ROOM, 'cursed');
  await waitFor(() => outbox.items(ROOM)[0].state === 'failed' || void outbox.flush());
});

test('its event may come before its answer, or instead of it', async () => {
  const storage = memory();
  const outbox = outboxFor(() => Promise.reject(new ApiError({ status: 0, code: 'network' })), storage);
  outbox.add(ROOM, 'heard');
  outbox.acknowledge(outbox.items(ROOM)[0].client_id);
  assert.equal(storage.length, 0);
  await waitFor(() => outbox.items(ROOM)[0].state === 'sent');
  outbox.settle(ROOM, () => true);
  assert.equal(outbox.size, 0);
});

test('a storage that refuses costs nothing but the reload', async () => {
  const far = server();
  const refuse = () => {
    throw new Error('quota');
  };
  const outbox = outboxFor(far.send, { ...memory(), setItem: refuse, removeItem: refuse });
  outbox.add(ROOM, 'anyway');
  await waitFor(() => far.bodies().includes('anyway'));
});
