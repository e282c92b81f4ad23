// @ts-check

/** The API's functions called over SQL, by several people and connections at once: for tests of what PostgreSQL alone decides. */

/** @typedef {import('pg').Client} Client */

/** The settings of a worker's connection, as far as they decide who waits how long. */
export const WORKER = { lock_timeout: '800ms', 'chat.ring': 'off', 'chat.room_waiters': 2 };

/**
 * A database with people who are logged in, and public rooms of all of them.
 * @param {import('./cluster.js').Cluster} cluster
 * @param {{people: string[], rooms: number}} wanted
 */
export async function populated(cluster, { people, rooms }) {
  const database = await cluster.database();
  const client = await cluster.connect(database);
  await client.query(`insert into chat.person (login, display_name) select l, l from unnest($1::text[]) l`, [people]);
  await client.query(`insert into chat.session (user_id, token_hash, expires_at)
    select id, sha256(convert_to(login, 'UTF8')), now() + interval '1 day' from chat.person`);
  await client.query(`insert into chat.room (kind, name) select 'public', 'Room ' || i from generate_series(1, $1) i`, [rooms]);
  await client.query('insert into chat.member (room_id, user_id) select r.id, p.id from chat.room r, chat.person p order by 1, 2');
  const ids = await client.query('select id from chat.room order by id');
  return { database, client, rooms: ids.rows.map((row) => row.id) };
}

/**
 * @param {Client} client
 * @param {string} login
 * @param {string} call  of an API function, without the token; its parameters are $2 …
 * @param {unknown[]} [values]
 * @returns {Promise<{outcome: string, body: any, ms: number}>}  the status or the SQLSTATE
 */
export async function api(client, login, call, values = []) {
  const start = performance.now();
  const query = `select status, body::json as body from chat.${call.replace('(', `(sha256(convert_to($1, 'UTF8')), `).replace(', )', ')')}`;
  try {
    const { rows } = await client.query(query, [login, ...values]);
    return { outcome: String(rows[0].status), body: rows[0].body, ms: performance.now() - start };
  } catch (error) {
    return { outcome: /** @type {any} */ (error).code, body: null, ms: performance.now() - start };
  }
}

/**
 * @param {Client} client
 * @param {string} login
 * @param {string | number} room
 * @param {string | null} [clientId]
 */
export function send(client, login, room, clientId = null) {
  return api(client, login, 'api_message_send($2, $3, null, null, $4, null)', [room, 'hello', clientId]);
}

/**
 * For counter-examples: a function as it is, with something of its source replaced.
 * @param {Client} client
 * @param {string} name
 * @param {RegExp} part
 * @param {string} [replacement]
 */
export async function mutilate(client, name, part, replacement = '') {
  const { rows } = await client.query('select pg_get_functiondef($1::regproc) as source', [`chat.${name}`]);
  const source = rows[0].source.replace(part, replacement);
  if (source === rows[0].source) throw new Error(`chat.${name} has no ${part}`);
  await client.query(source);
}
