// @ts-check

/**
 * How long a message takes, and how many go through. Everybody is in one room, so that sends are ordered by one lock,
 * and each message is written to every stream; then everybody sends in a room of his own.
 *
 * The clients share the machine with the servers, so the figures are a lower bound of what the servers can do.
 */

import { Person } from '../lib/person.js';
import { Site } from '../lib/site.js';
import { pause } from '../lib/wait.js';

const FRONT = /** @type {'apache' | 'lighttpd'} */ (process.env.FRONT ?? 'apache');
const MS_EACH = Number(process.env.SECONDS_EACH ?? 10) * 1000;
const SENDERS = Number(process.env.SENDERS ?? 8);
const STREAMS = Number(process.env.STREAMS ?? 50);
/** Time for the last events to arrive. */
const SETTLE_MS = 2_000;

/** @param {number[]} values @param {number} share */
function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

/** @param {string} what @param {number[]} values */
function line(what, values) {
  const [p50, p99, max] = [0.5, 0.99, 1].map((share) => percentile(values, share).toFixed(1).padStart(7));
  return `  ${what.padEnd(34)} ${String(values.length).padStart(8)}   p50 ${p50} ms   p99 ${p99} ms   max ${max} ms`;
}

/**
 * Everybody sends, one message after the other, for as long as it lasts.
 *
 * @param {Person[]} senders
 * @param {number[]} rooms  each sender's
 */
async function sendForAWhile(senders, rooms) {
  const started = Date.now();
  /** @type {Map<string, number>} when each message was begun */
  const begun = new Map();
  /** @type {number[]} */
  const answers = [];
  await Promise.all(
    senders.map(async (sender, i) => {
      for (let n = 0; Date.now() - started < MS_EACH; n++) {
        const body = `${sender.login} ${rooms[i]} ${n}`;
        const now = Date.now();
        begun.set(body, now);
        await sender.send(rooms[i], body);
        answers.push(Date.now() - now);
      }
    }),
  );
  return { begun, answers, perSecond: (answers.length / (Date.now() - started)) * 1000 };
}

const site = await Site.start({ front: FRONT });
try {
  const senders = await Promise.all(Array.from({ length: SENDERS }, (_, i) => Person.register(site, `sender-${i}`)));
  const shared = await senders[0].createRoom({ name: 'shared', members: senders.slice(1).map((person) => person.id) });
  const streams = Array.from({ length: STREAMS }, (_, i) => senders[i % SENDERS].stream());
  await Promise.all(streams.map((stream) => stream.opened()));

  const busy = await sendForAWhile(senders, senders.map(() => shared.id));
  await pause(SETTLE_MS);
  const arrivals = streams.flatMap((stream) =>
    stream.events
      .filter(({ type }) => type === 'message.new')
      .map(({ data, at }) => at - Number(busy.begun.get(data.message.body))),
  );
  for (const stream of streams) stream.close();

  const own = await Promise.all(senders.map((sender) => sender.createRoom({ name: 'own' })));
  const apart = await sendForAWhile(senders, own.map((room) => room.id));

  console.log(`${FRONT}: ${SENDERS} senders, ${STREAMS} streams, ${MS_EACH / 1000} s each`);
  console.log(`  one room: ${busy.perSecond.toFixed(0)} messages/s; a room each: ${apart.perSecond.toFixed(0)} messages/s`);
  console.log(line('answers 201, one room', busy.answers));
  console.log(line('events on all streams', arrivals));
  console.log(line('answers 201, a room each', apart.answers));
  const expected = busy.answers.length * STREAMS;
  if (arrivals.length !== expected) throw new Error(`${arrivals.length} events arrived, not ${expected}`);
} finally {
  await site.stop();
}
