// @ts-check

/** A push daemon alone, as the test's own child: for tests whose subject is the program, and for several at once. */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { waitFor } from './wait.js';

export const PROGRAM = fileURLToPath(new URL(`../../${process.env.BUILD ?? 'build/release'}/confab-pushd`, import.meta.url));

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/**
 * Starts one; without settings that say otherwise it has no database.
 *
 * @param {Record<string, string>} env
 * @param {string[]} [options]
 */
export function begin(env, options = []) {
  const child = spawn(PROGRAM, options, {
    env: { PGHOST: '/nonexistent', CONFAB_CONF: '/dev/null', CONFAB_ADMIN_LISTEN: '', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  running.add(child);
  const daemon = {
    child,
    log: '',
    /** @type {Promise<number | NodeJS.Signals | null>} */
    ended: new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code))),
    /** @param {RegExp} pattern */
    logged: (pattern) => waitFor(() => pattern.exec(daemon.log), { what: `${pattern} in\n${daemon.log}` }),
  };
  child.once('close', () => running.delete(child));
  child.stderr.setEncoding('utf8').on('data', (text) => (daemon.log += text));
  return daemon;
}

/** Ends those that a failed test left behind. */
export function killDaemons() {
  for (const child of running) child.kill('SIGKILL');
}
