// @ts-check
import { h, icon, reconcile } from './dom.js';
import { ConfabElement } from './element.js';
import { avatar, roomTitle, shortTime } from './format.js';
import { text } from './text.js';

/**
 * <confab-chat-list>: one's chats, newest activity first. Each is a link, so that
 * opening, going back and reloading are the browser's.
 *
 * @typedef {import('../lib/types.js').Room} Room
 * @typedef {{rooms: Room[], me: import('../lib/types.js').User|null, selected: number|null, loading: boolean}} ChatListModel
 */

const SKELETONS = 6;
const MOVE_MS = 180;
/** A preview is one line; more of a long message need not be laid out. */
const PREVIEW_CHARACTERS = 160;

export class ConfabChatList extends ConfabElement {
  #list = h('ul', { class: 'chats' });
  #empty = h('div', { class: 'empty-state' });
  #skeleton = h('div', { class: 'skeletons', role: 'status', 'aria-label': text.loadingChats });
  /** @type {ChatListModel} */
  #model = { rooms: [], me: null, selected: null, loading: true };

  build() {
    this.#empty.append(icon('chats'), h('p', { class: 'empty-title' }, text.noChats), h('p', {}, text.noChatsHint));
    for (let i = 0; i < SKELETONS; i += 1) this.#skeleton.append(skeletonRow());
    this.append(h('nav', { 'aria-label': text.chats }, this.#list), this.#empty, this.#skeleton);
    this.#render();
  }

  /** @param {ChatListModel} model */
  set model(model) {
    this.#model = model;
    this.#render();
  }

  /**
   * Puts the focus on a chat: where one was before it was opened.
   *
   * @param {number} room
   * @returns {boolean} whether it is there
   */
  focusOn(room) {
    const link = /** @type {HTMLElement|null} */ (this.querySelector(`[data-key="${room}"] a`));
    link?.focus();
    return link !== null;
  }

  #render() {
    const { rooms, loading } = this.#model;
    this.#skeleton.hidden = !loading;
    this.#empty.hidden = loading || rooms.length > 0;
    const before = this.#positions();
    reconcile(this.#list, rooms, {
      key: (room) => String(room.id),
      create: chatRow,
      update: (node, room) => this.#update(node, room),
    });
    this.#glide(before);
  }

  /** @param {HTMLElement} row @param {Room} room */
  #update(row, room) {
    const link = /** @type {HTMLElement} */ (row.firstElementChild);
    const unread = Math.max(0, room.last_seq - room.read_seq);
    const { last_message: last } = room;
    if (room.id === this.#model.selected) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
    row.classList.toggle('unread', unread > 0);
    put(row, '.chat-title bdi', roomTitle(room));
    put(row, '.chat-time', last ? shortTime(last.at) : '');
    put(row, '.chat-author', last && last.sender.id === this.#model.me?.id ? `${text.you}: ` : '');
    put(row, '.chat-preview', last ? preview(last.body) : text.noMessagesYet);
    put(row, '.badge-count', unread > 99 ? '99+' : unread ? String(unread) : '');
    put(row, '.badge .visually-hidden', unread ? text.unread(unread) : '');
  }

  /** Where the rows are, to see which of them will have moved. */
  #positions() {
    const tops = new Map();
    for (const row of /** @type {Iterable<HTMLElement>} */ (this.#list.children)) tops.set(row, row.offsetTop);
    return tops;
  }

  /** Rows glide to their new places instead of jumping. @param {Map<HTMLElement, number>} before */
  #glide(before) {
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
    for (const [row, top] of before) {
      const way = row.isConnected ? top - row.offsetTop : 0;
      if (way === 0) continue;
      row.animate([{ transform: `translateY(${way}px)` }, { transform: 'none' }], { duration: MOVE_MS, easing: 'ease-out' });
    }
  }
}

/** @param {Room} room */
function chatRow(room) {
  return h('li', { class: 'chat' },
    h('a', { href: `#/room/${room.id}` },
      avatar(room.peer?.id ?? room.id, roomTitle(room)),
      h('span', { class: 'chat-line' },
        h('span', { class: 'chat-title' }, h('bdi', {})),
        h('span', { class: 'chat-time' })),
      h('span', { class: 'chat-line' },
        h('span', { class: 'chat-last' },
          h('span', { class: 'chat-author' }),
          h('bdi', { class: 'chat-preview' })),
        h('span', { class: 'badge' },
          h('span', { class: 'badge-count', 'aria-hidden': 'true' }),
          h('span', { class: 'visually-hidden' })))));
}

/** @param {string} body @returns {string} */
function preview(body) {
  return body.slice(0, PREVIEW_CHARACTERS).replace(/\s+/g, ' ').trim();
}

/** @param {HTMLElement} row @param {string} selector @param {string} words */
function put(row, selector, words) {
  const node = row.querySelector(selector);
  if (node && node.textContent !== words) node.textContent = words;
}

function skeletonRow() {
  return h('div', { class: 'skeleton-row' },
    h('span', { class: 'skeleton skeleton-avatar' }),
    h('span', { class: 'skeleton skeleton-name' }),
    h('span', { class: 'skeleton skeleton-text' }));
}
