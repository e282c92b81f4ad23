// @ts-check

/** Who is online, told once whatever happens; and who is typing. Numbers are paragraphs of docs/protocol.md. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Cluster } from '../lib/cluster.js';
import { Follower } from '../lib/follower.js';
import { Guest } from '../lib/guest.js';
import { Person } from '../lib/person.js';
import { Poller } from '../lib/poller.js';
import { Random } from '../lib/random.js';
import { Site } from '../lib/site.js';
import { straight } from '../lib/ways.js';

const LEASE_S = 3;
const GRACE_S = 1;
const ENV = { CONFAB_PRESENCE_LEASE_S: LEASE_S, CONFAB_PRESENCE_GRACE_S: GRACE_S, CONFAB_POLL_INTERVAL_MS: 300 };
/** A lease, and the longest pauses between two sweeps. */
const GONE_MS = 20_000;

/** What a stream was told of a person's coming and going. @param {{events: any[]}} reader @param {{id: number}} person */
function told(reader, person) {
  return reader.events
    .filter(({ type, data }) => /^presence\./.test(type) && data.user === person.id)
    .map(({ type }) => type.replace('presence.', ''));
}

/** What a stream was told of a person's typing in a room. @param {{events: any[]}} reader @param {{id: number}} person */
function typed(reader, person) {
  return reader.events
    .filter(({ type, data }) => /^typing\./.test(type) && data.user.id === person.id)
    .map(({ type, data }) => `${type.replace('typing.', '')} ${data.room}`);
}

/** @param {Site} site */
function helpers(site) {
  /** Resolves when somebody swept who had seen what is in the database now. */
  async function swept() {
    const [{ now }] = await site.sql('select now()::text');
    return site.waitFor(async () => (await site.sql('select from chat.lease_watch where swept_at > $1 and sure_at < swept_at', [now])).length > 0,
      { what: 'a sweep', timeoutMs: GONE_MS });
  }

  /** How many daemons hold them. @param {...{id: number}} people @returns {Promise<number>} */
  async function leases(...people) {
    return (await site.sql('select from chat.lease where until > now() and user_id = any ($1)', [people.map(({ id }) => id)])).length;
  }

  /** @param {number} count @param {...{id: number}} people */
  function held(count, ...people) {
    return site.waitFor(async () => (await leases(...people)) === count, { what: `${count} leases`, timeoutMs: GONE_MS });
  }

  /** Which of them are online. @param {...{id: number}} people @returns {Promise<number[]>} */
  async function online(...people) {
    return (await site.sql('select user_id::int from chat.online where user_id = any ($1) order by 1', [people.map(({ id }) => id)]))
      .map(({ user_id: id }) => id);
  }

  /** For all connections, those that are open already too. @param {string} statement */
  async function configure(statement) {
    const admin = await site.connect();
    await admin.query('set chat.broadcast_members = 100'); // or it would not be known
    await admin.query(`alter system ${statement}`);
    await admin.query('select pg_reload_conf()');
    await site.waitFor(async () => (await (await site.connect()).query('show chat.broadcast_members')).rows[0]['chat.broadcast_members'] === '2');
  }

  return { swept, held, online, configure };
}

describe('with several daemons', () => {
  /** @type {Site} */
  let site;
  /** @type {ReturnType<typeof helpers>} */
  let at;
  before(async () => {
    site = await Site.start({ front: null, daemons: 2, env: ENV });
    at = helpers(site);
  });
  after(() => site?.stop());

  /** People of one room. @param {...string} logins */
  async function people(...logins) {
    const all = await Promise.all(logins.map((login) => Guest.register(site, login)));
    const room = await all[0].createRoom('Room', all.slice(1).map(({ id }) => id));
    return { all, room };
  }

  it('9.2 five tabs over two daemons, one of which is killed: one online, one offline', { timeout: 90_000 }, async () => {
    const { all: [alice, bob], room } = await people('alice', 'bob');
    const watcher = bob.stream();
    await watcher.opened();
    const tabs = [1, 1, 1, 2, 2].map((daemon) => alice.stream({ daemon }));
    await Promise.all(tabs.map((tab) => tab.opened()));
    const event = await watcher.event('presence.online');
    assert.equal(event.id, undefined);
    assert.deepEqual(Object.keys(event.data), ['user', 'last_seen']);
    await at.held(3, alice, bob);

    await site.kill('pushd2', 'SIGKILL');
    await at.held(2, alice, bob);
    await at.swept();
    for (const tab of tabs.slice(0, 2)) tab.close();
    await at.swept();
    assert.deepEqual(told(watcher, alice), ['online']);
    tabs[2].close();
    await watcher.event('presence.offline', () => true, { timeoutMs: GONE_MS });
    await at.swept();
    assert.deepEqual(told(watcher, alice), ['online', 'offline']);
    assert.deepEqual(told(watcher, bob), [], 'nobody is told of himself');
    const [{ user, online, last_seen: seen }] = (await bob.snapshot()).presence;
    assert.deepEqual({ user, online }, { user: alice.id, online: false });
    assert.ok(Math.abs(Date.now() - Date.parse(seen)) < GONE_MS, seen);
    // A signal has no id: what comes after it is the first mark's.
    await alice.send(room, 'from elsewhere');
    await watcher.event('message.new');
    watcher.close();
    await site.begin('pushd2');
  });

  it('9.3 who comes back within the grace never went', { timeout: 60_000 }, async () => {
    const { all: [alice, bob] } = await people('alice-g', 'bob-g');
    const watcher = bob.stream();
    await watcher.opened();
    const first = alice.stream();
    await watcher.event('presence.online');
    await at.held(2, alice, bob);
    first.close();
    // The lease now runs for the grace alone.
    const [{ until }] = await site.waitFor(async () => {
      const rows = await site.sql('select until::text from chat.lease where user_id = $1 and until - seen_at <= make_interval(secs => $2)', [alice.id, GRACE_S]);
      return rows.length > 0 && rows;
    }, { what: 'the release' });
    const second = alice.stream({ daemon: 2 });
    await second.opened();
    await site.waitFor(async () => (await site.sql('select from chat.lease where user_id = $1 and until > $2', [alice.id, until])).length > 0);
    await site.waitFor(async () => (await site.sql('select where now() > $1', [until])).length > 0);
    await at.swept();
    assert.deepEqual(told(watcher, alice), ['online']);
    second.close();
    await watcher.event('presence.offline', () => true, { timeoutMs: GONE_MS });
    watcher.close();
  });

  for (const signal of /** @type {const} */ (['SIGTERM', 'SIGKILL'])) {
    it(`9.3 a daemon that is restarted (${signal}) makes nobody blink`, { timeout: 60_000 }, async () => {
      const { all: [alice, bob] } = await people(`alice-${signal.toLowerCase()}`, `bob-${signal.toLowerCase()}`);
      const watcher = bob.stream({ daemon: 2 });
      await watcher.opened();
      const follower = new Follower(alice, [straight(site, alice, 'stream')]);
      await watcher.event('presence.online');
      await site.restart('pushd', signal);
      await site.waitFor(() => follower.all('connected').length > 1, { what: 'her return' });
      await at.held(3, alice, bob); // the old lease of hers, too
      await at.held(2, alice, bob);
      await at.swept();
      assert.deepEqual(told(watcher, alice), ['online']);
      await follower.stop();
      await watcher.event('presence.offline', () => true, { timeoutMs: GONE_MS });
      watcher.close();
    });
  }

  for (const [name, what, crash] of /** @type {const} */ ([
    ['crash', 'crashes, which empties the leases', async () => {
      const [{ pid, watched }] = (await (await site.connect()).query('select pg_backend_pid() as pid, sure_at::text as watched from chat.lease_watch')).rows;
      process.kill(pid, 'SIGKILL');
      await site.waitFor(async () => (await site.sql('select from chat.lease_watch where sure_at = $1', [watched])).length === 0);
    }],
    ['stop', 'is stopped and started', () => site.restart('postgres')],
    ['away', 'is away for longer than a lease lasts', async () => {
      await site.kill('postgres');
      const back = Date.now() + (LEASE_S + 1) * 1000;
      await site.waitFor(() => Date.now() > back);
      await site.begin('postgres');
    }],
  ])) {
    it(`9.3 nobody blinks when PostgreSQL ${what}`, { timeout: 90_000 }, async () => {
      const { all: [alice, bob], room } = await people(`alice-${name}`, `bob-${name}`);
      const both = [alice.id, bob.id].sort((a, b) => a - b);
      const watchers = [alice.stream()];
      await watchers[0].opened();
      watchers.push(bob.stream({ daemon: 2 }));
      await Promise.all([watchers[0].event('presence.online'), watchers[1].opened()]);
      await at.held(2, alice, bob);
      // Presence is not waited for to be on disk, but a message is, and all that was before it.
      await alice.send(room, 'now it is');
      const soFar = watchers.map((reader) => reader.events.filter(({ type }) => /^presence/.test(type)).length);
      await crash();
      assert.deepEqual(await site.waitFor(() => at.online(alice, bob), { timeoutMs: 30_000 }), both, 'asked at once');
      await at.held(2, alice, bob);
      await at.swept();
      assert.deepEqual(await at.online(alice, bob), both);
      assert.deepEqual(watchers.map((reader) => reader.events.filter(({ type }) => /^presence/.test(type)).length), soFar, 'nothing was told');
      watchers[0].close();
      assert.deepEqual((await watchers[1].event('presence.offline', () => true, { timeoutMs: GONE_MS })).data.user, alice.id);
      watchers[1].close();
      await at.held(0, alice, bob);
      await site.waitFor(async () => (await at.online(alice, bob)).length === 0, { timeoutMs: GONE_MS });
    });
  }

  it('9.5 typing reaches the others, on every daemon, and not oneself; it is throttled', async () => {
    const { all: [alice, bob, carol], room } = await people('alice-t', 'bob-t', 'carol-t');
    const stranger = await Guest.register(site, 'dave-t');
    const [one, two, own, foreign] = [bob.stream(), carol.stream({ daemon: 2 }), alice.stream(), stranger.stream()];
    await Promise.all([one, two, own, foreign].map((reader) => reader.opened()));
    await alice.call('api_typing', room, 'start');
    const { id, data } = await one.event('typing.start');
    assert.equal(id, undefined);
    assert.deepEqual(data, { room, user: { id: alice.id, display_name: 'alice-t' }, expires_in: 6 });
    for (let n = 0; n < 5; n += 1) await alice.call('api_typing', room, 'start');
    await alice.call('api_typing', room, 'stop');
    await alice.send(room, 'that is what she typed');
    for (const reader of [one, two]) {
      await reader.event('typing.stop');
      await reader.event('message.new');
      assert.deepEqual(typed(reader, alice), [`start ${room}`, `stop ${room}`]);
    }
    await own.event('message.new');
    assert.deepEqual([typed(own, alice), typed(foreign, alice)], [[], []]);
    for (const reader of [one, two, own, foreign]) reader.close();
  });

  it('9.1 no typing after a kick', { timeout: 120_000 }, async () => {
    const ROUNDS = 40;
    const { all: [alice, bob, carol], room } = await people('alice-k', 'bob-k', 'carol-k');
    const readers = [alice.stream(), bob.stream({ daemon: 2 })];
    await Promise.all(readers.map((reader) => reader.opened()));
    let shown = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      // Each start counts as the first.
      await site.sql('delete from chat.typing');
      const types = Array.from({ length: 4 }, () => carol.call('api_typing', room, 'start').catch(() => {}));
      const kick = alice.remove(room, carol.id);
      const late = Array.from({ length: 4 }, () => carol.call('api_typing', room, round % 2 ? 'stop' : 'start').catch(() => {}));
      await Promise.all([...types, kick, ...late]);
      await alice.add(room, carol.id);
      await Promise.all(readers.map((reader) => site.waitFor(() => reader.events.filter(({ type }) => type === 'member.join').length > round)));
    }
    for (const reader of readers) {
      let isMember = true;
      for (const { type } of reader.events) {
        if (type === 'member.leave') isMember = false;
        if (type === 'member.join') isMember = true;
        if (/^typing/.test(type)) {
          shown += 1;
          assert.ok(isMember, 'typing of one who is no member');
        }
      }
      reader.close();
    }
    assert.ok(shown > 0, 'some of it was seen');
  });

  it('9.1 no typing reaches one who was removed before', { timeout: 60_000 }, async () => {
    const ROUNDS = 20;
    const { all: [alice, bob, carol], room } = await people('alice-r', 'bob-r', 'carol-r');
    const readers = [bob, carol].map((guest) => guest.stream());
    const [, removed] = readers;
    await Promise.all(readers.map((reader) => reader.opened()));
    const typist = await site.connect();
    for (let round = 1; round <= ROUNDS; round += 1) {
      await site.sql('delete from chat.typing');
      // One right after the other, so that the daemon hears of both at once.
      const removal = typist.query('delete from chat.member where room_id = $1 and user_id = $2', [room, carol.id]);
      await typist.query(`select chat.typing_tell($1, $2, 'start')`, [room, alice.id]);
      await removal;
      await site.waitFor(() => typed(readers[0], alice).length === round, { what: `typing ${round}` });
      await alice.add(room, carol.id);
      await site.waitFor(() => removed.events.filter(({ type }) => type === 'room.new').length === round, { what: `return ${round}` });
    }
    assert.deepEqual(typed(removed, alice), []);
    for (const reader of readers) reader.close();
  });

  it('9.4 in a large room presence is asked for and not told', { timeout: 60_000 }, async () => {
    const { all: [alice, bob, carol], room: large } = await people('alice-l', 'bob-l', 'carol-l');
    const small = await bob.dialogWith(carol);
    await at.configure('set chat.broadcast_members = 2');
    const [inLarge, inSmall] = [alice.stream(), bob.stream({ daemon: 2 })];
    await Promise.all([inLarge.opened(), inSmall.opened()]);
    await at.held(2, alice, bob);
    const tab = carol.stream();
    assert.equal((await inSmall.event('presence.online')).data.user, carol.id);
    const active = async () => (await alice.call('api_room_active', large, null, null)).items.map((/** @type {any} */ user) => user.id);
    const all = [alice.id, bob.id, carol.id].sort((a, b) => a - b);
    assert.deepEqual(await active(), all);
    const { items } = await alice.call('api_presence', [bob.id, carol.id]);
    assert.deepEqual(items.map((/** @type {any} */ item) => item.online), [true, true]);
    await carol.call('api_typing', large, 'start');
    await carol.call('api_typing', small, 'start');
    await inSmall.event('typing.start');
    tab.close();
    await inSmall.event('presence.offline', () => true, { timeoutMs: GONE_MS });
    assert.deepEqual(await active(), all.filter((id) => id !== carol.id));
    assert.deepEqual([told(inLarge, carol), typed(inLarge, carol), typed(inSmall, carol)], [[], [], [`start ${small}`]]);
    for (const reader of [inLarge, inSmall]) reader.close();
  });
});

describe('through the web server', () => {
  /** @type {Site} */
  let site;
  before(async () => {
    site = await Site.start({ front: 'lighttpd', env: { ...ENV, CONFAB_WORKERS: 4 } });
  });
  after(() => site?.stop());

  it('9.2 who polls is online; a WebSocket and a long poll are told as well', { timeout: 60_000 }, async () => {
    const at = helpers(site);
    const [alice, bob] = await Promise.all([Person.register(site, 'alice'), Person.register(site, 'bob')]);
    const [carol, dave] = await Promise.all([Guest.register(site, 'carol'), Guest.register(site, 'dave')]);
    const { id: room } = await alice.createRoom({ name: 'All', members: [bob.id, carol.id, dave.id] });
    const readers = [bob.stream(), carol.websocket(), dave.poller()];
    await Promise.all(readers.map((reader) => reader.opened()));
    await at.held(3, bob, carol, dave);

    const poller = new Poller(new URL('api/v1/events', site.url), { headers: alice.headers() });
    await Promise.all(readers.map((reader) => reader.event('presence.online', ({ user }) => user === alice.id)));
    await at.swept();
    await at.swept();
    const active = await bob.call('GET', `rooms/${room}/active?limit=3`);
    const first = [alice, bob, carol, dave].map(({ id }) => id).sort((a, b) => a - b).slice(0, 3);
    assert.deepEqual([active.items.map((/** @type {any} */ { id }) => id), active.has_more], [first, true]);
    await alice.call('PUT', `rooms/${room}/typing`, { state: 'start' });
    await Promise.all(readers.map((reader) => reader.event('typing.start', ({ user }) => user.id === alice.id)));
    poller.close();
    await Promise.all(readers.map((reader) => reader.event('presence.offline', ({ user }) => user === alice.id, { timeoutMs: GONE_MS })));
    for (const reader of readers) assert.deepEqual(told(reader, alice), ['online', 'offline']);
    const { items } = await bob.call('GET', `presence?users=${alice.id},${carol.id},${carol.id},4711`);
    const found = Object.fromEntries(items.map((/** @type {any} */ { user, online }) => [user, online]));
    assert.deepEqual(found, { [alice.id]: false, [carol.id]: true });
    for (const reader of readers) reader.close();
  });

  it('typing and who is there are for members', async () => {
    const [erin, frank] = await Promise.all([Person.register(site, 'erin'), Person.register(site, 'frank')]);
    const { id: hidden } = await erin.createRoom({ name: 'Hidden' });
    const { id: open } = await erin.createRoom({ name: 'Open', kind: 'public' });
    for (const [room, status] of [[hidden, 404], [open, 403]]) {
      assert.equal((await frank.request('PUT', `rooms/${room}/typing`, { state: 'start' })).status, status);
      assert.equal((await frank.request('GET', `rooms/${room}/active`)).status, status);
    }
    const answer = await erin.request('PUT', `rooms/${open}/typing`, { state: 'other' });
    assert.deepEqual([answer.status, answer.json.errors.map((/** @type {any} */ { pointer }) => pointer)], [422, ['/state']]);
    assert.deepEqual(await frank.call('GET', `presence?users=${erin.id}`), { items: [] });
  });
});

describe('of many daemons at once', () => {
  const DAEMONS = 6;
  const PEOPLE = 20;
  /** @type {Cluster} */
  let cluster;
  /** @type {import('pg').Client[]} */
  let daemons;
  /** @type {import('pg').Client} */
  let observer;
  /** What was told of each person. @type {Map<number, string[]>} */
  const heard = new Map();
  /** @type {number[]} */
  let users;

  before(async () => {
    cluster = await Cluster.start();
    const database = await cluster.database();
    observer = await cluster.connect(database);
    daemons = await Promise.all(Array.from({ length: DAEMONS }, () => cluster.connect(database)));
    const { rows } = await observer.query(`insert into chat.person (login, display_name) select 'p' || i, 'P' from generate_series(1, $1) i returning id::int`, [PEOPLE]);
    users = rows.map(({ id }) => id);
    await observer.query(`insert into chat.room (kind, name) values ('public', 'All')`);
    await observer.query('insert into chat.member (room_id, user_id) select r.id, p.id from chat.room r, chat.person p');
    observer.on('notification', ({ payload = '' }) => {
      const [type, user] = payload.split(' ');
      heard.set(Number(user), [...(heard.get(Number(user)) ?? []), type.replace('presence.', '')]);
    });
    await observer.query('listen chat_signal');
    await observer.query(`insert into chat.lease_watch (lease, swept_at, sure_at) values ('0', now(), now())`);
  });
  after(() => cluster?.stop());

  /** @param {number} daemon @param {number[]} people @param {number} [seconds] */
  async function hold(daemon, people, seconds = 3600) {
    let rest = people;
    // Whom another one has locked is to be held again.
    while (rest.length > 0) {
      const { rows } = await daemons[daemon].query('select user_id::int as id from chat.feed_presence_hold($1, $2, $3) user_id', [`d${daemon}`, rest, seconds]);
      rest = rows.map(({ id }) => id);
    }
  }

  /** @param {number} daemon @param {number[]} people */
  function release(daemon, people) {
    return daemons[daemon].query('select chat.feed_presence_release($1, $2, 0)', [`d${daemon}`, people]);
  }

  /** @param {number} daemon */
  function sweep(daemon) {
    return daemons[daemon].query('select chat.presence_end(500)');
  }

  async function online() {
    const { rows } = await observer.query('select user_id::int as id from chat.presence where online order by 1');
    return rows.map(({ id }) => id);
  }

  it('9.2 each change is told once', async () => {
    const all = Array.from({ length: DAEMONS }, (_, daemon) => daemon);
    for (let round = 1; round <= 10; round += 1) {
      await Promise.all(all.map((daemon) => hold(daemon, users)));
      await Promise.all(all.map((daemon) => release(daemon, users)));
      while ((await online()).length > 0) await Promise.all(all.map(sweep));
      const expected = Array.from({ length: round }, () => ['online', 'offline']).flat();
      for (const user of users) assert.deepEqual(heard.get(user), expected);
    }
  });

  it('9.2 what was told last is so, whatever happens at once', async (t) => {
    const random = new Random();
    t.diagnostic(`SEED=${random.seed}`);
    heard.clear();
    await Promise.all(daemons.map(async (_, daemon) => {
      for (let n = 0; n < 150; n += 1) {
        const some = users.filter(() => random.next() < 0.2);
        const what = random.next();
        if (what < 0.4) await hold(daemon, some);
        else if (what < 0.7) await release(daemon, some);
        else await sweep(daemon);
      }
    }));
    await sweep(0);
    const { rows } = await observer.query('select distinct user_id::int as id from chat.lease where until > now() order by 1');
    assert.deepEqual(await online(), rows.map(({ id }) => id), 'online is who has a lease');
    for (const user of users) {
      const changes = heard.get(user) ?? [];
      assert.equal(changes.at(-1) ?? 'offline', (await online()).includes(user) ? 'online' : 'offline');
      assert.equal(changes.some((what, n) => what === 'offline' && (changes[n - 1] ?? 'offline') === 'offline'), false, changes.join(' '));
    }
  });
});
