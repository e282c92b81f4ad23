// @ts-check

/**
 * What a cursor gives, and what it must not, on every transport: expired and forged ones, those of another filter, those
 * from before a leave. Numbers are paragraphs of docs/protocol.md.
 */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { roomOf } from '../lib/follower.js';
import { Guest } from '../lib/guest.js';
import { Site } from '../lib/site.js';
import { DAEMON_PATHS, straight, throughFront } from '../lib/ways.js';

const REPLAY_EVENTS = 1_000; // the default, and what polls of the workers always have
const MOST_XIP = 1_000;

/** @type {Site} */
let site;
/** @type {Guest} */
let alice;
/** @type {Guest} */
let bob;
/** @type {number} */
let dialog;

before(async () => {
  site = await Site.start({ front: 'lighttpd', env: { CONFAB_POLL_WAIT_MS: 300, CONFAB_STREAM_HEARTBEAT_MS: 300, CONFAB_RESET_WITHIN_S: 1 } });
  alice = await Guest.register(site, 'alice');
  bob = await Guest.register(site, 'bob');
  dialog = await alice.dialogWith(bob);
});
after(() => site?.stop());

/** @param {Guest} guest @returns {Promise<string>} all that he has seen until now */
const cursorOf = async (guest) => (await guest.snapshot()).cursor;

/** The daemon starts anew, so its ring is empty and it reads replays from the log. */
const forget = () => site.restart('pushd');

/**
 * What comes when a client goes on from that id, up to the mark that says that it was all.
 *
 * @param {import('../lib/ways.js').Way} way
 * @param {string} id
 */
async function resume(way, id) {
  const reader = way.open(id);
  await reader.event('mark');
  reader.close();
  return reader.events.filter(({ type }) => type !== 'connected' && type !== 'mark');
}

/** @param {Awaited<ReturnType<typeof resume>>} events */
const bodies = (events) => events.filter(({ type }) => type === 'message.new').map(({ data }) => data.message.body);

/** @param {string} id */
function parse(id) {
  const [epoch, xmin, xmax] = id.split(/[-:]/);
  return { epoch, xmin: Number(xmin), xmax: Number(xmax) };
}

for (const path of /** @type {const} */ ([...DAEMON_PATHS, 'api/v1/events'])) {
  const polled = path === 'api/v1/events';
  describe(`/${path}`, () => {
    /** @type {import('../lib/ways.js').Way} */
    let way;
    before(() => {
      way = polled ? throughFront(site, bob, path) : straight(site, bob, path);
    });

    /** From memory, and from the log. @param {(where: string) => Promise<void>} check */
    async function bothWays(check) {
      await check('ring');
      if (polled) return;
      await forget();
      await check('log');
    }

    it('5.2 forged ids get reset and nothing else', async () => {
      const { epoch, xmin, xmax } = parse(await cursorOf(bob));
      const numbers = (/** @type {number} */ count) => Array.from({ length: count }, (_, n) => xmax + n).join(',');
      const forged = {
        garbage: ['expired', 'no-cursor:at:all'],
        'another epoch': ['epoch', `00000000-${xmin}:${xmax}:`],
        'the future': ['expired', `${epoch}-${xmax + 100_000}:${xmax + 100_000}:`],
        'the future, but for what is to come next': ['expired', `${epoch}-${xmin}:${xmax + 100_000}:${numbers(10)}`],
        'too many transactions': ['expired', `${epoch}-${xmin}:${xmax + MOST_XIP + 1}:${numbers(MOST_XIP + 1)}`],
        'transactions out of order': ['expired', `${epoch}-${xmin}:${xmax + 2}:${xmax + 1},${xmax}`],
        'beyond 64 bits': ['expired', `${epoch}-1:99999999999999999999999:`],
        'a filter that there is not': ['filter', `${epoch}-${xmin}:${xmax}:~00000000`],
      };
      await bothWays(async (where) => {
        for (const [name, [reason, id]] of Object.entries(forged)) {
          const told = (await resume(way, id)).map(({ type, data }) => [type, data.reason]);
          assert.deepEqual(told, [['reset', reason]], `${name}, ${where}`);
        }
      });
    });

    it('5.2 as many transactions as a cursor may name are no obstacle', async () => {
      const { epoch, xmin, xmax } = parse(await cursorOf(bob));
      // Its owner has seen none of those that are to come: the same as the cursor without them.
      const open = Array.from({ length: MOST_XIP }, (_, n) => xmax + n);
      const sent = await alice.send(dialog, `for ${path}`);
      // Until the database has given out all these ids, such a cursor is from the future.
      await site.sql(`do $$ begin while pg_current_xact_id()::text::bigint <= ${xmax + MOST_XIP} loop commit; end loop; end $$`);
      await alice.send(dialog, 'one more, so that all of them are in the log');
      await bothWays(async (where) => {
        const events = await resume(way, `${epoch}-${xmin}:${xmax + MOST_XIP}:${open.join(',')}`);
        assert.deepEqual(bodies(events), [sent.body, 'one more, so that all of them are in the log'], where);
      });
    });

    it("6.6 P6 somebody else's cursor, from before one came, shows no more than one may see today", async () => {
      const start = await cursorOf(alice);
      const joined = await alice.createRoom('joined');
      await alice.send(joined, 'before he came');
      await alice.add(joined, bob.id);
      await alice.send(joined, 'since he came');
      const left = await alice.createRoom('left', [bob.id]);
      await alice.send(left, 'while he was there');
      await alice.remove(left, bob.id);
      const never = await alice.createRoom('never');
      await alice.send(never, 'without him');
      await bothWays(async (where) => {
        const events = await resume(way, start);
        const of = (/** @type {number} */ room) => events.filter(({ data }) => roomOf(data) === room);
        assert.deepEqual(of(joined).map(({ type }) => type), ['member.join', 'room.new', 'message.new'], where);
        assert.deepEqual(bodies(of(joined)), ['since he came'], where);
        assert.deepEqual(of(left).map(({ type }) => type), ['member.leave'], where);
        assert.deepEqual(of(never), [], where);
      });
    });

    it('6.6 P6 a cursor from before a leave, a kick and a new join brings back nothing of what was missed', async () => {
      for (const how of ['leaves', 'is kicked']) {
        const room = await alice.createRoom(`${how}, on ${path}`, [bob.id]);
        await alice.send(room, 'seen');
        const start = await cursorOf(bob);
        await alice.send(room, 'before');
        await (how === 'leaves' ? bob.remove(room) : alice.remove(room, bob.id));
        await alice.send(room, 'after');
        await bothWays(async (where) => {
          const events = await resume(way, start);
          assert.deepEqual(events.map(({ type, data }) => [type, roomOf(data)]), [['member.leave', room]], `${how}, ${where}`);
        });
        await alice.add(room, bob.id);
        await alice.send(room, 'again');
        await bothWays(async (where) => {
          const events = await resume(way, start);
          assert.deepEqual(events.map(({ type }) => type), ['member.leave', 'member.join', 'room.new', 'message.new'], `${how}, ${where}`);
          assert.deepEqual(bodies(events), ['again'], `${how}, ${where}`);
        });
      }
    });

    it('5.2 more missed than is replayed: reset, and nothing else', async () => {
      const start = await cursorOf(bob);
      const insert = 'insert into chat.message (room_id, sender_id, body) select $1, $2, n from generate_series(1, $3::int) n';
      await site.sql(insert, [dialog, alice.id, REPLAY_EVENTS]);
      await bothWays(async (where) => {
        assert.equal(bodies(await resume(way, start)).length, REPLAY_EVENTS, where);
      });
      await alice.send(dialog, 'one too many');
      await bothWays(async (where) => {
        const told = (await resume(way, start)).map(({ type, data }) => [type, data.reason]);
        assert.deepEqual(told, [['reset', 'limit']], where);
      });
    });

    it('5.2 an id older than the log: reset; one that has seen all that was pruned goes on', async () => {
      const old = await cursorOf(bob);
      await alice.send(dialog, 'to be pruned');
      const young = await cursorOf(bob);
      for (let call = 0; call < 2; call++) await site.sql(`select chat.event_prune('0 s')`);
      await alice.send(dialog, 'kept');
      await forget();
      assert.deepEqual((await resume(way, old)).map(({ type, data }) => [type, data.reason]), [['reset', 'expired']]);
      assert.deepEqual(bodies(await resume(way, young)), ['kept']);
    });
  });
}
