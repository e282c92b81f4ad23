// @ts-check
import { ApiError } from '../lib/api.js';
import { Kept } from '../lib/kept.js';
import { confirmed, dismiss } from './confirm.js';
import { text } from './text.js';

/**
 * Who is logged in here, and which screen follows from it: `starting` until it is
 * known, then `auth` or `chat`.
 *
 * @typedef {'starting'|'auth'|'chat'} Screen
 *
 * @typedef {object} SessionParts
 * @property {import('../lib/client.js').Client} client
 * @property {import('./auth.js').ConfabAuth} auth
 * @property {string} site
 * @property {Storage|null} storage
 * @property {(user: import('../lib/types.js').User) => void} opened  the screen is another person's now
 * @property {() => void} left  the screen is nobody's now
 */

export class Session {
  #parts;
  /** Who is in: for this tab a hint which screen to begin with, and word for the others. */
  #known;
  /** Somebody has just logged in, and the first snapshot is not there yet. */
  #entering = false;
  /** Somebody is about to log out. */
  #leaving = false;
  /** Whom the screen was last made for. */
  #shown = 0;

  /** @param {SessionParts} parts */
  constructor(parts) {
    this.#parts = parts;
    this.#known = new Kept(parts.storage, 'confab:known:');
    parts.client.on('loaded', () => this.#onLoaded());
    parts.client.on('signedOut', () => this.#onSignedOut());
  }

  /** @returns {Screen} */
  get screen() {
    return /** @type {Screen} */ (document.documentElement.dataset.screen);
  }

  /** Somebody waits to see something. */
  get awaited() {
    return this.screen !== 'auth' || this.#entering;
  }

  /** Whom nobody knows here begins with the form; the server has the last word. */
  begin() {
    if (!this.#known.get(this.#parts.site)) this.#show('auth');
  }

  /** @param {Promise<any>} request that logs somebody in */
  async enter(request) {
    const { client, auth } = this.#parts;
    try {
      await request;
      this.#entering = true;
      // The first look, made without a session, may still be under way.
      client.stop();
      client.start();
    } catch (err) {
      if (!(err instanceof ApiError)) throw err;
      auth.failed(err);
    }
  }

  /** Logs out, if that is still wanted after a question. @returns {Promise<boolean>} whether it is done */
  async leave() {
    const { client } = this.#parts;
    const { outbox, drafts } = client;
    if (this.#leaving) return false;
    if (outbox?.size && !(await confirmed(text.logOutUnsent(outbox.size), text.logOut))) return false;
    try {
      this.#leaving = true;
      if (!(await client.logOut())) return false;
      outbox?.clear();
      drafts?.clear();
      return true;
    } catch (err) {
      if (!(err instanceof ApiError)) throw err;
      client.wake();
    } finally {
      this.#leaving = false;
    }
    // Who goes away from a shared machine must know.
    return (await confirmed(text.logOutFailed, text.tryAgain)) && this.leave();
  }

  /**
   * Another tab changed the storage: it may have logged in, perhaps as somebody else, or out.
   *
   * @param {string} key
   * @param {string|null} value
   */
  changedElsewhere(key, value) {
    const { client, site } = this.#parts;
    if (this.#known.nameOf(key) === site && this.screen === 'chat' && value !== String(client.session)) client.recheck();
  }

  #onLoaded() {
    const { client, auth, opened, site } = this.#parts;
    const user = /** @type {import('../lib/types.js').User} */ (client.store.user);
    this.#entering = false;
    this.#known.set(site, client.session);
    if (this.screen !== 'chat') auth.reset();
    this.#show('chat');
    // Another tab may have logged out, and in again as somebody else.
    if (user.id !== this.#shown) {
      dismiss();
      opened(user);
    }
    this.#shown = user.id;
  }

  #onSignedOut() {
    const { auth, left, site } = this.#parts;
    const lost = this.screen === 'chat' && !this.#leaving;
    const reason = this.#entering ? text.cookiesRefused : lost ? text.sessionOver : '';
    this.#entering = false;
    // Whoever is typing already is not disturbed.
    if (this.screen === 'auth' && !reason) return;
    this.#shown = 0;
    dismiss();
    this.#known.delete(site);
    this.#show('auth');
    auth.reset(reason);
    left();
  }

  /** @param {Screen} screen */
  #show(screen) {
    document.documentElement.dataset.screen = screen;
  }
}
