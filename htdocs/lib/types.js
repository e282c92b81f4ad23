// @ts-check
/**
 * The shapes of the REST API and of the streams, for the type checker and for
 * readers. There is no code here: the module exists so that others can write
 * `import('./types.js').Message` in their JSDoc.
 *
 * @typedef {{id: number, display_name: string, login?: string}} User
 * @typedef {{id: number, fingerprint: string, created_at?: string, expires_at?: string}} SessionInfo
 *
 * @typedef {object} Message
 * @property {number} room
 * @property {number} seq        the room's one order, gapless
 * @property {{id: number|null, display_name: string|null}} sender  null both: was deleted
 * @property {string|null} client_id
 * @property {string} type
 * @property {string} body
 * @property {object} [meta]
 * @property {number|null} [reply_to]
 * @property {string} at         RFC 3339, UTC
 * @property {string|null} [edited_at]
 * @property {boolean} [deleted]
 *
 * @typedef {object} Room
 * @property {number} id
 * @property {'dialog'|'private'|'public'} kind
 * @property {string|null} name  null in a dialog, which is called after its peer
 * @property {number} last_seq
 * @property {number} first_seq
 * @property {number} read_seq
 * @property {Message|null} last_message
 * @property {number} members_count
 * @property {User|null} peer
 * @property {{user: number, read_seq: number}[]} [receipts]
 * @property {string} [last_at]
 *
 * @typedef {object} Snapshot
 * @property {User} user
 * @property {SessionInfo} session
 * @property {Room[]} rooms
 * @property {string} cursor
 *
 * @typedef {{items: Message[], has_more: boolean}} MessagePage
 * @typedef {{type: string, data: any}} StreamEvent
 * @typedef {{reason: string, within: number}} Reset
 * @typedef {{events: StreamEvent[], cursor: string, interval_ms: number}} Poll
 *
 * @typedef {object} OutboxItem
 * @property {string} client_id
 * @property {number} room
 * @property {string} body
 * @property {string} at         when it was written, by this machine's clock
 * @property {'queued'|'sending'|'sent'|'failed'} state
 * @property {string} [error]    why it failed, in the server's words
 */

export {};
