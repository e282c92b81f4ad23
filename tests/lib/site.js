// @ts-check

/**
 * A private site for a test: the real programs and servers, as tools/site starts them, in a folder of their own on
 * ports of their own. A program that ends without being asked to fails the running test at once, with its log's end.
 */

import { execFile, spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { request } from './http.js';
import { reservePort } from './ports.js';
import { waitFor } from './wait.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TOOL = join(ROOT, 'tools/site');
const LOG_TAIL_LINES = 30;
const STOP_MS = 15_000;
const SANITIZER = /AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:/;

/** How each program is asked to stop; SIGINT is PostgreSQL's fast shutdown. */
const STOP_SIGNAL = /** @type {const} */ ({ postgres: 'SIGINT', standby: 'SIGINT', pushd: 'SIGTERM', apache: 'SIGTERM', lighttpd: 'SIGTERM' });

/** @typedef {keyof typeof STOP_SIGNAL} ProgramKind */
/** @typedef {ProgramKind | `pushd${number}`} ProgramName  pushd2, pushd3 …: further daemons */

/** @param {ProgramName} name */
function kindOf(name) {
  return /** @type {ProgramKind} */ (name.replace(/\d$/, ''));
}

/** One running program: the child process is the program itself. */
class Program {
  log = '';
  /** Set when its end is wanted. */
  ending = false;

  /**
   * @param {ProgramName} name
   * @param {string} dir
   * @param {(program: Program) => void} onDeath
   * @param {string[]} options
   */
  constructor(name, dir, onDeath, options) {
    this.name = name;
    // A process group of its own, so that what a killed web server leaves behind can be ended too.
    this.child = spawn(TOOL, ['exec', dir, name, ...options], { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env: cleanEnv() });
    // A test that failed without stopping its site ends nevertheless; the program then gets SIGTERM.
    this.child.unref();
    for (const output of [this.child.stdout, this.child.stderr]) {
      output.setEncoding('utf8');
      output.on('data', (text) => (this.log += text));
      /** @type {import('node:net').Socket} */ (output).unref();
    }
    /** @type {Promise<void>} */
    this.ended = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => {
        this.status = signal ?? code;
        if (!this.ending) onDeath(this);
        resolve();
      });
    });
  }

  get pid() {
    return /** @type {number} */ (this.child.pid);
  }

  get alive() {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** @param {NodeJS.Signals} signal */
  async end(signal) {
    this.ending = true;
    this.child.ref();
    const timer = setTimeout(() => this.signalGroup('SIGKILL'), STOP_MS);
    this.child.kill(signal);
    await this.ended;
    clearTimeout(timer);
    this.signalGroup('SIGKILL');
  }

  /** @param {NodeJS.Signals} signal */
  signalGroup(signal) {
    try {
      process.kill(-this.pid, signal);
    } catch {
      // The group is gone already.
    }
  }

  tail() {
    return this.log.split('\n').slice(-LOG_TAIL_LINES).join('\n');
  }
}

/** The caller's environment without settings that were meant for another site. @param {Record<string, string>} [more] */
function cleanEnv(more = {}) {
  const own = Object.entries(process.env).filter(([name]) => !/^(CONFAB_|PG)/.test(name));
  return { ...Object.fromEntries(own), ...more };
}

export class Site {
  /** @type {Map<ProgramName, Program>} */
  #programs = new Map();
  /** @type {Map<ProgramName, string>} logs of programs that ended */
  #pastLogs = new Map();
  /** @type {Error | undefined} */
  #failure;
  /** @type {pg.Pool | undefined} */
  #pool;
  /** @type {Array<() => void | Promise<void>>} */
  #cleanups = [];

  /**
   * @param {string} dir
   * @param {Record<string, string>} places  what `tools/site env` says
   * @param {'apache' | 'lighttpd' | null} front
   */
  constructor(dir, places, front) {
    this.dir = dir;
    this.front = front;
    this.url = places.URL;
    this.socketDir = places.SOCKET_DIR;
    this.pushSocket = places.PUSH_SOCKET;
    this.pushListen = places.PUSH_LISTEN;
    this.adminSocket = places.ADMIN_LISTEN.replace(/^unix:/, '');
    this.conf = places.CONF;
    /** Whom the programs run as, and setpriv's options to become that user. */
    this.user = places.SITE_USER;
    this.asUser =
      process.getuid?.() === 0 ? [`--reuid=${this.user}`, `--regid=${this.user}`, '--init-groups', '--no-new-privs'] : [];
    this.database = places.PGDATABASE;
    this.pgPort = Number(places.PGPORT);
    this.standbyPort = Number(places.STANDBY_PORT);
    this.giveUp = () => this.#failure;
  }

  /**
   * Starts a whole site, or parts of one.
   *
   * @param {object} [options]
   * @param {'apache' | 'lighttpd' | null} [options.front]
   * @param {boolean} [options.pushd]
   * @param {number} [options.daemons]  how many; the web server knows the first
   * @param {Record<string, string | number>} [options.env]  settings: CONFAB_… names; and BUILD
   */
  static async start({ front = 'apache', pushd = true, daemons = pushd ? 1 : 0, env = {} } = {}) {
    const parent = await mkdtemp(join(process.env.SITE_TMP ?? tmpdir(), 'confab-test-'));
    // Started by root, the servers are another user, who must get through.
    await chmod(parent, 0o711);
    const dir = join(parent, 'site');
    const { port, release } = await reservePort();
    const settings = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, String(value)]));
    const run = promisify(execFile);
    await run(TOOL, ['prepare', dir], { env: cleanEnv({ PORT: String(port), ...settings }) });
    const { stdout } = await run(TOOL, ['env', dir], { env: cleanEnv() });
    const places = Object.fromEntries(stdout.trim().split('\n').map((line) => line.split(/=(.*)/s)));

    const site = new Site(dir, places, front);
    site.#cleanups.push(release, () => site.#remove(parent));
    try {
      await site.begin('postgres');
      const pushds = Array.from({ length: daemons }, (_, i) => site.begin(site.daemon(i + 1).name));
      await Promise.all([...pushds, front && site.begin(front)]);
    } catch (error) {
      await site.#end();
      throw error;
    }
    return site;
  }

  /** @param {string} parent */
  async #remove(parent) {
    await promisify(execFile)(TOOL, ['remove', this.dir], { env: cleanEnv() });
    await rm(parent, { recursive: true, force: true });
  }

  // ---- Programs ----

  /** Starts a program that is not running, and waits until it answers. @param {ProgramName} name */
  async begin(name) {
    if (this.#programs.has(name)) throw new Error(`${name} is running`);
    this.#programs.set(name, this.#start(name));
    await this.#answers(name);
  }

  /** @param {ProgramName} name @param {string[]} [options] */
  #start(name, options = []) {
    return new Program(name, this.dir, (program) => this.#died(program), options);
  }

  /**
   * A second daemon that is to take over from the one that runs. Until replaced() it is the test's to end.
   *
   * @param {string[]} [options]
   */
  succeed(options = []) {
    return this.#start('pushd', ['-t', ...options]);
  }

  /** Until the daemon has left to its successor and ended by itself; its status. @param {Program} successor */
  async replaced(successor) {
    const former = this.#program('pushd');
    former.ending = true;
    await this.waitFor(() => !former.alive, { what: `the end of the former daemon; it logged\n${former.tail()}` });
    await former.ended;
    this.#pastLogs.set('pushd', this.#pastLog('pushd') + former.log);
    this.#programs.set('pushd', successor);
    return former.status;
  }

  /**
   * Ends a program: by the signal that stops it in order, or by another.
   *
   * @param {ProgramName} name
   * @param {NodeJS.Signals} [signal]
   */
  async kill(name, signal = STOP_SIGNAL[kindOf(name)]) {
    const program = this.#program(name);
    this.#programs.delete(name);
    await program.end(signal);
    this.#pastLogs.set(name, this.#pastLog(name) + program.log);
  }

  /** @param {ProgramName} name @param {NodeJS.Signals} [signal] */
  async restart(name, signal) {
    await this.kill(name, signal);
    await this.begin(name);
  }

  /** A signal that is not meant to end it. @param {ProgramName} name @param {NodeJS.Signals} signal */
  signal(name, signal) {
    this.#program(name).child.kill(signal);
  }

  /** @param {ProgramName} name */
  pid(name) {
    return this.#program(name).pid;
  }

  /** All that a program of that name has logged so far. @param {ProgramName} name */
  log(name) {
    return this.#pastLog(name) + (this.#programs.get(name)?.log ?? '');
  }

  /** @param {ProgramName} name @param {RegExp} pattern */
  logged(name, pattern, timeoutMs = 10_000) {
    return this.waitFor(() => pattern.exec(this.log(name)), { what: `${pattern} in ${name}'s log`, timeoutMs });
  }

  /**
   * The daemons are counted from 1: what each is called, and its unix socket. Each has its own; the first listens
   * where the settings say.
   *
   * @param {number} [number]
   * @returns {{name: ProgramName, socket: string}}
   */
  daemon(number = 1) {
    if (number === 1) return { name: 'pushd', socket: this.pushSocket };
    return { name: `pushd${number}`, socket: join(this.socketDir, `push${number}.sock`) };
  }

  /** The FastCGI workers' process ids. @returns {Promise<number[]>} */
  async workers() {
    if (!this.front) return [];
    const parents = new Map();
    const workers = [];
    for (const entry of await readdir('/proc')) {
      if (!/^\d+$/.test(entry)) continue;
      const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '');
      const found = /^(\d+) \((.*)\) [^Z] (\d+)/s.exec(stat); // no zombies
      if (!found) continue;
      parents.set(Number(found[1]), Number(found[3]));
      if (found[2] === 'confab.fcgi') workers.push(Number(found[1]));
    }
    const top = this.pid(this.front);
    return workers.filter((pid) => {
      while (pid > 1 && pid !== top) pid = parents.get(pid) ?? 0;
      return pid === top;
    });
  }

  /** @param {ProgramName} name */
  #program(name) {
    const program = this.#programs.get(name);
    if (!program) throw new Error(`${name} is not running`);
    return program;
  }

  /** @param {ProgramName} name */
  #pastLog(name) {
    return this.#pastLogs.get(name) ?? '';
  }

  /** @param {Program} program */
  #died(program) {
    this.#failure = new Error(`${program.name} ended by itself (${program.status}); its log ends:\n${program.tail()}`);
    const failure = this.#failure;
    // Not a rejection that somebody may be about to handle: the test that is running has failed.
    setImmediate(() => {
      throw failure;
    });
  }

  /** @param {ProgramName} name */
  async #answers(name) {
    const look = {
      postgres: async () => (await this.sql('select 1')).length === 1,
      standby: () => this.#isReady(this.standbyPort),
      pushd: () => this.#connects(name === 'pushd' ? this.pushSocket : this.daemon(Number(name.slice(-1))).socket),
      apache: () => this.#serves(),
      lighttpd: () => this.#serves(),
    }[kindOf(name)];
    await this.waitFor(look, { what: `${name} to answer`, timeoutMs: 30_000 });
  }

  /** @param {number} port */
  async #isReady(port) {
    const client = new pg.Client({ ...this.pgConfig(), port });
    await client.connect();
    await client.end();
    return true;
  }

  async #serves() {
    const { status } = await request(this.url, { timeoutMs: 2_000 });
    return status < 500;
  }

  /** @param {string} path  of a socket; empty: the first daemon's address is no path */
  #connects(path) {
    return new Promise((resolve, reject) => {
      const [host, port] = this.pushListen.split(/:(?=\d+$)/);
      const socket = connect(path ? { path } : { host, port: Number(port) });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
    });
  }

  /**
   * waitFor, which also ends when a program of the site ended.
   *
   * @template T
   * @param {() => T | Promise<T>} condition
   * @param {{what?: string, timeoutMs?: number}} [options]
   */
  waitFor(condition, options = {}) {
    return waitFor(condition, { ...options, giveUp: this.giveUp });
  }

  // ---- Database ----

  /** How to connect as a role. @param {string} [user] */
  pgConfig(user = 'postgres') {
    return { host: this.socketDir, port: this.pgPort, database: this.database, user };
  }

  /** The same as a libpq conninfo. @param {string} [user] */
  conninfo(user = 'postgres') {
    return `host=${this.socketDir} port=${this.pgPort} dbname=${this.database} user=${user}`;
  }

  /** A connection of its own, closed with the site. @param {string} [user] */
  async connect(user) {
    const client = new pg.Client(this.pgConfig(user));
    client.on('error', () => {}); // told by the next query; tests do kill servers
    await client.connect();
    this.#cleanups.push(() => client.end().catch(() => {}));
    return client;
  }

  /**
   * Runs one statement as superuser.
   *
   * @param {string} text
   * @param {any[]} [params]
   * @returns {Promise<any[]>} rows
   */
  async sql(text, params) {
    if (!this.#pool) {
      this.#pool = new pg.Pool({ ...this.pgConfig(), max: 4, idleTimeoutMillis: 1_000, allowExitOnIdle: true });
      this.#pool.on('error', () => {});
    }
    return (await this.#pool.query(text, params)).rows;
  }

  /** From now on sql() and connect() go there. @param {{port?: number, database?: string}} place */
  async turnTo({ port = this.pgPort, database = this.database }) {
    await this.#pool?.end().catch(() => {});
    this.#pool = undefined;
    this.pgPort = port;
    this.database = database;
  }

  /** Changes settings, for programs that are started from now on. @param {Record<string, string>} settings */
  async configure(settings) {
    let text = await readFile(this.conf, 'utf8');
    for (const [name, value] of Object.entries(settings)) {
      const line = new RegExp(`^${name} *=.*$`, 'm');
      if (!line.test(text)) throw new Error(`no setting ${name} in ${this.conf}`);
      text = text.replace(line, () => `${name} = ${value}`);
    }
    await writeFile(this.conf, text);
  }

  // ---- End ----

  /** Stops everything in order, removes the folder, and fails if a sanitizer had something to say. */
  async stop() {
    await this.#end();
    for (const [name, log] of this.#pastLogs) {
      if (SANITIZER.test(log)) throw new Error(`a sanitizer reports, in ${name}'s log:\n${log.slice(log.search(SANITIZER) - 200)}`);
    }
  }

  async #end() {
    await this.#pool?.end().catch(() => {});
    for (const kind of /** @type {ProgramKind[]} */ (['pushd', 'apache', 'lighttpd', 'standby', 'postgres'])) {
      const running = [...this.#programs.keys()].filter((name) => kindOf(name) === kind);
      await Promise.all(running.map((name) => this.kill(name)));
    }
    for (const cleanup of this.#cleanups.reverse()) await cleanup();
    this.#cleanups = [];
  }
}
