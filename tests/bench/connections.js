// @ts-check

/** What connections cost: to hold, to open, and to open all at once after a cut. */

import { find, loadFor } from './compare.js';
import { cpuMs, memoryOf } from './proc.js';
import { bar, median, table } from './report.js';
import { Confab, confab, confabWs, ideal, nchan, socketio, ws } from './servers.js';

/** @typedef {import('./compare.js').How} How @typedef {import('./servers.js').Server} Server */

const BODY_BYTES = 200;

/**
 * Starts each server in turn with the groups' readers, of which the first group's are used, and one writer.
 *
 * @template T
 * @param {import('./servers.js').Start[]} servers
 * @param {import('./people.js').Group} group
 * @param {(server: Server, load: import('./loader.js').Load) => Promise<T>} use
 */
async function eachServer(servers, group, use) {
  const results = [];
  for (const start of servers) {
    const server = await start([group]);
    const load = loadFor(server, [group], 0, 1);
    try {
      results.push({ name: server.name, ...(await use(server, load)) });
    } finally {
      await load.stop();
      await server.stop();
    }
  }
  return results;
}

// ---- Memory ----

/** Of 20,000 descriptors. */
const IDLE = { readers: 19_500, rooms: 195 };
const IDLE_S = 10;

/**
 * The code that a first connection has mapped is nobody's own.
 *
 * @param {Server} server
 */
async function warmUp(server) {
  const first = loadFor(server, [{ readers: 1, rooms: 1 }], 0, 1);
  await first.connect();
  await first.stop();
}

/** @param {Server} server @param {import('./loader.js').Load} load */
async function holdIdle(server, load) {
  await warmUp(server);
  const empty = memoryOf(server.pids());
  await load.connect();
  const full = memoryOf(server.pids());
  const before = cpuMs(server.pids());
  // Time passing is what is measured here.
  await new Promise((resolve) => setTimeout(resolve, IDLE_S * 1_000));
  const cpu = (cpuMs(server.pids()) - before) / (IDLE_S * 10);
  return { rss: (full.rss - empty.rss) / IDLE.readers, pss: (full.pss - empty.pss) / IDLE.readers, cpu };
}

export async function memory() {
  const rows = await eachServer([confab, confabWs, ideal, nchan, ws, socketio], IDLE, holdIdle);
  table(
    `Memory: ${IDLE.readers.toLocaleString('en')} idle connections, in rooms of ${IDLE.readers / IDLE.rooms}`,
    ['', 'RSS bytes each', 'PSS bytes each', '% of the core'],
    rows.map(({ name, rss, pss, cpu }) => [name, String(Math.round(rss)), String(Math.round(pss)), cpu]),
  );
  for (const name of ['confab', 'confab ws']) bar(`bytes each, ${name}`, find(rows, name).rss, 'at most', 1_024);
}

// ---- Connecting ----

const CROWD = 10_000;
const CROWDS = [
  { readers: CROWD, rooms: 1_000 },
  { readers: CROWD, rooms: 1 },
];
const MISSED_EACH = 5;
const AT_ONCE = 1_000;

/** @param {Server} server @param {import('./loader.js').Load} load @param {number} passes */
async function connectAll(server, load, passes) {
  const times = [];
  for (let i = 0; i < passes; i++) {
    const before = cpuMs(server.pids());
    const { seconds, opening } = await load.connect({ under_way: AT_ONCE });
    times.push({ seconds, p99: opening.p99, cpuUs: ((cpuMs(server.pids()) - before) * 1_000) / CROWD });
    await load.drop();
  }
  return {
    perSecond: CROWD / median(times.map(({ seconds }) => seconds)),
    p99: median(times.map(({ p99 }) => p99)),
    cpuUs: median(times.map(({ cpuUs }) => cpuUs)),
  };
}

/**
 * All come back at once and have missed some messages in their rooms.
 *
 * @param {Confab} server
 * @param {import('./loader.js').Load} load
 * @param {number} rooms
 * @param {boolean} restarted  the daemon too has to read them first
 */
async function storm(server, load, rooms, restarted) {
  await load.connect();
  const [{ cursor }] = await server.site.sql('select chat.cursor_now() as cursor');
  await load.drop();
  await load.send({ count: rooms * MISSED_EACH, bytes: BODY_BYTES, rows: 100 });
  if (restarted) {
    await server.site.kill('pushd');
    await server.begin();
  }
  const { seconds, opening, refused, deliveries } = await load.connect({ under_way: CROWD, cursor });
  if (deliveries !== CROWD * MISSED_EACH) throw new Error(`${deliveries} messages were replayed`);
  await load.drop();
  return { seconds, p99: opening.p99, refused };
}

/** @param {How} how */
async function storms({ passes }) {
  const rows = [];
  for (const crowd of CROWDS) {
    for (const restarted of [false, true]) {
      const server = await Confab.start([crowd]);
      const load = loadFor(server, [crowd], 0, 1);
      try {
        const all = [];
        for (let i = 0; i < passes; i++) all.push(await storm(server, load, crowd.rooms, restarted));
        rows.push({
          name: `${crowd.rooms === 1 ? 'one room' : `${crowd.rooms} rooms`}, ${restarted ? 'daemon restarted' : 'from memory'}`,
          seconds: median(all.map(({ seconds }) => seconds)),
          p99: median(all.map(({ p99 }) => p99)),
          refused: median(all.map(({ refused }) => refused)),
        });
      } finally {
        await load.stop();
        await server.stop();
      }
    }
  }
  return rows;
}

/** @param {How} how */
export async function connect(how) {
  const rows = await eachServer([confab, confabWs, ideal, nchan, ws, socketio], CROWDS[0], (server, load) =>
    connectAll(server, load, how.passes),
  );
  table(
    `Connecting: ${CROWD.toLocaleString('en')}, ${AT_ONCE} at once; Confab with authentication, the peers without`,
    ['', 'a second', 'p99 ms', 'us CPU each'],
    rows.map(({ name, perSecond, p99, cpuUs }) => [name, perSecond, p99, cpuUs]),
  );
  bar('connections a second', find(rows, 'confab').perSecond, 'at least', 10_000);
  const stormy = await storms(how);
  table(
    `Storm: ${CROWD.toLocaleString('en')} come back at once, each having missed ${MISSED_EACH} messages`,
    ['', 'seconds until all have all', 'opened p99 ms', 'refused at first'],
    stormy.map(({ name, seconds, p99, refused }) => [name, seconds, p99, String(refused)]),
  );
  for (const { name, seconds } of stormy) bar(`seconds, ${name}`, seconds, 'at most', 3);
}
