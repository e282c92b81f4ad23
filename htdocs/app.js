// @ts-check
import { Api, ApiError } from './lib/api.js';
import { Client } from './lib/client.js';
import { streamSlots } from './lib/slots.js';
import { ConfabAuth } from './ui/auth.js';
import { ConfabChatList } from './ui/chat-list.js';
import { ConfabComposer } from './ui/composer.js';
import { Connection } from './ui/connection.js';
import { ConfabConversation } from './ui/conversation.js';
import { icon } from './ui/dom.js';
import { keepFocus } from './ui/focus.js';
import { avatar } from './ui/format.js';
import { ConfabMessageList } from './ui/message-list.js';
import { ConfabNotice } from './ui/notice.js';
import { ConfabSearch } from './ui/search.js';
import { Session } from './ui/session.js';
import { ConfabStatus } from './ui/status.js';
import { text } from './ui/text.js';

/**
 * The application: registers the elements, makes the client, and wires the one to
 * the other. The address's fragment says which room is open, so that reloading,
 * bookmarks and the browser's back button work by themselves.
 */

customElements.define('confab-auth', ConfabAuth);
customElements.define('confab-notice', ConfabNotice);
customElements.define('confab-status', ConfabStatus);
customElements.define('confab-search', ConfabSearch);
customElements.define('confab-chat-list', ConfabChatList);
customElements.define('confab-composer', ConfabComposer);
customElements.define('confab-message-list', ConfabMessageList);
customElements.define('confab-conversation', ConfabConversation);

/** @template {Element} T @param {string} selector @returns {T} */
const find = (selector) => /** @type {T} */ (document.querySelector(selector));
const auth = /** @type {ConfabAuth} */ (find('confab-auth'));
const notice = /** @type {ConfabNotice} */ (find('confab-notice'));
const status = /** @type {ConfabStatus} */ (find('confab-status'));
const search = /** @type {ConfabSearch} */ (find('confab-search'));
const chatList = /** @type {ConfabChatList} */ (find('confab-chat-list'));
const conversation = /** @type {ConfabConversation} */ (find('confab-conversation'));
const shell = /** @type {HTMLElement} */ (find('#shell'));
const accountName = /** @type {HTMLElement} */ (find('#account-name'));
const logOutButton = /** @type {HTMLButtonElement} */ (find('#log-out'));

/** Reading the property alone throws where cookies are blocked. */
function storage() {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

const site = new URL('.', location.href).pathname;
const client = new Client({ api: new Api({ base: './api/v1' }), streamUrl: './stream', site, storage: storage(), slot: streamSlots(`confab:${site}`) });

const connection = new Connection({
  stream: client.stream,
  dot: status,
  notice,
  concerned: () => session.awaited,
});
const session = new Session({ client, auth, site, storage: storage(), opened: onOpened, left: onLeft });

// ---------------------------------------------------------------- rooms

/** The room that the address names. @returns {number|null} */
function routedRoom() {
  const match = location.hash.match(/^#\/room\/(\d{1,15})$/);
  return match ? Number(match[1]) : null;
}

/** @param {number|null} room */
function go(room) {
  if (room !== null && room === routedRoom()) onRoute();
  else location.hash = room === null ? '#/' : `#/room/${room}`;
}

/** @type {number|null} */
let lastRoom = null;

function onRoute() {
  const room = routedRoom();
  shell.dataset.view = room === null ? 'list' : 'room';
  client.show(client.store.room(room ?? 0) ? room : null);
  if (client.store.ready) renderNow();
  else if (room !== null) conversation.waiting();
  if (room !== null || (lastRoom !== null && !chatList.focusOn(lastRoom))) placeFocus();
  lastRoom = room;
}

/** Where one writes next; or at a heading, where a phone's keyboard would hide what one came to read. */
function placeFocus() {
  const typing = matchMedia('(pointer: fine)').matches;
  if (session.screen === 'auth') auth.start(typing);
  else if (routedRoom() !== null) conversation.start(typing);
  else if (typing) search.start();
  else accountName.focus();
}

// ---------------------------------------------------------------- rendering

/** A hidden page has no frames to wait for. */
const HIDDEN_FRAME_MS = 100;

let renderPending = false;

/** Many changes in one turn are one rendering. */
function render() {
  if (renderPending) return;
  renderPending = true;
  const draw = () => renderPending && renderNow();
  requestAnimationFrame(draw);
  setTimeout(draw, HIDDEN_FRAME_MS);
}

function renderNow() {
  renderPending = false;
  const { store } = client;
  // After a reset, what was there stays to be looked at until the fresh state comes.
  if (!store.ready || !store.user) return;
  const selected = routedRoom();
  chatList.model = { rooms: store.rooms, me: store.user, selected, loading: false };
  document.title = text.title(store.unreadRooms);
  renderConversation(selected);
}

/** @param {number|null} id */
function renderConversation(id) {
  const { store, outbox } = client;
  if (id === null || !store.user) return conversation.nothing();
  const room = store.room(id);
  if (!room) return conversation.nothing(true);
  if (store.log(id).status === 'empty') client.show(id);
  const readByPeer = room.peer ? store.readBy(room, room.peer.id) : 0;
  conversation.model = { room, me: store.user, log: store.log(id), pending: outbox?.items(id) ?? [], readByPeer };
}

/** Days have other names from midnight on. */
function renderAtMidnight() {
  const now = new Date();
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1);
  setTimeout(() => {
    render();
    renderAtMidnight();
  }, midnight.getTime() - now.getTime() + 1000);
}

// ---------------------------------------------------------------- who is in

/** Somebody is in whose chats were not on screen before. @param {import('./lib/types.js').User} user */
function onOpened(user) {
  conversation.reset(client.drafts);
  find('#account-avatar').replaceChildren(avatar(user.id, user.display_name));
  accountName.textContent = user.display_name;
  connection.render();
  onRoute();
  if (document.activeElement === document.body) placeFocus();
}

/** Nobody is: nothing of theirs stays on screen. */
function onLeft() {
  chatList.model = { rooms: [], me: null, selected: null, loading: true };
  conversation.reset(null);
  search.reset();
  document.title = text.title(0);
  connection.render();
  placeFocus();
}

async function logOut() {
  if (await session.leave()) go(null);
}

// ---------------------------------------------------------------- people

/** @type {AbortController|null} */
let searching = null;

/** @param {string} query */
async function findPeople(query) {
  searching?.abort();
  searching = new AbortController();
  const { signal } = searching;
  try {
    const { items } = await client.api.searchUsers(query, signal);
    if (!signal.aborted) search.results = { query, people: items.filter(({ id }) => id !== client.store.user?.id) };
  } catch (err) {
    if (!(err instanceof ApiError)) throw err;
    if (!signal.aborted) search.results = { query, people: [], failed: true };
  }
}

/** @param {string} query @param {number} user */
async function openDialog(query, user) {
  try {
    go(await client.openDialog(user));
    search.reset();
  } catch (err) {
    if (!(err instanceof ApiError)) throw err;
    search.results = { query, people: [], failed: true };
  }
}

// ---------------------------------------------------------------- wiring

/**
 * @template T
 * @param {string} type
 * @param {(detail: T) => void} handle
 */
function on(type, handle) {
  document.addEventListener(type, (event) => handle(/** @type {CustomEvent<T>} */ (event).detail));
}

/** @param {(room: number) => void} act */
const inRoom = (act) => {
  const room = routedRoom();
  if (room !== null) act(room);
};

on('confab-log-in', (credentials) => session.enter(client.api.logIn(credentials)));
on('confab-register', (person) => session.enter(client.api.register(person)));
on('confab-search', ({ query }) => findPeople(query));
on('confab-search-active', ({ active }) => (chatList.hidden = active));
on('confab-open-user', ({ user, query }) => openDialog(query, user));
on('confab-back', () => go(null));
on('confab-send', ({ body }) => inRoom((room) => client.send(room, body)));
on('confab-trim', () => inRoom((room) => client.trim(room)));
on('confab-older', () => inRoom((room) => client.loadOlder(room)));
on('confab-read', ({ seq }) => inRoom((room) => client.markRead(room, seq)));
on('confab-reload-history', () => inRoom((room) => client.show(room)));
on('confab-retry-message', ({ clientId }) => client.outbox?.retry(clientId));
on('confab-discard-message', ({ clientId }) => client.outbox?.discard(clientId));
on('confab-retry-connection', () => client.wake());

client.on('change', render);
client.on('loaded', render);
client.on('status', () => connection.changed());

window.addEventListener('hashchange', onRoute);
window.addEventListener('online', () => client.wake({ rebuild: true }));
window.addEventListener('online', () => connection.render());
window.addEventListener('offline', () => connection.render());
window.addEventListener('storage', ({ key, oldValue, newValue }) => {
  if (key === null) return;
  client.outbox?.changedElsewhere(key, newValue);
  session.changedElsewhere(key, newValue);
  const draft = client.drafts?.changedElsewhere(key, oldValue, newValue);
  if (draft) conversation.draftChanged(draft);
});
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') client.wake();
});
// A page in the back-forward cache may hold no connection.
window.addEventListener('pagehide', () => client.stop());
window.addEventListener('pageshow', () => client.start());
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || event.isComposing || document.querySelector('dialog[open]')) return;
  if (routedRoom() !== null) go(null);
});
logOutButton.addEventListener('click', logOut);

logOutButton.append(icon('leave'));
logOutButton.setAttribute('aria-label', text.logOut);
logOutButton.title = text.logOut;
session.begin();
onRoute();
placeFocus();
keepFocus(placeFocus);
renderAtMidnight();
client.start();
