// @ts-check
import { h, icon } from './dom.js';
import { avatar, dayName, fullTime, timeOfDay } from './format.js';
import { linkify } from './linkify.js';
import { text } from './text.js';

/**
 * Rows to nodes. A row's body never changes, so it is made once; what may change
 * (place in the group, state) is updated.
 *
 * @typedef {import('./rows.js').Row} Row
 * @typedef {import('./rows.js').MessageRow} MessageRow
 */

/** Longer bodies are folded, so that one message does not push all others away. */
const FOLD_CHARACTERS = 1200;
const FOLD_LINES = 20;
/** One to three emoji and nothing else are shown large. */
const EMOJI_ONLY = /^(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}\uFE0F?(?:\p{Emoji_Modifier})?(?:\u200D\p{Extended_Pictographic}\uFE0F?(?:\p{Emoji_Modifier})?)*){1,3}$/u;

const STATES = Object.freeze({
  pending: { icon: /** @type {const} */ ('clock'), words: text.pending },
  sent: { icon: /** @type {const} */ ('sent'), words: text.sent },
  read: { icon: /** @type {const} */ ('read'), words: text.read },
  failed: { icon: /** @type {const} */ ('alert'), words: text.failed },
});

/** @param {Row} row @returns {HTMLElement} */
export function createRow(row) {
  if (row.kind === 'day') return h('li', { class: 'day' }, h('span', {}, dayName(row.at)));
  if (row.kind === 'divider') return h('li', { class: 'divider' }, h('span', {}, text.newMessages));
  return createMessage(row);
}

/** @param {HTMLElement} node @param {Row} row */
export function updateRow(node, row) {
  if (row.kind === 'message') return updateMessage(node, row);
  if (row.kind !== 'day') return;
  const words = dayName(row.at);
  const label = /** @type {HTMLElement} */ (node.firstElementChild);
  if (label.textContent !== words) label.textContent = words;
}

/** @param {MessageRow} row */
function createMessage(row) {
  const bubble = h('div', { class: 'bubble' });
  const author = row.own ? text.you : row.sender.display_name;
  if (row.author) bubble.append(h('bdi', { class: 'author', 'aria-hidden': 'true', 'data-hue': row.sender.id % 8 }, row.author));
  const body = bodyOf(row.body);
  const words = h('div', { class: 'words', dir: 'auto' }, body, foldButton(body));
  words.append(h('span', { class: 'meta' }, h('time', { dir: 'ltr' })));
  bubble.append(h('bdi', { class: 'visually-hidden' }, `${author}: `), words);
  const node = h('li', { class: row.own ? 'message own' : 'message' });
  if (row.author) node.append(avatar(row.sender.id, row.sender.display_name));
  node.append(bubble);
  return node;
}

/** @param {HTMLElement} node @param {MessageRow} row */
function updateMessage(node, row) {
  const look = `${row.seq} ${row.state} ${row.first} ${row.last} ${row.at} ${row.error ?? ''}`;
  if (node.dataset.look === look) return;
  node.dataset.look = look;
  if (row.seq) node.dataset.seq = String(row.seq);
  if (row.clientId) node.dataset.clientId = row.clientId;
  node.classList.toggle('first', row.first);
  node.classList.toggle('last', row.last);
  for (const state of Object.keys(STATES)) node.classList.toggle(state, state === row.state);
  const time = /** @type {HTMLTimeElement} */ (node.querySelector('time'));
  time.dateTime = row.at;
  time.title = fullTime(row.at);
  time.textContent = timeOfDay(row.at);
  if (row.state !== 'received') mark(node, row.state);
  failure(node, row);
}

/** @param {HTMLElement} node @param {keyof typeof STATES} state */
function mark(node, state) {
  const meta = /** @type {HTMLElement} */ (node.querySelector('.meta'));
  meta.querySelector('.state')?.remove();
  const { icon: name, words } = STATES[state];
  meta.append(h('span', { class: 'state', title: words }, icon(name), h('span', { class: 'visually-hidden' }, words)));
}

/** @param {HTMLElement} node @param {MessageRow} row */
function failure(node, { state, error, clientId }) {
  node.querySelector('.failure')?.remove();
  if (state !== 'failed') return;
  node.append(h('div', { class: 'failure', role: 'alert' },
    h('span', {}, error ? `${text.failed} ${error}` : text.failed),
    h('button', { type: 'button', class: 'link-button', 'data-action': 'retry', 'data-client-id': clientId }, text.retry),
    h('button', { type: 'button', class: 'link-button', 'data-action': 'discard', 'data-client-id': clientId }, text.discard)));
}

/** @param {string} body @returns {HTMLElement} */
function bodyOf(body) {
  const node = h('span', { class: 'body' }, linkify(body));
  if (EMOJI_ONLY.test(body)) node.classList.add('emoji');
  if (body.length > FOLD_CHARACTERS || body.split('\n', FOLD_LINES + 1).length > FOLD_LINES) node.classList.add('long', 'folded');
  return node;
}

/** @param {Element} body @returns {HTMLElement|string} nothing for a short one */
function foldButton(body) {
  if (!body.classList.contains('long')) return '';
  return h('button', { type: 'button', class: 'link-button fold', 'data-action': 'fold', 'aria-expanded': 'false' }, text.showMore);
}

/** Folds a long message, or unfolds it. @param {Element} button the one of foldButton() */
export function toggleFold(button) {
  const folded = button.previousElementSibling?.classList.toggle('folded') ?? false;
  button.setAttribute('aria-expanded', String(!folded));
  button.textContent = folded ? text.showMore : text.showLess;
}
