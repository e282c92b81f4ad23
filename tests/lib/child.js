// @ts-check

import { spawn } from 'node:child_process';

/**
 * Starts a program that ends with this process, whatever ends that.
 *
 * @param {string} name
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} options
 */
export function startChild(name, args, options) {
  return spawn('setpriv', ['--pdeathsig=TERM', '--', name, ...args], options);
}

/** Asks it to end, and waits until it has. @param {import('node:child_process').ChildProcess} child */
export async function endChild(child) {
  const ended = new Promise((resolve) => child.once('close', resolve));
  if (child.kill()) await ended;
}
