// @ts-check

/**
 * Several daemons, none of which knows the others: a client may be with any of them, by any transport, and change both
 * whenever it connects, also while one is behind and another one restarts. Numbers are paragraphs of docs/protocol.md.
 */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Guest } from '../lib/guest.js';
import { Random } from '../lib/random.js';
import { Site } from '../lib/site.js';
import { DAEMON_PATHS, straight } from '../lib/ways.js';
import { QUICK_ENV, Workload } from '../lib/workload.js';

const DAEMONS = [1, 2, 3];

/** Stops what a daemon's database does for it: it accepts streams, and hears nothing. @param {Site} site @param {number} daemon */
async function holdFeed(site, daemon) {
  const rows = await site.sql(`select pid from pg_stat_activity where usename = 'confab_daemon'`);
  const pids = rows.map(({ pid }) => Number(pid));
  const own = pids.filter((pid) => new RegExp(`database up .*pid=${pid}\\b`).test(site.log(site.daemon(daemon).name)));
  assert.ok(own.length > 0, `connections of daemon ${daemon} among ${pids}`);
  for (const pid of own) process.kill(pid, 'SIGSTOP');
  return () => own.forEach((pid) => process.kill(pid, 'SIGCONT'));
}

describe('three daemons', () => {
  /** @type {Site} */
  let site;
  before(async () => {
    site = await Site.start({ front: 'lighttpd', daemons: DAEMONS.length, env: QUICK_ENV });
  });
  after(() => site?.stop());

  it('4.2 a cursor of one that is ahead is continued by one that was behind, and nothing is repeated', async () => {
    const [carol, dave] = await Promise.all([Guest.register(site, 'carol'), Guest.register(site, 'dave')]);
    const room = await carol.dialogWith(dave);
    for (const path of DAEMON_PATHS) {
      const ahead = straight(site, dave, path, 1).open();
      await ahead.opened();
      const resident = straight(site, dave, 'stream', 2).open();
      await resident.opened();
      const release = await holdFeed(site, 2);
      const newcomers = [];
      try {
        for (const body of ['one', 'two']) {
          const { length: from } = ahead.events;
          await carol.send(room, body);
          await ahead.event('message.new', ({ message }) => message.body === body);
          await ahead.event('mark', () => true, { from: from + 1 });
          newcomers.push(straight(site, dave, path, 2).open(ahead.lastId));
        }
        assert.deepEqual(resident.messages(), [], 'it is behind');
      } finally {
        release();
      }
      await resident.event('message.new', ({ message }) => message.body === 'two');
      await carol.send(room, 'three');
      // The first has seen half of what the daemon then reads at once.
      for (const [newcomer, missed] of /** @type {const} */ ([[newcomers[0], ['two', 'three']], [newcomers[1], ['three']]])) {
        await newcomer.event('message.new', ({ message }) => message.body === 'three');
        assert.deepEqual(newcomer.messages().map(({ body }) => body), missed, path);
        assert.ok(newcomer.events.every(({ type }) => type !== 'reset'), path);
      }
      assert.deepEqual(resident.messages().map(({ body }) => body).slice(0, 2), ['one', 'two'], path);
      for (const each of [ahead, resident, ...newcomers]) each.close();
    }
  });

  it('P2 clients that change daemon and transport at each connection, while one is behind and one restarts: exact', async (t) => {
    const load = await Workload.prepare(site, new Random());
    t.diagnostic(`SEED=${load.random.seed}`);
    t.after(() => load.stop());
    const [, bob] = load.people;
    const ways = DAEMONS.flatMap((daemon) => DAEMON_PATHS.map((path) => straight(site, bob, path, daemon)));
    for (let n = 1; n <= 6; n++) {
      load.add(load.random.shuffled(ways), `hopper ${n}`, { refetches: false, staysMs: [20, 500], silentMs: 1_500 });
    }
    for (const daemon of DAEMONS) {
      load.add([straight(site, bob, 'stream', daemon)], `of daemon ${daemon}`, { refetches: false, silentMs: 10_000 });
    }
    for (const follower of load.followers) await follower.opened();
    load.write(30);
    await load.proceed('nothing yet', 20);
    for (let turn = 0; turn < 3; turn++) {
      const [behind, restarts] = load.random.shuffled(DAEMONS).map((daemon) => site.daemon(daemon).name);
      site.signal(behind, 'SIGSTOP');
      try {
        await load.acknowledges(40);
        await site.restart(restarts, turn % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
        await load.acknowledges(40);
      } finally {
        site.signal(behind, 'SIGCONT');
      }
      await load.proceed(`${behind} stood still, ${restarts} restarted`, 20);
    }
    const release = await holdFeed(site, 1);
    await load.acknowledges(40).finally(release);
    await load.proceed('the feed of the first was held', 20);
    assert.deepEqual(await load.verdict(), []);
    assert.deepEqual(load.followers.flatMap(({ resets }) => resets), [], 'nobody was told of a gap, so there may be none');
    for (const { name, readers } of load.followers.slice(0, 6)) assert.ok(readers.length > 10, `${name} had ${readers.length} connections`);
  });
});
