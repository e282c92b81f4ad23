// @ts-check

/**
 * Receipts and unread (docs/protocol.md, 3.6): by their definition whatever happens in whatever order, and without
 * anybody waiting for anybody else's room.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Cluster, blocked } from '../lib/cluster.js';
import { Random } from '../lib/random.js';
import { WORKER, api, mutilate, populated, send } from '../lib/sql-api.js';

/** @typedef {import('pg').Client} Client */

const DEADLOCK = '40P01';

/** @type {Cluster} */
let cluster;

before(async () => {
  // A deadlock shows at once, before any lock_timeout can hide it.
  cluster = await Cluster.start({ deadlock_timeout: '10ms' });
});

after(() => cluster.stop());

// ---- What a client derives from events ----

/** One device of a person: what it knows comes from one snapshot and the events after it. */
class Device {
  /** @type {Map<number, {last: number, read: number, marks: Map<number, {read: number, delivered: number}>}>} by room */
  rooms = new Map();
  cursor = '';

  /** @param {Client} client @param {string} login @param {number} user */
  constructor(client, login, user) {
    this.client = client;
    this.login = login;
    this.user = user;
  }

  async load() {
    const { body } = await api(this.client, this.login, 'api_snapshot()');
    this.cursor = body.cursor;
    this.rooms.clear();
    for (const room of body.rooms) this.#enter(room);
  }

  async poll() {
    const { body } = await api(this.client, this.login, 'api_events($2)', [this.cursor]);
    this.cursor = body.cursor;
    for (const { type, data } of body.events) this.#apply(type, data);
  }

  /** @param {any} room */
  #enter(room) {
    /** @type {[number, {read: number, delivered: number}][]} */
    const marks = room.receipts.map((/** @type {any} */ one) => [one.user, { read: one.read_seq, delivered: one.delivered_seq }]);
    this.rooms.set(room.id, { last: room.last_seq, read: room.read_seq, marks: new Map(marks) });
  }

  /** @param {string} type @param {any} data */
  #apply(type, data) {
    if (type === 'room.new') return this.#enter(data.room);
    if (type === 'member.leave' && data.user.id === this.user) return void this.rooms.delete(data.room);
    const id = data.message?.room ?? data.room;
    const room = this.rooms.get(id);
    // Between one's join and one's room.new, which knows of it, there may be a receipt.
    if (!room) return assert.match(type, /^member\.join$|^receipt\./, `${type} of a room that one is not in`);
    switch (type) {
      case 'message.new':
        room.last = Math.max(room.last, data.message.seq);
        return this.#raise(room, data.message.sender.id, { read: data.message.seq });
      case 'receipt.read':
        return this.#raise(room, data.user, { read: data.seq });
      case 'receipt.delivered':
        return this.#raise(room, data.user, { delivered: data.seq });
      case 'member.join':
        return void room.marks.set(data.user.id, { read: data.last_seq, delivered: data.last_seq });
      case 'member.leave':
        return void room.marks.delete(data.user.id);
      default:
        assert.fail(type);
    }
  }

  /** Marks only grow, and what was read was delivered. @param {any} room @param {number} user @param {{read?: number, delivered?: number}} seqs */
  #raise(room, user, { read = 0, delivered = read }) {
    if (user === this.user) room.read = Math.max(room.read, read);
    const mark = room.marks.get(user);
    if (!mark) return;
    mark.read = Math.max(mark.read, read);
    mark.delivered = Math.max(mark.delivered, delivered);
  }

  /** As a list that can be compared: per room what is unread, and everybody's marks. */
  view() {
    return [...this.rooms]
      .map(([id, room]) => ({
        room: id,
        unread: room.last - room.read,
        marks: [...room.marks].map(([user, { read, delivered }]) => [user, read, delivered]).sort((a, b) => a[0] - b[0]),
      }))
      .sort((a, b) => a.room - b.room);
  }
}

/** The same view out of one answer of the API's. @param {any[]} rooms */
function viewOf(rooms) {
  return rooms
    .map((room) => ({
      room: room.id,
      unread: room.unread,
      marks: room.receipts.map((/** @type {any} */ one) => [one.user, one.read_seq, one.delivered_seq]),
    }))
    .sort((a, b) => a.room - b.room);
}

// ---- Brute force: every message knows who has not read it, and to whom it did not come ----

class World {
  /** @type {Map<number, {members: Set<number>, messages: {seq: number, unread: Set<number>, undelivered: Set<number>}[]}>} */
  rooms = new Map();

  /** @param {number} id */
  room(id) {
    const room = this.rooms.get(id) ?? { members: new Set(), messages: [] };
    this.rooms.set(id, room);
    return room;
  }

  /** @param {number} id @param {number} user */
  send(id, user) {
    const { members, messages } = this.room(id);
    messages.push({ seq: messages.length + 1, unread: new Set(members), undelivered: new Set(members) });
    this.mark(id, user, 'read', messages.length);
  }

  /** @param {number} id @param {number} user @param {string} kind @param {number} seq */
  mark(id, user, kind, seq) {
    for (const message of this.room(id).messages.slice(0, seq)) {
      if (kind === 'read') message.unread.delete(user);
      message.undelivered.delete(user);
    }
  }

  /** @param {number} id @param {number} user */
  join(id, user) {
    this.room(id).members.add(user);
  }

  /** @param {number} id @param {number} user */
  leave(id, user) {
    this.room(id).members.delete(user);
    this.mark(id, user, 'read', Infinity);
  }

  /** @param {number} user */
  view(user) {
    return [...this.rooms]
      .filter(([, { members }]) => members.has(user))
      .map(([room, { members, messages }]) => {
        const count = (/** @type {'unread' | 'undelivered'} */ what, /** @type {number} */ whose) =>
          messages.filter((message) => message[what].has(whose)).length;
        const marks = [...members].map((one) => [one, messages.length - count('unread', one), messages.length - count('undelivered', one)]);
        return { room, unread: count('unread', user), marks: marks.sort((a, b) => a[0] - b[0]) };
      })
      .sort((a, b) => a.room - b.room);
  }
}

/**
 * What the daemon says for many: each a session, a room and how far is read.
 * @param {Client} client
 * @param {{session: number, room: string | number, seq: number, kind?: string}[]} asks
 * @returns {Promise<{code: string | null, seq: number | null}[]>}
 */
async function feed(client, asks) {
  const column = (/** @type {(ask: any, n: number) => unknown} */ of) => asks.map(of);
  const { rows } = await client.query('select code, seq::int from chat.feed_receipts($1, $2, $3, $4, $5) order by ord', [
    column((_, n) => n), column((ask) => ask.session), column((ask) => ask.room), column((ask) => ask.kind ?? 'read'), column((ask) => ask.seq),
  ]);
  return rows;
}

const PEOPLE = ['ada', 'bea', 'cyd', 'dot', 'eve'];
const STEPS = 250;
const SEEDS = [1, 2, 3];

/** @param {Client} client @returns {Promise<Map<string, number>>} */
async function idsOf(client) {
  return new Map((await client.query('select login, id::int from chat.person')).rows.map(({ login, id }) => [login, id]));
}

for (const seed of SEEDS) {
  test(`unread is what a count by hand says, on every device, by every way to ask (seed ${seed})`, { timeout: 120_000 }, async () => {
    const random = new Random(seed);
    const pick = (/** @type {any[]} */ list) => list[Math.floor(random.next() * list.length)];
    const { client, rooms: names } = await populated(cluster, { people: PEOPLE, rooms: 3 });
    const rooms = names.map(Number);
    const ids = await idsOf(client);
    const id = (/** @type {string} */ login) => /** @type {number} */ (ids.get(login));
    const sessions = new Map((await client.query('select user_id::int, id from chat.session')).rows.map((row) => [row.user_id, row.id]));
    const world = new World();
    for (const room of rooms) for (const login of PEOPLE) world.join(room, id(login));
    const devices = PEOPLE.flatMap((login) => [new Device(client, login, id(login)), new Device(client, login, id(login))]);
    for (const device of devices) await device.load();

    /** A mark anywhere from before all to behind the newest message. @param {number} room */
    const place = (room) => Math.floor(random.next() * (world.room(room).messages.length + 3));
    /** @type {Record<string, (login: string, room: number) => Promise<unknown>>} what can happen, to a member */
    const inside = {
      async send(login, room) {
        assert.equal((await send(client, login, room)).outcome, '201');
        world.send(room, id(login));
      },
      async copy(login, room) {
        await client.query('insert into chat.message (room_id, sender_id, body) select $1, $2, n::text from generate_series(1, 3) n', [room, id(login)]);
        for (let n = 0; n < 3; n += 1) world.send(room, id(login));
      },
      async mark(login, room) {
        const [kind, seq] = [pick(['read', 'delivered']), place(room)];
        const { outcome, body } = await api(client, login, `api_${kind}($2, $3)`, [room, seq]);
        assert.equal(outcome, '200');
        world.mark(room, id(login), kind, seq);
        assert.equal(body.unread, world.view(id(login)).find((one) => one.room === room)?.unread);
      },
      async several(login) {
        const items = world.view(id(login)).map(({ room }) => ({ room, kind: pick(['read', 'delivered']), seq: place(room) + 1 }));
        assert.equal((await api(client, login, 'api_receipts($2)', [JSON.stringify(items)])).outcome, '200');
        for (const { room, kind, seq } of items) world.mark(room, id(login), kind, seq);
      },
      async feed() {
        const asks = PEOPLE.flatMap((login) => world.view(id(login)).map(({ room }) => ({ login, room, kind: pick(['read', 'delivered']), seq: place(room) })));
        const answers = await feed(client, asks.map((ask) => ({ ...ask, session: sessions.get(id(ask.login)) })));
        assert.deepEqual(answers.filter(({ code }) => code !== null), []);
        for (const { login, room, kind, seq } of asks) world.mark(room, id(login), kind, seq);
      },
      async leave(login, room) {
        assert.equal((await api(client, login, 'api_member_delete($2, null)', [room])).outcome, '204');
        world.leave(room, id(login));
      },
      async kick(login, room) {
        await client.query('delete from chat.member where room_id = $1 and user_id = $2', [room, id(login)]);
        world.leave(room, id(login));
      },
      // What history has lost is no less unread.
      async forget(_, room) {
        await client.query('delete from chat.message where room_id = $1 and seq % 3 = 0', [room]);
      },
      poll: () => pick(devices).poll(),
      load: () => pick(devices).load(),
    };
    const often = ['send', 'send', 'send', 'copy', 'mark', 'mark', 'mark', 'several', 'several', 'feed', 'leave', 'kick', 'forget', 'poll', 'poll', 'poll', 'poll', 'load'];

    for (let step = 1; step <= STEPS; step += 1) {
      const [login, room] = [pick(PEOPLE), pick(rooms)];
      if (world.room(room).members.has(id(login))) {
        await inside[pick(often)](login, room);
      } else {
        assert.ok(['CF003'].includes((await api(client, login, 'api_read($2, 1)', [room])).outcome));
        assert.equal((await api(client, login, 'api_member_put($2, null)', [room])).outcome, '201');
        world.join(room, id(login));
        world.mark(room, id(login), 'read', Infinity);
      }
      if (step % 50 !== 0) continue;
      for (const device of devices) {
        await device.poll();
        const wanted = world.view(device.user);
        assert.deepEqual(device.view(), wanted, `step ${step}: what ${device.login}'s device derives`);
        const snapshot = (await api(client, device.login, 'api_snapshot()')).body;
        assert.deepEqual(viewOf(snapshot.rooms), wanted, `step ${step}: ${device.login}'s snapshot`);
        const unread = { total: wanted.reduce((sum, one) => sum + one.unread, 0), rooms: wanted.filter((one) => one.unread > 0).map((one) => ({ room: one.room, unread: one.unread })) };
        assert.deepEqual(snapshot.unread, unread);
        assert.deepEqual((await api(client, device.login, 'api_unread()')).body, unread);
        for (const one of wanted) assert.deepEqual(viewOf([(await api(client, device.login, 'api_room($2)', [one.room])).body]), [one]);
      }
    }
  });
}

// ---- Many at once ----

const ACTIONS = 150;

test('many at once: every device ends with what the database has, and nobody deadlocks', { timeout: 120_000 }, async () => {
  const { database, client, rooms: names } = await populated(cluster, { people: PEOPLE, rooms: 4 });
  const rooms = names.map(Number);
  const ids = await idsOf(client);
  const sessions = (await client.query('select id from chat.session')).rows.map((row) => row.id);
  /** @type {Map<string, number>} */
  const outcomes = new Map();
  const note = (/** @type {{outcome: string}} */ { outcome }) => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);

  const devices = await Promise.all([...PEOPLE, ...PEOPLE].map(async (login, n) => {
    const own = await cluster.connect(database, { user: 'confab_worker', settings: WORKER });
    const random = new Random(n + 1);
    const pick = (/** @type {any[]} */ list) => list[Math.floor(random.next() * list.length)];
    const device = new Device(own, login, /** @type {number} */ (ids.get(login)));
    await device.load();
    return { device, pick, own, login };
  }));
  const daemon = await cluster.connect(database, { user: 'confab_daemon' });
  const state = { busy: devices.length };

  const acting = devices.map(async ({ device, pick, own, login }) => {
    for (let n = 0; n < ACTIONS; n += 1) {
      const room = pick(rooms);
      switch (pick(['send', 'mark', 'several', 'several', 'leave', 'join', 'poll'])) {
        case 'send':
          note(await send(own, login, room));
          break;
        case 'mark':
          note(await api(own, login, `api_${pick(['read', 'delivered'])}($2, 1000000)`, [room]));
          break;
        case 'several': {
          // In any order: it is the server that sees to one.
          const items = rooms.map((one) => ({ room: one, kind: pick(['read', 'delivered']), seq: 1_000_000 }));
          note(await api(own, login, 'api_receipts($2)', [JSON.stringify(pick([items, items.toReversed()]))]));
          break;
        }
        case 'leave':
          note(await api(own, login, 'api_member_delete($2, null)', [room]));
          break;
        case 'join':
          note(await api(own, login, 'api_member_put($2, null)', [room]));
          break;
        default:
          await device.poll();
      }
    }
    state.busy -= 1;
  });
  while (state.busy > 0) {
    const answers = await feed(daemon, sessions.flatMap((session) => rooms.map((room) => ({ session, room, seq: 1_000_000 }))));
    for (const { code } of answers) note({ outcome: `feed ${code}` });
  }
  await Promise.all(acting);

  assert.equal(outcomes.get(DEADLOCK), undefined);
  const known = ['200', '201', '204', 'CF003', 'CF007', '55P03', 'feed null', 'feed room_busy', 'feed forbidden'];
  assert.deepEqual([...outcomes.keys()].filter((outcome) => !known.includes(outcome)), []);
  for (const { device, own, login } of devices) {
    await device.poll();
    assert.deepEqual(device.view(), viewOf((await api(own, login, 'api_snapshot()')).body.rooms), `${login}: ${JSON.stringify([...outcomes])}`);
  }
  const { rows: wrong } = await client.query(`
    select m.room_id, m.user_id from chat.member m join chat.room_counter c on c.room_id = m.room_id
     where (select count(*) from chat.message where room_id = m.room_id and seq > m.read_seq) <> c.last_seq - m.read_seq`);
  assert.deepEqual(wrong, []);
});

// ---- Who waits for whom ----

test('a send that is not committed holds its sender\'s mark, and nobody else\'s', async () => {
  const { database, client, rooms } = await populated(cluster, { people: ['ada', 'bea'], rooms: 2 });
  const open = await cluster.connect(database);
  const worker = await cluster.connect(database, { user: 'confab_worker', settings: WORKER });
  const daemon = await cluster.connect(database, { user: 'confab_daemon', settings: { lock_timeout: '1ms' } });
  for (const room of rooms) await send(client, 'ada', room);
  const sessions = (await client.query('select s.id from chat.session s join chat.person p on p.id = s.user_id order by login')).rows.map((row) => row.id);
  await open.query('begin');
  await send(open, 'bea', rooms[0]);

  const [adas, hers] = sessions;
  const asks = [{ session: hers, room: rooms[0], seq: 1 }, { session: hers, room: rooms[1], seq: 1 }, { session: adas, room: rooms[0], seq: 1 }];
  assert.deepEqual(await feed(daemon, asks), [{ code: 'room_busy', seq: null }, { code: null, seq: 1 }, { code: null, seq: 1 }],
    'in a batch hers alone is busy, at once');
  await send(client, 'ada', rooms[1]);
  assert.equal((await api(worker, 'bea', 'api_read($2, 2)', [rooms[1]])).outcome, '200', 'her other rooms go on');
  const refused = await api(worker, 'bea', 'api_read($2, 1)', [rooms[0]]);
  assert.equal(refused.outcome, '55P03');
  await open.query('commit');
  assert.deepEqual(await feed(daemon, asks.slice(0, 1)), [{ code: null, seq: 2 }], 'then it is as far as her message');
});

test('receipts of several rooms wait for one after the other, in the same order whoever asks', async () => {
  const { database, client, rooms } = await populated(cluster, { people: ['ada', 'bea'], rooms: 2 });
  const [open, worker] = await Promise.all([cluster.connect(database), cluster.connect(database)]);
  const daemon = await cluster.connect(database, { user: 'confab_daemon' });
  const [session] = (await client.query(`select s.id from chat.session s join chat.person p on p.id = s.user_id where login = 'bea'`)).rows.map((row) => row.id);
  /** @type {Array<string | null>} */
  const others = [];
  for (const held of [0, 1]) {
    for (const asked of [rooms, rooms.toReversed()]) {
      for (const room of rooms) await send(client, 'ada', room);
      await open.query('begin');
      await send(open, 'bea', rooms[held]);
      const waiting = api(worker, 'bea', 'api_receipts($2)', [JSON.stringify(asked.map((room) => ({ room: Number(room), kind: 'read', seq: 1_000_000 })))]);
      await blocked(client, worker);
      const [{ code }] = await feed(daemon, [{ session, room: rooms[1 - held], seq: 1_000_000 }]);
      others.push(code);
      await open.query('commit');
      assert.equal((await waiting).outcome, '200');
    }
  }
  assert.deepEqual(others, [null, null, 'room_busy', 'room_busy'], 'who waits for the second has the first, and never the other way round');
});

/**
 * Bea's receipt is under way while Cyd joins.
 * @param {boolean} waits  whether the join looks for it
 * @returns {Promise<{shown: number, told: string[]}>} Bea's mark in the room that Cyd is shown; the events that she then gets
 */
async function joinDuringReceipt(waits) {
  const { database, client, rooms } = await populated(cluster, { people: ['ada', 'bea', 'cyd'], rooms: 1 });
  if (!waits) await mutilate(client, 'member_tell_join', /perform from chat\.member m[^;]*;/);
  await api(client, 'cyd', 'api_member_delete($2, null)', rooms);
  await send(client, 'ada', rooms[0]);
  const receipt = await cluster.connect(database);
  const joiner = await cluster.connect(database);
  await receipt.query('begin');
  assert.equal((await api(receipt, 'bea', 'api_read($2, 1)', rooms)).outcome, '200');
  const joining = api(joiner, 'cyd', 'api_member_put($2, null)', rooms);
  await (waits ? blocked(client, joiner) : joining);
  await receipt.query('commit');
  const { body } = await joining;
  const { rows } = await client.query(`select array_agg(e.type order by e.id) as types from chat.person p, chat.event_for(p.id, '1:1:', null) e where p.login = 'cyd'`);
  const ids = await idsOf(client);
  return { shown: body.receipts.find((/** @type {any} */ one) => one.user === ids.get('bea')).read_seq, told: rows[0].types };
}

test('a receipt that is under way is in the room as a newcomer first sees it', async () => {
  const told = ['member.leave', 'member.join', 'room.new'];
  assert.deepEqual(await joinDuringReceipt(true), { shown: 1, told });
  assert.deepEqual(await joinDuringReceipt(false), { shown: 0, told }, 'counter-example: neither shown nor told');
});
