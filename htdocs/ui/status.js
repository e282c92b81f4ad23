// @ts-check
import { h } from './dom.js';
import { ConfabElement } from './element.js';
import { text } from './text.js';

/**
 * <confab-status>: the connection dot, with words.
 *
 * @typedef {'live'|'polling'|'connecting'|'offline'} Connection
 */

const WORDS = Object.freeze({
  live: text.live,
  polling: text.livePolling,
  connecting: text.connecting,
  offline: text.offline,
});

export class ConfabStatus extends ConfabElement {
  #words = h('span', {});

  build() {
    this.setAttribute('role', 'status');
    this.append(h('span', { class: 'dot', 'aria-hidden': 'true' }), this.#words);
    this.connection = 'connecting';
  }

  /** @param {Connection} connection */
  set connection(connection) {
    if (this.dataset.connection === connection) return;
    this.dataset.connection = connection;
    this.#words.textContent = WORDS[connection];
  }
}
