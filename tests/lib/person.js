// @ts-check

/**
 * One person with one device: an HTTP client with a cookie jar (or a bearer token) that speaks the REST interface.
 */

import { randomUUID } from 'node:crypto';
import { request } from './http.js';
import { SseReader } from './sse.js';

export const PASSWORD = 'correct horse battery';

export class ApiError extends Error {
  /**
   * @param {string} what
   * @param {import('./http.js').Answer} answer
   */
  constructor(what, answer) {
    super(`${what}: HTTP ${answer.status} ${answer.text.slice(0, 300)}`);
    this.answer = answer;
    this.status = answer.status;
    this.code = answer.json?.code;
  }
}

export class Person {
  /** @type {Map<string, string>} */
  cookies = new Map();
  /** @type {string | undefined} bearer token, when logged in by one */
  token;
  /** @type {any} the user object, once known */
  user;

  /**
   * @param {{url: string, giveUp?: () => Error | undefined}} site
   * @param {string} login
   * @param {string} [password]
   */
  constructor(site, login, password = PASSWORD) {
    this.site = site;
    this.login = login;
    this.password = password;
  }

  /**
   * A new person who is logged in.
   *
   * @param {{url: string}} site
   * @param {string} login
   * @param {{displayName?: string, token?: boolean}} [options]
   */
  static async register(site, login, { displayName = login, token = false } = {}) {
    const person = new Person(site, login);
    const body = { login, password: person.password, display_name: displayName, ...(token && { token }) };
    person.#loggedIn(await person.call('POST', 'users', body));
    return person;
  }

  /** Another device of the same person. @param {{token?: boolean}} [options] */
  async device({ token = false } = {}) {
    const device = new Person(this.site, this.login, this.password);
    await device.logIn({ token });
    return device;
  }

  /** @param {{token?: boolean}} [options] */
  async logIn({ token = false } = {}) {
    const body = { login: this.login, password: this.password, ...(token && { token }) };
    this.#loggedIn(await this.call('POST', 'session', body));
  }

  async logOut() {
    await this.call('DELETE', 'session');
  }

  /** @param {any} answer */
  #loggedIn(answer) {
    this.user = answer.user;
    this.session = answer.session;
    this.token = answer.token;
  }

  get id() {
    return this.user.id;
  }

  /** What this device presents; a browser adds Origin to writes. @param {string} [method] */
  headers(method = 'GET') {
    /** @type {Record<string, string>} */
    const headers = {};
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    if (this.cookies.size > 0) headers.Cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    if (method !== 'GET') headers.Origin = new URL(this.site.url).origin;
    return headers;
  }

  /**
   * One request, whatever its answer.
   *
   * @param {string} method
   * @param {string} path   below /api/v1/
   * @param {any} [body]    sent as JSON
   * @param {Record<string, string>} [headers]
   */
  async request(method, path, body, headers = {}) {
    const json = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const answer = await request(new URL(`api/v1/${path}`, this.site.url), {
      method,
      headers: { ...this.headers(method), ...json, ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    for (const cookie of answer.headers['set-cookie'] ?? []) this.#keep(cookie);
    return answer;
  }

  /** @param {string} cookie */
  #keep(cookie) {
    const [pair, ...attributes] = cookie.split(/;\s*/);
    const [name, value] = pair.split(/=(.*)/s);
    if (value === '' || attributes.some((text) => /^max-age=0$/i.test(text))) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }

  /**
   * One request that must succeed; its JSON.
   *
   * @param {string} method
   * @param {string} path
   * @param {any} [body]
   */
  async call(method, path, body) {
    const answer = await this.request(method, path, body);
    if (answer.status < 200 || answer.status > 299) throw new ApiError(`${method} ${path}`, answer);
    return answer.json;
  }

  /** The one-to-one room. @param {Person} other @returns {Promise<any>} */
  dialogWith(other) {
    return this.call('PUT', `dialogs/${other.id}`);
  }

  /** @param {{name: string, kind?: string, history?: string, members?: number[]}} room @returns {Promise<any>} */
  createRoom({ kind = 'private', ...room }) {
    return this.call('POST', 'rooms', { kind, ...room });
  }

  /**
   * @param {number} room
   * @param {string} body
   * @param {object} [fields]  e.g. client_id
   * @returns {Promise<any>} the message
   */
  send(room, body, fields = {}) {
    return this.call('POST', `rooms/${room}/messages`, { body, client_id: randomUUID(), ...fields });
  }

  /** @param {number} room @param {string} [query] @returns {Promise<any>} the page */
  history(room, query = '') {
    return this.call('GET', `rooms/${room}/messages${query}`);
  }

  /** @returns {Promise<any>} */
  snapshot() {
    return this.call('GET', 'snapshot');
  }

  /** @param {string} after @returns {Promise<any>} */
  events(after) {
    return this.call('GET', `events?after=${encodeURIComponent(after)}`);
  }

  /** Opens a stream. @param {{lastEventId?: string, headers?: Record<string, string>}} [options] */
  stream({ lastEventId, headers = {} } = {}) {
    return new SseReader(new URL('stream', this.site.url), {
      headers: { ...this.headers(), ...headers },
      lastEventId,
      giveUp: this.site.giveUp,
    });
  }
}
