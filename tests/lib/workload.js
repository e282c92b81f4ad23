// @ts-check

/**
 * People who write without pause in some rooms, and many screens of all kinds that show what they say: by every
 * transport, through the web server and straight from the daemons, by polls of the workers, and the browser's library.
 * proceed() sees that nobody is left behind; verdict() has the checker look at all that was shown.
 */

import { check } from './checker.js';
import { Follower } from './follower.js';
import { Library } from './library.js';
import { Person } from './person.js';
import { DAEMON_PATHS, straight, throughFront } from './ways.js';
import { Writer } from './writer.js';

const CATCH_UP_MS = 120_000;
/** A client that hears nothing for so long looks for another stream. Heartbeats are to come far more often. */
const SILENT_MS = 4_000;

/** Settings of a site where everybody is soon there again, whatever happened: tests of faults wait for little else. */
export const QUICK_ENV = {
  CONFAB_WORKERS: 6,
  CONFAB_POLL_INTERVAL_MS: 200,
  CONFAB_POLL_WAIT_MS: 1_000,
  CONFAB_STREAM_HEARTBEAT_MS: 500,
  CONFAB_STREAM_RETRY_MIN_MS: 20,
  CONFAB_STREAM_RETRY_MAX_MS: 200,
  CONFAB_RESET_WITHIN_S: 1,
};

/** @typedef {Follower | Library} Screen */

export class Workload {
  /** @type {Writer[]} */
  writers = [];
  /** @type {Screen[]} */
  screens = [];

  /**
   * @param {import('./site.js').Site} site
   * @param {[Person, Person]} people  who are in all rooms
   * @param {number[]} rooms
   * @param {import('./random.js').Random} random
   */
  constructor(site, people, rooms, random) {
    this.site = site;
    this.people = people;
    this.rooms = rooms;
    this.random = random;
  }

  /** @param {import('./site.js').Site} site @param {import('./random.js').Random} random */
  static async prepare(site, random) {
    const [alice, bob] = await Promise.all(['alice', 'bob'].map((login) => Person.register(site, login, { token: true })));
    const { id: dialog } = await alice.dialogWith(bob);
    const { id: room } = await bob.createRoom({ name: 'workshop', members: [alice.id] });
    return new Workload(site, [alice, bob], [dialog, room], random);
  }

  /** @param {number} everyMs  how long each writer rests between two messages */
  write(everyMs) {
    const pairs = this.people.flatMap((person) => this.rooms.map((room) => new Writer(person, room)));
    this.writers.push(...pairs);
    for (const writer of pairs) writer.start({ everyMs });
  }

  /**
   * A follower on each of these ways, and one that takes them in turn, a moment each. Those that go by the daemon
   * alone, and stay, may also be such that do not mend a gap: nothing but what was announced may be missing there.
   *
   * @param {number} [daemons]
   */
  follow(daemons = 1) {
    const { site, random } = this;
    const [, bob] = this.people;
    const numbers = Array.from({ length: daemons }, (_, n) => n + 1);
    const direct = numbers.flatMap((daemon) => DAEMON_PATHS.map((path) => straight(site, bob, path, daemon)));
    const proxied = site.front ? [...DAEMON_PATHS, /** @type {const} */ ('api/v1/events')].map((path) => throughFront(site, bob, path)) : [];
    const all = [...direct, ...proxied];
    for (const way of all) this.add([way], way.name, { startsWhole: true });
    for (const way of direct) this.add([way], `${way.name}, without history`, { refetches: false });
    this.add(random.shuffled(all), 'all ways in turn', { startsWhole: true, staysMs: [50, 1_500] });
  }

  /** One more of bob's clients. @param {import('./ways.js').Way[]} ways @param {string} name @param {ConstructorParameters<typeof Follower>[2]} options */
  add(ways, name, options) {
    const [, bob] = this.people;
    this.screens.push(new Follower(bob, ways, { name, silentMs: SILENT_MS, random: this.random.fork(), ...options }));
  }

  /** The library, as alice's and bob's browsers have it. @param {string} [url]  the site, as they reach it */
  browse(url) {
    this.screens.push(...this.people.map((person) => new Library(person, this.rooms[0], url)));
  }

  get followers() {
    return this.screens.filter((screen) => screen instanceof Follower);
  }

  get acknowledged() {
    return this.writers.reduce((n, { sends }) => n + sends.filter((send) => send.returnedAt !== undefined).length, 0);
  }

  /** Until so many more messages are acknowledged, and everything that there is stands on every screen. @param {string} what @param {number} count */
  async proceed(what, count) {
    await this.acknowledges(count, what);
    await this.#caughtUp(what);
  }

  /** Until so many more messages are acknowledged. @param {number} count @param {string} [what] */
  async acknowledges(count, what = 'now') {
    const goal = this.acknowledged + count;
    await this.site.waitFor(() => this.acknowledged >= goal, { what: `sends to be answered after: ${what}`, timeoutMs: CATCH_UP_MS });
  }

  /** @param {string} what */
  async #caughtUp(what) {
    const newest = await this.site.sql('select room_id::int as room, last_seq::int as seq from chat.room_counter where room_id = any ($1)', [
      this.rooms,
    ]);
    for (const screen of this.screens) {
      const whole = () => newest.every(({ room, seq }) => !this.#shows(screen, room) || screen.rows.some((row) => row.room === room && row.seq >= seq));
      await this.site.waitFor(whole, { what: `${screen.name} to show all after: ${what}`, timeoutMs: CATCH_UP_MS }).catch((error) => {
        throw new Error(error.message, { cause: screen.trouble });
      });
    }
  }

  /** @param {Screen} screen @param {number} room */
  #shows(screen, room) {
    return screen instanceof Follower || screen.room === room;
  }

  /**
   * Ends the writing, waits until everything is shown, and returns whatever was wrong.
   *
   * @param {{lostBefore?: number}} [options]  lostBefore: what was acknowledged before, by performance.now(), may be
   *   lost, and then only the screens as they stand count: the database has another life
   * @returns {Promise<unknown[]>}
   */
  async verdict({ lostBefore } = {}) {
    await Promise.all(this.writers.map((writer) => writer.stop()));
    await this.#caughtUp('the end');
    const table = await this.site.sql(
      'select room_id::int as room, seq::int, client_id as "clientId", body from chat.message where room_id = any ($1)',
      [this.rooms],
    );
    const stored = new Set(table.map(({ clientId }) => clientId));
    const isLost = (/** @type {import('./checker.js').Send} */ { clientId, returnedAt = Infinity }) =>
      lostBefore !== undefined && returnedAt < lostBefore && !stored.has(clientId);
    const sends = this.writers.flatMap((writer) => writer.sends).filter((send) => !isLost(send));
    const screens = this.screens.flatMap((screen) => screen.screens.slice(lostBefore === undefined ? 0 : -1));
    return [...this.screens.flatMap((screen) => screen.broken), ...check({ sends, table, screens })];
  }

  async stop() {
    await Promise.allSettled(this.writers.map((writer) => writer.stop(0)));
    await Promise.allSettled(this.screens.map((screen) => screen.stop()));
  }
}
