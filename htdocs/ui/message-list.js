// @ts-check
import { h, icon, reconcile } from './dom.js';
import { ConfabElement } from './element.js';
import { createRow, toggleFold, updateRow } from './row-nodes.js';
import { rowsOf } from './rows.js';
import { text } from './text.js';

/**
 * <confab-message-list>: the messages of one room, its scroll position and what
 * follows from it. While the end is in view it stays in view; otherwise nothing
 * that arrives, above or below, moves what one reads.
 *
 * Tells `confab-older` when the beginning comes near, `confab-read` {seq} when the
 * newest message is in view of somebody, `confab-trim` when a long way back is
 * loaded that nobody looks at, `confab-retry-message` and `confab-discard-message`
 * {clientId}.
 *
 * @typedef {import('./rows.js').Conversation & {
 *   room: number, complete: boolean, high: number, catchingUp: boolean, readSeq: number}} MessageListModel
 */

/** So near to the end counts as being there. */
const END_PX = 48;
/** So near to the beginning, older messages are asked for. */
const OLDER_PX = 800;
/** So many messages are kept while one is at the end. */
const MAX_MESSAGES = 500;
const ANNOUNCED_CHARACTERS = 300;

export class ConfabMessageList extends ConfabElement {
  #scroller = h('div', { class: 'scroller', role: 'log', tabindex: 0, 'aria-live': 'off' });
  #older = h('div', { class: 'older', 'aria-hidden': 'true' }, h('span', { class: 'spinner' }));
  #rows = h('ol', { class: 'rows' });
  #catchingUp = h('p', { class: 'catching-up', role: 'status', hidden: true }, text.catchingUp);
  #jump = h('button', { class: 'jump', type: 'button', hidden: true });
  #jumpCount = h('span', { class: 'jump-count' });
  /** Only what comes in is read out, not what scrolling up brings. */
  #announcer = h('div', { class: 'visually-hidden', 'aria-live': 'polite' });
  /** @type {MessageListModel|null} */
  #model = null;
  #atEnd = true;
  /** Own doing, which must not count as a person's scrolling. */
  #scrollHeight = 0;
  /** @type {number|null} */
  #divider = null;
  /** The newest message that was in view, to count what came after it. */
  #seen = 0;
  #observer = new ResizeObserver(() => this.#onResize());

  build() {
    this.#jump.append(this.#jumpCount, icon('down'));
    this.#scroller.append(this.#older, this.#rows, this.#catchingUp);
    this.append(this.#scroller, this.#jump, this.#announcer);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    this.#scroller.addEventListener('scroll', () => this.#onScroll(), { signal, passive: true });
    this.#jump.addEventListener('click', () => this.#toEnd('smooth'), { signal });
    this.addEventListener('click', (event) => this.#onClick(event), { signal });
    window.addEventListener('focus', () => this.#tellRead(), { signal });
    document.addEventListener('visibilitychange', () => this.#tellRead(), { signal });
    this.#observer.observe(this.#scroller);
    this.#observer.observe(this.#rows);
    signal.addEventListener('abort', () => this.#observer.disconnect());
  }

  /** @param {string} label */
  set label(label) {
    if (this.#scroller.ariaLabel !== label) this.#scroller.ariaLabel = label;
  }

  /** @param {MessageListModel} model */
  set model(model) {
    const opened = model.room !== this.#model?.room;
    const before = opened ? null : this.#model;
    if (opened) this.#open(model);
    else this.#divide(model);
    const anchor = opened || this.#atEnd ? null : this.#anchor();
    this.#model = model;
    reconcile(this.#rows, rowsOf({ ...model, divider: this.#divider }), { key: (row) => row.key, create: createRow, update: updateRow });
    this.#older.hidden = model.complete;
    this.#catchingUp.hidden = !model.catchingUp;
    if (opened) this.#toStart();
    else if (anchor) this.#restore(anchor);
    else if (this.#atEnd) this.#toEnd();
    if (before && model.pending.length > before.pending.length) this.#toEnd();
    if (before) this.#announce(before.high);
    this.#afterMove();
  }

  /** The room leaves the screen. */
  reset() {
    this.#model = null;
    this.#rows.replaceChildren();
    this.#announcer.textContent = '';
  }

  /** @param {MessageListModel} model */
  #open(model) {
    const unread = model.high > model.readSeq;
    this.#divider = unread ? model.readSeq : null;
    this.#seen = model.readSeq;
    this.#atEnd = true;
    this.#announcer.textContent = '';
  }

  /**
   * Where the unread begin is fixed when the first of them comes while nobody
   * looks, and stays until one answers.
   *
   * @param {MessageListModel} model
   */
  #divide(model) {
    const mine = model.messages.at(-1)?.sender.id === model.me.id || model.pending.length > 0;
    if (mine) this.#divider = null;
    else if (this.#divider === null && model.high > model.readSeq && !this.#isWatched()) this.#divider = model.readSeq;
  }

  #isWatched() {
    return this.#atEnd && document.visibilityState === 'visible' && document.hasFocus();
  }

  /** Where reading begins: at the unread, else at the end. */
  #toStart() {
    const divider = /** @type {HTMLElement|null} */ (this.#rows.querySelector('.divider'));
    if (!divider) return this.#toEnd();
    this.#scroller.scrollTop = divider.offsetTop - this.#scroller.clientHeight / 4;
    this.#atEnd = this.#isAtEnd();
  }

  /** @param {ScrollBehavior} [behavior] */
  #toEnd(behavior = 'instant') {
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.#scroller.scrollTo({ top: this.#scroller.scrollHeight, behavior: calm ? 'instant' : behavior });
    if (behavior === 'instant') this.#atEnd = true;
  }

  #isAtEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight <= END_PX;
  }

  /** The first row in view, and where it is: what must not move. */
  #anchor() {
    const { scrollTop } = this.#scroller;
    for (const row of /** @type {Iterable<HTMLElement>} */ (this.#rows.children)) {
      if (row.classList.contains('message') && row.offsetTop + row.offsetHeight > scrollTop) {
        return { row, offset: row.offsetTop - scrollTop };
      }
    }
    return null;
  }

  /** @param {{row: HTMLElement, offset: number}} anchor */
  #restore({ row, offset }) {
    if (row.isConnected) this.#scroller.scrollTop = row.offsetTop - offset;
  }

  #onScroll() {
    // Content that grew or shrank also scrolls; only what a person does changes the mode.
    if (this.#scroller.scrollHeight === this.#scrollHeight || this.#isAtEnd()) this.#atEnd = this.#isAtEnd();
    this.#scrollHeight = this.#scroller.scrollHeight;
    this.#afterMove();
  }

  #onResize() {
    if (this.#atEnd) this.#toEnd();
    this.#afterMove();
  }

  #afterMove() {
    const model = this.#model;
    if (!model) return;
    this.#scrollHeight = this.#scroller.scrollHeight;
    if (this.#atEnd) this.#seen = Math.max(this.#seen, model.high);
    const fresh = model.messages.filter(({ seq, sender }) => seq > this.#seen && sender.id !== model.me.id).length;
    this.#jump.hidden = this.#atEnd;
    this.#jump.setAttribute('aria-label', fresh ? text.toLatestNew(fresh) : text.toLatest);
    this.#jumpCount.textContent = fresh ? String(fresh) : '';
    if (!model.complete && this.#scroller.scrollTop < OLDER_PX) this.tell('confab-older');
    if (this.#atEnd && model.messages.length > MAX_MESSAGES) this.tell('confab-trim');
    this.#tellRead();
  }

  #tellRead() {
    const model = this.#model;
    if (model && model.high > model.readSeq && this.#isWatched()) this.tell('confab-read', { seq: model.high });
  }

  /** @param {number} after */
  #announce(after) {
    const model = /** @type {MessageListModel} */ (this.#model);
    const fresh = model.messages.filter(({ seq, sender }) => seq > after && sender.id !== model.me.id);
    if (fresh.length === 0) return;
    const words = fresh.map(({ sender, body }) => text.incoming(sender.display_name ?? text.deletedPerson, body.slice(0, ANNOUNCED_CHARACTERS)));
    this.#announcer.replaceChildren(...words.map((line) => h('p', {}, line)));
  }

  /** @param {MouseEvent} event */
  #onClick(event) {
    const button = /** @type {HTMLElement|null} */ (/** @type {Element} */ (event.target).closest('[data-action]'));
    const clientId = button?.dataset.clientId;
    if (button?.dataset.action === 'fold') this.#fold(button);
    else if (button?.dataset.action === 'retry') this.tell('confab-retry-message', { clientId });
    else if (button?.dataset.action === 'discard') this.tell('confab-discard-message', { clientId });
  }

  /** What one folds or unfolds stays where it is, also at the end. @param {HTMLElement} button */
  #fold(button) {
    const row = /** @type {HTMLElement} */ (button.closest('.message'));
    const offset = row.offsetTop - this.#scroller.scrollTop;
    this.#atEnd = false;
    toggleFold(button);
    this.#restore({ row, offset });
    this.#atEnd = this.#isAtEnd();
    this.#afterMove();
  }
}
