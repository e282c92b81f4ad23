// @ts-check

/**
 * P1 to P4 while things are killed: people write without pause, clients of every kind show what they hear, on every
 * transport, through the web server and directly, and in turn everything that can die does. The checker then compares
 * acknowledgements, database and screens. make soak does the same for long.
 */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { FAULTS } from '../lib/faults.js';
import { Random } from '../lib/random.js';
import { Site } from '../lib/site.js';
import { cuttableWire } from '../lib/wire.js';
import { QUICK_ENV, Workload } from '../lib/workload.js';

/** Between faults, so many messages more must be on every screen. */
const MESSAGES_BETWEEN = 20;
const WRITE_EVERY_MS = 40;
const AWAY_MS = 2_000;
/** Those that hear the daemon, straight and through the web server, when the log is pruned. */
const DAEMON_FOLLOWERS = 9;

describe('messages while things die', { concurrency: true }, () => {
  for (const front of /** @type {const} */ (['apache', 'lighttpd'])) {
    describe(`behind ${front}`, () => {
      /** @type {Site} */
      let site;
      /** @type {Awaited<ReturnType<typeof cuttableWire>>} */
      let wire;
      /** @type {Workload} */
      let load;
      before(async () => {
        site = await Site.start({ front, env: QUICK_ENV });
        wire = await cuttableWire(site);
        load = await Workload.prepare(site, new Random());
      });
      after(async () => {
        await load?.stop();
        wire?.close();
        await site?.stop();
      });

      it('are all on every screen, once, in one order, and no gap is silent', async (t) => {
        t.diagnostic(`SEED=${load.random.seed}`);
        load.follow();
        load.browse(wire.url);
        load.write(WRITE_EVERY_MS);
        await load.proceed('nothing yet', MESSAGES_BETWEEN);
        for (const [what, strike] of Object.entries(FAULTS)) {
          const began = Date.now();
          await strike({ site, load, awayMs: AWAY_MS, cut: wire.cut });
          await load.proceed(what, MESSAGES_BETWEEN);
          t.diagnostic(`${what}: ${Date.now() - began} ms`);
        }
        assert.deepEqual(await load.verdict(), []);
        assert.ok(load.acknowledged > MESSAGES_BETWEEN * Object.keys(FAULTS).length);
        const told = load.followers.filter(({ resets }) => resets.includes('expired'));
        assert.ok(told.length >= DAEMON_FOLLOWERS, `the pruned log was told to ${told.map(({ name }) => name)}`);
      });
    });
  }
});
