// @ts-check
import { h, icon } from './dom.js';
import { ConfabElement } from './element.js';
import { avatar, roomTitle } from './format.js';
import { text } from './text.js';

/**
 * <confab-conversation>: the room on screen, with its head, messages and composer;
 * or why there is none. Tells `confab-back` and `confab-reload-history`, besides
 * what its parts tell.
 *
 * @typedef {object} ConversationModel
 * @property {import('../lib/types.js').Room|null} room
 * @property {import('../lib/types.js').User} me
 * @property {import('../lib/room-log.js').RoomLog} log
 * @property {import('../lib/types.js').OutboxItem[]} pending
 * @property {number} readByPeer
 */

export class ConfabConversation extends ConfabElement {
  #head = h('header', { class: 'conversation-head' });
  #title = h('bdi', {});
  #heading = h('h2', { tabindex: -1 }, this.#title);
  #subtitle = h('p', { class: 'conversation-subtitle' });
  #avatarPlace = h('span', {});
  #list = /** @type {import('./message-list.js').ConfabMessageList} */ (document.createElement('confab-message-list'));
  #composer = /** @type {import('./composer.js').ConfabComposer} */ (document.createElement('confab-composer'));
  #state = h('div', { class: 'conversation-state', tabindex: -1 });
  #shown = '';
  /** @type {number|null} */
  #room = null;

  build() {
    const back = h('button', { class: 'icon-button back', type: 'button', 'aria-label': text.back }, icon('back'));
    back.addEventListener('click', () => this.tell('confab-back'));
    this.#head.append(back, this.#avatarPlace, h('div', { class: 'conversation-names' }, this.#heading, this.#subtitle));
    this.append(this.#head, this.#list, this.#state, this.#composer);
    this.nothing();
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    this.#state.addEventListener('click', (event) => {
      if (/** @type {Element} */ (event.target).closest('button')) this.tell('confab-reload-history');
    }, { signal });
  }

  /** @param {boolean} [missing] a room was asked for, and is not there */
  nothing(missing = false) {
    this.#close();
    this.#show(missing ? 'missing' : 'nothing');
  }

  /** What is being waited for is not known yet. */
  waiting() {
    this.#close();
    this.#show('loading');
  }

  /** @param {ConversationModel & {room: import('../lib/types.js').Room}} model */
  set model({ room, me, log, pending, readByPeer }) {
    const title = roomTitle(room);
    const sameRoom = this.#room === room.id;
    this.#headOf(room, title);
    this.#composer.open(room.id, title);
    this.#room = room.id;
    // What is read afresh after a reset replaces what is there at one stroke.
    if (sameRoom && this.dataset.show === 'messages' && log.status === 'loading') return;
    // Without its history a room can still be written to, and what was written must be seen.
    if (log.status !== 'ready' && !(log.status === 'error' && pending.length > 0)) {
      this.#show(log.status === 'error' ? 'error' : 'loading');
      return;
    }
    const empty = log.messages.length === 0 && pending.length === 0;
    this.#show(empty ? 'empty' : 'messages', title);
    this.#list.label = text.conversationWith(title);
    this.#list.model = {
      room: room.id,
      me,
      dialog: room.kind === 'dialog',
      messages: log.messages,
      pending,
      readByPeer,
      divider: null,
      complete: log.complete,
      high: log.high,
      catchingUp: log.hole !== null,
      readSeq: room.read_seq,
    };
  }

  /** @param {boolean} typing  whether the focus goes where writing begins, or only to the heading */
  start(typing) {
    if (this.#room === null) this.#state.focus();
    else if (typing) this.#composer.start();
    else this.#heading.focus();
  }

  /** As of the composer. @param {{room: number, before: string, after: string}} draft */
  draftChanged(draft) {
    this.#composer.draftChanged(draft);
  }

  /** Another person is in. @param {import('../lib/drafts.js').Drafts|null} drafts  null: nobody is */
  reset(drafts) {
    this.#composer.drafts = drafts;
    this.nothing();
  }

  #close() {
    this.#room = null;
    this.#title.textContent = '';
    this.#subtitle.textContent = '';
    this.#avatarPlace.replaceChildren();
    this.#list.reset();
    this.#composer.close();
  }

  /** @param {import('../lib/types.js').Room} room @param {string} title */
  #headOf(room, title) {
    const login = room.peer?.login;
    const words = room.kind === 'dialog' ? (login ? `@${login}` : '') : text.members(room.members_count);
    if (this.#subtitle.textContent !== words) this.#subtitle.textContent = words;
    if (this.#title.textContent === title && this.#room === room.id) return;
    this.#title.textContent = title;
    this.#avatarPlace.replaceChildren(avatar(room.peer?.id ?? room.id, title));
    if (this.#room !== room.id) this.#list.reset();
  }

  /**
   * @param {'nothing'|'missing'|'loading'|'error'|'empty'|'messages'} what
   * @param {string} [name]
   */
  #show(what, name = '') {
    const shown = `${what} ${name}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.dataset.show = what;
    this.#state.replaceChildren(...stateNodes(what, name));
  }
}

/** @param {string} what @param {string} name @returns {Node[]} */
function stateNodes(what, name) {
  switch (what) {
    case 'nothing':
      return [icon('chats'), h('p', { class: 'empty-title' }, text.nothingOpen), h('p', {}, text.nothingOpenHint)];
    case 'missing':
      return [icon('alert'), h('p', { class: 'empty-title' }, text.noSuchRoom), h('p', {}, text.noSuchRoomHint)];
    case 'error':
      return [icon('alert'), h('p', { class: 'empty-title' }, text.historyFailed), h('button', { class: 'button', type: 'button' }, text.tryAgain)];
    case 'empty':
      return [icon('chats'), h('p', { class: 'empty-title' }, text.sayHello(name)), h('p', {}, text.sayHelloHint)];
    case 'loading':
      return [skeletons()];
    default:
      return [];
  }
}

function skeletons() {
  const widths = ['a', 'b', 'c', 'a own', 'b own', 'c', 'b'];
  return h('div', { class: 'message-skeletons', role: 'status', 'aria-label': text.loadingMessages },
    ...widths.map((width) => h('span', { class: `skeleton skeleton-bubble ${width}` })));
}
