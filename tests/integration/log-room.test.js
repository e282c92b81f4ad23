// @ts-check

/**
 * A room's lock (docs/architecture.md): what goes wrong without it, whom it makes wait and how long, and races that it
 * or a unique index decides.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Cluster, blocked } from '../lib/cluster.js';
import { WORKER, api, mutilate, populated, send } from '../lib/sql-api.js';

/** @typedef {import('pg').Client} Client */

/** @type {Cluster} */
let cluster;

before(async () => {
  cluster = await Cluster.start();
});

after(() => cluster.stop());

/** The counter-examples: a trigger function as it is, without its lock. @param {Client} client @param {string} name */
const withoutLock = (client, name) => mutilate(client, name, /perform chat\.room_lock\([^)]*\);/);

const JOIN = `insert into chat.member (room_id, user_id) select $1, id from chat.person where login = 'bob'`;
const LEAVE = `delete from chat.member where room_id = $1 and user_id = (select id from chat.person where login = 'bob')`;

/**
 * Bob joins while Alice's message is written, but not committed.
 * @param {boolean} locked
 * @returns {Promise<{by_seq: boolean, by_event: boolean}>}  whether the message is after his join, to history and to events
 */
async function joinDuringSend(locked) {
  const { database, client, rooms } = await populated(cluster, { people: ['alice', 'bob'], rooms: 1 });
  await client.query(LEAVE, [rooms[0]]);
  if (!locked) {
    await withoutLock(client, 'member_enter');
    await mutilate(client, 'member_tell_join', /perform from chat\.member m[^;]*;/); // would wait for the sender's mark
  }
  const sender = await cluster.connect(database);
  const joiner = await cluster.connect(database);
  await sender.query('begin');
  assert.equal((await send(sender, 'alice', rooms[0])).outcome, '201');
  const joining = joiner.query(JOIN, [rooms[0]]);
  await (locked ? blocked(client, joiner) : joining);
  await sender.query('commit');
  await joining;
  const { rows } = await client.query(`
    select m.seq > b.since_seq as by_seq, e.id > b.since as by_event
      from chat.message m
      join chat.event e on e.type = 'message.new'
      join chat.member b on b.room_id = m.room_id
      join chat.person p on p.id = b.user_id and p.login = 'bob'`);
  return rows[0];
}

test('a join takes the room\'s lock: history and events begin at the same message', async () => {
  const real = await joinDuringSend(true);
  assert.equal(real.by_seq, real.by_event);
  assert.deepEqual(await joinDuringSend(false), { by_seq: true, by_event: false },
    'counter-example: a message that history counts as his, and no event tells him of');
});

/**
 * A message is sent while a kick is written, but not committed; a reader looks after each commit, as the daemon does.
 * @param {boolean} locked
 * @returns {Promise<string[]>}  the events that went to the one who was kicked, from the kick on in the order of the room
 */
async function sendDuringKick(locked) {
  const { database, client, rooms } = await populated(cluster, { people: ['alice', 'bob'], rooms: 1 });
  if (!locked) await withoutLock(client, 'member_leave');
  const kicker = await cluster.connect(database);
  const sender = await cluster.connect(database);
  let { cursor } = (await client.query('select cursor from chat.feed_read(null)')).rows[0];
  /** @type {{id: string, type: string}[]} */
  const delivered = [];
  let inRoom = true;
  const look = async () => {
    const { rows } = await client.query('select id, type, cursor from chat.feed_read($1)', [cursor]);
    cursor = rows.pop().cursor;
    for (const event of rows) {
      if (inRoom) delivered.push(event);
      if (event.type === 'member.leave') inRoom = false;
    }
  };
  await kicker.query('begin');
  await kicker.query(LEAVE, [rooms[0]]);
  const sending = send(sender, 'alice', rooms[0]);
  await (locked ? blocked(client, sender) : sending);
  await look();
  await kicker.query('commit');
  assert.equal((await sending).outcome, '201');
  await look();
  const kick = delivered.find((event) => event.type === 'member.leave');
  return delivered.filter((event) => BigInt(event.id) >= BigInt(kick?.id ?? 0)).map((event) => event.type);
}

test('a kick takes the room\'s lock: no event that is after it goes to the one who was kicked', async () => {
  assert.deepEqual(await sendDuringKick(true), ['member.leave']);
  assert.deepEqual(await sendDuringKick(false), ['message.new', 'member.leave'], 'counter-example: a later message was delivered');
});

test('a transaction left open stops one room, for about a second, and few workers wait for it', async () => {
  const { database, client, rooms } = await populated(cluster, { people: ['alice', 'bob'], rooms: 3 });
  const forgotten = await cluster.connect(database);
  await forgotten.query('begin');
  await forgotten.query(`insert into chat.message (room_id, sender_id, body) select $1, id, 'open' from chat.person where login = 'alice'`, [rooms[0]]);

  /** @param {number} waiters */
  const waits = async (waiters) => {
    const settings = { ...WORKER, 'chat.room_waiters': waiters };
    const workers = await Promise.all(Array.from({ length: 6 }, () => cluster.connect(database, { user: 'confab_worker', settings })));
    // Their plans are made beforehand, as those of workers that have served are.
    await Promise.all(workers.map((worker) => send(worker, 'bob', rooms[2])));
    const [elsewhere, ...answers] = await Promise.all([
      send(workers[5], 'bob', rooms[1]),
      ...workers.slice(0, 5).map((worker) => send(worker, 'bob', rooms[0])),
    ]);
    assert.equal(elsewhere.outcome, '201', 'another room goes on');
    for (const answer of answers) {
      assert.equal(answer.outcome, '55P03');
      assert.ok(answer.ms < 2000, `refused after ${answer.ms} ms`);
    }
    return answers.filter((answer) => answer.ms >= 750).length;
  };
  assert.equal(await waits(2), 2, 'two wait as long as their lock_timeout lets them');
  assert.equal(await waits(0), 5, 'counter-example: without the limit all do');

  await forgotten.query('commit');
  assert.equal((await send(client, 'bob', rooms[0])).outcome, '201', 'then the room goes on');
  const { rows } = await client.query('select seq from chat.message where room_id = $1 order by seq', [rooms[0]]);
  assert.deepEqual(rows.map((row) => row.seq), ['1', '2'], 'what was refused took no seq');
});

const ROUNDS = 25;

test('two at once: one dialog, one message, one membership', async () => {
  const { database, client, rooms } = await populated(cluster, { people: ['alice', 'bob', ...Array.from({ length: ROUNDS }, (_, n) => `peer${n}`)], rooms: 2 });
  const workers = await Promise.all([1, 2].map(() => cluster.connect(database, { user: 'confab_worker', settings: WORKER })));
  /** @param {(worker: Client, n: number) => ReturnType<typeof api>} call */
  const both = async (call) => (await Promise.all(workers.map(call))).sort((a, b) => a.outcome.localeCompare(b.outcome));
  const ids = new Map((await client.query('select login, id from chat.person')).rows.map((row) => [row.login, row.id]));

  for (let n = 0; n < ROUNDS; n += 1) {
    const peer = `peer${n}`;
    const dialogs = await both((worker, w) => api(worker, ['alice', peer][w], 'api_dialog_open($2)', [ids.get([peer, 'alice'][w])]));
    assert.deepEqual(dialogs.map((answer) => answer.outcome), ['200', '201']);
    assert.equal(dialogs[0].body.id, dialogs[1].body.id, 'one dialog');

    const same = await both((worker) => send(worker, 'alice', rooms[0], `11111111-1111-4111-8111-${String(n).padStart(12, '0')}`));
    assert.deepEqual(same.map((answer) => answer.outcome), ['200', '201']);
    assert.deepEqual(same[0].body, same[1].body, 'one message');

    const apart = await both((worker, w) => send(worker, 'alice', rooms[w], `22222222-2222-4222-8222-${String(n).padStart(12, '0')}`));
    assert.deepEqual(apart.map((answer) => answer.outcome), ['201', 'CF008'], 'one of two rooms');

    await client.query('delete from chat.member where room_id = $1 and user_id = $2', [rooms[0], ids.get(peer)]);
    const joins = await both((worker) => api(worker, peer, 'api_member_put($2, null)', [rooms[0]]));
    assert.deepEqual(joins.map((answer) => answer.outcome), ['200', '201']);
  }
  const { rows } = await client.query(`
    select (select count(*) from chat.message)::int as messages, (select sum(last_seq) from chat.room_counter)::int as seqs,
           (select count(*) from chat.event where type = 'message.new')::int as told,
           (select count(*) from chat.room where kind = 'dialog')::int as dialogs`);
  assert.deepEqual(rows[0], { messages: 2 * ROUNDS, seqs: 2 * ROUNDS, told: 2 * ROUNDS, dialogs: ROUNDS });
});

test('a send against a leave: it is before it, or it is refused', async () => {
  const { database, client, rooms } = await populated(cluster, { people: ['alice', 'bob'], rooms: 1 });
  const [one, two] = await Promise.all([1, 2].map(() => cluster.connect(database, { user: 'confab_worker', settings: WORKER })));
  for (let n = 0; n < ROUNDS; n += 1) {
    const [sent, left] = await Promise.all(
      n % 2 === 0
        ? [send(one, 'bob', rooms[0]), api(two, 'bob', 'api_member_delete($2, null)', [rooms[0]])]
        : [api(one, 'bob', 'api_member_delete($2, null)', [rooms[0]]), send(two, 'bob', rooms[0])].reverse(),
    );
    assert.equal(left.outcome, '204');
    assert.ok(['201', 'CF003'].includes(sent.outcome), sent.outcome);
    const { rows } = await client.query(`select type from chat.event where room_id = $1 order by id desc limit 1`, [rooms[0]]);
    assert.equal(rows[0].type, 'member.leave', 'nothing of his is after his leave');
    await client.query(JOIN, [rooms[0]]);
  }
});
