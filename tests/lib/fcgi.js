// @ts-check

/**
 * confab.fcgi without a web server: this file speaks FastCGI to its socket, and starts it as a plain CGI program. So
 * a test can say what no web server would, and sees every byte that comes back.
 */

import { spawn } from 'node:child_process';
import { rename, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

// The FastCGI specification, section 8.
const VERSION = 1;
const TYPE = { begin: 1, end: 3, params: 4, stdin: 5, stdout: 6, stderr: 7 };
const RESPONDER = 1;
const KEEP_CONNECTION = 1;
const HEADER_BYTES = 8;
const CONTENT_BYTES_MAX = 65535;
const REQUEST_ID = 1;
const STOP_MS = 15_000;

/**
 * @typedef {object} FcgiRequest
 * @property {string} [method]
 * @property {string} [uri]       REQUEST_URI, as it stands
 * @property {Record<string, string>} [headers]
 * @property {string | Buffer} [body]
 * @property {boolean} [https]
 * @property {Record<string, string | undefined>} [variables]  more, or others; undefined leaves one out
 * @property {number} [timeoutMs]
 */

/**
 * @typedef {object} FcgiAnswer
 * @property {number} status
 * @property {Record<string, string>} headers  names in lower case; Set-Cookie joined by newlines
 * @property {Buffer} bytes  all of it, as it came
 * @property {string} text
 * @property {any} json
 */

/** The variables that a web server makes of a request (RFC 3875). @param {FcgiRequest} request */
export function variablesOf({ method = 'GET', uri = '/', headers = {}, body, https = false, variables = {} }) {
  /** @type {Record<string, string | undefined>} */
  const all = {
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_PROTOCOL: 'HTTP/1.1',
    REQUEST_METHOD: method,
    REQUEST_URI: uri,
    QUERY_STRING: uri.split('?')[1] ?? '',
    HTTP_HOST: 'chat.example',
    CONTENT_LENGTH: body === undefined ? undefined : String(Buffer.byteLength(body)),
    HTTPS: https ? 'on' : undefined,
  };
  for (const [name, value] of Object.entries(headers)) {
    const variable = name.toUpperCase().replaceAll('-', '_');
    all[variable === 'CONTENT_TYPE' ? variable : `HTTP_${variable}`] = value;
  }
  return /** @type {Record<string, string>} */ (
    Object.fromEntries(Object.entries({ ...all, ...variables }).filter(([, value]) => value !== undefined))
  );
}

/** The answer in CGI's form: headers, an empty line, the body. @param {Buffer} bytes @returns {FcgiAnswer} */
export function parseAnswer(bytes) {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0)
    throw new Error(`no whole head in the answer: ${JSON.stringify(bytes.toString('latin1').slice(0, 200))}`);
  /** @type {Record<string, string>} */
  const headers = {};
  for (const line of bytes.subarray(0, end).toString('latin1').split('\r\n')) {
    const [, name, value] = /^([^:]+): (.*)$/.exec(line) ?? [];
    if (name === undefined) throw new Error(`not a header line: ${JSON.stringify(line)}`);
    const key = name.toLowerCase();
    headers[key] = key in headers ? `${headers[key]}\n${value}` : value;
  }
  const text = bytes.subarray(end + 4).toString('utf8');
  const isJson = text !== '' && /^application\/(problem\+)?json$/.test(headers['content-type'] ?? '');
  return {
    status: Number.parseInt(headers.status, 10),
    headers,
    bytes,
    text,
    json: isJson ? JSON.parse(text) : undefined,
  };
}

// ---- Records ----

/** @param {number} type @param {Buffer} content */
function record(type, content) {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(VERSION, 0);
  header.writeUInt8(type, 1);
  header.writeUInt16BE(REQUEST_ID, 2);
  header.writeUInt16BE(content.length, 4);
  return Buffer.concat([header, content]);
}

/** A stream of records of one type, with the empty record that ends it. @param {number} type @param {Buffer} content */
function stream(type, content) {
  const records = [];
  for (let at = 0; at < content.length; at += CONTENT_BYTES_MAX) {
    records.push(record(type, content.subarray(at, at + CONTENT_BYTES_MAX)));
  }
  return Buffer.concat([...records, record(type, Buffer.alloc(0))]);
}

/** @param {number} length */
function pairLength(length) {
  if (length < 128) return Buffer.from([length]);
  const long = Buffer.alloc(4);
  long.writeUInt32BE((length | 0x80000000) >>> 0);
  return long;
}

/** @param {Record<string, string>} variables */
function pairs(variables) {
  return Buffer.concat(
    Object.entries(variables).flatMap(([name, value]) => {
      const texts = [Buffer.from(name), Buffer.from(value, 'latin1')];
      return [...texts.map((text) => pairLength(text.length)), ...texts];
    }),
  );
}

/** What a web server sends first. @param {Record<string, string>} variables @param {boolean} [keep] */
export function requestHead(variables, keep = false) {
  const begin = Buffer.alloc(8);
  begin.writeUInt16BE(RESPONDER, 0);
  begin.writeUInt8(keep ? KEEP_CONNECTION : 0, 2);
  return Buffer.concat([record(TYPE.begin, begin), stream(TYPE.params, pairs(variables))]);
}

/** The request's body. @param {string | Buffer} [body] */
export function requestBody(body = '') {
  return stream(TYPE.stdin, Buffer.from(body));
}

/** Collects records; whole is true once the request has ended. */
class AnswerReader {
  stdout = Buffer.alloc(0);
  stderr = '';
  whole = false;
  #pending = Buffer.alloc(0);

  /** @param {Buffer} bytes */
  feed(bytes) {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    while (this.#pending.length >= HEADER_BYTES) {
      const length = this.#pending.readUInt16BE(4);
      const end = HEADER_BYTES + length + this.#pending.readUInt8(6);
      if (this.#pending.length < end) return;
      const content = this.#pending.subarray(HEADER_BYTES, HEADER_BYTES + length);
      const type = this.#pending.readUInt8(1);
      if (type === TYPE.stdout) this.stdout = Buffer.concat([this.stdout, content]);
      if (type === TYPE.stderr) this.stderr += content.toString('utf8');
      if (type === TYPE.end) this.whole = true;
      this.#pending = this.#pending.subarray(end);
    }
  }
}

/**
 * Sends bytes to a FastCGI socket and reads one answer.
 *
 * @param {string} path
 * @param {Buffer | Buffer[]} chunks  written one by one
 * @param {{end?: boolean, timeoutMs?: number}} [options]  end: close our side after the last
 * @returns {Promise<FcgiAnswer & {closed: Promise<void>}>} closed: when the worker has closed the connection
 */
export function exchange(path, chunks, { end = false, timeoutMs = 30_000 } = {}) {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const reader = new AnswerReader();
    /** @type {() => void} */
    let tellClosed = () => {};
    /** @type {Promise<void>} */
    const closed = new Promise((done) => (tellClosed = done));
    const timer = setTimeout(() => socket.destroy(new Error(`no whole answer within ${timeoutMs} ms`)), timeoutMs);
    socket.on('connect', () => {
      for (const chunk of [chunks].flat()) socket.write(chunk);
      if (end) socket.end();
    });
    socket.on('data', (bytes) => {
      reader.feed(bytes);
      if (!reader.whole) return;
      clearTimeout(timer);
      try {
        resolve({ ...parseAnswer(reader.stdout), closed });
      } catch (error) {
        reject(error);
      }
    });
    socket.on('error', reject);
    socket.on('close', () => {
      clearTimeout(timer);
      tellClosed();
      reject(new Error('the worker closed the connection without an answer'));
    });
  });
}

// ---- Processes ----

/** The program to test: of BUILD, or with sanitizers. */
export function program() {
  return join(ROOT, process.env.BUILD ?? 'build/release', 'confab.fcgi');
}

/**
 * The environment in which the worker of a site runs; undefined leaves a variable out.
 *
 * @param {import('./site.js').Site} site
 * @param {Record<string, string | number | undefined>} env
 */
function workerEnv(site, env) {
  const all = { PATH: process.env.PATH, CONFAB_CONF: site.conf, ...env };
  return Object.fromEntries(
    Object.entries(all)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, String(value)]),
  );
}

/** One worker, or several, on a listening socket. */
export class Worker {
  log = '';
  /** @type {import('node:child_process').ChildProcess[]} */
  #children = [];
  /** @type {Promise<number | string>[]} */
  #ends = [];

  /** @param {string} path of the socket */
  constructor(path) {
    this.path = path;
  }

  /**
   * @param {import('./site.js').Site} site
   * @param {object} [options]
   * @param {Record<string, string | number | undefined>} [options.env]  settings: CONFAB_… names
   * @param {number} [options.count]  how many processes share the socket
   * @param {string} [options.binary]
   * @param {string[]} [options.args]
   */
  static async start(site, { env = {}, count = 1, binary = program(), args = [] } = {}) {
    const bound = join(site.socketDir, `worker-${process.pid}-${(serial += 1)}.new`);
    const worker = new Worker(bound.replace(/\.new$/, ''));
    const server = createServer();
    await new Promise((resolve) => server.listen(bound, () => resolve(undefined)));
    // The descriptor of a listening socket is all that a FastCGI program gets: as its stdin.
    const fd = /** @type {any} */ (server)._handle.fd;
    for (let i = 0; i < count; i += 1) worker.#spawn(binary, args, fd, workerEnv(site, env));
    // Closing our side would unlink the name; under its other name nobody has connected to it meanwhile.
    await rename(bound, worker.path);
    await new Promise((resolve) => server.close(resolve));
    return worker;
  }

  /** @param {string} binary @param {string[]} args @param {number} fd @param {Record<string, string>} env */
  #spawn(binary, args, fd, env) {
    const child = spawn(binary, args, { stdio: [fd, 'ignore', 'pipe'], env });
    child.stderr?.setEncoding('utf8').on('data', (text) => (this.log += text));
    child.once('error', (error) => (this.log += `${error}\n`));
    this.#children.push(child);
    this.#ends.push(new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code ?? -1))));
  }

  get pids() {
    return this.#children.map((child) => /** @type {number} */ (child.pid));
  }

  get alive() {
    return this.#children.some((child) => child.exitCode === null && child.signalCode === null);
  }

  /** @param {FcgiRequest} request */
  request(request) {
    const { body, timeoutMs } = request;
    if (!this.alive) throw new Error(`no worker is left; they wrote:\n${this.log}`);
    return exchange(this.path, [requestHead(variablesOf(request)), requestBody(body)], { timeoutMs });
  }

  /** @param {NodeJS.Signals} signal */
  signal(signal) {
    for (const child of this.#children) child.kill(signal);
  }

  /** The exit statuses, once all processes have ended. @returns {Promise<(number | string)[]>} */
  ended() {
    return Promise.all(this.#ends);
  }

  /** Ends the processes in order; the exit statuses. @param {NodeJS.Signals} [signal] */
  async stop(signal = 'SIGTERM') {
    const timer = setTimeout(() => this.signal('SIGKILL'), STOP_MS);
    this.signal(signal);
    const statuses = await this.ended();
    clearTimeout(timer);
    await rm(this.path, { force: true });
    return statuses;
  }
}

/**
 * One request by plain CGI: a process of its own.
 *
 * @param {import('./site.js').Site} site
 * @param {FcgiRequest & {env?: Record<string, string | number>, binary?: string}} request
 * @returns {Promise<FcgiAnswer & {exitStatus: number | string, log: string}>}
 */
export function cgi(site, { env = {}, binary = program(), ...request }) {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, [], { env: { ...workerEnv(site, env), ...variablesOf(request) } });
    /** @type {Buffer[]} */
    const chunks = [];
    let log = '';
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.setEncoding('utf8').on('data', (text) => (log += text));
    child.stdin.on('error', () => {}); // a body that is not wanted is not read
    child.on('error', reject);
    child.on('close', (code, signal) => {
      try {
        resolve({ ...parseAnswer(Buffer.concat(chunks)), exitStatus: signal ?? code ?? -1, log });
      } catch (error) {
        reject(error);
      }
    });
    child.stdin.end(request.body);
  });
}

let serial = 0;
