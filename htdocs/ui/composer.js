// @ts-check
import { h, icon } from './dom.js';
import { ConfabElement } from './element.js';
import { text } from './text.js';

/**
 * <confab-composer>: where a message is written. Tells `confab-send` {body}. What
 * is written in a room and not sent stays there, in `drafts`.
 */

/** The server's limit, in characters as PostgreSQL counts them. */
const MAX_CHARACTERS = 10000;
/** From how many characters left on they are counted on screen. */
const COUNTED_FROM = 500;
/** Controls that the server refuses; they come with a paste, and show nothing. */
const REFUSED = /(?![\t\n\r])\p{Cc}/gu;
/** A message needs something to see: more than spaces, controls and zero-width characters. */
const VISIBLE = /[^\s\p{Z}\p{Cc}\p{Cf}]/u;

export class ConfabComposer extends ConfabElement {
  #form = h('form', { class: 'composer' });
  #area = h('textarea', { rows: 1, dir: 'auto', 'aria-describedby': 'composer-hint', enterkeyhint: 'send' });
  #send = h('button', { class: 'icon-button send', type: 'submit', 'aria-label': text.send, title: text.send, disabled: true }, icon('send'));
  #counter = h('p', { class: 'composer-counter', role: 'status' });
  /** @type {import('../lib/drafts.js').Drafts|null} */
  #drafts = null;
  /** @type {number|null} */
  #room = null;

  build() {
    this.#form.append(this.#area, this.#send);
    const hint = h('p', { id: 'composer-hint', class: 'visually-hidden' }, text.composerHint);
    this.append(this.#counter, this.#form, hint);
    this.close();
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    this.#form.addEventListener('submit', (event) => this.#onSubmit(event), { signal });
    this.#area.addEventListener('input', () => this.#onInput(), { signal });
    this.#area.addEventListener('keydown', (event) => this.#onKey(event), { signal });
  }

  /** @param {import('../lib/drafts.js').Drafts|null} drafts  of the person who is in; null: the person has gone */
  set drafts(drafts) {
    this.#drafts = drafts;
    this.close();
  }

  /**
   * @param {number} room
   * @param {string} name  whom one writes to
   */
  open(room, name) {
    const words = text.writeTo(name);
    if (this.#area.placeholder !== words) {
      this.#area.placeholder = words;
      this.#area.setAttribute('aria-label', words);
    }
    if (room === this.#room) return;
    this.#room = room;
    this.#area.disabled = false;
    this.#area.value = this.#drafts?.get(room) ?? '';
    this.#changed();
  }

  /**
   * The draft of a room was written on, or sent, in another tab.
   *
   * @param {{room: number, before: string, after: string}} draft
   */
  draftChanged({ room, before, after }) {
    // Who writes something else here keeps it.
    if (room !== this.#room || this.#area.value !== before) return;
    this.#area.value = after;
    this.#changed();
  }

  /** There is nobody to write to yet, or any more; drafts stay. */
  close() {
    this.#room = null;
    this.#area.value = '';
    this.#area.placeholder = '';
    this.#area.disabled = true;
    this.#changed();
  }

  start() {
    this.#area.focus();
  }

  #onInput() {
    if (this.#room !== null) this.#drafts?.set(this.#room, this.#area.value);
    this.#changed();
  }

  #changed() {
    this.#grow();
    const left = MAX_CHARACTERS - [...this.#area.value].length;
    this.#counter.textContent = left < 0 ? text.tooLong(-left) : left <= COUNTED_FROM ? text.charactersLeft(left) : '';
    this.#counter.classList.toggle('over', left < 0);
    this.#send.disabled = left < 0 || !VISIBLE.test(this.#area.value);
  }

  /** `field-sizing: content` does it in CSS; Firefox and Safari lack it as of 2026-11. */
  #grow() {
    if (CSS.supports('field-sizing', 'content')) return;
    this.#area.style.height = 'auto';
    this.#area.style.height = `${this.#area.scrollHeight}px`;
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    // Enter that ends the composition of a word in an input method is not "send";
    // Safari tells only by keyCode 229 (as of 2026-11).
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.#form.requestSubmit();
  }

  /** @param {SubmitEvent} event */
  #onSubmit(event) {
    event.preventDefault();
    if (this.#send.disabled) return;
    const body = this.#area.value.replace(REFUSED, '').trim();
    this.#area.value = '';
    this.#onInput();
    this.#area.focus();
    this.tell('confab-send', { body });
  }
}
