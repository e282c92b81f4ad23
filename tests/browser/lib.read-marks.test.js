// @ts-check

/** Read marks: the newest of each room is told, seldom, and until the server knows it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../../htdocs/lib/api.js';
import { ReadMarks } from '../../htdocs/lib/read-marks.js';
import { waitFor } from '../lib/wait.js';

/** A server that fails as often as it is told to. @param {ApiError[]} [failures] */
function server(failures = []) {
  /** @type {string[]} */
  const told = [];
  const markRead = async (/** @type {number} */ room, /** @type {number} */ seq) => {
    told.push(`${room}:${seq}`);
    const failure = failures.shift();
    if (failure) throw failure;
  };
  return { told, marks: new ReadMarks(/** @type {any} */ ({ markRead })) };
}

test('of many marks the first and the newest are told', async () => {
  const { told, marks } = server();
  for (const seq of [1, 2, 9, 3]) marks.mark(7, seq);
  marks.mark(8, 1);
  await waitFor(() => told.length === 3);
  assert.deepEqual(told, ['7:1', '7:9', '8:1']);
});

test('one that failed is told again, but not over a newer one; one that was refused is not', async (t) => {
  t.mock.method(Math, 'random', () => 0);
  const { told, marks } = server([new ApiError({ status: 503, code: 'unavailable' }), new ApiError({ status: 404, code: 'not_found' })]);
  marks.mark(7, 1);
  marks.mark(7, 2);
  await waitFor(() => told.length === 2);
  assert.deepEqual(told, ['7:1', '7:2']);
  marks.mark(8, 1);
  await waitFor(() => told.length === 3);
  assert.deepEqual(told, ['7:1', '7:2', '8:1']);

  const alone = server([new ApiError({ status: 0, code: 'network' })]);
  alone.marks.mark(7, 5);
  await waitFor(() => alone.told.length === 2);
  assert.deepEqual(alone.told, ['7:5', '7:5']);
});
