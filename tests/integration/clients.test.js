// @ts-check

/**
 * Clients that nobody here wrote, through each web server and directly. While they listen, their streams end by age
 * and the daemon is killed; each shows every message, once and in order, having gone on as docs/client.md says.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch } from '../browser/window.js';
import { CLIENTS } from '../lib/clients.js';
import { Person } from '../lib/person.js';
import { reservePort } from '../lib/ports.js';
import { Site } from '../lib/site.js';
import { pause } from '../lib/wait.js';
import { WebKit } from '../lib/webkit.js';
import { Writer } from '../lib/writer.js';

const MESSAGE_EVERY_MS = 20;
/** Before the daemon is killed, each stream has been opened so often; while it is away, so much is written. */
const OPENED_TIMES = 3;
const WRITTEN_AWAY = 5;
const PATIENCE_MS = 20_000;

/** @typedef {import('../lib/clients.js').Way['cookie']} Cookie */

const DIRECTLY = 'directly';
/** The web servers, and the ways to the streams that are tried with each. */
const FRONTS = /** @type {const} */ ([
  { front: 'apache', ways: ['through apache', DIRECTLY] },
  { front: 'lighttpd', ways: ['through lighttpd'] },
]);

/** What one client heard. */
class Cell {
  /** @type {import('../lib/clients.js').Heard[]} */
  heard = [];
  /** How much of it before the daemon was killed. */
  heardBefore = 0;

  /** @param {import('../lib/clients.js').Row} row @param {import('../lib/clients.js').Way} way */
  constructor(row, way) {
    this.stop = row.start(way, (event) => this.heard.push(event));
  }

  /** @param {string} type @param {number} [from] */
  count(type, from = 0) {
    return this.heard.slice(from).filter((event) => event.type === type).length;
  }

  /** The seqs on its screen, in the order in which they came; what comes again is dropped (protocol.md, 3.4). */
  shown() {
    const messages = this.heard.filter(({ type }) => type === 'message.new');
    return [...new Set(messages.map(({ data }) => data.message.seq))];
  }
}

class Browsers {
  /** @param {import('playwright-core').Browser} chromium @param {WebKit} webkit */
  constructor(chromium, webkit) {
    this.chromium = chromium;
    this.webkit = webkit;
  }

  static async launch() {
    return new Browsers(...(await Promise.all([launch(), WebKit.launch()])));
  }

  /** The page in both, as whoever has these cookies. @param {string} url @param {Cookie[]} cookies */
  async open(url, cookies) {
    const context = await this.chromium.newContext();
    await context.addCookies(cookies.map((cookie) => ({ ...cookie, url: new URL('/', url).href })));
    const page = await context.newPage();
    await Promise.all([page.goto(url), this.webkit.open(url, cookies)]);
    return { chromium: page, webkit: this.webkit };
  }

  async close() {
    await Promise.all([this.chromium.close(), this.webkit.close()]);
  }
}

/** A site whose streams do not live long, and whose daemon can be reached without the web server. */
class BriefSite {
  /** @param {Site} site @param {Writer} writer @param {() => void} release  its ports */
  constructor(site, writer, release) {
    this.site = site;
    this.writer = writer;
    this.release = release;
  }

  /** @param {'apache' | 'lighttpd'} front */
  static async start(front) {
    const [web, streams] = [await reservePort(), await reservePort()];
    const site = await Site.start({
      front,
      env: {
        PORT: web.port,
        CONFAB_PUSH_LISTEN: `127.0.0.1:${streams.port}`,
        CONFAB_ORIGINS: `http://127.0.0.1:${web.port}`,
        CONFAB_STREAM_AGE_MIN_S: 1,
        CONFAB_STREAM_AGE_MAX_S: 2,
        CONFAB_STREAM_RETRY_MIN_MS: 800,
        CONFAB_STREAM_RETRY_MAX_MS: 1000,
      },
    });
    const [reader, writer] = [await Person.register(site, 'reader'), await Person.register(site, 'writer')];
    const { id: room } = await writer.dialogWith(reader);
    return new BriefSite(site, new Writer(writer, room), () => (web.release(), streams.release()));
  }

  /** Logs in where the streams are, since a cookie's name carries the port. @param {string} name */
  async #logInBy(name) {
    const base = name === DIRECTLY ? `http://${this.site.pushListen}/` : this.site.url;
    const { host, origin } = new URL(base);
    const [byCookie, byToken] = [new Person(this.site, 'reader'), new Person(this.site, 'reader')];
    const { login, password } = byCookie;
    await byCookie.request('POST', 'session', { login, password }, { Host: host, Origin: origin });
    await byToken.logIn({ token: true });
    const [[cookie, value]] = byCookie.cookies;
    return { name, base, cookie: { name: cookie, value }, token: String(byToken.token) };
  }

  /**
   * @param {readonly string[]} names
   * @param {Browsers} browsers
   * @returns {Promise<import('../lib/clients.js').Way[]>}
   */
  async openWays(names, browsers) {
    const ways = await Promise.all(names.map((name) => this.#logInBy(name)));
    // With nothing of ours in it, nor a policy.
    const page = new URL('api/v1/health', this.site.url);
    const pages = await browsers.open(page.href, ways.map(({ cookie }) => cookie));
    return ways.map((way) => ({ ...way, origin: page.origin, pages }));
  }

  async stop() {
    await this.site.stop();
    this.release();
  }
}

/**
 * Writes into the room while the clients' streams end, and while the daemon is killed and started again. Waits for
 * all of them; who does not get there is told of by his own test.
 *
 * @param {BriefSite} brief
 * @param {Cell[]} cells
 * @returns {Promise<number[]>} the seqs that each has to show
 */
async function talk({ site, writer }, cells) {
  const all = (/** @type {(cell: Cell) => boolean} */ condition) =>
    site.waitFor(() => cells.every(condition), { timeoutMs: PATIENCE_MS }).catch(() => {});

  await all((cell) => cell.count('connected') > 0);
  let over = false;
  const writing = (async () => {
    for (let n = 1; !over; n++) {
      await writer.send(`message ${n}`);
      await pause(MESSAGE_EVERY_MS);
    }
  })();
  await all((cell) => cell.count('connected') >= OPENED_TIMES);
  for (const cell of cells) cell.heardBefore = cell.heard.length;
  await site.kill('pushd', 'SIGKILL');
  const goal = writer.sends.length + WRITTEN_AWAY;
  await site.waitFor(() => writer.sends.length >= goal, { timeoutMs: PATIENCE_MS });
  await site.begin('pushd');
  await all((cell) => cell.count('connected', cell.heardBefore) > 0);
  over = true;
  await writing;
  const rows = await site.sql('select seq::int from chat.message where room_id = $1 order by seq', [writer.room]);
  await all((cell) => cell.shown().length >= rows.length);
  return rows.map(({ seq }) => seq);
}

/** @type {Browsers} */
let browsers;
before(async () => {
  browsers = await Browsers.launch();
});
after(() => browsers?.close());

for (const { front, ways } of FRONTS) {
  describe(ways.join(', and '), { timeout: 180_000 }, () => {
    /** @type {BriefSite} */
    let brief;
    /** @type {Map<string, Cell>} */
    const cells = new Map();
    /** @type {number[]} */
    let written;

    before(async () => {
      brief = await BriefSite.start(front);
      for (const way of await brief.openWays(ways, browsers)) {
        for (const row of CLIENTS) cells.set(`${way.name}: ${row.name}`, new Cell(row, way));
      }
      written = await talk(brief, [...cells.values()]);
    });
    after(async () => {
      for (const cell of cells.values()) cell.stop();
      await brief?.stop();
    });

    for (const way of ways) {
      for (const { name, reconnects } of CLIENTS) {
        test(`${way}: ${name}`, () => {
          const cell = /** @type {Cell} */ (cells.get(`${way}: ${name}`));
          assert.deepEqual(cell.heard.filter(({ type }) => type === 'broken' || type === 'reset'), []);
          assert.deepEqual(cell.shown(), written);
          assert.ok(cell.count('connected') > OPENED_TIMES, 'it was cut again and again');
          if (reconnects) {
            // While the daemon is away, a web server answers in its place, which is the end of an EventSource.
            const byItself = way === DIRECTLY ? cell.heard : cell.heard.slice(0, cell.heardBefore);
            assert.ok(!byItself.some(({ type }) => type === 'gave up'), 'it came back by itself');
          }
        });
      }
    }
  });
}
