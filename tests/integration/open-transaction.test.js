// @ts-check

/** A transaction that somebody left open at a psql prompt stops one room, and nothing else. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Person } from '../lib/person.js';
import { Site } from '../lib/site.js';

for (const front of /** @type {const} */ (['apache', 'lighttpd'])) {
  describe(`a transaction left open, behind ${front}`, () => {
    /** @type {Site} */
    let site;
    before(async () => (site = await Site.start({ front, env: { CONFAB_WORKERS: 4 } })));
    after(() => site?.stop());
    it('answers 503 with Retry-After in that room, and serves all others meanwhile', () => stopOneRoom(site));
  });
}

/** @param {Site} site */
async function stopOneRoom(site) {
  const [alice, bob] = await Promise.all([Person.register(site, 'alice'), Person.register(site, 'bob')]);
  const stuck = (await alice.dialogWith(bob)).id;
  const free = (await alice.createRoom({ name: 'free', members: [bob.id] })).id;
  await bob.send(stuck, 'well?');
  const psql = await site.connect('confab_admin');
  await psql.query('begin');
  await psql.query('insert into chat.message (room_id, sender_id, body) values ($1, $2, $3)', [stuck, alice.id, 'hm']);

  // More requests than workers, all for the room that is stuck; the transaction holds its sender's read mark, too.
  const began = performance.now();
  const refused = Array.from({ length: 12 }, (_, n) =>
    (n % 2 === 0
      ? alice.request('POST', `rooms/${stuck}/messages`, { body: 'hello?' })
      : alice.request('PUT', `rooms/${stuck}/read`, { seq: 1 })
    ).then((answer) => ({
      answer,
      ms: performance.now() - began,
    })),
  );
  // While they wait, everybody else is served.
  for (let n = 0; n < 10; n++) await bob.send(free, `free ${n}`);
  for (const { answer, ms } of await Promise.all(refused)) {
    assert.equal(answer.status, 503, answer.text);
    assert.match(String(answer.headers['retry-after']), /^[1-9]\d*$/);
    assert.equal(answer.json.status, 503);
    // 800 ms of lock_timeout, and the queue of a pool of four (mod_fcgid looks at it once a second).
    assert.ok(ms < 10_000, `${ms} ms`);
  }

  await psql.query('commit');
  await alice.send(stuck, 'thanks');
  const { items } = await bob.history(stuck);
  assert.deepEqual(items.map((/** @type {any} */ m) => [m.seq, m.body]), [[1, 'well?'], [2, 'hm'], [3, 'thanks']]);
}
