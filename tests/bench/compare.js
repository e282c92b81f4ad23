// @ts-check

/** Servers in turn, with the same readers, the same bytes a delivery and the same load. */

import { Load } from './loader.js';
import { cpuMs } from './proc.js';
import { median } from './report.js';

const BODY_BYTES = 200;
const PACE_US = 200;
const CALIBRATIONS = 20;
const CLOSE_BYTES = 2;

/**
 * @typedef {object} How     each server is measured
 * @property {number} passes
 * @property {number} seconds
 * @property {boolean} [paced]   the load sleeps between its looks, as load.c says: not where milliseconds count
 *
 * @typedef {object} Shape
 * @property {number} readers
 * @property {number} rooms
 * @property {number} [window]   messages under way
 * @property {number} [rate]     or messages a second
 * @property {number} [rows]     of a Confab: in one INSERT, at most
 * @property {number} [writers]  of a Confab: INSERTs at once
 *
 * @typedef {object} Pass
 * @property {number} cpuUs      of the server, a delivery
 * @property {number} perSecond  deliveries
 * @property {import('./loader.js').Figures} figures
 */

/** How many requests are open at once: as many as messages under way, or as many as a slow server lets pile up. */
export const WRITERS_AT_RATE = 32;

/**
 * The load for one of the groups of readers that a server was started with.
 *
 * @param {import('./servers.js').Server} server
 * @param {import('./people.js').Group[]} groups
 * @param {number} which
 * @param {number} writers
 */
export function loadFor(server, groups, which, writers) {
  const before = groups.slice(0, which);
  return new Load(server.name, {
    ...server.load,
    ...groups[which],
    writers,
    'first-reader': before.reduce((sum, group) => sum + group.readers, 0),
    'first-room': before.reduce((sum, group) => sum + group.rooms, Number(server.load['first-room'])),
  });
}

/** One server with all its readers. */
export class Runner {
  /** @type {Pass[]} */
  passes = [];
  /** Of a message's text, and of a delivery. */
  bodyBytes = BODY_BYTES;
  bytes = 0;

  /** @param {import('./servers.js').Server} server @param {Shape} shape */
  constructor(server, shape) {
    const { readers, rooms, window, writers } = shape;
    const requests = server.load.database ? (writers ?? 1) : (window ?? WRITERS_AT_RATE);
    this.server = server;
    this.shape = shape;
    this.load = loadFor(server, [{ readers, rooms }], 0, requests);
  }

  /**
   * Finds out the bytes of a delivery with one message under way, once nothing else is sent any more (a Confab tells who is
   * online now), or makes them as many as are wanted.
   *
   * @param {number} [wanted]
   */
  async calibrate(wanted) {
    for (let tries = 0; tries < CALIBRATIONS; tries++) {
      const { bytes, deliveries } = await this.load.run({ seconds: 1, bytes: this.bodyBytes, window: 1 });
      const before = this.bytes;
      this.bytes = Math.round(bytes / deliveries);
      if (Math.abs(this.bytes - (wanted ?? before)) <= CLOSE_BYTES) break;
      // What is sent beside would be taken for the message's own.
      if (wanted !== undefined && Math.abs(this.bytes - before) <= CLOSE_BYTES) this.bodyBytes += wanted - this.bytes;
    }
  }

  /** So that a server does not give up readers who wait for their turn. */
  async keepAlive() {
    if (this.server.websocket) await this.load.pong();
  }

  /** @param {number} seconds @param {boolean} paced */
  async measure(seconds, paced) {
    const { window, rate, rows } = this.shape;
    const before = cpuMs(this.server.pids());
    const pace_us = paced ? PACE_US : 0;
    const figures = await this.load.run({ seconds, bytes: this.bodyBytes, window, rate, rows, pace_us });
    const ms = cpuMs(this.server.pids()) - before;
    this.passes.push({
      figures,
      cpuUs: (ms * 1_000) / figures.deliveries,
      perSecond: figures.deliveries / figures.seconds,
    });
  }

  /** The median over the passes. @param {(pass: Pass) => number} pick */
  median(pick) {
    return median(this.passes.map(pick));
  }

  get name() {
    return this.server.name;
  }

  get cpuUs() {
    return this.median((pass) => pass.cpuUs);
  }

  get perSecond() {
    return this.median((pass) => pass.perSecond);
  }

  async stop() {
    await this.load.stop();
    await this.server.stop();
  }
}

/**
 * Starts all servers, connects all readers, and measures the servers in turn, several times.
 *
 * @param {Shape} shape
 * @param {import('./servers.js').Start[]} servers  the first one's bytes are everybody's
 * @param {How} how
 */
export async function compare(shape, servers, { passes, seconds, paced = true }) {
  /** @type {Runner[]} */
  const runners = [];
  try {
    for (const start of servers) {
      const runner = new Runner(await start([shape]), shape);
      runners.push(runner);
      await runner.load.connect();
      await runner.calibrate(runners[0] === runner ? undefined : runners[0].bytes);
    }
    for (let i = 0; i < passes; i++) {
      for (const runner of runners) {
        for (const waiting of runners) await waiting.keepAlive();
        await runner.measure(seconds, paced);
      }
    }
  } finally {
    for (const runner of runners) await runner.stop();
  }
  return runners;
}

/** @template {{name: string}} T @param {T[]} all @param {string} name @returns {T} */
export function find(all, name) {
  const found = all.find((one) => one.name === name);
  if (!found) throw new Error(`no ${name}`);
  return found;
}
