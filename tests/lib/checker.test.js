// @ts-check

/** Each rule of the checker fires on a log that breaks it, and none fires on a good one. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { check } from './checker.js';

const ROOM = 7;
const COUNT = 10;

/** Ten messages, sent one after the other, all shown by two clients. */
function goodLogs() {
  const numbers = Array.from({ length: COUNT }, (_, i) => i + 1);
  const row = (/** @type {number} */ seq) => ({ room: ROOM, seq, clientId: `c${seq}`, body: `text ${seq}` });
  return {
    sends: numbers.map((n) => ({ ...row(n), invokedAt: n * 10, returnedAt: /** @type {number | undefined} */ (n * 10 + 5) })),
    table: numbers.map(row),
    screens: ['alice', 'bob'].map((name) => ({ name, shown: numbers.map(row), cut: false })),
  };
}

/** @typedef {ReturnType<typeof goodLogs>} Logs */

/** @type {Array<[string, string, (logs: Logs) => void]>} */
const MUTATIONS = [
  ['lost', 'an acknowledged row is gone', (logs) => logs.table.pop()],
  ['phantom', 'a row that nobody sent', (logs) => logs.table.push({ room: ROOM, seq: 11, clientId: 'x', body: 'x' })],
  ['phantom', 'shown, but not stored', (logs) => {
    logs.sends[9].returnedAt = undefined;
    logs.table.pop();
  }],
  ['dup', 'one client_id under two seqs', (logs) => logs.table.push({ ...logs.table[0], seq: 11 })],
  ['dup', 'one seq for two messages', (logs) => (logs.table[5].seq = logs.table[4].seq)],
  ['dup', 'twice on a screen', (logs) => logs.screens[0].shown.push(logs.screens[0].shown[9])],
  ['gap', 'a hole on a screen', (logs) => logs.screens[1].shown.splice(4, 1)],
  ['gap', 'a screen that stopped', (logs) => logs.screens[1].shown.pop()],
  ['gap', 'a hole on a screen that was cut', (logs) => {
    logs.screens[1].cut = true;
    logs.screens[1].shown.splice(4, 1);
  }],
  ['order', 'two swapped on a screen', (logs) => logs.screens[0].shown.reverse()],
  ['order', 'sent after an acknowledgement, stored before it', (logs) => {
    [logs.sends[2].invokedAt, logs.sends[2].returnedAt] = [1000, 1005];
  }],
  ['split', 'a screen shows another text', (logs) => (logs.screens[0].shown[3] = { ...logs.screens[0].shown[3], body: 'no' })],
  ['split', 'acknowledged under another seq', (logs) => (logs.sends[3].seq = 9)],
  ['split', 'stored with another text', (logs) => (logs.table[3] = { ...logs.table[3], body: 'no' })],
];

test('good logs have no violation', () => {
  assert.deepEqual(check(goodLogs()), []);
});

test('a send without an answer may be stored or not', () => {
  const stored = goodLogs();
  stored.sends[9].returnedAt = undefined;
  assert.deepEqual(check(stored), []);

  const dropped = goodLogs();
  dropped.sends[9].returnedAt = undefined;
  dropped.table.pop();
  for (const screen of dropped.screens) screen.shown.pop();
  assert.deepEqual(check(dropped), []);
});

test('a gap that was announced is none', () => {
  const logs = goodLogs();
  const [alice] = logs.screens;
  logs.screens.push({ ...alice, shown: alice.shown.splice(7) });
  alice.shown.splice(5);
  alice.cut = true;
  assert.deepEqual(check(logs), []);
});

for (const [rule, what, mutate] of MUTATIONS) {
  test(`${rule}: ${what}`, () => {
    const logs = goodLogs();
    mutate(logs);
    const rules = check(logs).map((violation) => violation.rule);
    assert.ok(rules.includes(/** @type {any} */ (rule)), `${rule} did not fire: ${rules}`);
  });
}
