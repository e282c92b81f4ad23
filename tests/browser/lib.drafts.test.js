// @ts-check

/** Drafts: each stays with its person and room, and all of them together stay small. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Drafts } from '../../htdocs/lib/drafts.js';
import { memory } from '../lib/memory.js';

const prefix = 'confab:draft:/:1:';

test('a draft survives a reload, for its room and its person', () => {
  const storage = memory();
  new Drafts({ storage, prefix }).set(7, 'half a senten');
  const drafts = new Drafts({ storage, prefix });
  assert.equal(drafts.get(7), 'half a senten');
  assert.equal(drafts.get(77), '');
  assert.equal(new Drafts({ storage, prefix: 'confab:draft:/:11:' }).get(7), '');
});

test('sent and cleared ones are gone from the storage, and nothing else is', () => {
  const storage = memory();
  storage.setItem('confab:outbox:/:1:x', 'not ours');
  const drafts = new Drafts({ storage, prefix });
  for (const room of [1, 2, 3]) drafts.set(room, 'text');
  drafts.set(1, '');
  assert.equal(storage.length, 3);
  drafts.clear();
  assert.equal(storage.length, 1);
  assert.equal(drafts.get(2), '');
});

test('beyond thirty the oldest goes', (t) => {
  let time = 0;
  const { now } = Date;
  t.after(() => (Date.now = now));
  Date.now = () => (time += 1);
  const storage = memory();
  const drafts = new Drafts({ storage, prefix });
  for (let room = 1; room <= 30; room += 1) drafts.set(room, `draft ${room}`);
  drafts.set(1, 'touched again');
  drafts.set(31, 'one more');
  assert.equal(storage.length, 30);
  assert.deepEqual([1, 2, 3, 31].map((room) => drafts.get(room)), ['touched again', '', 'draft 3', 'one more']);
});

test('what is too long, or refused, or without a storage lives as long as the page', () => {
  const storage = memory();
  const long = new Drafts({ storage, prefix });
  long.set(1, 'short');
  long.set(1, 'x'.repeat(20_001));
  assert.equal(storage.length, 0);
  const refuse = () => {
    throw new Error('quota');
  };
  for (const drafts of [long, new Drafts({ storage: null, prefix }), new Drafts({ storage: { ...storage, setItem: refuse, removeItem: refuse }, prefix })]) {
    drafts.set(1, 'x'.repeat(20_001));
    drafts.set(2, 'kept');
    assert.equal(drafts.get(1).length, 20_001);
    assert.equal(drafts.get(2), 'kept');
    drafts.set(2, '');
    drafts.clear();
    assert.equal(drafts.get(1) + drafts.get(2), '');
  }
});

test('what is not a draft reads as none', () => {
  const storage = memory();
  storage.setItem(`${prefix}1`, '{"at":');
  assert.equal(new Drafts({ storage, prefix }).get(1), '');
});
