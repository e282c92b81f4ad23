// @ts-check
import { h, icon } from './dom.js';
import { ConfabElement } from './element.js';
import { text } from './text.js';

/**
 * <confab-notice>: says that the connection is away, and offers to try at once.
 * It lies over the page and moves nothing. Tells `confab-retry-connection`.
 */
export class ConfabNotice extends ConfabElement {
  #message = h('span', { class: 'notice-text' });
  /** Counts down every second, which nobody wants to hear. */
  #countdown = h('span', { class: 'notice-countdown', 'aria-live': 'off' });
  #button = h('button', { class: 'button small', type: 'button' }, text.retryNow);
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #timer;
  #retryAt = 0;

  build() {
    this.setAttribute('role', 'status');
    this.hidden = true;
    this.append(icon('alert'), this.#message, this.#countdown, this.#button);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    this.#button.addEventListener('click', () => this.tell('confab-retry-connection'), { signal });
    signal.addEventListener('abort', () => clearInterval(this.#timer));
  }

  /** @param {{deviceOffline: boolean, retryAt: number}|null} trouble null: none */
  set trouble(trouble) {
    clearInterval(this.#timer);
    this.hidden = !trouble;
    if (!trouble) return;
    const message = trouble.deviceOffline ? text.deviceOffline : text.connectionLost;
    if (this.#message.textContent !== message) this.#message.textContent = message;
    this.#retryAt = trouble.deviceOffline ? 0 : trouble.retryAt;
    this.#countdown.hidden = trouble.deviceOffline;
    this.#count();
    if (this.#retryAt) this.#timer = setInterval(() => this.#count(), 1000);
  }

  #count() {
    const seconds = Math.ceil((this.#retryAt - Date.now()) / 1000);
    this.#countdown.textContent = seconds > 0 ? text.retryingIn(seconds) : text.retryingNow;
  }
}
