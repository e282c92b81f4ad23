// @ts-check

/** The engine of Safari and of GNOME's browser, by Debian's WebKitWebDriver and the W3C's WebDriver, on a screen of its own. */

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endChild, startChild } from './child.js';
import { request } from './http.js';
import { reservePort } from './ports.js';
import { waitFor } from './wait.js';

const START_MS = 60_000;

/** A screen that nobody sees. */
async function openScreen() {
  // Xvfb takes a free number, and tells it on descriptor 3.
  const args = ['-displayfd', '3', '-nolisten', 'tcp', '-screen', '0', '1024x768x24'];
  const child = startChild('Xvfb', args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  const [number] = await once(/** @type {import('node:stream').Readable} */ (child.stdio[3]), 'data');
  return { child, display: `:${String(number).trim()}` };
}

export class WebKit {
  /** @type {Array<() => unknown>} undone from the last to the first */
  #cleanups = [];
  #commands = '';

  static async launch() {
    const browser = new WebKit();
    try {
      await browser.#start();
    } catch (error) {
      await browser.close();
      throw error;
    }
    return browser;
  }

  async #start() {
    const home = await mkdtemp(join(process.env.SITE_TMP ?? tmpdir(), 'webkit-'));
    this.#cleanups.push(() => rm(home, { recursive: true, force: true, maxRetries: 5 }));
    const { port, release } = await reservePort();
    this.#cleanups.push(release);
    const screen = await openScreen();
    this.#cleanups.push(() => endChild(screen.child));
    const env = { ...process.env, DISPLAY: screen.display, HOME: home };
    const driver = startChild('WebKitWebDriver', ['--host=127.0.0.1', `--port=${port}`], { env, stdio: 'ignore' });
    this.#cleanups.push(() => endChild(driver));

    const server = `http://127.0.0.1:${port}`;
    await waitFor(async () => (await request(`${server}/status`)).json.value.ready, { what: 'WebKitWebDriver', timeoutMs: START_MS });
    const { sessionId } = await command('POST', `${server}/session`, { capabilities: {} });
    this.#commands = `${server}/session/${sessionId}`;
    this.#cleanups.push(() => command('DELETE', this.#commands));
  }

  /**
   * Shows a page, as whoever has these cookies.
   *
   * @param {string} url
   * @param {Array<{name: string, value: string}>} cookies
   */
  async open(url, cookies) {
    // A cookie can be given only to a site that is being looked at.
    await command('POST', `${this.#commands}/url`, { url });
    for (const { name, value } of cookies) {
      await command('POST', `${this.#commands}/cookie`, { cookie: { name, value, path: '/' } });
    }
  }

  /** What the expression is in the page. @param {string} expression */
  evaluate(expression) {
    return command('POST', `${this.#commands}/execute/sync`, { script: `return ${expression}`, args: [] });
  }

  async close() {
    for (const cleanup of this.#cleanups.reverse()) await cleanup();
    this.#cleanups = [];
  }
}

/** @param {string} method @param {string} url @param {object} [body] @returns {Promise<any>} */
async function command(method, url, body) {
  const { json } = await request(url, { method, body: body && JSON.stringify(body), timeoutMs: START_MS });
  if (json?.value?.error) throw new Error(`${method} ${url}: ${json.value.error}: ${json.value.message}`);
  return json?.value;
}
