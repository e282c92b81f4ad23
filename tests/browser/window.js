// @ts-check

/** One browser window with one person in front of it: what she does, and what she sees. */

import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { waitFor } from '../lib/wait.js';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];
const SCREENSHOTS = fileURLToPath(new URL('screenshots/', import.meta.url));
/** Faults take a few back-offs to get over. */
const PATIENCE_MS = 45_000;

export const PASSWORD = 'correct horse battery';

export function launch() {
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}

/**
 * Runs in the page, before its own code: writes down every moment at which the conversation shows a message twice or
 * in the wrong order, and every error and breach of the content security policy.
 */
function watch() {
  /** @type {string[]} */
  const wrong = [];
  Object.defineProperty(window, 'wrong', { value: wrong });
  addEventListener('error', (event) => wrong.push(`error: ${event.message}`));
  addEventListener('unhandledrejection', (event) => wrong.push(`rejection: ${event.reason}`));
  addEventListener('securitypolicyviolation', (event) => wrong.push(`policy: ${event.violatedDirective}`));
  new MutationObserver(() => {
    const rows = [...document.querySelectorAll('.rows > .message')];
    const seqs = rows.map((row) => Number(/** @type {HTMLElement} */ (row).dataset.seq ?? Infinity));
    const ids = rows.map((row) => /** @type {HTMLElement} */ (row).dataset.clientId).filter(Boolean);
    if (seqs.some((seq, i) => i > 0 && seq <= seqs[i - 1] && seq !== Infinity)) wrong.push(`order: ${seqs}`);
    if (new Set(ids).size < ids.length) wrong.push(`twice: ${ids}`);
  }).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ['data-seq'] });
}

export class Window {
  /** @type {import('../lib/checker.js').Send[]} */
  sends = [];

  /**
   * @param {import('playwright-core').BrowserContext} context
   * @param {import('playwright-core').Page} page
   * @param {string} url
   * @param {string} name  of the person
   */
  constructor(context, page, url, name) {
    this.context = context;
    this.page = page;
    this.url = url;
    this.name = name;
  }

  /**
   * @param {import('playwright-core').Browser} browser
   * @param {string} url
   * @param {string} name
   * @param {import('playwright-core').BrowserContextOptions} [options]
   */
  static async open(browser, url, name, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce', locale: 'en-GB', ...options });
    await context.addInitScript(watch);
    return Window.#in(context, url, name);
  }

  /**
   * @param {import('playwright-core').BrowserContext} context
   * @param {string} url
   * @param {string} name
   */
  static async #in(context, url, name) {
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    await page.goto(url);
    return new Window(context, page, url, name);
  }

  /** A further window of the same browser, so of the same person. */
  another() {
    return Window.#in(this.context, this.url, this.name);
  }

  // ---- What she does ----

  async register() {
    const { page } = this;
    await page.getByRole('button', { name: 'Create account' }).first().click();
    await page.getByLabel('Your name').fill(this.name);
    await page.getByLabel('Username').fill(this.login);
    await page.getByLabel('Password').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await this.isIn();
  }

  async logIn(password = PASSWORD) {
    await this.page.getByLabel('Username').fill(this.login);
    await this.page.getByLabel('Password').fill(password);
    await this.page.keyboard.press('Enter');
  }

  get login() {
    return this.name.toLowerCase().replace(/[^a-z]+/g, '.');
  }

  /** Finds somebody by search, with the keyboard alone. @param {string} name */
  async find(name) {
    const field = this.page.getByRole('combobox', { name: 'Find people' });
    await field.fill(name.slice(0, -1));
    await this.page.getByRole('option', { name }).waitFor();
    await field.press('Enter');
    await this.isOpen(name);
  }

  /** @param {string} name */
  async openChat(name) {
    await this.chat(name).click();
    await this.isOpen(name);
  }

  /** Writes and sends; does not wait for the server. @param {string} body */
  async send(body) {
    const invokedAt = Date.now();
    const field = this.page.getByRole('textbox', { name: /^Message / });
    await field.fill(body);
    await field.press('Enter');
    this.sends.push({ room: await this.room(), clientId: '', body, invokedAt });
  }

  /** Takes her offline, as far as the browser goes. @param {boolean} offline */
  offline(offline) {
    return this.context.setOffline(offline);
  }

  async reload() {
    await this.page.reload();
    await this.isIn();
  }

  // ---- What she sees ----

  isIn() {
    return this.page.locator('html[data-screen="chat"]').waitFor();
  }

  /** @param {string} name */
  async isOpen(name) {
    await this.page.locator('.conversation-names', { hasText: name }).waitFor();
    await this.page.locator('confab-conversation:is([data-show="messages"], [data-show="empty"])').waitFor();
  }

  /** @param {string} name */
  chat(name) {
    return this.page.locator('.chat', { hasText: name });
  }

  /** The names in the chat list, from the top. */
  chats() {
    return this.page.locator('.chat-title').allTextContents();
  }

  /** @param {string} connection */
  connection(connection) {
    return this.page.locator(`confab-status[data-connection="${connection}"]`).waitFor();
  }

  async room() {
    return Number(new URL(this.page.url()).hash.split('/').at(-1));
  }

  /** The conversation as it stands there, from the top. */
  async shown() {
    const rows = await this.page.locator('.rows > .message').evaluateAll((nodes) =>
      nodes.map((node) => ({
        room: Number(location.hash.split('/').at(-1)),
        seq: Number(/** @type {HTMLElement} */ (node).dataset.seq ?? 0),
        clientId: /** @type {HTMLElement} */ (node).dataset.clientId ?? '',
        body: node.querySelector('.body')?.textContent ?? '',
        pending: node.matches('.pending, .failed'),
      })));
    return rows;
  }

  /** Waits until all that she and others sent stands there, confirmed. @param {Window[]} writers */
  async showsAll(writers) {
    const wanted = writers.flatMap((writer) => writer.sends.map(({ body }) => body));
    await waitFor(
      async () => {
        const there = new Set((await this.shown()).filter(({ pending }) => !pending).map(({ body }) => body));
        const missing = wanted.filter((body) => !there.has(body));
        if (missing.length > 0) throw new Error(`missing: ${missing.map((body) => body.slice(0, 40))}`);
        return true;
      },
      { what: `${this.name} sees all messages`, timeoutMs: PATIENCE_MS },
    );
  }

  /** What happened that may never happen. */
  wrong() {
    return this.page.evaluate(() => /** @type {{wrong: string[]}} */ (/** @type {unknown} */ (window)).wrong);
  }

  /** Notes which sends are acknowledged by now: those that the screen calls sent. */
  async noteAcknowledged() {
    const now = Date.now();
    const rows = new Map((await this.shown()).map((row) => [row.body, row]));
    for (const send of this.sends) {
      const row = rows.get(send.body);
      if (!row || send.returnedAt !== undefined) continue;
      send.clientId = row.clientId;
      if (!row.pending) Object.assign(send, { seq: row.seq, returnedAt: now });
    }
  }

  /** @param {string} name of the file */
  async screenshot(name) {
    await mkdir(SCREENSHOTS, { recursive: true });
    await this.page.screenshot({ path: `${SCREENSHOTS}${name}.png` });
  }
}
