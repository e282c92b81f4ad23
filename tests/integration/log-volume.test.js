// @ts-check

/** Volume: COPY of many messages, and the plans of hot statements on data of a realistic size. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { Cluster } from '../lib/cluster.js';
import { waitFor } from '../lib/wait.js';

/** @typedef {import('pg').Client} Client */

const COPY_ROWS = 100_000;
const COPY_ROOMS = 50;
const COPY_MS = 60_000;

/** @type {Cluster} */
let cluster;

before(async () => {
  cluster = await Cluster.start({ max_wal_size: '4GB', autovacuum: 'off' });
});

after(() => cluster.stop());

/**
 * COPY by psql, as an administrator does it.
 * @param {string} database
 * @param {string} data
 */
async function copyMessages(database, data) {
  const psql = spawn('psql', ['-X', '-q', '-d', database, '-c', '\\copy chat.message (room_id, sender_id, body) from stdin'], {
    env: { ...process.env, ...cluster.env, PGDATABASE: database, PGUSER: 'confab_admin' },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let errors = '';
  psql.stderr.on('data', (text) => (errors += text));
  const ended = new Promise((resolve) => psql.once('exit', resolve));
  psql.stdin.end(data);
  assert.equal(await ended, 0, errors);
}

/** @param {Client} client */
async function counterUpdates(client) {
  // Another connection's figures arrive when it has ended, at the latest.
  await client.query('select pg_stat_clear_snapshot()');
  const { rows } = await client.query(`select n_tup_upd::int as updates, n_tup_hot_upd::int as hot from pg_stat_user_tables where relname = 'room_counter'`);
  return rows[0];
}

/**
 * @param {Client} client
 * @param {number} rooms
 */
async function makeRooms(client, rooms) {
  await client.query(`insert into chat.person (login, display_name) values ('bot', 'Bot')`);
  await client.query(`insert into chat.room (kind, name) select 'private', 'Room ' || i from generate_series(1, $1) i`, [rooms]);
  await client.query('insert into chat.member (room_id, user_id) select r.id, p.id from chat.room r, chat.person p');
  return (await client.query('select room_id, user_id from chat.member order by room_id')).rows;
}

for (const rooms of [1, COPY_ROOMS]) {
  test(`COPY of ${COPY_ROWS} messages into ${rooms} room(s): no gap, one update a counter, one ring`, async (t) => {
    const database = await cluster.database();
    const client = await cluster.connect(database);
    const members = await makeRooms(client, rooms);
    const listener = await cluster.connect(database);
    let rings = 0;
    listener.on('notification', () => (rings += 1));
    await listener.query('listen chat_event');

    let data = '';
    for (let n = 0; n < COPY_ROWS; n += 1) {
      const { room_id: room, user_id: user } = members[n % rooms];
      data += `${room}\t${user}\trow ${n}\n`;
    }
    const start = performance.now();
    await copyMessages(database, data);
    const ms = performance.now() - start;
    t.diagnostic(`${Math.round(ms)} ms`);
    assert.ok(ms < COPY_MS);

    await waitFor(() => rings > 0, { what: 'the ring' });
    assert.equal(rings, 1);
    await waitFor(async () => (await counterUpdates(client)).updates > 0, { what: 'the statistics' });
    assert.deepEqual(await counterUpdates(client), { updates: rooms, hot: rooms });
    const { rows } = await client.query(`
      select count(*)::int as messages, count(distinct (room_id, seq))::int as seqs, max(seq)::int as top, sum(seq)::int8::text as sum,
             (select count(*) from chat.event where type = 'message.new')::int as events,
             (select bool_and(m.read_seq = c.last_seq and c.last_seq = $1) from chat.room_counter c join chat.member m using (room_id)) as counted
        from chat.message`, [COPY_ROWS / rooms]);
    const perRoom = COPY_ROWS / rooms;
    assert.deepEqual(rows[0], {
      messages: COPY_ROWS, seqs: COPY_ROWS, top: perRoom, sum: String((rooms * perRoom * (perRoom + 1)) / 2), events: COPY_ROWS, counted: true,
    });
    const { rows: disorder } = await client.query(`
      select from (select id, lag(id) over (partition by room_id order by (data::json #>> '{message,seq}')::int) as before from chat.event
                    where type = 'message.new') e where before > id limit 1`);
    assert.equal(disorder.length, 0, 'events have the order of seq');
  });
}

test('a counter that is updated row by row is updated as often as there are rows', async () => {
  const database = await cluster.database();
  const client = await cluster.connect(database);
  const [{ room_id: room, user_id: user }] = await makeRooms(client, 1);
  await client.query(`
    create function row_by_row() returns trigger language plpgsql security definer as $$
    begin
      update chat.room_counter set last_seq = new.seq where room_id = new.room_id;
      return null;
    end $$;
    create trigger row_by_row after insert on chat.message for each row execute function row_by_row()`);
  await copyMessages(database, `${room}\t${user}\trow\n`.repeat(2000));
  await waitFor(async () => (await counterUpdates(client)).updates > 0, { what: 'the statistics' });
  assert.ok((await counterUpdates(client)).updates >= 2000, 'counter-example');
});

test('with one old transaction open, a look reads what is new; a scan from xmin reads everything since', async () => {
  const database = await cluster.database();
  const client = await cluster.connect(database);
  const old = await cluster.connect(database);
  const write = (/** @type {number} */ n) => client.query(`insert into chat.event (user_id, type, data) select 1, 'note', '{}' from generate_series(1, $1)`, [n]);
  await old.query('begin');
  await old.query('select pg_current_xact_id()');
  for (let n = 0; n < 20; n += 1) await write(1000);
  await client.query('analyze chat.event');
  const { cursor } = (await client.query('select chat.cursor_now() as cursor')).rows[0];
  await write(10);

  const counter = `select (pg_stat_get_xact_tuples_returned('chat.event'::regclass) + pg_stat_get_xact_tuples_fetched('chat.event'::regclass))::int as n`;
  /** How many rows a query finds, and how many it looks at. @param {string} query */
  const measure = async (query) => {
    await client.query('begin');
    const start = (await client.query(counter)).rows[0].n;
    const { rowCount: found } = await client.query(query.replaceAll('$1', `'${cursor.slice(9)}'::pg_snapshot`));
    const looked = (await client.query(counter)).rows[0].n - start;
    await client.query('commit');
    return { found, looked };
  };
  const after_ = await measure('select * from chat.event_after($1, null)');
  const fromXmin = await measure('select * from chat.event where xid >= pg_snapshot_xmin($1) and not pg_visible_in_snapshot(xid, $1)');
  assert.equal(after_.found, 10);
  assert.equal(fromXmin.found, 10, 'the same rows');
  assert.ok(after_.looked <= 20, `looked at ${after_.looked} rows`);
  assert.ok(fromXmin.looked >= 20_000, 'counter-example: a scan from xmin looks at everything since the old transaction began');
  await old.query('rollback');
});

const BIG = ['person', 'session', 'room', 'room_counter', 'member', 'message', 'event'];
const HOT = {
  session: `select chat.api_session(sha256('1'))`,
  send: `select chat.api_message_send(sha256('1'), 1, 'hello', null, null, gen_random_uuid(), 5)`,
  'history, newest': `select chat.api_message_list(sha256('1'), 1, null, null, null, 50)`,
  'history, older': `select chat.api_message_list(sha256('1'), 1, 60, null, null, 50)`,
  'history, newer': `select chat.api_message_list(sha256('1'), 1, null, 20, null, 50)`,
  'history, around': `select chat.api_message_list(sha256('1'), 1, null, null, 50, 50)`,
  'chat list': `select chat.api_room_list(sha256('1'), 50, null)`,
  snapshot: `select chat.api_snapshot(sha256('1'))`,
  unread: `select chat.api_unread(sha256('1'))`,
  read: `select chat.api_read(sha256('2'), 1, 1000)`,
  delivered: `select chat.api_delivered(sha256('2'), 1, $n)`,
  receipts: `select chat.api_receipts(sha256('2'), '[{"room": 1, "kind": "read", "seq": $n}]')`,
  "many people's receipts": `select chat.feed_receipts(array_agg(u), array_agg(u::bigint), array_agg(1::bigint), array_agg('read'::text), array_agg($n::bigint)) from generate_series(1, 500) u`,
  'stream ticket': `select chat.api_stream_ticket(sha256('1'), sha256('$n'))`,
  'stream tickets': `select chat.feed_tickets(array[1, 2], array[sha256('$n'), sha256('2')])`,
  housekeeping: `update chat.job set run_at = now(); select chat.housekeep('x')`,
  poll: `select chat.api_events(sha256('1'), $cursor)`,
  'poll of some rooms': `select chat.api_events(sha256('1'), $cursor || '~' || chat.cursor_filter('{1,2,3}'), '{1,2,3}')`,
  feed: `select chat.feed_read($cursor)`,
  backfill: `select chat.feed_backfill($cursor, 1000)`,
  sessions: `select chat.feed_sessions(array[1, 2], array[sha256('1'), sha256('2')])`,
  replay: `select chat.feed_replay(array[1, 2], array[sha256('1'), sha256('2')], array[$cursor, $cursor], 1000)`,
  members: `select chat.api_member_list(sha256('1'), 1, 50, null)`,
  'search by login': `select chat.api_user_search(sha256('1'), 'p49', 50, null)`,
  'search by name': `select chat.api_user_search(sha256('1'), 'person 49', 50, null)`,
  login: `select chat.login_lookup('p49')`,
};

/**
 * 5,000 people, 20,000 rooms, 200,000 messages and 50,000 events; each person is in about 20 rooms.
 * @param {Client} client
 */
async function fill(client) {
  await client.query(`
    set session_replication_role = replica;
    insert into chat.person (login, display_name, password_hash) select 'p' || i, 'Person ' || i, 'hash' from generate_series(1, 5000) i;
    insert into chat.session (user_id, token_hash, expires_at)
    select id, sha256(convert_to(id::text, 'UTF8')), now() + interval '1 day' from chat.person;
    insert into chat.room (kind, name) select 'private', 'Room ' || i from generate_series(1, 20000) i;
    insert into chat.room_counter (room_id, last_seq) select id, 10 from chat.room;
    update chat.room_counter set last_seq = 1000 where room_id = 1;
    insert into chat.member (room_id, user_id, since, since_seq, read_seq, delivered_seq)
    select distinct 1 + (u * 7 + k * 997) % 20000, u, 0, 0, 5, 5 from generate_series(1, 5000) u, generate_series(1, 20) k
    union select 1, u, 0, 0, 5, 5 from generate_series(1, 2) u;
    insert into chat.message (room_id, seq, sender_id, client_id, body)
    select r, s, 1 + (r * s) % 5000, gen_random_uuid(), repeat('text ', 20)
      from generate_series(1, 20000) r, lateral generate_series(1, case r when 1 then 1000 else 10 end) s;
    insert into chat.event (xid, room_id, type, data)
    select '3', 1 + i % 20000, 'message.new', '{"eid":' || i || '}' from generate_series(1, 50000) i;
    set session_replication_role = origin;`);
  await client.query('vacuum analyze');
}

/**
 * The plans of everything that a statement runs, functions and triggers included, as auto_explain reports them.
 * @param {Client} client
 * @param {string} statement
 * @returns {Promise<string[]>}
 */
async function plansOf(client, statement) {
  /** @type {string[]} */
  const plans = [];
  const collect = (/** @type {{message?: string}} */ notice) => plans.push(notice.message ?? '');
  client.on('notice', collect);
  await client.query(statement);
  client.off('notice', collect);
  return plans;
}

/** @param {string[]} plans */
function sequentialScans(plans) {
  return plans.flatMap((plan) => plan.match(new RegExp(`(?:Parallel )?Seq Scan on (?:${BIG.join('|')})\\b`, 'g')) ?? []);
}

test('hot statements find what they need by an index', async () => {
  const database = await cluster.database();
  const client = await cluster.connect(database);
  const other = await cluster.connect(database);
  await fill(other);
  const { cursor } = (await other.query('select chat.cursor_now() as cursor')).rows[0];
  await other.query(`insert into chat.message (room_id, sender_id, body) select 1, 1, 'new' from generate_series(1, 20)`);
  await client.query(`load 'auto_explain'; set auto_explain.log_level = notice; set client_min_messages = notice;
    set auto_explain.log_min_duration = 0; set auto_explain.log_nested_statements = on`);

  /** @type {Record<string, string[]>} */
  const slow = {};
  for (const [name, statement] of Object.entries(HOT)) {
    // Again and again, since from the sixth time on a plan may be the generic one.
    for (let n = 0; n < 7; n += 1) {
      // $n: a mark that grows each time
      const plans = await plansOf(client, statement.replaceAll('$cursor', `'${cursor}'`).replaceAll('$n', `${10 + n}`));
      assert.ok(plans.length > 1, `${name}: plans were reported`);
      const scans = sequentialScans(plans);
      if (scans.length > 0) slow[name] = scans;
    }
  }
  assert.deepEqual(slow, {});

  await client.query('set enable_indexscan = off; set enable_indexonlyscan = off; set enable_bitmapscan = off; discard plans');
  assert.ok(sequentialScans(await plansOf(client, HOT.session)).length > 0, 'counter-example: without indexes the check finds scans');
});
