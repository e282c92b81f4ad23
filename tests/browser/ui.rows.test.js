// @ts-check

/** How messages become the rows of a conversation: days, groups, the divider, and what is still to be sent. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dayName, shortTime } from '../../htdocs/ui/format.js';
import { rowsOf } from '../../htdocs/ui/rows.js';

// Far from UTC, and with summer time from 8 March 2026 on.
process.env.TZ = 'America/New_York';

const ME = { id: 1, display_name: 'Me' };
const PEER = { id: 2, display_name: 'Peer' };

/**
 * @param {number} seq
 * @param {import('../../htdocs/lib/types.js').Message['sender']} sender
 * @param {string} at
 * @returns {import('../../htdocs/lib/types.js').Message}
 */
const message = (seq, sender, at) =>
  ({ room: 1, seq, sender, client_id: `c${seq}`, type: 'text', body: `body ${seq}`, at: `2026-03-0${at}Z` });

/** @param {Partial<import('../../htdocs/ui/rows.js').Conversation>} more */
const rows = (more) => rowsOf({ me: ME, dialog: true, messages: [], pending: [], readByPeer: 0, divider: null, ...more });

/** @param {import('../../htdocs/ui/rows.js').Row[]} list */
const outline = (list) => list.map((row) =>
  row.kind === 'message' ? `${row.own ? 'own' : 'peer'} ${row.body.split(' ')[1]}${row.first ? ' first' : ''}${row.last ? ' last' : ''}` : row.kind);

test('days begin with a line; neighbours of one person within five minutes form a group', () => {
  const list = rows({ messages: [
    message(1, PEER, '1T12:00:00'), message(2, PEER, '1T12:01:00'), message(3, PEER, '1T12:02:00'),
    message(4, ME, '1T12:02:30'), message(5, ME, '1T12:09:00'), message(6, ME, '3T12:00:00'),
  ] });
  assert.deepEqual(outline(list), [
    'day', 'peer 1 first', 'peer 2', 'peer 3 last', 'own 4 first last', 'own 5 first last', 'day', 'own 6 first last',
  ]);
});

test('days are those of the reader', () => {
  const at = (/** @type {string} */ iso) => ({ ...message(1, PEER, '1T12:00:00'), seq: Date.parse(iso), at: iso });
  const messages = ['2026-02-09T12:00:00Z', '2026-03-09T12:00:00Z', '2026-03-10T03:59:00Z', '2026-03-10T04:00:00Z'].map(at);
  assert.deepEqual(rows({ messages }).map(({ kind }) => kind), ['day', 'message', 'day', 'message', 'message', 'day', 'message']);
});

test('yesterday is the day before, not 24 hours ago, also when that day had 23', (t) => {
  const { Date } = globalThis;
  t.after(() => (globalThis.Date = Date));
  const now = Date.parse('2026-03-09T04:30:00Z');
  globalThis.Date = /** @type {DateConstructor} */ (class extends Date {
    constructor(/** @type {any[]} */ ...at) {
      super(.../** @type {[number]} */ (at.length > 0 ? at : [now]));
    }
  });
  globalThis.Date.now = () => now;
  assert.equal(dayName('2026-03-09T04:00:00Z'), 'Today');
  for (const at of ['2026-03-09T03:59:00Z', '2026-03-08T05:00:00Z']) assert.deepEqual([dayName(at), shortTime(at)], ['Yesterday', 'Yesterday']);
  assert.notEqual(dayName('2026-03-08T04:59:00Z'), 'Yesterday');
});

test('the divider stands before the first unread message, and parts a group', () => {
  const messages = [message(1, PEER, '1T12:00:00'), message(2, PEER, '1T12:00:10'), message(4, PEER, '1T12:00:20')];
  assert.deepEqual(outline(rows({ messages, divider: 2 })), ['day', 'peer 1 first', 'peer 2 last', 'divider', 'peer 4 first last']);
  assert.deepEqual(outline(rows({ messages, divider: 4 })), ['day', 'peer 1 first', 'peer 2', 'peer 4 last']);
});

test('messages of people who were deleted stay, under a name that says so', () => {
  const gone = { id: null, display_name: null };
  const list = rows({ dialog: false, messages: [message(1, PEER, '1T12:00:00'), message(2, gone, '1T12:00:01')] });
  assert.deepEqual(outline(list), ['day', 'peer 1 first last', 'peer 2 first last']);
  assert.deepEqual(list.flatMap((row) => (row.kind === 'message' ? [row.author] : [])), ['Peer', 'Deleted account']);
});

test('own messages are sent, or read as far as the other one has read', () => {
  const list = rows({ messages: [message(1, ME, '1T12:00:00'), message(2, ME, '1T12:00:01'), message(3, PEER, '1T12:00:02')], readByPeer: 1 });
  assert.deepEqual(list.flatMap((row) => (row.kind === 'message' ? [row.state] : [])), ['read', 'sent', 'received']);
});

test('a message keeps its row when it is confirmed, and keys are never twice, whatever the clocks say', () => {
  const item = { client_id: 'c9', room: 1, body: 'body 9', at: '2026-03-01T12:00:00Z', state: /** @type {const} */ ('sending') };
  const messages = [message(1, PEER, '1T12:00:00'), message(2, PEER, '3T12:00:00')];
  const pending = rows({ messages, pending: [item] });
  assert.deepEqual(outline(pending), ['day', 'peer 1 first last', 'day', 'peer 2 first last', 'day', 'own 9 first last']);
  assert.equal(new Set(pending.map(({ key }) => key)).size, pending.length);
  const confirmed = rows({ messages: [...messages, message(9, ME, '3T12:00:00')] });
  assert.equal(confirmed.at(-1)?.key, pending.at(-1)?.key);
});
