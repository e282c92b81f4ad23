// @ts-check

/**
 * Another life of the database: a standby that is promoted, a dump that is restored. Clients of every kind are told
 * (docs/protocol.md, 5), and from then on show what the new one has, all of it, once, and nothing else.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { Random } from '../lib/random.js';
import { Site } from '../lib/site.js';
import { QUICK_ENV, Workload } from '../lib/workload.js';

const run = promisify(execFile);

const MESSAGES = 40;
const WRITE_EVERY_MS = 40;

/** @param {Workload} load  everybody was told, and by the right name */
function allToldOfTheEpoch(load) {
  for (const { name, resets } of load.screens) assert.ok(resets.includes('epoch'), `${name} was told ${resets}`);
}

/** How many sends were acknowledged, and are not there any more. @param {Workload} load @returns {Promise<number>} */
async function lost(load) {
  const rows = await load.site.sql('select client_id from chat.message');
  const stored = new Set(rows.map((row) => row.client_id));
  const sends = load.writers.flatMap((writer) => writer.sends);
  return sends.filter(({ clientId, returnedAt }) => returnedAt !== undefined && !stored.has(clientId)).length;
}

/** @param {Site} site */
const front = (site) => /** @type {'apache' | 'lighttpd'} */ (site.front);

/** Programs that know both servers, and take the one that can be written to. @param {Site} site */
async function withStandby(site) {
  await site.begin('standby');
  const [host, port] = [`${site.socketDir},${site.socketDir}`, `${site.pgPort},${site.standbyPort}`];
  const both = (/** @type {string} */ user) => `host=${host} port=${port} dbname=${site.database} user=${user}`;
  await site.configure({ database: both('confab_worker'), push_database: both('confab_daemon') });
  await Promise.all([site.restart('pushd'), site.restart(front(site))]);
}

/** @param {Site} site */
async function commitsWaitForTheStandby(site) {
  await site.sql(`alter system set synchronous_standby_names = '*'`);
  await site.sql('select pg_reload_conf()');
  await site.waitFor(async () => (await site.sql(`select from pg_stat_replication where sync_state = 'sync'`)).length > 0);
}

/** The primary is gone for good, and the standby takes its place. @param {Site} site */
async function failOver(site) {
  await site.kill('postgres', 'SIGKILL');
  await site.turnTo({ port: site.standbyPort });
  await site.sql('select pg_promote()');
}

/** Begins, each time, with everybody on his stream, and messages that all have. @param {import('node:test').TestContext} t @param {Site} site */
async function chatting(t, site) {
  const load = await Workload.prepare(site, new Random());
  t.diagnostic(`SEED=${load.random.seed}`);
  t.after(() => load.stop());
  load.follow();
  load.browse();
  load.write(WRITE_EVERY_MS);
  await load.proceed('nothing yet', MESSAGES);
  return load;
}

describe('another life of the database', { concurrency: true }, () => {
  it('a synchronous standby is promoted: nothing that was acknowledged is lost, nor shown and lost', async (t) => {
    const site = await Site.start({ front: 'apache', env: QUICK_ENV });
    t.after(() => site.stop());
    await withStandby(site);
    await commitsWaitForTheStandby(site);
    const load = await chatting(t, site);
    await failOver(site);
    await load.proceed('promoted', MESSAGES);
    // Of every screen that there was, not only of what stands on it at the end.
    assert.deepEqual(await load.verdict(), []);
    allToldOfTheEpoch(load);
  });

  it('an asynchronous standby is promoted: what it has not got is on no screen any more', async (t) => {
    const site = await Site.start({ front: 'lighttpd', env: QUICK_ENV });
    t.after(() => site.stop());
    await withStandby(site);
    const load = await chatting(t, site);
    const [{ pid: sender }] = await site.sql('select pid from pg_stat_replication');
    process.kill(sender, 'SIGSTOP');
    await load.proceed('replication stands still', MESSAGES);
    await failOver(site);
    process.kill(sender, 'SIGKILL'); // else it would outlive its postmaster
    const lostBefore = performance.now();
    await load.proceed('promoted', MESSAGES);
    assert.deepEqual(await load.verdict({ lostBefore }), []);
    allToldOfTheEpoch(load);
    assert.ok((await lost(load)) >= MESSAGES);
  });

  it('a dump is restored: what came after it is on no screen any more', async (t) => {
    const site = await Site.start({ front: 'lighttpd', env: QUICK_ENV });
    t.after(() => site.stop());
    const load = await chatting(t, site);
    const dump = join(site.dir, 'dump');
    await run('pg_dump', ['--format=custom', `--file=${dump}`, site.conninfo()]);
    await load.proceed('dumped', MESSAGES);
    await site.sql('create database restored');
    await Promise.all([site.kill('pushd'), site.kill(front(site))]);
    const lostBefore = performance.now();
    await site.turnTo({ database: 'restored' });
    await run('pg_restore', ['--exit-on-error', `--dbname=${site.conninfo()}`, dump]);
    await site.configure({ database: site.conninfo('confab_worker'), push_database: site.conninfo('confab_daemon') });
    await Promise.all([site.begin('pushd'), site.begin(front(site))]);
    await load.proceed('restored', MESSAGES);
    assert.deepEqual(await load.verdict({ lostBefore }), []);
    allToldOfTheEpoch(load);
    assert.ok((await lost(load)) >= MESSAGES);
  });
});
