// @ts-check

/**
 * What tests/integration/transport-faults.test.js does, for long, and with long absences: rounds of random faults, each
 * on a new site, until SOAK_S seconds are over. Each round tells its seed; SEED=N begins with that one.
 */

import assert from 'node:assert/strict';
import test from 'node:test';
import { FAULTS } from '../lib/faults.js';
import { Random } from '../lib/random.js';
import { Site } from '../lib/site.js';
import { pause } from '../lib/wait.js';
import { cuttableWire } from '../lib/wire.js';
import { Workload } from '../lib/workload.js';

const SOAK_S = Number(process.env.SOAK_S ?? 600);
const FAULTS_A_ROUND = 12;
const MESSAGES_BETWEEN = 30;
const DAEMONS = 2;
const LAST_LINES = 30;
/** Short, long, and longer than any patience that the programs have. */
const AWAY_MS = [500, 10_000, 70_000];
/** So many messages that those who are away miss less than is replayed, or more. */
const WRITE_EVERY_MS = [50, 400];
const ENV = {
  CONFAB_WORKERS: 8,
  CONFAB_STREAM_RETRY_MIN_MS: 100,
  CONFAB_STREAM_RETRY_MAX_MS: 1_000,
  CONFAB_STREAM_HEARTBEAT_MS: 1_000,
  CONFAB_POLL_INTERVAL_MS: 500,
  CONFAB_POLL_WAIT_MS: 2_000,
};

/** @param {import('node:test').TestContext} t @param {Random} random @param {number} endMs */
async function round(t, random, endMs) {
  const front = random.pick(/** @type {const} */ (['apache', 'lighttpd']));
  const writeEveryMs = random.pick(WRITE_EVERY_MS);
  t.diagnostic(`SEED=${random.seed}: ${front}, each writes every ${writeEveryMs} ms`);
  const site = await Site.start({ front, daemons: DAEMONS, env: ENV });
  t.after(() => site.stop());
  const wire = await cuttableWire(site);
  t.after(() => wire.close());
  const load = await Workload.prepare(site, random.fork());
  t.after(() => load.stop());
  load.follow(DAEMONS);
  load.browse(wire.url);
  load.write(writeEveryMs);
  for (let n = 0; n < FAULTS_A_ROUND && Date.now() < endMs; n++) {
    const what = random.pick(Object.keys(FAULTS));
    const awayMs = random.pick(AWAY_MS);
    const began = Date.now();
    const over = async () => {
      await FAULTS[what]({ site, load, awayMs, cut: wire.cut });
      await load.proceed(what, MESSAGES_BETWEEN);
    };
    await over().catch((error) => {
      for (const name of /** @type {const} */ (['pushd', 'postgres', front])) t.diagnostic(`${name}: ${lastWords(site.log(name))}`);
      throw error;
    });
    t.diagnostic(`${what} (${awayMs} ms): all is there after ${Date.now() - began} ms`);
    await pause(random.between(0, 2_000));
  }
  assert.deepEqual(await load.verdict(), []);
  const screens = load.screens.flatMap((screen) => screen.screens);
  const shown = screens.reduce((n, screen) => n + screen.shown.length, 0);
  const resets = load.screens.flatMap((screen) => screen.resets);
  t.diagnostic(`${load.acknowledged} messages, shown ${shown} times on ${screens.length} screens; resets: ${counts(resets)}`);
}

/** What was logged last, but for each request's line. @param {string} log */
function lastWords(log) {
  return log.split('\n').filter((line) => !/^fcgi (info )?request | close conn=/.test(line)).slice(-LAST_LINES).join('\n  ');
}

/** @param {string[]} words */
function counts(words) {
  return [...new Set(words)].map((word) => `${words.filter((other) => other === word).length} ${word}`).join(', ') || 'none';
}

test(`faults for ${SOAK_S} s`, async (t) => {
  const endMs = Date.now() + SOAK_S * 1000;
  for (let random = new Random(); Date.now() < endMs; random = random.fork()) {
    await t.test(`seed ${random.seed}`, (inner) => round(inner, random, endMs));
  }
});
