// @ts-check

/** The whole site behind lighttpd, all of it on the server's core: from a REST request to streams, and sends as such. */

import { chmod, copyFile, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Site } from '../lib/site.js';
import { WRITERS_AT_RATE, compare, find } from './compare.js';
import { Load } from './loader.js';
import { populate } from './people.js';
import { pgbench } from './pgbench.js';
import { pin } from './proc.js';
import { bar, median, table } from './report.js';
import { SERVER_CORE, SSE, nchan } from './servers.js';

/** @typedef {import('./compare.js').How} How @typedef {import('./people.js').Group} Group */

const CLIENTS = WRITERS_AT_RATE;
const WARM_S = 1;
const BODY_BYTES = 200;

/** A site behind lighttpd. */
class WholeSite {
  name = 'confab';
  websocket = false;

  /** @param {Site} site @param {{firstRoom: number, readers: number}} people */
  constructor(site, { firstRoom, readers }) {
    this.site = site;
    this.people = { firstRoom, readers };
    const address = new URL(site.url).host;
    this.load = {
      ...SSE,
      'first-room': firstRoom,
      'first-writer': readers,
      subscribe: address,
      publish: address,
      request:
        'POST /api/v1/rooms/{room}/messages HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n' +
        'Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{"body":"{text}","client_id":"{uuid}"}',
    };
  }

  /** @param {Group[]} groups @param {{pushd?: boolean}} [options] */
  static async start(groups, { pushd = true } = {}) {
    const site = await Site.start({ front: 'lighttpd', pushd: false, env: { CONFAB_WORKERS: CLIENTS } });
    const whole = new WholeSite(site, await populate(site, groups, CLIENTS));
    for (const name of /** @type {const} */ (['postgres', 'lighttpd'])) pin(site.pid(name), SERVER_CORE);
    if (pushd) await whole.beginDaemon();
    return whole;
  }

  async beginDaemon() {
    await this.site.begin('pushd');
    pin(this.site.pid('pushd'), SERVER_CORE);
  }

  pids() {
    return [this.site.pid('postgres'), this.site.pid('lighttpd'), this.site.pid('pushd')];
  }

  stop() {
    return this.site.stop();
  }
}

// ---- From request to reader ----

const ROOM = { readers: 100, rooms: 1, rate: 100 };
const NCHAN_TIMES = 3;

/** @param {How} how */
export async function e2e(how) {
  const runners = await compare(ROOM, [WholeSite.start, nchan], { ...how, paced: false });
  const [our, peer] = ['confab', 'nchan'].map((name) => find(runners, name));
  table(
    `End to end: ${ROOM.rate} messages/s by REST to the last of ${ROOM.readers} readers, ${our.bytes} bytes a delivery`,
    ['', 'reader p50 ms', 'p99 ms', 'last reader p50 ms', 'p99 ms', 'answer p50 ms', 'us CPU a message'],
    runners.map((runner) => [
      runner.name,
      runner.median((pass) => pass.figures.delivery.p50),
      runner.median((pass) => pass.figures.delivery.p99),
      runner.median((pass) => pass.figures.reached.p50),
      runner.median((pass) => pass.figures.reached.p99),
      runner.median((pass) => pass.figures.answer.p50),
      runner.cpuUs * ROOM.readers,
    ]),
  );
  const [last, theirs] = [our, peer].map((runner) => runner.median((pass) => pass.figures.reached.p50));
  bar('last reader, median, to nchan', last / theirs, 'at most', NCHAN_TIMES);
}

// ---- Sends ----

const ROOMS = { readers: 0, rooms: 1_000 };
const SHARE_OF_SQL = 0.6;
const SHARE_WITH_DAEMON = 0.9;
const TIMES_OF_NOTIFY = 10;

const SQL = 'pgbench, 1,000 rooms';
const SQL_HOT = 'pgbench, one room';
const ALONE = 'lighttpd, 1,000 rooms, no daemon';
const LISTENING = 'lighttpd, 1,000 rooms, daemon';
const HOT = 'lighttpd, one room, daemon';
const NOTIFY = 'pgbench, NOTIFY in the transaction, daemon';

/** @typedef {{perSecond: number, p50: number, p99: number, refused?: number}} Rate */

/**
 * What one site is asked for, in turn, several times over: without the daemon and with it.
 *
 * @param {WholeSite} whole
 * @param {How} how
 */
async function measureSends(whole, { passes, seconds }) {
  const all = new Load('confab', { ...whole.load, ...ROOMS, writers: CLIENTS });
  const hot = new Load('confab', { ...whole.load, readers: 0, rooms: 1, writers: CLIENTS });
  const sql = (/** @type {number} */ rooms, ring = 'off') =>
    pgbench({ ...whole, rooms, clients: CLIENTS, seconds, bodyBytes: BODY_BYTES, ring });
  /** @type {Record<string, () => Promise<Rate>>} */
  const withoutDaemon = { [SQL]: () => sql(ROOMS.rooms), [ALONE]: () => send(all, seconds), [SQL_HOT]: () => sql(1) };
  /** @type {Record<string, () => Promise<Rate>>} */
  const withDaemon = {
    [LISTENING]: () => send(all, seconds),
    [HOT]: () => send(hot, seconds),
    [NOTIFY]: () => sql(ROOMS.rooms, 'on'),
  };
  /** @type {Map<string, Rate[]>} */
  const rates = new Map([...Object.keys(withoutDaemon), ...Object.keys(withDaemon)].map((name) => [name, []]));
  const measure = async (/** @type {Record<string, () => Promise<Rate>>} */ cases) => {
    for (const [name, take] of Object.entries(cases)) rates.get(name)?.push(await take());
  };
  try {
    for (const load of [all, hot]) await send(load, WARM_S);
    for (let i = 0; i < passes; i++) {
      await measure(withoutDaemon);
      await whole.beginDaemon();
      await measure(withDaemon);
      await whole.site.kill('pushd');
    }
  } finally {
    for (const load of [all, hot]) await load.stop();
  }
  return [...rates].map(([name, passed]) => ({
    name,
    perSecond: median(passed.map(({ perSecond }) => perSecond)),
    p50: median(passed.map(({ p50 }) => p50)),
    p99: median(passed.map(({ p99 }) => p99)),
    refused: median(passed.map(({ refused }) => refused ?? 0)),
  }));
}

/** @param {Load} load @param {number} seconds @returns {Promise<Rate>} */
async function send(load, seconds) {
  const figures = await load.run({ seconds, bytes: BODY_BYTES, window: CLIENTS, random: 1 });
  const { p50, p99 } = figures.answer;
  return { perSecond: figures.messages / figures.seconds, p50, p99, refused: figures.refused / figures.messages };
}

/** Starts a site whose PostgreSQL syncs slowly. */
async function startSlow() {
  const dir = await mkdtemp(join(process.env.SITE_TMP ?? tmpdir(), 'confab-bench-'));
  const library = join(dir, 'slow_sync.so');
  // The servers may be another user, who cannot read the tree.
  await copyFile(fileURLToPath(new URL('../../build/bench/slow_sync.so', import.meta.url)), library);
  await chmod(dir, 0o755);
  process.env.LD_PRELOAD = library;
  try {
    const whole = await WholeSite.start([ROOMS], { pushd: false });
    const maps = await readFile(`/proc/${whole.site.pid('postgres')}/maps`, 'utf8');
    if (!maps.includes(library)) throw new Error('PostgreSQL did not take slow_sync.so');
    return whole;
  } finally {
    delete process.env.LD_PRELOAD;
  }
}

/** @param {string} title @param {WholeSite} whole @param {How} how */
async function sendsOf(title, whole, how) {
  try {
    const rows = await measureSends(whole, how);
    const sql = find(rows, SQL).perSecond;
    table(
      `Sends, ${CLIENTS} clients, ${title}`,
      ['', 'a second', '/ pgbench', 'p50 ms', 'p99 ms', '503 each'],
      rows.map(({ name, perSecond, p50, p99, refused }) => [name, perSecond, perSecond / sql, p50, p99, refused]),
    );
    return (/** @type {string} */ name) => find(rows, name).perSecond;
  } finally {
    await whole.stop();
  }
}

/** @param {How} how */
export async function sends(how) {
  const fast = await sendsOf('the disk as it is', await WholeSite.start([ROOMS], { pushd: false }), how);
  bar('of what pgbench reaches', fast(ALONE) / fast(SQL), 'at least', SHARE_OF_SQL);
  bar('with the daemon, of that without', fast(LISTENING) / fast(ALONE), 'at least', SHARE_WITH_DAEMON);
  const slow = await sendsOf('a disk that needs 2 ms more to sync', await startSlow(), how);
  bar('times what NOTIFY in the transaction gives', slow(LISTENING) / slow(NOTIFY), 'at least', TIMES_OF_NOTIFY);
}
