// @ts-check

/**
 * The judge of delivery: compares what was acknowledged, what the database holds and what each client showed.
 * It knows nothing of how any of them was made.
 *
 * | rule    | broken when |
 * |---------|-------------|
 * | lost    | an acknowledged send is not in the database |
 * | phantom | the database, or a screen, holds what nobody sent |
 * | dup     | a client_id or a seq occurs twice in a room, or a message twice on one screen |
 * | gap     | a screen, from its first message to the room's last, or its own when it was cut, leaves one out |
 * | order   | a screen's seqs do not grow; or B was sent after A was acknowledged, and precedes A |
 * | split   | a screen, or an acknowledgement, has another message at a seq than the database |
 *
 * @typedef {object} Send       one message that somebody tried to send, over all its attempts
 * @property {number} room
 * @property {string} clientId
 * @property {string} body
 * @property {number} invokedAt   when the first attempt began
 * @property {number} [returnedAt]  when the acknowledgement (2xx) came; without it nothing is promised
 * @property {number} [seq]       as acknowledged
 *
 * @typedef {object} Row        one message, as the database or a screen has it
 * @property {number} room
 * @property {number} seq
 * @property {string} clientId
 * @property {string} body
 *
 * @typedef {object} Screen     what one client showed, in the order in which it stood there
 * @property {string} name
 * @property {Row[]} shown
 * @property {boolean} [cut]      its client was told that there is a gap after it
 *
 * @typedef {{rule: 'lost' | 'phantom' | 'dup' | 'gap' | 'order' | 'split', detail: string}} Violation
 */

/**
 * @param {{sends: Send[], table: Row[], screens: Screen[]}} logs
 *   table: all rows of the rooms in question; system messages and other senders' rows have a Send too
 * @returns {Violation[]}
 */
export function check({ sends, table, screens }) {
  const rows = [...table].sort((a, b) => a.room - b.room || a.seq - b.seq);
  return [
    ...checkTable(sends, rows),
    ...checkRealTime(sends, rows),
    ...screens.flatMap((screen) => checkScreen(screen, sends, rows)),
  ];
}

/** @param {{room: number, seq: number}} row */
const place = (row) => `${row.room}/${row.seq}`;

/** @param {{room: number, clientId: string}} row */
const identity = (row) => `${row.room}/${row.clientId}`;

/**
 * @template T
 * @param {T[]} items
 * @param {(item: T) => string} key
 * @returns {T[]}
 */
function repeats(items, key) {
  const seen = new Set();
  return items.filter((item) => seen.size === seen.add(key(item)).size);
}

/**
 * @param {Send[]} sends
 * @param {Row[]} rows
 * @returns {Violation[]}
 */
function checkTable(sends, rows) {
  const bySend = new Map(sends.map((send) => [identity(send), send]));
  const byIdentity = new Map(rows.map((row) => [identity(row), row]));
  /** @type {Violation[]} */
  const found = [];
  for (const send of sends) {
    if (send.returnedAt === undefined) continue;
    const row = byIdentity.get(identity(send));
    if (!row) found.push({ rule: 'lost', detail: `${identity(send)} was acknowledged and is not in the database` });
    else if (send.seq !== undefined && send.seq !== row.seq) {
      found.push({ rule: 'split', detail: `${identity(send)} was acknowledged as seq ${send.seq} and is ${row.seq}` });
    }
  }
  for (const row of rows) {
    const send = bySend.get(identity(row));
    if (!send) found.push({ rule: 'phantom', detail: `${place(row)} in the database was sent by nobody` });
    else if (send.body !== row.body) found.push({ rule: 'split', detail: `${place(row)} has another body than was sent` });
  }
  for (const row of repeats(rows, identity)) found.push({ rule: 'dup', detail: `${identity(row)} twice in the database` });
  for (const row of repeats(rows, place)) found.push({ rule: 'dup', detail: `seq ${place(row)} twice in the database` });
  return found;
}

/**
 * Acknowledged before the other began: must precede it.
 *
 * @param {Send[]} sends
 * @param {Row[]} rows
 * @returns {Violation[]}
 */
function checkRealTime(sends, rows) {
  const seqs = new Map(rows.map((row) => [identity(row), row.seq]));
  /** @type {Violation[]} */
  const found = [];
  for (const room of new Set(sends.map((send) => send.room))) {
    const mine = sends.filter((send) => send.room === room && seqs.has(identity(send)));
    const acknowledged = mine
      .filter((send) => send.returnedAt !== undefined)
      .sort((a, b) => Number(a.returnedAt) - Number(b.returnedAt));
    let next = 0;
    let highest = 0;
    for (const send of mine.sort((a, b) => a.invokedAt - b.invokedAt)) {
      for (; next < acknowledged.length && Number(acknowledged[next].returnedAt) < send.invokedAt; next++) {
        highest = Math.max(highest, Number(seqs.get(identity(acknowledged[next]))));
      }
      if (Number(seqs.get(identity(send))) <= highest) {
        found.push({ rule: 'order', detail: `${identity(send)} began after seq ${highest} was acknowledged, and precedes it` });
      }
    }
  }
  return found;
}

/**
 * @param {Screen} screen
 * @param {Send[]} sends
 * @param {Row[]} rows
 * @returns {Violation[]}
 */
function checkScreen(screen, sends, rows) {
  const sent = new Set(sends.map(identity));
  const truth = new Map(rows.map((row) => [place(row), row]));
  /** @type {Violation[]} */
  const found = [];
  /** @param {Violation['rule']} rule @param {string} text */
  const fault = (rule, text) => found.push({ rule, detail: `${screen.name}: ${text}` });

  for (const row of repeats(screen.shown, place)) fault('dup', `seq ${place(row)} twice`);
  for (const row of repeats(screen.shown, identity)) fault('dup', `${identity(row)} twice`);
  for (const row of screen.shown) {
    const real = truth.get(place(row));
    if (!sent.has(identity(row))) fault('phantom', `${place(row)} was sent by nobody`);
    else if (!real) fault('phantom', `${place(row)} is not in the database`);
    else if (real.clientId !== row.clientId || real.body !== row.body) fault('split', `${place(row)} is another message`);
  }
  for (const room of new Set(screen.shown.map((row) => row.room))) {
    const seqs = screen.shown.filter((row) => row.room === room).map((row) => row.seq);
    seqs.forEach((seq, i) => {
      if (i > 0 && seq < seqs[i - 1]) fault('order', `${room}/${seq} stands after ${seqs[i - 1]}`);
    });
    const shown = new Set(seqs);
    const first = Math.min(...seqs);
    const last = screen.cut ? Math.max(...seqs) : Infinity;
    for (const row of rows) {
      if (row.room === room && row.seq > first && row.seq < last && !shown.has(row.seq)) fault('gap', `${place(row)} is missing`);
    }
  }
  return found;
}
