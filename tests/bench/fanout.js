// @ts-check

/** From the log to sockets: the daemon beside peers that get each message by HTTP. */

import { compare, find, loadFor } from './compare.js';
import { bar, short, table } from './report.js';
import { confab, confabWs, ideal, idealCoalescing, nchan, socketio, ws } from './servers.js';

/** @typedef {import('./compare.js').How} How @typedef {import('./compare.js').Runner} Runner */

const TIMES = ['p50 ms', 'p99 ms', 'last reader p50 ms'];

/** @param {Runner} runner */
function times(runner) {
  return [
    runner.median((pass) => pass.figures.delivery.p50),
    runner.median((pass) => pass.figures.delivery.p99),
    runner.median((pass) => pass.figures.reached.p50),
  ];
}

// ---- One message under way, or as many as rooms need ----

const ONE_INSERT = 64;
const SHAPES = [
  { name: '1 × 1,000, 1 under way', readers: 1_000, rooms: 1, window: 1 },
  { name: '1 × 10,000, 1 under way', readers: 10_000, rooms: 1, window: 1 },
  { name: '1,000 × 10, 64 under way', readers: 10_000, rooms: 1_000, window: 64, rows: ONE_INSERT },
];

/** @param {How} how */
export async function fanout(how) {
  for (const shape of SHAPES) {
    const runners = await compare(shape, [confab, confabWs, ideal, nchan, ws, socketio], how);
    const [our, best, peer] = ['confab', 'ideal', 'nchan'].map((name) => find(runners, name));
    table(
      `Fan-out: rooms × readers ${shape.name}, ${our.bytes} bytes a delivery`,
      ['', 'us CPU a delivery', '/ ideal', '/ nchan', 'deliveries/s', ...TIMES, 'bytes'],
      runners.map((runner) => [
        runner.name,
        runner.cpuUs,
        runner.cpuUs / best.cpuUs,
        runner.cpuUs / peer.cpuUs,
        runner.perSecond,
        ...times(runner),
        String(runner.bytes),
      ]),
    );
    bar('processor time to ideal', our.cpuUs / best.cpuUs, 'at most', 1.2);
    bar('processor time to nchan', our.cpuUs / peer.cpuUs, 'at most', 1);
  }
}

// ---- Many under way in one room ----

const TIMES_NCHAN = 10;
const BURSTS = [
  { name: '32 under way, as many as may by one INSERT', window: 32, rows: 32, writers: 1 },
  { name: '128 under way, as many as may by one INSERT', window: 128, rows: 128, writers: 1 },
];
/** The bound is PostgreSQL's: the commits of one room go one after the other, on the core that the readers have too. */
const BURST_OF_COMMITS = { name: '32 under way, each a transaction of its own', window: 32, rows: 1, writers: 32 };

/** @param {typeof BURST_OF_COMMITS} shape @param {How} how */
async function burstOf({ name, ...load }, how) {
  const servers = [confab, confabWs, ideal, idealCoalescing, nchan, ws, socketio];
  const runners = await compare({ readers: 1_000, rooms: 1, ...load }, servers, how);
  const [our, peer] = ['confab', 'nchan'].map((which) => find(runners, which));
  table(
    `Burst: 1 room × 1,000 readers, ${name}, ${our.bytes} bytes a message with its mark`,
    ['', 'deliveries/s', '/ nchan', 'us CPU a delivery', ...TIMES],
    runners.map((runner) => [
      runner.name,
      runner.perSecond,
      runner.perSecond / peer.perSecond,
      runner.cpuUs,
      ...times(runner),
    ]),
  );
  return our.perSecond / peer.perSecond;
}

/** @param {How} how */
export async function burst(how) {
  for (const shape of BURSTS) bar('deliveries to nchan', await burstOf(shape, how), 'at least', TIMES_NCHAN);
  await burstOf(BURST_OF_COMMITS, how);
}

// ---- More than most can do ----

const OVERLOAD = { readers: 1_000, rooms: 1, rate: 400, rows: 32, writers: 4 };
const OVERLOAD_S = 10;
/** Of what was offered: below it, a server has fallen behind. */
const KEEPS_UP = 0.98;

/** @param {How} how */
export async function overload({ passes }) {
  const servers = [confab, confabWs, idealCoalescing, nchan, ws, socketio];
  const runners = await compare(OVERLOAD, servers, { passes: Math.min(passes, 3), seconds: OVERLOAD_S });
  const offered = OVERLOAD.rate * OVERLOAD.readers;
  table(
    `Overload: ${OVERLOAD.rate} messages/s into a room of 1,000, ${short(offered)} deliveries/s offered for ${OVERLOAD_S} s`,
    ['', 'deliveries/s', 'us CPU a delivery', ...TIMES],
    runners.map((runner) => [runner.name, runner.perSecond, runner.cpuUs, ...times(runner)]),
  );
  bar('of what was offered', find(runners, 'confab').perSecond / offered, 'at least', KEEPS_UP);
}

// ---- A small room beside a big one ----

const BIG_AND_SMALL = [
  { readers: 10_000, rooms: 1 },
  { readers: 10, rooms: 1 },
];
const SMALL_RATE = 50;
const NEIGHBOUR_BYTES = 300;

/** @param {import('./servers.js').Server} server @param {How} how */
async function besideBigRoom(server, { seconds }) {
  const big = loadFor(server, BIG_AND_SMALL, 0, 1);
  const small = loadFor(server, BIG_AND_SMALL, 1, 1);
  try {
    for (const load of [big, small]) await load.connect();
    const alone = await small.run({ seconds, bytes: NEIGHBOUR_BYTES, rate: SMALL_RATE });
    const [crowd, beside] = await Promise.all([
      big.run({ seconds: seconds + 1, bytes: NEIGHBOUR_BYTES }),
      small.run({ seconds, bytes: NEIGHBOUR_BYTES, rate: SMALL_RATE }),
    ]);
    return { name: server.name, alone, beside, crowd };
  } finally {
    for (const load of [small, big]) await load.stop();
  }
}

/** @param {How} how */
export async function neighbour(how) {
  const rows = [];
  for (const start of [confab, confabWs, ideal, nchan, ws, socketio]) {
    const server = await start(BIG_AND_SMALL);
    try {
      rows.push(await besideBigRoom(server, how));
    } finally {
      await server.stop();
    }
  }
  table(
    `Neighbour: a room of 10 (${SMALL_RATE} messages/s) while a room of 10,000 gets one message after the other`,
    ['', 'alone p50 ms', 'p99 ms', 'beside p50 ms', 'p99 ms', 'max ms', 'big room: last reader p50 ms'],
    rows.map(({ name, alone, beside, crowd }) => [
      name,
      alone.delivery.p50,
      alone.delivery.p99,
      beside.delivery.p50,
      beside.delivery.p99,
      beside.delivery.max,
      crowd.reached.p50,
    ]),
  );
}
