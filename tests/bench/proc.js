// @ts-check

/** Processes as the kernel sees them: where they run, what they took, what they hold. */

import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';

/** Of a figure in /proc/PID/stat: USER_HZ, which is 100 on every Linux. */
const TICK_MS = 10;

/** What lives under a process, itself included. @param {number} pid @returns {number[]} */
export function family(pid) {
  /** @type {Map<number, number[]>} */
  const children = new Map();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = Number(stat(Number(entry))[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const found = [pid];
  for (const one of found) found.push(...(children.get(one) ?? []));
  return found;
}

/** What follows the name in /proc/PID/stat: state, parent, … Nothing when the process has gone. @param {number} pid */
function stat(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

/** Keeps a process, and what it starts, on one core. @param {number} pid @param {number} core */
export function pin(pid, core) {
  for (const one of family(pid)) {
    try {
      execFileSync('taskset', ['-acp', String(core), String(one)], { stdio: 'pipe' });
    } catch (error) {
      if (stat(one).length > 0) throw error;
    }
  }
}

/** Processor time, in ms, of processes and all their children, those that have ended included. @param {number[]} pids */
export function cpuMs(pids) {
  let ticks = 0;
  for (const top of pids) {
    // utime and stime of each; what has ended is in its parent's cutime and cstime.
    for (const pid of family(top)) ticks += sum(stat(pid).slice(11, 15));
  }
  return ticks * TICK_MS;
}

/** @param {string[]} numbers */
function sum(numbers) {
  return numbers.reduce((total, text) => total + Number(text), 0);
}

/** Memory of processes and their children, in bytes. @param {number[]} pids */
export function memoryOf(pids) {
  let rss = 0;
  let pss = 0;
  for (const pid of pids.flatMap(family)) {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    rss += Number(/^Rss: +(\d+) kB/m.exec(text)?.[1]) * 1024;
    pss += Number(/^Pss: +(\d+) kB/m.exec(text)?.[1]) * 1024;
  }
  return { rss, pss };
}
