// @ts-check

/** The yardstick of sends: pgbench calls the SQL function that the workers call, on as many connections. */

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LOAD_CORE } from './loader.js';

const run = promisify(execFile);

const SCRIPT = `
\\set room random(:first_room, :last_room)
\\set sender :first_sender + :client_id
select status, body, link
  from chat.api_message_send(sha256(lpad(:sender::bigint::text, 43, '0')::bytea), :room::bigint,
                             repeat('x', :body_bytes::int), null, null, gen_random_uuid(), null);
`;

/**
 * Sends as many clients of PostgreSQL as there are of the site.
 *
 * @param {object} what
 * @param {import('../lib/site.js').Site} what.site
 * @param {{firstRoom: number, readers: number}} what.people  the senders come after the readers
 * @param {number} what.rooms
 * @param {number} what.clients
 * @param {number} what.seconds
 * @param {number} what.bodyBytes
 * @param {string} what.ring    on: NOTIFY in the transaction
 */
export async function pgbench({ site, people, rooms, clients, seconds, bodyBytes, ring }) {
  const dir = await mkdtemp(join(process.env.SITE_TMP ?? tmpdir(), 'confab-bench-'));
  try {
    await writeFile(join(dir, 'script'), SCRIPT);
    const variables = {
      first_room: people.firstRoom,
      last_room: people.firstRoom + rooms - 1,
      first_sender: people.readers,
      body_bytes: bodyBytes,
    };
    const words = ['-c', LOAD_CORE, await newest('pgbench'), '-n', '-M', 'prepared', '-c', clients, '-T', seconds];
    words.push('-f', join(dir, 'script'), '-l', '--log-prefix', join(dir, 'log'));
    for (const [name, value] of Object.entries(variables)) words.push('-D', `${name}=${value}`);
    const env = { ...process.env, PGOPTIONS: `-c chat.ring=${ring}` };
    const { stdout } = await run('taskset', [...words, site.conninfo('confab_worker')].map(String), { env });
    const perSecond = Number(/^tps = ([\d.]+)/m.exec(stdout)?.[1]);
    const failed = Number(/^number of failed transactions: (\d+)/m.exec(stdout)?.[1]);
    if (!perSecond || failed > 0) throw new Error(`pgbench: ${stdout}`);
    return { perSecond, ...(await percentiles(dir)) };
  } finally {
    await rm(dir, { recursive: true });
  }
}

/** Of the times in pgbench's logs: the third column, in us. @param {string} dir */
async function percentiles(dir) {
  const logs = (await readdir(dir)).filter((name) => name.startsWith('log'));
  const texts = await Promise.all(logs.map((name) => readFile(join(dir, name), 'utf8')));
  const ms = texts.flatMap((text) => text.trim().split('\n')).map((line) => Number(line.split(' ')[2]) / 1_000);
  ms.sort((a, b) => a - b);
  return { p50: ms[Math.floor(ms.length * 0.5)], p99: ms[Math.floor(ms.length * 0.99)] };
}

/** One of PostgreSQL's programs, of the newest version here. @param {string} name */
async function newest(name) {
  const versions = (await readdir('/usr/lib/postgresql')).sort((a, b) => Number(b) - Number(a));
  return `/usr/lib/postgresql/${versions[0]}/bin/${name}`;
}
