// @ts-check

/** A throw-away PostgreSQL with Confab's schema (tests/sql/cluster), for tests that need several connections. */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { waitFor } from './wait.js';

const TOOL = fileURLToPath(new URL('../sql/cluster', import.meta.url));
const READY_MARK = 'ready';
const READY_MS = 60_000;

export class Cluster {
  /** What PGHOST and so on are for this server. @type {Record<string, string>} */
  env = {};
  /** @type {Set<pg.Client>} */
  #clients = new Set();
  #databases = 0;

  /** @param {import('node:child_process').ChildProcessWithoutNullStreams} child */
  constructor(child) {
    this.child = child;
  }

  /**
   * @param {Record<string, string | number>} [settings]  of the server
   * @returns {Promise<Cluster>}
   */
  static async start(settings = {}) {
    // What was written outlives any process; only a crash of the machine would need the fsync.
    const options = Object.entries({ fsync: 'off', ...settings }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    // The server lives as long as cat, and cat as long as its input: this process, or until stop().
    const command = `env | grep -E '^(PG|CLUSTER_)'; echo ${READY_MARK}; exec cat`;
    const cluster = new Cluster(spawn(TOOL, [...options, 'sh', '-c', command], { stdio: 'pipe' }));
    let out = '';
    let errors = '';
    cluster.child.stdout.on('data', (text) => (out += text));
    cluster.child.stderr.on('data', (text) => (errors += text));
    await waitFor(() => out.includes(`${READY_MARK}\n`), {
      what: 'a PostgreSQL for this test',
      timeoutMs: READY_MS,
      giveUp: () => (cluster.child.exitCode === null ? undefined : new Error(`tests/sql/cluster failed: ${errors}`)),
    });
    for (const [, name, value] of out.matchAll(/^(\w+)=(.*)$/gm)) cluster.env[name] = value;
    return cluster;
  }

  async stop() {
    await Promise.allSettled([...this.#clients].map((client) => client.end()));
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.stdin.end();
    await ended;
  }

  /**
   * A new copy of the migrated database; its name.
   * @returns {Promise<string>}
   */
  async database() {
    const name = `test_${(this.#databases += 1)}`;
    const admin = await this.connect('postgres');
    await admin.query(`create database ${name} template confab`);
    const client = await this.connect(name);
    await client.query('select chat.epoch_begin()');
    return name;
  }

  /**
   * @param {string} database
   * @param {{user?: string, settings?: Record<string, string | number>}} [options]
   * @returns {Promise<pg.Client>}
   */
  async connect(database, { user = 'postgres', settings = {} } = {}) {
    const client = new pg.Client({
      host: this.env.PGHOST,
      port: Number(this.env.PGPORT),
      user,
      database,
      options: Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`).join(' '),
    });
    // A killed server is an error of the query at hand, or of the next one.
    client.on('error', () => this.#clients.delete(client));
    await client.connect();
    this.#clients.add(client);
    return client;
  }
}

/**
 * Resolves when that connection waits for a lock.
 * @param {pg.Client} observer
 * @param {pg.Client} client
 */
export async function blocked(observer, client) {
  const pid = backendPid(client);
  await waitFor(
    async () => {
      const { rows } = await observer.query(`select from pg_stat_activity where pid = $1 and wait_event_type = 'Lock'`, [pid]);
      return rows.length > 0;
    },
    { what: `backend ${pid} waits for a lock` },
  );
}

/**
 * @param {pg.Client} client
 * @returns {number}
 */
export function backendPid(client) {
  // @ts-ignore: pg knows it from the protocol's BackendKeyData, but its types do not say so
  return client.processID;
}
