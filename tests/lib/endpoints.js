// @ts-check

/**
 * Every REST endpoint with its fields, for tests that are generated. That none is missing is itself tested, against
 * the tables in fcgi-app/*.c and docs/rest.md.
 */

/**
 * @typedef {object} Field
 * @property {string} name
 * @property {'int' | 'text' | 'secret' | 'uuid' | 'bool' | 'object' | 'ids' | 'items'} type
 * @property {boolean} [required]
 * @property {string} [some]  a good one, where not all texts are
 * @property {number} [min]
 * @property {number} [max]  of int: the value; of text: characters; of secret and object: bytes; of ids and items: how many
 */

/**
 * @typedef {object} Endpoint
 * @property {string} method
 * @property {string} path      template below /api/v1
 * @property {boolean} [open]   needs no token
 * @property {Field[]} [query]
 * @property {Field[]} [body]
 * @property {object} [good]    a body that is well-formed; what it names need not exist
 * @property {string} [goodQuery]
 */

/** @type {Field} */
const LIMIT = { name: 'limit', type: 'int', min: 1, max: 200 };
/** @type {Field} */
const WANTS_TOKEN = { name: 'token', type: 'bool' };

/** @type {Endpoint[]} */
export const ENDPOINTS = [
  {
    method: 'POST',
    path: '/users',
    open: true,
    body: [
      { name: 'login', type: 'text', required: true, max: 64, some: 'ab' },
      { name: 'password', type: 'secret', required: true, min: 8, max: 1024 },
      { name: 'display_name', type: 'text', required: true, max: 64 },
      WANTS_TOKEN,
    ],
    good: { login: 'zzmarker', password: 'long enough', display_name: 'Marker', token: true },
  },
  {
    method: 'GET',
    path: '/users',
    query: [{ name: 'q', type: 'text', required: true, max: 100 }, LIMIT, { name: 'after', type: 'text', max: 64 }],
    goodQuery: 'q=a',
  },
  { method: 'GET', path: '/users/{id}' },
  { method: 'GET', path: '/me' },
  {
    method: 'POST',
    path: '/session',
    open: true,
    body: [
      { name: 'login', type: 'text', required: true, max: 64 },
      { name: 'password', type: 'secret', required: true, min: 1, max: 1024 },
      WANTS_TOKEN,
    ],
    good: { login: 'zzmarker', password: 'long enough', token: true },
  },
  { method: 'GET', path: '/session' },
  { method: 'DELETE', path: '/session' },
  { method: 'POST', path: '/stream-tickets' },
  { method: 'PUT', path: '/dialogs/{user}' },
  {
    method: 'POST',
    path: '/rooms',
    body: [
      { name: 'kind', type: 'text', required: true, max: 16, some: 'public' },
      { name: 'name', type: 'text', required: true, max: 80 },
      { name: 'topic', type: 'text', max: 300 },
      { name: 'history', type: 'text', max: 16, some: 'all' },
      { name: 'members', type: 'ids', min: 0, max: 100 },
    ],
    good: { kind: 'private', name: 'A room' },
  },
  { method: 'GET', path: '/rooms', query: [LIMIT, { name: 'before', type: 'text', max: 64 }] },
  { method: 'GET', path: '/rooms/{room}' },
  { method: 'GET', path: '/rooms/{room}/members', query: [LIMIT, { name: 'after', type: 'int', min: 0 }] },
  { method: 'PUT', path: '/rooms/{room}/members/{user}' },
  { method: 'DELETE', path: '/rooms/{room}/members/{user}' },
  {
    method: 'PUT',
    path: '/rooms/{room}/read',
    body: [{ name: 'seq', type: 'int', required: true, min: 0 }],
    good: { seq: 1 },
  },
  {
    method: 'PUT',
    path: '/rooms/{room}/delivered',
    body: [{ name: 'seq', type: 'int', required: true, min: 0 }],
    good: { seq: 1 },
  },
  {
    method: 'POST',
    path: '/receipts',
    body: [{ name: 'items', type: 'items', required: true, min: 1, max: 100 }],
    good: { items: [{ room: 1, kind: 'read', seq: 1 }] },
  },
  {
    method: 'PUT',
    path: '/rooms/{room}/typing',
    body: [{ name: 'state', type: 'text', required: true, max: 5, some: 'start' }],
    good: { state: 'stop' },
  },
  { method: 'GET', path: '/rooms/{room}/active', query: [LIMIT, { name: 'after', type: 'int', min: 0 }] },
  { method: 'GET', path: '/unread' },
  {
    method: 'POST',
    path: '/rooms/{room}/messages',
    body: [
      { name: 'body', type: 'text', required: true, max: 10_000 },
      { name: 'type', type: 'text', max: 32, some: 'x.y' },
      { name: 'meta', type: 'object', max: 4096 },
      { name: 'client_id', type: 'uuid' },
      { name: 'reply_to', type: 'int', min: 1 },
    ],
    good: { body: 'Hello' },
  },
  {
    method: 'GET',
    path: '/rooms/{room}/messages',
    query: [
      { name: 'before', type: 'int', min: 0 },
      { name: 'after', type: 'int', min: 0 },
      { name: 'around', type: 'int', min: 0 },
      LIMIT,
    ],
  },
  { method: 'GET', path: '/rooms/{room}/messages/{seq}' },
  { method: 'GET', path: '/snapshot' },
  {
    method: 'GET',
    path: '/events',
    query: [
      { name: 'after', type: 'text', max: 8000 },
      { name: 'rooms', type: 'ids', min: 1, max: 100 },
    ],
  },
  {
    method: 'GET',
    path: '/presence',
    query: [{ name: 'users', type: 'ids', required: true, min: 1, max: 200 }],
    goodQuery: 'users=1',
  },
  { method: 'GET', path: '/health', open: true },
  { method: 'GET', path: '/server', open: true },
];

/** What a test calls it. @param {Endpoint} endpoint */
export function nameOf(endpoint) {
  return `${endpoint.method} ${endpoint.path}`;
}

/** The address, with ids in place of the template's parameters. @param {Endpoint} endpoint @param {string[]} [ids] */
export function uriOf(endpoint, ids = [], query = endpoint.goodQuery ?? '') {
  let n = 0;
  const path = endpoint.path.replace(/\{\w+\}/g, () => ids[n++] ?? '1');
  return `/api/v1${path}${query === '' ? '' : `?${query}`}`;
}

/** How many parameters its path has. @param {Endpoint} endpoint */
export function paramCount(endpoint) {
  return endpoint.path.split('{').length - 1;
}
