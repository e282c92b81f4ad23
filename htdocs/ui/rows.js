// @ts-check
import { dayKey } from './format.js';
import { text } from './text.js';

/**
 * What a conversation looks like as a list of rows, worked out from the messages,
 * the ones still to be sent, and the marks. Pure: no nodes here.
 *
 * @typedef {import('../lib/types.js').Message} Message
 * @typedef {import('../lib/types.js').OutboxItem} OutboxItem
 *
 * @typedef {object} MessageRow
 * @property {'message'} kind
 * @property {string} key
 * @property {boolean} own
 * @property {string} author     shown before the first of a group, where it is not plain
 * @property {import('../lib/types.js').User} sender
 * @property {string} body
 * @property {string} at
 * @property {boolean} first     of a group
 * @property {boolean} last      of a group
 * @property {'received'|'pending'|'sent'|'read'|'failed'} state
 * @property {string} [error]
 * @property {string} [clientId]
 * @property {number} [seq]      none before it is sent
 *
 * @typedef {{kind: 'day', key: string, at: string}} DayRow
 * @typedef {{kind: 'divider', key: string}} DividerRow
 * @typedef {MessageRow|DayRow|DividerRow} Row
 *
 * @typedef {object} Conversation
 * @property {import('../lib/types.js').User} me
 * @property {boolean} dialog
 * @property {readonly Message[]} messages
 * @property {OutboxItem[]} pending
 * @property {number} readByPeer  how far the other person of a dialog has read
 * @property {number|null} divider  seq of the last message before the unread ones
 */

/** Messages of one person that are closer together than this form a group. */
const GROUP_MS = 5 * 60 * 1000;

/** @param {Conversation} conversation @returns {Row[]} */
export function rowsOf(conversation) {
  const { messages, pending, divider } = conversation;
  /** @type {Row[]} */
  const rows = [];
  /** @type {MessageRow|null} */
  let before = null;
  let day = '';
  let divided = divider === null;
  const push = (/** @type {MessageRow} */ row, /** @type {boolean} */ divide) => {
    if (dayKey(row.at) !== day) {
      day = dayKey(row.at);
      // By its message, since clocks that were set back let a day come twice.
      rows.push({ kind: 'day', key: `day:${row.key}`, at: row.at });
      before = null;
    }
    if (divide) {
      rows.push({ kind: 'divider', key: 'divider' });
      before = null;
    }
    join(before, row);
    rows.push(row);
    before = row;
  };
  for (const message of messages) {
    const divide = !divided && message.seq > /** @type {number} */ (divider);
    divided ||= divide;
    push(messageRow(message, conversation), divide);
  }
  for (const item of pending) push(pendingRow(item, conversation), false);
  return rows;
}

/** @param {MessageRow|null} before @param {MessageRow} row */
function join(before, row) {
  if (!before || before.sender.id !== row.sender.id) return;
  if (Date.parse(row.at) - Date.parse(before.at) > GROUP_MS) return;
  before.last = false;
  row.first = false;
}

/** @param {Message} message @param {Conversation} conversation @returns {MessageRow} */
function messageRow(message, { me, dialog, readByPeer }) {
  const own = message.sender.id === me.id;
  const sender = { id: message.sender.id ?? 0, display_name: message.sender.display_name ?? text.deletedPerson };
  const sent = message.seq <= readByPeer ? 'read' : 'sent';
  return {
    kind: 'message',
    // The same row from the moment of writing on, so that nothing flickers when it is confirmed.
    key: own && message.client_id ? message.client_id : `seq:${message.seq}`,
    own,
    author: own || dialog ? '' : sender.display_name,
    sender,
    seq: message.seq,
    clientId: message.client_id ?? undefined,
    body: message.body,
    at: message.at,
    first: true,
    last: true,
    state: own ? sent : 'received',
  };
}

/** @param {OutboxItem} item @param {Conversation} conversation @returns {MessageRow} */
function pendingRow(item, { me }) {
  return {
    kind: 'message',
    key: item.client_id,
    own: true,
    author: '',
    sender: me,
    body: item.body,
    at: item.at,
    first: true,
    last: true,
    state: item.state === 'failed' ? 'failed' : 'pending',
    error: item.error,
    clientId: item.client_id,
  };
}
