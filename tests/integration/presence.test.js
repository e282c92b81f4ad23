// @ts-check

/** Who is online, told once whatever happens; and who is typing. Numbers are paragraphs of docs/protocol.md. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Follower } from '../lib/follower.js';
import { Guest } from '../lib/guest.js';
import { Person } from '../lib/person.js';
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
    const [{ now }] = await site.sql('select now()');
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
      const rows = await site.sql('select until from chat.lease where user_id = $1 and until - seen_at <= make_interval(secs => $2)', [alice.id, GRACE_S]);
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
      const victim = await site.connect();
      const [{ pid }] = (await victim.query('select pg_backend_pid() as pid')).rows;
      process.kill(pid, 'SIGKILL');
      await site.waitFor(async () => (await site.sql('select from chat.lease_watch')).length === 0);
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
      const both = [alice.id, bob.id];
      const watchers = [alice.stream(), bob.stream({ daemon: 2 })];
      await Promise.all([watchers[0].event('presence.online'), watchers[1].opened()]);
      await at.held(2, alice, bob);
      // Presence is not waited for to be on disk, but a message is, and all that was before it.
      await alice.send(room, 'now it is');
      const before = watchers.map((reader) => reader.events.filter(({ type }) => /^presence/.test(type)).length);
      await crash();
      assert.deepEqual(await site.waitFor(() => at.online(alice, bob), { timeoutMs: 30_000 }), both, 'asked at once');
      await at.held(2, alice, bob);
      await at.swept();
      assert.deepEqual(await at.online(alice, bob), both);
      assert.deepEqual(watchers.map((reader) => reader.events.filter(({ type }) => /^presence/.test(type)).length), before, 'nothing was told');
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
      for (const { type, data } of reader.events) {
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
