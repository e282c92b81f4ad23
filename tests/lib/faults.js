// @ts-check

/** Everything that can happen to a site. Each strikes once, and has given back what it took when it is over. */

import { pause } from './wait.js';

/**
 * @typedef {object} Scene
 * @property {import('./site.js').Site} site  with a web server
 * @property {import('./workload.js').Workload} load
 * @property {number} awayMs  how long what stands still does so, and what is away is
 * @property {() => void} cut  every connection of the clients that can be cut
 */

/** @param {Scene} scene */
const front = ({ site }) => /** @type {'apache' | 'lighttpd'} */ (site.front);

/** @param {import('./site.js').Site} site @param {string} user @returns {Promise<number>} */
function backendOf(site, user) {
  return site.waitFor(
    async () => (await site.sql('select pid from pg_stat_activity where usename = $1 limit 1', [user]))[0]?.pid,
    { what: `a connection of ${user}` },
  );
}

/** @param {Scene} scene @param {() => unknown} [meanwhile] */
async function daemonStandsStill({ site, awayMs }, meanwhile) {
  site.signal('pushd', 'SIGSTOP');
  try {
    await pause(awayMs);
    await meanwhile?.();
  } finally {
    site.signal('pushd', 'SIGCONT');
  }
}

/** @type {Record<string, (scene: Scene) => unknown>} */
export const FAULTS = {
  'the push daemon is killed': ({ site }) => site.restart('pushd', 'SIGKILL'),
  'the push daemon is asked to stop': ({ site }) => site.restart('pushd'),
  'the push daemon stands still': (scene) => daemonStandsStill(scene),
  'the log is pruned while the push daemon stands still': async (scene) => {
    await daemonStandsStill(scene, async () => {
      // What is to be pruned is what an earlier call has marked.
      for (let call = 0; call < 2; call++) await scene.site.sql(`select chat.event_prune('0 s')`);
    });
  },
  'the daemon loses its connection': async ({ site }) => {
    await site.sql(`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'confab_daemon'`);
  },
  "the daemon's backend stands still": async ({ site, awayMs }) => {
    const pid = await backendOf(site, 'confab_daemon');
    process.kill(pid, 'SIGSTOP');
    await pause(awayMs);
    process.kill(pid, 'SIGCONT');
  },
  'every worker is killed': async ({ site }) => {
    for (const pid of await site.workers()) process.kill(pid, 'SIGKILL');
  },
  'a backend is killed, so that PostgreSQL recovers': async ({ site }) => {
    process.kill(await backendOf(site, 'confab_worker'), 'SIGKILL');
  },
  'PostgreSQL is killed': ({ site }) => site.restart('postgres', 'SIGKILL'),
  'PostgreSQL is restarted in immediate mode': ({ site }) => site.restart('postgres', 'SIGQUIT'),
  'PostgreSQL is away': async ({ site, awayMs }) => {
    await site.kill('postgres');
    await pause(awayMs);
    await site.begin('postgres');
  },
  'the web server is killed': (scene) => scene.site.restart(front(scene), 'SIGKILL'),
  'the web server is reloaded': (scene) => scene.site.signal(front(scene), 'SIGUSR1'),
  'connections are cut': ({ cut }) => cut(),
  'all is restarted, the database last': async (scene) => {
    const { site, awayMs } = scene;
    await Promise.all([site.kill('pushd', 'SIGKILL'), site.kill(front(scene), 'SIGKILL'), site.kill('postgres')]);
    await Promise.all([site.begin('pushd'), site.begin(front(scene))]);
    await pause(awayMs);
    await site.begin('postgres');
  },
};
