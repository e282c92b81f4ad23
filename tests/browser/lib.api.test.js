// @ts-check

/** The API against a real HTTP server: every failure is an ApiError that says what may be done about it. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { Api, ApiError, parseRetryAfter } from '../../htdocs/lib/api.js';

/** @type {Array<{method: string, url: string, headers: import('node:http').IncomingHttpHeaders, body: string}>} */
const asked = [];
/** @type {(response: import('node:http').ServerResponse) => void} */
let answer = (response) => void response.end('{}');
/** @type {Api} */
let api;

const server = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  asked.push({ method: String(request.method), url: String(request.url), headers: request.headers, body });
  answer(response);
});

before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  api = new Api({ base: `http://127.0.0.1:${port}/api/v1/`, token: 'secret' });
});

after(() => {
  server.closeAllConnections();
  server.close();
});

/** @param {number} status @param {Record<string, string>} headers @param {string} [body] */
function answers(status, headers, body = '') {
  answer = (response) => void response.writeHead(status, headers).end(body);
}

/** @param {Promise<any>} request @returns {Promise<ApiError>} */
async function failure(request) {
  const err = await request.then(() => null, (reason) => reason);
  assert.ok(err instanceof ApiError, String(err));
  return err;
}

test('a request as the server gets it', async () => {
  answers(201, { 'Content-Type': 'application/json' }, '{"seq":3}');
  const message = await api.send(7, { client_id: 'c', body: 'ünï' });
  assert.equal(message.seq, 3);
  const { method, url, headers, body } = /** @type {any} */ (asked.at(-1));
  assert.deepEqual([method, url, body], ['POST', '/api/v1/rooms/7/messages', '{"client_id":"c","body":"ünï"}']);
  assert.equal(headers['content-type'], 'application/json');
  assert.equal(headers.authorization, 'Bearer secret');
  await api.searchUsers('a&b=ж');
  assert.equal(asked.at(-1)?.url, '/api/v1/users?q=a%26b%3D%D0%B6&limit=20');
});

test('problem+json is read, 204 is null', async () => {
  const problem = { status: 422, code: 'invalid', detail: 'Bad.', errors: [{ pointer: '/login', detail: 'Short.' }], request_id: 'r1' };
  answers(422, { 'Content-Type': 'application/problem+json' }, JSON.stringify(problem));
  const err = await failure(api.logIn({ login: 'x', password: 'y' }));
  assert.deepEqual([err.status, err.code, err.detail, err.requestId, err.transient], [422, 'invalid', 'Bad.', 'r1', false]);
  assert.deepEqual(err.errors, problem.errors);
  answers(204, {});
  assert.equal(await api.logOut(), null);
});

test("a web server's own page, a broken body, 429 and 503 may be tried again", async () => {
  answers(502, { 'Content-Type': 'text/html' }, '<h1>Bad Gateway</h1>');
  let err = await failure(api.logOut());
  assert.deepEqual([err.status, err.code, err.transient], [502, 'http', true]);
  answers(200, { 'Content-Type': 'application/json' }, '{"cut":');
  err = await failure(api.room(1));
  assert.deepEqual([err.status, err.code, err.transient], [0, 'network', true]);
  for (const status of [429, 503]) {
    answers(status, { 'Content-Type': 'application/problem+json', 'Retry-After': '2' }, '{"code":"later"}');
    err = await failure(api.room(1));
    assert.deepEqual([err.status, err.code, err.retryAfter, err.transient], [status, 'later', 2000, true]);
  }
});

test('nobody there, and asked to stop', async () => {
  const nobody = await failure(new Api({ base: 'http://127.0.0.1:1' }).room(1));
  assert.deepEqual([nobody.status, nobody.code], [0, 'network']);
  answer = () => {};
  const abort = new AbortController();
  const stopped = failure(api.snapshot(abort.signal));
  abort.abort();
  assert.equal((await stopped).code, 'aborted');
});

test('an answer that does not come is a time-out', { timeout: 10_000 }, async (t) => {
  answer = () => {};
  const { setTimeout } = globalThis;
  t.mock.method(globalThis, 'setTimeout', (/** @type {() => void} */ act, /** @type {number} */ ms) => setTimeout(act, ms === 15_000 ? 20 : ms));
  const err = await failure(api.room(1));
  assert.deepEqual([err.status, err.code, err.transient], [0, 'timeout', true]);
});

test('Retry-After: seconds, a date, or nothing useful', () => {
  assert.equal(parseRetryAfter('3'), 3000);
  const soon = parseRetryAfter(new Date(Date.now() + 5000).toUTCString());
  assert.ok(soon > 3000 && soon <= 5000);
  for (const value of [null, '', 'soon', '-1', new Date(0).toUTCString()]) assert.equal(parseRetryAfter(value), 0);
});
