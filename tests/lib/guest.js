// @ts-check

/**
 * One person who speaks to the database and to the daemon alone, without a web server between: for tests whose
 * subject is the stream.
 */

import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { Poller } from './poller.js';
import { SseReader } from './sse.js';
import { WsReader } from './websocket.js';

/** What the daemon is asked at; its unix socket has no name of its own. */
export const DAEMON_URL = 'http://daemon.test';

export class SqlError extends Error {
  /** @param {string} what @param {{status: number, body: string}} answer */
  constructor(what, answer) {
    super(`${what}: ${answer.status} ${answer.body}`);
    this.status = answer.status;
  }
}

export class Guest {
  token = randomBytes(32).toString('base64url');
  id = 0;

  /** @param {import('./site.js').Site} site @param {string} login */
  constructor(site, login) {
    this.site = site;
    this.login = login;
  }

  /** @param {import('./site.js').Site} site @param {string} login */
  static async register(site, login) {
    const guest = new Guest(site, login);
    const { user } = await guest.#call('api_register', [login, 'no password', login, guest.#hash, 30, 'test']);
    guest.id = user.id;
    return guest;
  }

  get #hash() {
    return createHash('sha256').update(this.token).digest();
  }

  /** Another session of the same person. @param {string} [lifetime] an interval */
  async device(lifetime = '1 day') {
    const device = new Guest(this.site, this.login);
    device.id = this.id;
    await this.site.sql(
      `insert into chat.session (token_hash, user_id, expires_at) values ($1, $2, now() + $3::interval)`,
      [device.#hash, this.id, lifetime],
    );
    return device;
  }

  /** @param {string} name @param {any[]} params */
  async #call(name, params) {
    const places = params.map((_, n) => `$${n + 1}`).join(', ');
    const [answer] = await this.site.sql(`select status, body from chat.${name}(${places})`, params);
    if (answer.status > 299) throw new SqlError(name, answer);
    return answer.body === null ? null : JSON.parse(answer.body);
  }

  /** @param {string} name @param {any[]} params  after the token */
  call(name, ...params) {
    return this.#call(name, [this.#hash, ...params]);
  }

  /** @param {Guest} other @returns {Promise<number>} the room */
  async dialogWith(other) {
    return (await this.call('api_dialog_open', other.id)).id;
  }

  /** @param {string} name @param {number[]} [members] @param {string} [history] @returns {Promise<number>} the room */
  async createRoom(name, members = [], history = 'all') {
    return (await this.call('api_room_create', 'private', name, null, history, members)).id;
  }

  /** @param {number} room @param {number} user */
  add(room, user) {
    return this.call('api_member_put', room, user);
  }

  /** @param {number} room @param {number | null} [user] null: oneself */
  remove(room, user = null) {
    return this.call('api_member_delete', room, user);
  }

  /** @param {number} room @param {string} body @returns {Promise<any>} the message */
  send(room, body) {
    return this.call('api_message_send', room, body, 'text', null, randomUUID(), null);
  }

  logOut() {
    return this.call('api_logout');
  }

  /** A ticket for one stream of this session. @returns {Promise<string>} */
  async ticket() {
    const ticket = randomBytes(32).toString('base64url');
    await this.call('api_stream_ticket', createHash('sha256').update(ticket).digest());
    return ticket;
  }

  /** @returns {Promise<any>} */
  snapshot() {
    return this.call('api_snapshot');
  }

  /** @param {number} room @param {string} [query] as of GET …/messages @returns {Promise<any>} the page */
  history(room, query = '') {
    const asked = new URLSearchParams(query);
    return this.call('api_message_list', room, ...['before', 'after', 'around', 'limit'].map((name) => asked.get(name)));
  }

  headers() {
    return { Authorization: `Bearer ${this.token}` };
  }

  /** Where a daemon is reached. @param {number} [daemon] */
  #at(daemon) {
    const { socket } = this.site.daemon(daemon);
    return socket ? { origin: DAEMON_URL, socketPath: socket } : { origin: `http://${this.site.pushListen}` };
  }

  /** @param {{lastEventId?: string, headers?: Record<string, string>, path?: string, daemon?: number}} [options] */
  websocket({ lastEventId, headers = {}, path = '/ws', daemon } = {}) {
    const { origin, socketPath } = this.#at(daemon);
    return new WsReader(new URL(path, origin), {
      headers: { ...this.headers(), ...headers },
      lastEventId,
      socketPath,
      giveUp: this.site.giveUp,
    });
  }

  /** @param {{lastEventId?: string, path?: string, daemon?: number}} [options] */
  poller({ lastEventId, path = '/poll', daemon } = {}) {
    const { origin, socketPath } = this.#at(daemon);
    return new Poller(new URL(path, origin), {
      headers: this.headers(),
      lastEventId,
      socketPath,
      giveUp: this.site.giveUp,
    });
  }

  /** @param {{lastEventId?: string, headers?: Record<string, string>, path?: string, daemon?: number}} [options] */
  stream({ lastEventId, headers = {}, path = '/stream', daemon } = {}) {
    const { origin, socketPath } = this.#at(daemon);
    return new SseReader(new URL(path, origin), {
      headers: { ...this.headers(), ...headers },
      lastEventId,
      socketPath,
      giveUp: this.site.giveUp,
    });
  }
}
