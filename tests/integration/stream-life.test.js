// @ts-check

/** How long a stream lives (docs/protocol.md 6.4, 7.1), and that nobody misses anything by its end. */

import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { Person } from '../lib/person.js';
import { Site } from '../lib/site.js';

const RENEW_MS = 500;

/** @type {Site} */
let site;
/** @type {Person} */
let alice;
/** @type {Person} */
let bob;
before(async () => {
  site = await Site.start({ env: { CONFAB_STREAM_AGE_MIN_S: 2, CONFAB_STREAM_AGE_MAX_S: 2, CONFAB_SESSION_CHECK_S: 3600 } });
  [alice, bob] = await Promise.all([Person.register(site, 'alice'), Person.register(site, 'bob')]);
});
after(() => site?.stop());

it('a stream that has reached its age says bye, and may come back at once', async () => {
  const { id: room } = await alice.dialogWith(bob);
  const first = bob.stream();
  await first.opened();
  await alice.send(room, 'one');
  const { data } = await first.event('bye');
  assert.ok(data.retry <= RENEW_MS, `${data.retry}`);
  await first.ended();
  await alice.send(room, 'two');
  const second = bob.stream({ lastEventId: first.lastId });
  await second.event('message.new');
  assert.deepEqual([...first.messages(), ...second.messages()].map(({ body }) => body), ['one', 'two']);
  second.close();
});

it('a stream does not outlive its session', async () => {
  const guest = await bob.device();
  await site.sql(`update chat.session set expires_at = now() + interval '400 ms' where id = $1`, [guest.session.id]);
  const stream = guest.stream();
  await stream.opened();
  await stream.event('bye');
  await stream.ended();
  const again = guest.stream({ lastEventId: stream.lastId });
  assert.equal((await again.event('reset')).data.reason, 'auth');
  await again.ended();
});
