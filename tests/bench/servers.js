// @ts-check

/** Who is measured: Confab's daemon and its peers, each on the server's core, and what the load says to them. */

import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { reservePort } from '../lib/ports.js';
import { Site } from '../lib/site.js';
import { waitFor } from '../lib/wait.js';
import { LOAD_CORE } from './loader.js';
import { populate } from './people.js';
import { pin } from './proc.js';

export const SERVER_CORE = 0;

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const END = '\r\n\r\n';
const POST = (/** @type {string} */ path, body = '{text}') =>
  `POST ${path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {length}${END}${body}`;
/** Zeros are no key of a real client, but no server minds. */
const UPGRADE = (/** @type {string} */ path, more = '') =>
  `GET ${path} HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==${more}${END}`;

/**
 * @typedef {import('./people.js').Group} Group
 *
 * @typedef {object} Server    what the parts of the benchmark know of one
 * @property {string} name
 * @property {boolean} [websocket]
 * @property {() => number[]} pids  whose time and memory are its own, with their children
 * @property {Record<string, string | number>} load  the options of load.c for it
 * @property {() => Promise<void>} stop
 *
 * @typedef {(groups: Group[]) => Promise<Server>} Start
 */

// ---- Peers ----

/** A program that listens on a port of its own. */
class Peer {
  /** @type {(() => void | Promise<void>)[]} */
  #cleanups = [];
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #child;
  #errors = '';
  /** @type {Record<string, string | number>} */
  load = {};

  /** @param {string} name @param {boolean} [websocket] */
  constructor(name, websocket = false) {
    this.name = name;
    this.websocket = websocket;
  }

  /**
   * @param {(port: number, dir: string) => Promise<string[]>} command
   * @param {Record<string, string>} load  how to subscribe and publish
   */
  async start(command, load) {
    const { port, release } = await reservePort();
    const dir = await mkdtemp(join(process.env.SITE_TMP ?? tmpdir(), 'confab-bench-'));
    this.#cleanups.push(release, () => rm(dir, { recursive: true, force: true }));
    const address = `127.0.0.1:${port}`;
    this.load = { 'first-room': 1, subscribe: address, publish: address, ...load };
    const words = ['-c', String(SERVER_CORE), ...(await command(port, dir))];
    this.#child = spawn('taskset', words, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child.stderr?.on('data', (text) => (this.#errors += text));
    await waitFor(() => answers(port), { what: this.name, giveUp: () => this.#failure() });
    return this;
  }

  #failure() {
    return this.#child?.exitCode === null ? undefined : new Error(`${this.name} ended: ${this.#errors}`);
  }

  pids() {
    return [/** @type {number} */ (this.#child?.pid)];
  }

  async stop() {
    const ended = new Promise((resolve) => this.#child?.once('close', resolve));
    this.#child?.kill('SIGTERM');
    await ended;
    for (const cleanup of this.#cleanups.reverse()) await cleanup();
  }
}

/** @param {number} port */
function answers(port) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', reject);
    socket.once('connect', () => resolve(socket.destroy()));
  });
}

const SUBSCRIBE = {
  head: `GET /sub/{room} HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream${END}`,
  ready: ': hi\n',
};

/** @param {string} name @param {string[]} options */
function startIdeal(name, ...options) {
  return new Peer(name).start(async (port) => [here('../../build/bench/ideal'), ...options, String(port)], {
    ...SUBSCRIBE,
    request: POST('/pub/{room}', 'event: message\ndata: {text}\n\n'),
  });
}

export const ideal = () => startIdeal('ideal');
/** One send for each connection and turn of the loop. */
export const idealCoalescing = () => startIdeal('ideal -c', '-c');

export function nchan() {
  return new Peer('nchan').start(
    async (port, dir) => {
      await writeFile(join(dir, 'nginx.conf'), nginxConf(port, dir));
      return ['/usr/sbin/nginx', '-c', join(dir, 'nginx.conf'), '-p', dir, '-e', 'stderr'];
    },
    { ...SUBSCRIBE, request: POST('/pub/{room}') },
  );
}

/** One worker, its own memory as the store; buffers so long that no reader loses anything. @param {number} port @param {string} dir */
function nginxConf(port, dir) {
  const scratch = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir};`);
  return `load_module /usr/lib/nginx/modules/ngx_nchan_module.so;
daemon off;
pid ${dir}/nginx.pid;
worker_processes 1;
worker_rlimit_nofile 20000;
events { worker_connections 65536; }
http {
  ${scratch.join(' ')}
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  tcp_nodelay on;
  nchan_shared_memory_size 1024M;
  nchan_message_buffer_length 20000;
  nchan_message_timeout 60s;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location ~ ^/sub/(\\d+)$ { nchan_subscriber eventsource; nchan_channel_id $1; nchan_subscriber_first_message newest; }
    location ~ ^/pub/(\\d+)$ { nchan_publisher; nchan_channel_id $1; }
  }
}
`;
}

export function ws() {
  return new Peer('ws', true).start(async (port) => [process.execPath, here('ws.js'), String(port)], {
    head: UPGRADE('/{room}'),
    ready: END,
    request: POST('/{room}'),
  });
}

export function socketio() {
  return new Peer('socket.io', true).start(async (port) => [process.execPath, here('socketio.js'), String(port)], {
    head: UPGRADE('/socket.io/?EIO=4&transport=websocket&room={room}'),
    say: '40', // Socket.IO's CONNECT
    ready: '40{"sid"',
    request: POST('/{room}'),
  });
}

// ---- Confab ----

const BEARER = 'Authorization: Bearer {token}';
const RESUME = 'Last-Event-ID: {cursor}';

export const SSE = {
  head: `GET /stream HTTP/1.1\r\nHost: bench\r\n${BEARER}\r\n${RESUME}${END}`,
  ready: 'event: connected\n',
};
const WEBSOCKET = {
  head: UPGRADE('/ws', `\r\nSec-WebSocket-Protocol: confab.v1\r\n${BEARER}\r\n${RESUME}`),
  ready: '"type":"connected"',
};

/** The daemon on the server's core, PostgreSQL with the load; rows come by plain INSERT. */
export class Confab {
  /** @param {Site} site @param {string} name @param {boolean} websocket @param {Record<string, string | number>} load */
  constructor(site, name, websocket, load) {
    this.site = site;
    this.name = name;
    this.websocket = websocket;
    this.load = load;
  }

  /** @param {Group[]} groups @param {{websocket?: boolean}} [options] */
  static async start(groups, { websocket = false } = {}) {
    const { port, release } = await reservePort();
    const address = `127.0.0.1:${port}`;
    const site = await Site.start({ front: null, pushd: false, env: { CONFAB_PUSH_LISTEN: address } });
    release();
    const { firstRoom, firstSender } = await populate(site, groups, 1);
    pin(site.pid('postgres'), LOAD_CORE);
    const confab = new Confab(site, websocket ? 'confab ws' : 'confab', websocket, {
      ...(websocket ? WEBSOCKET : SSE),
      'first-room': firstRoom,
      subscribe: address,
      database: site.conninfo(),
      sender: firstSender,
    });
    await confab.begin();
    return confab;
  }

  async begin() {
    await this.site.begin('pushd');
    pin(this.site.pid('pushd'), SERVER_CORE);
  }

  pids() {
    return [this.site.pid('pushd')];
  }

  stop() {
    return this.site.stop();
  }
}

export const confab = (/** @type {Group[]} */ groups) => Confab.start(groups);
export const confabWs = (/** @type {Group[]} */ groups) => Confab.start(groups, { websocket: true });
