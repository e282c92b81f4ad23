// @ts-check

/**
 * P1 to P4 while things are killed: people write without pause, several kinds of clients show what they hear, and in
 * turn everything that can die does. The checker then compares acknowledgements, database and screens.
 */

import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { EventSource } from 'eventsource';
import { Api } from '../../htdocs/lib/api.js';
import { Client } from '../../htdocs/lib/client.js';
import { check } from '../lib/checker.js';
import { Person } from '../lib/person.js';
import { Site } from '../lib/site.js';
import { Writer } from '../lib/writer.js';

/** Between faults, so many messages more must be on every screen. */
const MESSAGES_BETWEEN = 20;

/**
 * @typedef {object} Screen
 * @property {string} name
 * @property {() => import('../lib/checker.js').Row[]} shown
 * @property {() => unknown} [trouble]  why it last failed to read, for the report of a failure
 * @property {() => void} stop
 */

/** @param {any} message @returns {import('../lib/checker.js').Row} */
const row = ({ room, seq, client_id: clientId, body }) => ({ room, seq, clientId, body });

/**
 * The library that browsers run, whole: snapshot, stream, history, holes. What it shows is its room log.
 *
 * @param {Site} site
 * @param {Person} person  logged in by token
 * @param {number} room
 * @param {string} streamUrl
 * @returns {Screen}
 */
function libraryScreen(site, person, room, streamUrl) {
  /** @type {any} */
  const WithToken = class extends EventSource {
    /** @param {string} url */
    constructor(url) {
      const headers = { Authorization: `Bearer ${person.token}` };
      super(url, { fetch: (input, init) => fetch(input, { ...init, headers: { ...init?.headers, ...headers } }) });
    }
  };
  const client = new Client({
    api: new Api({ base: new URL('api/v1', site.url).href, token: person.token }),
    streamUrl,
    site: 'test',
    storage: null,
    EventSource: WithToken,
    times: { backoffBaseMs: 100, backoffCapMs: 1_000, helloMs: 3_000, silenceMs: 10_000, tickMs: 500, probeMinMs: 500, probeMaxMs: 2_000 },
  });
  client.show(room);
  client.start();
  return {
    name: `library of ${person.login}`,
    shown: () => client.store.log(room).messages.map(row),
    stop: () => client.stop(),
  };
}

/** The messages of one room as a plain client keeps them. */
class ShownLog {
  /** @type {Map<number, import('../lib/checker.js').Row>} in the order of arrival */
  #shown = new Map();

  /** @param {Person} person @param {number} room */
  constructor(person, room) {
    this.person = person;
    this.room = room;
  }

  get rows() {
    return [...this.#shown.values()];
  }

  /** @param {any} message */
  show(message) {
    if (message.room === this.room && !this.#shown.has(message.seq)) this.#shown.set(message.seq, row(message));
  }

  /** All anew, from the history. @returns {Promise<string>} the cursor to go on from */
  async refetch() {
    const { cursor } = await this.person.snapshot();
    this.#shown.clear();
    let last = 0;
    for (let more = true; more; ) {
      const page = await this.person.history(this.room, `?after=${last}&limit=200`);
      for (const message of page.items) this.show(message);
      last = page.items.at(-1)?.seq ?? last;
      more = page.has_more;
    }
    return cursor;
  }
}

/**
 * A client that trusts the protocol alone: it resumes by its last id, drops what it has by seq, and reads the history
 * when it is told reset. If an event went missing, so does the message here.
 *
 * @param {Site} site
 * @param {Person} person
 * @param {number} room
 * @returns {Screen}
 */
function protocolScreen(site, person, room) {
  const log = new ShownLog(person, room);
  let stopped = false;
  let cursor = '';
  const follow = async () => {
    cursor ||= await log.refetch();
    const stream = person.stream({ lastEventId: cursor });
    let read = 0;
    await site.waitFor(
      () => {
        for (; read < stream.events.length; read++) {
          const { type, id, data } = stream.events[read];
          if (type === 'message.new') log.show(data.message);
          if (type === 'reset') {
            // What follows on this stream is after the gap; the snapshot has it, too.
            cursor = '';
            return true;
          }
          if (id) cursor = id;
        }
        return stream.closed || stopped;
      },
      { timeoutMs: 600_000 },
    );
    stream.close();
  };
  (async () => {
    while (!stopped) await follow().catch(() => new Promise((resolve) => setTimeout(resolve, 100)));
  })();
  return { name: `protocol of ${person.login}`, shown: () => log.rows, stop: () => (stopped = true) };
}

/**
 * A client that only polls. When it is told reset (after 1,000 missed events, by polls that failed for some seconds)
 * it reads the history, and goes on.
 *
 * @param {Person} person
 * @param {number} room
 * @returns {Screen}
 */
function pollScreen(person, room) {
  const log = new ShownLog(person, room);
  let stopped = false;
  let cursor = '';
  /** @type {unknown} */
  let trouble;
  (async () => {
    while (!stopped) {
      try {
        cursor ||= await log.refetch();
        const answer = await person.events(cursor);
        for (const { type, data } of answer.events) {
          if (type === 'message.new') log.show(data.message);
        }
        cursor = answer.events.some((/** @type {any} */ { type }) => type === 'reset') ? '' : answer.cursor;
        trouble = undefined;
      } catch (error) {
        // Tried again from the same cursor.
        trouble = error;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  return {
    name: `polls of ${person.login}`,
    shown: () => log.rows,
    trouble: () => trouble,
    stop: () => (stopped = true),
  };
}

/** A wire that can be cut: forwards TCP to the site. @param {Site} site */
async function cuttableWire(site) {
  const target = new URL(site.url);
  /** @type {Set<import('node:net').Socket>} */
  const sockets = new Set();
  const server = createServer((socket) => {
    const far = connect(Number(target.port), target.hostname);
    for (const end of [socket, far]) {
      sockets.add(end);
      end.on('error', () => {});
      end.on('close', () => sockets.delete(end));
    }
    socket.pipe(far).pipe(socket);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(null)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}${target.pathname}`,
    cut: () => sockets.forEach((socket) => socket.resetAndDestroy()),
    close: () => {
      server.close();
      sockets.forEach((socket) => socket.destroy());
    },
  };
}

for (const front of /** @type {const} */ (['apache', 'lighttpd'])) {
  describe(`messages while things die, behind ${front}`, () => {
    /** @type {Site} */
    let site;
    /** @type {Awaited<ReturnType<typeof cuttableWire>>} */
    let wire;
    before(async () => {
      site = await Site.start({ front, env: { CONFAB_WORKERS: 4, CONFAB_POLL_INTERVAL_MS: 200 } });
      wire = await cuttableWire(site);
    });
    after(async () => {
      wire?.close();
      await site?.stop();
    });

    /** @type {Record<string, () => void | Promise<void>>} */
    const faults = {
      'the push daemon is killed': () => site.restart('pushd', 'SIGKILL'),
      'PostgreSQL is restarted in immediate mode': () => site.restart('postgres', 'SIGQUIT'),
      'every worker is killed': async () => {
        for (const pid of await site.workers()) process.kill(pid, 'SIGKILL');
      },
      'the streams are cut': () => wire.cut(),
      'a backend is killed, so that PostgreSQL recovers': async () => {
        const [{ pid }] = await site.sql(`select pid from pg_stat_activity where usename = 'confab_worker' limit 1`);
        process.kill(pid, 'SIGKILL');
      },
      'the daemon loses its connection': async () => {
        await site.sql(`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'confab_daemon'`);
      },
      'the daemon stands still': async () => {
        site.signal('pushd', 'SIGSTOP');
        await new Promise((resolve) => setTimeout(resolve, 2_000));
        site.signal('pushd', 'SIGCONT');
      },
      'the web server is killed': () => site.restart(/** @type {any} */ (front), 'SIGKILL'),
    };

    it('are all on every screen, once, in one order', async () => {
      const [alice, bob] = await Promise.all([
        Person.register(site, 'alice', { token: true }),
        Person.register(site, 'bob', { token: true }),
      ]);
      const { id: room } = await alice.dialogWith(bob);
      const screens = [
        libraryScreen(site, alice, room, new URL('stream', wire.url).href),
        libraryScreen(site, bob, room, new URL('stream', wire.url).href),
        protocolScreen(site, bob, room),
        pollScreen(bob, room),
      ];
      const writers = [new Writer(alice, room), new Writer(bob, room)];
      writers.forEach((writer) => writer.start());
      const acknowledged = () => writers.reduce((n, { sends }) => n + sends.filter((send) => send.returnedAt).length, 0);
      const lastSeq = async () => Number((await site.sql('select last_seq from chat.room_counter where room_id = $1', [room]))[0].last_seq);
      const caughtUp = async (/** @type {string} */ what) => {
        const seq = await lastSeq();
        for (const screen of screens) {
          const isThere = () => screen.shown().some((shown) => shown.seq >= seq);
          await site.waitFor(isThere, { what: `${screen.name} to show ${seq} after: ${what}`, timeoutMs: 30_000 }).catch((error) => {
            throw new Error(error.message, { cause: screen.trouble?.() });
          });
        }
      };
      try {
        for (const [what, strike] of Object.entries({ 'nothing yet': () => {}, ...faults })) {
          await strike();
          const goal = acknowledged() + MESSAGES_BETWEEN;
          await site.waitFor(() => acknowledged() >= goal, { what: `sends to be answered after: ${what}`, timeoutMs: 30_000 });
          await caughtUp(what);
        }
        await Promise.all(writers.map((writer) => writer.stop()));
        await caughtUp('the end');
      } finally {
        await Promise.allSettled(writers.map((writer) => writer.stop(0)));
        screens.forEach((screen) => screen.stop());
      }
      const table = await site.sql(
        'select room_id::int as room, seq::int, client_id as "clientId", body from chat.message where room_id = $1', [room]);
      const sends = writers.flatMap((writer) => writer.sends);
      assert.ok(acknowledged() > MESSAGES_BETWEEN * Object.keys(faults).length);
      assert.deepEqual(check({ sends, table, screens: screens.map(({ name, shown }) => ({ name, shown: shown() })) }), []);
    });
  });
}
