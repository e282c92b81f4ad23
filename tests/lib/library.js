// @ts-check

/** The library that browsers run, whole (snapshot, stream, history, holes), as one more screen: what it shows is its room log. */

import { EventSource } from 'eventsource';
import { Api } from '../../htdocs/lib/api.js';
import { Client } from '../../htdocs/lib/client.js';

/** As in a browser, but for a shorter patience. */
const TIMES = {
  backoffBaseMs: 100,
  backoffCapMs: 1_000,
  helloMs: 3_000,
  silenceMs: 10_000,
  tickMs: 500,
  probeMinMs: 500,
  probeMaxMs: 2_000,
};

export class Library {
  /** Why each reset was told. @type {string[]} */
  resets = [];
  /** It is its own judge. @type {string[]} */
  broken = [];
  trouble = undefined;
  #client;

  /**
   * @param {import('./person.js').Person} person  logged in by token
   * @param {number} room    the one on screen
   * @param {string} [url]   of the site, as this client reaches it
   */
  constructor(person, room, url = person.site.url) {
    this.name = `library of ${person.login}`;
    this.room = room;
    const headers = { Authorization: `Bearer ${person.token}` };
    /** @type {any} */
    const WithToken = class extends EventSource {
      /** @param {string} address */
      constructor(address) {
        super(address, { fetch: (input, init) => fetch(input, { ...init, headers: { ...init?.headers, ...headers } }) });
      }
    };
    this.#client = new Client({
      api: new Api({ base: new URL('api/v1', person.site.url).href, token: person.token }),
      streamUrl: new URL('stream', url).href,
      site: 'test',
      storage: null,
      EventSource: WithToken,
      times: TIMES,
    });
    this.#client.stream.on('reset', ({ reason }) => this.resets.push(reason));
    this.#client.show(room);
    this.#client.start();
  }

  get rows() {
    return this.#client.store
      .log(this.room)
      .messages.map(({ room, seq, client_id: clientId, body }) => ({ room, seq, clientId: clientId ?? '', body }));
  }

  /** @returns {import('./checker.js').Screen[]} */
  get screens() {
    return [{ name: this.name, shown: this.rows }];
  }

  stop() {
    this.#client.stop();
  }
}
