// @ts-check

/** The benchmarks: all of them, or those that are named. docs/benchmarks.md says what each does. */

import { cpus, release } from 'node:os';
import { connect, memory } from './connections.js';
import { burst, fanout, neighbour, overload } from './fanout.js';
import { e2e, sends } from './requests.js';

const PASSES = Number(process.env.PASSES ?? 5);
const SECONDS_EACH = Number(process.env.SECONDS_EACH ?? 3);

/** @type {Record<string, (how: import('./compare.js').How) => Promise<void>>} */
const PARTS = { fanout, burst, overload, neighbour, memory, connect, e2e, sends };

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(PARTS);
const unknown = wanted.filter((name) => !(name in PARTS));
if (unknown.length > 0) throw new Error(`no such part: ${unknown.join(' ')} (${Object.keys(PARTS).join(' ')})`);
if (cpus().length < 2) throw new Error('two cores are needed: one for the server, one for the load');

console.log(`${cpus()[0].model}, Linux ${release()}, Node ${process.version}; ${PASSES} passes of ${SECONDS_EACH} s each`);
for (const name of wanted) await PARTS[name]({ passes: PASSES, seconds: SECONDS_EACH });
