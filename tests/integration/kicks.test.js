// @ts-check

/**
 * P6 where it is hardest: a handshake that races a kick, or a log-out. After a kick is in the log nothing later of that
 * room is shown to who was kicked, by whatever transport, daemon, replay or cursor. docs/protocol.md 6.3, 6.6
 */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Follower, roomOf } from '../lib/follower.js';
import { Guest } from '../lib/guest.js';
import { Random } from '../lib/random.js';
import { Site } from '../lib/site.js';
import { pause, waitFor } from '../lib/wait.js';
import { DAEMON_PATHS, straight, throughFront } from '../lib/ways.js';

const KICKS = 300;
const LOG_OUTS = 30;
const DAEMONS = 2;
const FOR_EVER_MS = 1_000_000;
const PATHS = /** @type {const} */ ([...DAEMON_PATHS, 'api/v1/events']);

/** @type {Site} */
let site;
/** @type {Guest} */
let alice;

before(async () => {
  site = await Site.start({
    front: 'lighttpd',
    daemons: DAEMONS,
    env: { CONFAB_WORKERS: 4, CONFAB_POLL_WAIT_MS: 300, CONFAB_POLL_INTERVAL_MS: 100, CONFAB_STREAM_HEARTBEAT_MS: 300, CONFAB_RING_BYTES: 200_000 },
  });
  alice = await Guest.register(site, 'alice');
});
after(() => site?.stop());

/** @param {Guest} guest @param {typeof PATHS[number]} path @param {number} [daemon] */
const wayOf = (guest, path, daemon = 1) =>
  path === 'api/v1/events' ? throughFront(site, guest, path) : straight(site, guest, path, daemon);

/** The room's events that are for that person, by the log alone: from each joining to the leaving after it. @param {number} room @param {number} person */
async function meantFor(room, person) {
  const rows = await site.sql('select id, user_id, type from chat.event where room_id = $1 order by id', [room]);
  let inside = false;
  const his = rows.filter(({ user_id: user, type }) => {
    const own = Number(user) === person;
    if (own && type === 'member.join') inside = true;
    const told = own || (inside && type !== 'room.new');
    if (own && type === 'member.leave') inside = false;
    return told;
  });
  return his.map((row) => Number(row.id));
}

/** @param {Follower} follower @param {number} room @returns {number[]} all that came of it, as it came */
const cameOf = (follower, room) => follower.events.filter(({ data }) => roomOf(data) === room).map(({ data }) => data.eid);

/** Somebody who talks in the room without pause, until the work is done. @param {number} room @param {() => Promise<unknown>} work */
async function underTraffic(room, work) {
  let over = false;
  const talk = async () => {
    for (let n = 0; !over; n++) {
      await alice.send(room, `message ${n}`);
      await pause(1);
    }
  };
  const talking = [talk(), talk()];
  await work().finally(() => (over = true));
  await Promise.all(talking);
}

describe('a handshake and a kick, or a log-out', () => {
  it(`${KICKS} kicks at random moments, while those who are kicked connect over and over`, { timeout: 180_000 }, async (t) => {
    const random = new Random();
    t.diagnostic(`SEED=${random.seed}`);
    const room = await alice.createRoom('revolving door');
    const people = await Promise.all(['bob', 'carol', 'dave', 'eve'].map((login) => Guest.register(site, login)));
    const followers = people.flatMap((person) => {
      const ways = PATHS.flatMap((path) => [1, 2].map((daemon) => wayOf(person, path, daemon)));
      const follow = (/** @type {typeof ways} */ on, /** @type {string} */ name, /** @type {[number, number]} */ staysMs) =>
        new Follower(person, on, { name: `${name} of ${person.login}`, refetches: false, random: random.fork(), staysMs });
      const hoppers = [1, 2, 3].map((n) => ({ person, steady: false, follower: follow(random.shuffled(ways), `hopper ${n}`, [1, 60]) }));
      const stayers = DAEMON_PATHS.map((path, n) => ({
        person,
        // What happens between two polls is told by the membership at the second.
        steady: path !== 'poll',
        follower: follow([wayOf(person, path, 1 + (n % DAEMONS))], path, [FOR_EVER_MS, FOR_EVER_MS]),
      }));
      return [...hoppers, ...stayers];
    });
    t.after(() => Promise.all(followers.map(({ follower }) => follower.stop())));
    await Promise.all(followers.map(({ follower }) => follower.opened()));

    await underTraffic(room, () =>
      Promise.all(
        people.map(async (person) => {
          for (let n = 0; n < KICKS / people.length; n++) {
            await alice.add(room, person.id);
            await pause(random.between(0, 60));
            await alice.remove(room, person.id);
            await pause(random.between(0, 30));
          }
        }),
      ),
    );

    const all = await site.sql('select type from chat.event where room_id = $1', [room]);
    for (const { person, follower, steady } of followers) {
      const meant = await meantFor(room, person.id);
      const [last] = meant.slice(-1);
      assert.ok(meant.length > KICKS && meant.length < all.length, `${meant.length} of ${all.length} events`);
      await site.waitFor(() => cameOf(follower, room).includes(last), { what: `the last leave on ${follower.name}` });
      const his = new Set(meant);
      assert.deepEqual(cameOf(follower, room).filter((eid) => !his.has(eid)), [], follower.name);
      assert.deepEqual(follower.broken, []);
      // One that stays gets all of it, and once.
      if (steady) assert.deepEqual(cameOf(follower, room), meant, follower.name);
    }
    const hops = followers.reduce((n, { follower }) => n + follower.readers.length, 0);
    t.diagnostic(`${hops} handshakes, ${all.filter(({ type }) => type === 'message.new').length} messages`);
    assert.ok(hops > KICKS);
  });

  it(`${LOG_OUTS} log-outs at random moments, while that session connects: nothing that is sent later is shown`, { timeout: 120_000 }, async (t) => {
    const random = new Random();
    t.diagnostic(`SEED=${random.seed}`);
    const heidi = await Guest.register(site, 'heidi');
    const room = await alice.createRoom('for those who are in', [heidi.id]);
    const { cursor } = await heidi.snapshot();
    for (let n = 0; n < LOG_OUTS; n++) {
      const device = await heidi.device();
      const connecting = PATHS.flatMap((path) => [1, 2].map((daemon) => wayOf(device, path, daemon)));
      const readers = await Promise.all(
        connecting.map(async (way) => {
          await pause(random.between(0, 20));
          return way.open(random.next() < 0.5 ? cursor : undefined);
        }),
      );
      await pause(random.between(0, 20));
      await device.logOut();
      await alice.send(room, `after log-out ${n}`);
      for (const [i, reader] of readers.entries()) {
        await reader.ended();
        const shown = reader.messages().map(({ body }) => body);
        assert.ok(!shown.includes(`after log-out ${n}`), `${connecting[i].name} showed ${shown}`);
      }
    }
  });

  for (const path of PATHS) {
    it(`/${path}: the kick is under way while the handshake is answered`, async (t) => {
      const frank = await Guest.register(site, `frank-${PATHS.indexOf(path)}`);
      const room = await alice.createRoom(`for ${path}`, [frank.id]);
      const { cursor } = await frank.snapshot();
      const kick = await site.connect();
      await kick.query('begin');
      await kick.query('delete from chat.member where room_id = $1 and user_id = $2', [room, frank.id]);
      await kick.query('insert into chat.message (room_id, sender_id, body) values ($1, $2, $3)', [room, alice.id, 'with the kick']);
      const readers = [wayOf(frank, path).open(), wayOf(frank, path).open(cursor)];
      t.after(() => readers.forEach((reader) => reader.close()));
      // The handshake is over, and he is in the room: the kick has not happened yet.
      for (const reader of readers) await reader.opened();
      await kick.query('commit');
      await alice.send(room, 'after the kick');
      const own = await frank.createRoom('his own');
      for (const reader of readers) {
        await reader.event('room.new', ({ room: created }) => created.id === own);
        const told = reader.events.filter(({ data }) => roomOf(data) === room).map(({ type }) => type);
        assert.deepEqual(told, ['member.leave']);
      }
    });
  }

  for (const path of DAEMON_PATHS) {
    it(`/${path}: the kick happens while the daemon waits for the answer to the handshake`, async (t) => {
      const grace = await Guest.register(site, `grace-${PATHS.indexOf(path)}`);
      const room = await alice.createRoom(`for ${path}`, [grace.id]);
      const { cursor } = await grace.snapshot();
      const backends = await site.sql(`select pid from pg_stat_activity where usename = 'confab_daemon'`);
      backends.forEach(({ pid }) => process.kill(pid, 'SIGSTOP'));
      const readers = [straight(site, grace, path).open(), straight(site, grace, path).open(cursor)];
      t.after(() => readers.forEach((reader) => reader.close()));
      try {
        if (path !== 'poll') await waitFor(() => readers.every(({ status }) => status !== 0));
        await alice.remove(room, grace.id);
        await alice.send(room, 'after the kick');
      } finally {
        backends.forEach(({ pid }) => process.kill(pid, 'SIGCONT'));
      }
      for (const reader of readers) await reader.opened();
      const own = await grace.createRoom('her own');
      for (const reader of readers) await reader.event('room.new', ({ room: created }) => created.id === own);
      const told = readers.map(({ events }) => events.filter(({ data }) => roomOf(data) === room).map(({ type }) => type));
      assert.deepEqual(told, [[], ['member.leave']]);
    });
  }
});

it('6.3 a session that is made to expire, or given another token, ends its streams', async () => {
  for (const change of [`expires_at = now() - interval '1 s'`, `token_hash = sha256('another')`]) {
    const device = await alice.device();
    const reader = device.stream();
    const { data } = await reader.opened();
    await site.sql(`update chat.session set ${change} where id = $1`, [data.session]);
    await reader.event('reset', ({ reason }) => reason === 'auth');
    await reader.ended();
    assert.equal(reader.events.at(-1)?.data.reason, 'auth');
  }
});
