// @ts-check

/**
 * Clients that nobody here wrote, each used as its own manual says. Whatever cuts them, they go on until they are
 * stopped: an EventSource by itself, the others by asking again with the last id. docs/client.md has the list.
 */

import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { EventSource as EventSource3 } from 'eventsource';
// @ts-ignore: it has no types
import EventSource2 from 'eventsource2';
import { EventSource as EventSource4 } from 'eventsource4';
// @ts-ignore: it has no types
import websocket from 'websocket';
import { WebSocket } from 'ws';
import { startChild } from './child.js';
import { SseParser } from './sse.js';
import { pause } from './wait.js';

/** Debian's, whose packages are installed, and not another that stands first in PATH. */
const PYTHON = '/usr/bin/python3';
const SCRIPTS = fileURLToPath(new URL('clients/', import.meta.url));
const RETRY_MS = 100;
/** How often a page is asked what it has heard. */
const LOOK_MS = 100;

/**
 * @typedef {{type: string, data: any, id?: string}} Heard
 * @typedef {(event: Heard) => void} Hear
 * @typedef {() => void} Stop
 * @typedef {{evaluate: (expression: string) => Promise<any>}} Page
 *
 * @typedef {object} Way       how the streams are reached, and by whom
 * @property {string} name
 * @property {string} base     of the streams' addresses
 * @property {string} origin   of the site's pages
 * @property {{name: string, value: string}} cookie
 * @property {string} token
 * @property {{chromium: Page, webkit: Page}} pages  of that origin, with all cookies
 *
 * @typedef {object} Row
 * @property {string} name
 * @property {boolean} [reconnects]  by itself, and says `gave up` when it does so no longer
 * @property {(way: Way, hear: Hear) => Stop} start
 */

/** @param {Way} way */
const bearer = (way) => ({ Authorization: `Bearer ${way.token}` });
/** @param {Way} way */
const cookie = (way) => ({ Cookie: `${way.cookie.name}=${way.cookie.value}` });
/** @param {Way} way */
const websocketBase = (way) => way.base.replace(/^http/, 'ws');

// ---- What EventSource and WebSocket have in common, in browsers and on npm ----

/**
 * It reconnects by itself. Once it has given up, which an error of the server is enough for, only a new one helps.
 * Pages run this too: it refers to nothing outside.
 *
 * @param {(url: string) => EventSource} make
 * @param {string} url
 * @param {Hear} hear
 * @returns {Stop}
 */
function followEventSource(make, url, hear) {
  const CLOSED = 2;
  let lastId = '';
  /** @type {EventSource} */
  let source;
  /** @type {any} */
  let timer;
  const connect = () => {
    source = make(`${url}?last_event_id=${encodeURIComponent(lastId)}`);
    for (const type of ['connected', 'mark', 'reset', 'bye', 'message.new']) {
      source.addEventListener(type, (event) => {
        // npm's eventsource 3 and 4 have none with an event that brings none; browsers have the last.
        lastId = event.lastEventId || lastId;
        hear({ type, data: JSON.parse(event.data), id: lastId });
      });
    }
    source.addEventListener('error', () => {
      if (source.readyState !== CLOSED) return;
      hear({ type: 'gave up', data: {} });
      timer = setTimeout(connect, 100);
    });
  };
  connect();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}

/**
 * Pages run this too: it refers to nothing outside.
 *
 * @param {(url: string) => globalThis.WebSocket} make
 * @param {string} url
 * @param {Hear} hear
 * @returns {Stop}
 */
function followWebSocket(make, url, hear) {
  let lastId = '';
  let stopped = false;
  /** @type {globalThis.WebSocket} */
  let socket;
  const connect = () => {
    if (stopped) return;
    socket = make(`${url}?last_event_id=${encodeURIComponent(lastId)}`);
    socket.onmessage = (event) => {
      const message = JSON.parse(event.data);
      lastId = message.id ?? lastId;
      hear(message);
    };
    socket.onerror = () => {}; // the close comes after it
    socket.onclose = () => setTimeout(connect, 100);
  };
  connect();
  return () => {
    stopped = true;
    socket.close();
  };
}

// ---- Browsers ----

/**
 * What a bare page runs.
 *
 * @param {'chromium' | 'webkit'} browser
 * @param {string} follow  a call of one of the functions above
 * @param {(way: Way) => string} urlOf
 * @returns {Row['start']}
 */
function inPage(browser, follow, urlOf) {
  return (way, hear) => {
    const page = way.pages[browser];
    const url = JSON.stringify(urlOf(way));
    let stopped = false;
    const run = async () => {
      await page.evaluate(`void ((url, heard) => {
        (window.heard ??= {})[url] = heard;
        const hear = (event) => heard.push(event);
        ${follow};
      })(${url}, [])`);
      while (!stopped) {
        for (const event of await page.evaluate(`window.heard[${url}].splice(0)`)) hear(event);
        await pause(LOOK_MS);
      }
    };
    run().catch((error) => hear({ type: 'broken', data: String(error) }));
    return () => (stopped = true);
  };
}

/** @param {'chromium' | 'webkit'} browser */
const pageEventSource = (browser) =>
  inPage(browser, `(${followEventSource})((at) => new EventSource(at, { withCredentials: true }), url, hear)`, (way) => `${way.base}stream`);

/** @param {'chromium' | 'webkit'} browser */
const pageWebSocket = (browser) =>
  inPage(browser, `(${followWebSocket})((at) => new WebSocket(at, 'confab.v1'), url, hear)`, (way) => `${websocketBase(way)}ws`);

// ---- npm ----

/** Since version 3 a header is added by a fetch of one's own. @param {Record<string, string>} headers */
const fetchWith = (headers) => (/** @type {any} */ url, /** @type {any} */ init) =>
  fetch(url, { ...init, headers: { ...init.headers, ...headers } });

/** @param {(way: Way, url: string) => any} make @returns {Row['start']} */
const npmEventSource = (make) => (way, hear) => followEventSource((url) => make(way, url), `${way.base}stream`, hear);

/** @param {(way: Way, url: string) => any} make @returns {Row['start']} */
const npmWebSocket = (make) => (way, hear) => followWebSocket((url) => make(way, url), `${websocketBase(way)}ws`, hear);

/** The package `websocket` by its own interface. @type {Row['start']} */
function websocketClient(way, hear) {
  let lastId = '';
  let stopped = false;
  /** @type {any} */
  let connection;
  const connect = () => {
    if (stopped) return;
    const client = new websocket.client();
    const again = () => setTimeout(connect, RETRY_MS);
    client.on('connectFailed', again);
    client.on('connect', (/** @type {any} */ opened) => {
      connection = opened;
      connection.on('error', () => {}); // the close comes after it
      connection.on('close', again);
      connection.on('message', (/** @type {any} */ { utf8Data }) => {
        const message = JSON.parse(utf8Data);
        lastId = message.id ?? lastId;
        hear(message);
      });
    });
    client.connect(`${websocketBase(way)}ws?last_event_id=${encodeURIComponent(lastId)}`, 'confab.v1', null, bearer(way));
  };
  connect();
  return () => {
    stopped = true;
    connection?.drop();
  };
}

// ---- Programs ----

/** @param {string} name @param {string[]} args */
const run = (name, args) => startChild(name, args, { stdio: ['ignore', 'pipe', 'inherit'] });

/** @type {Row['start']} */
function curl(way, hear) {
  let lastId = '';
  let stopped = false;
  /** @type {ReturnType<typeof run>} */
  let child;
  const follow = async () => {
    while (!stopped) {
      const parser = new SseParser(({ type, text, id }) => {
        lastId = id ?? lastId;
        hear({ type, data: JSON.parse(text), id });
      });
      const header = lastId ? ['--header', `Last-Event-ID: ${lastId}`] : [];
      child = run('curl', ['--silent', '--no-buffer', '--cookie', cookie(way).Cookie, ...header, `${way.base}stream`]);
      child.stdout?.setEncoding('utf8').on('data', (text) => parser.push(text));
      await once(child, 'close');
      await pause(RETRY_MS);
    }
  };
  follow().catch((error) => hear({ type: 'broken', data: String(error) }));
  return () => {
    stopped = true;
    child.kill();
  };
}

/**
 * @param {string} script
 * @param {(way: Way) => string} urlOf
 * @param {(way: Way) => Record<string, string>} credential
 * @returns {Row['start']}
 */
const python = (script, urlOf, credential) => (way, hear) => {
  const [[name, value]] = Object.entries(credential(way));
  const child = run(PYTHON, [SCRIPTS + script, urlOf(way), `${name}: ${value}`]);
  createInterface({ input: /** @type {any} */ (child.stdout) }).on('line', (line) => hear(JSON.parse(line)));
  return () => child.kill();
};

/** @type {Row[]} */
export const CLIENTS = [
  { name: 'curl', start: curl },
  { name: "Chromium's EventSource", reconnects: true, start: pageEventSource('chromium') },
  { name: "WebKit's EventSource", reconnects: true, start: pageEventSource('webkit') },
  { name: 'npm eventsource 2', reconnects: true, start: npmEventSource((way, url) => new EventSource2(url, { headers: bearer(way) })) },
  { name: 'npm eventsource 3', reconnects: true, start: npmEventSource((way, url) => new EventSource3(url, { fetch: fetchWith(bearer(way)) })) },
  { name: 'npm eventsource 4', reconnects: true, start: npmEventSource((way, url) => new EventSource4(url, { fetch: fetchWith(cookie(way)) })) },
  { name: "Chromium's WebSocket", start: pageWebSocket('chromium') },
  { name: "WebKit's WebSocket", start: pageWebSocket('webkit') },
  { name: 'npm ws', start: npmWebSocket((way, url) => new WebSocket(url, 'confab.v1', { headers: bearer(way) })) },
  { name: 'npm websocket, W3CWebSocket', start: npmWebSocket((way, url) => new websocket.w3cwebsocket(url, 'confab.v1', way.origin, cookie(way))) },
  { name: 'npm websocket, client', start: websocketClient },
  { name: 'Python websockets', start: python('websockets_client.py', (way) => `${websocketBase(way)}ws`, bearer) },
  { name: 'Python websocket-client', start: python('websocket_client.py', (way) => `${websocketBase(way)}ws`, cookie) },
  { name: 'Python http.client, polling', start: python('http_client.py', (way) => `${way.base}poll`, bearer) },
];
