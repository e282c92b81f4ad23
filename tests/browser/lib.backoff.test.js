// @ts-check

/** Waits after failures: they double, they are anything up to a ceiling, and they keep to what the server asked for. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../../htdocs/lib/backoff.js';

test('the ceiling doubles up to the cap, and a success sets it back', (t) => {
  t.mock.method(Math, 'random', () => 1);
  const backoff = new Backoff({ base: 1000, cap: 5000 });
  assert.deepEqual([1, 2, 3, 4, 5].map(() => backoff.next()), [1000, 2000, 4000, 5000, 5000]);
  assert.equal(backoff.failures, 5);
  backoff.reset();
  assert.equal(backoff.next(), 1000);
});

test('clients that failed together do not come back together, nor before they may', (t) => {
  const random = t.mock.method(Math, 'random', () => 0);
  assert.equal(new Backoff().next(), 0);
  assert.equal(new Backoff().next(700), 700);
  random.mock.mockImplementation(() => 0.25);
  assert.equal(new Backoff().next(700), 950);
});
