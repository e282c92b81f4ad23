// @ts-check

/**
 * Two people in two browsers, through each web server: they register, find each other, talk, and go on talking while
 * one part after another is taken away. At the end the checker compares what was acknowledged, what the database
 * holds and what each window shows.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { check } from '../lib/checker.js';
import { Site } from '../lib/site.js';
import { pause, waitFor } from '../lib/wait.js';
import { launch, PASSWORD, Window } from './window.js';
import { Wire } from './wire.js';

/** More than one page, in words that no layout may break on. */
const LONG = `${'Lorem ipsum dolor sit amet. '.repeat(250)}${'x'.repeat(3000)}`.slice(0, 10000);

const TALK = [
  'Hello!', 'Hi 👋🏽 how are you? 👨‍👩‍👧‍👦🎉', 'Привет, как дела? Ёжик — ждёт.', 'שלום, מה שלומך? (טוב)', 'مرحبا بالعالم! 123',
  '<b>bold?</b> <script>wrong.push("script ran")</script>', '<img src=x onerror="wrong.push(\'image ran\')">',
  LONG, 'two\nlines\n\nand a third', 'a & b < c > d "e" \'f\' `g` \\h ${i} {{j}}', 'mixed שלום and latin 42 نعم end',
  'https://example.org/a?b=c&d=(e) and mailto:someone@example.org, javascript:alert(1)', '😀', '\u202Eoverride\u202C and done',
  'zero\u200Bwidth and e\u0301 combining', 'سؤال: https://example.org/?q=1 ؟', 'tab\tand  two spaces', '1', '2', 'Last one.',
];

for (const front of /** @type {const} */ (['apache', 'lighttpd'])) {
  describe(`two people through ${front}`, () => {
    /** @type {Site} */
    let site;
    /** @type {import('playwright-core').Browser} */
    let browser;
    /** @type {Wire} */
    let wire;
    /** @type {Window} */
    let anna;
    /** @type {Window} */
    let boris;

    before(async () => {
      [site, browser] = await Promise.all([Site.start({ front }), launch()]);
      wire = await Wire.to(site.url);
      anna = await Window.open(browser, wire.url, 'Anna Lind');
      boris = await Window.open(browser, wire.url, 'Boris Roth');
    });

    after(async () => {
      await browser?.close();
      wire?.close();
      await site?.stop();
    });

    /** Both see everything that both sent. */
    async function settled() {
      await Promise.all([anna, boris].map((window) => window.showsAll([anna, boris])));
    }

    async function killWorkers() {
      for (const pid of await site.workers()) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It has ended by itself meanwhile.
        }
      }
    }

    /**
     * Both talk, a message each in turn, while something happens; then both must see everything.
     *
     * @param {string} topic
     * @param {() => Promise<void>} happens
     */
    async function talkWhile(topic, happens) {
      let over = false;
      const happening = happens().finally(() => (over = true));
      happening.catch(() => {}); // told below, once nobody types any more
      for (let n = 1; !over || n <= 6; n += 1) {
        await anna.send(`${topic} ${n} from Anna`);
        await boris.send(`${topic} ${n} from Boris`);
        await Promise.all([anna.noteAcknowledged(), boris.noteAcknowledged(), pause(100)]);
      }
      await happening;
      await settled();
    }

    test('they register; bad input is told at its field', async () => {
      await anna.page.getByRole('button', { name: 'Create account' }).first().click();
      await anna.page.getByLabel('Password').fill('short');
      await anna.page.keyboard.press('Enter');
      await anna.page.locator('[name=password][aria-invalid=true]').waitFor();
      await anna.page.locator('[name=login][aria-invalid=true]').waitFor();
      await anna.screenshot(`${front}-register`);
      await Promise.all([anna.register(), boris.register()]);
      await Promise.all([anna.connection('live'), boris.connection('live')]);
      await anna.page.getByText('No chats yet').waitFor();
      await anna.screenshot(`${front}-empty`);
    });

    test('they find each other by search', async () => {
      await anna.find('Boris Roth');
      await boris.find('Anna Lind');
      assert.equal(await anna.room(), await boris.room());
    });

    test('what one sends is on the screen of the other, once, in the same order', async () => {
      for (const [i, body] of TALK.entries()) {
        const [from, to] = i % 2 === 0 ? [anna, boris] : [boris, anna];
        await from.send(body);
        await to.showsAll([from]);
        await from.noteAcknowledged();
      }
      await settled();
      const [left, right] = await Promise.all([anna.shown(), boris.shown()]);
      assert.deepEqual(left.map(({ body }) => body), TALK);
      assert.deepEqual(right, left);
      await anna.page.locator('.message.own.read').nth(9).waitFor();
      await anna.screenshot(`${front}-talk`);
    });

    test('only safe addresses are links', async () => {
      const links = await anna.page.locator('.body a').evaluateAll((nodes) =>
        nodes.map((node) => [node.getAttribute('href'), node.getAttribute('rel')]));
      assert.deepEqual(links, [
        ['https://example.org/a?b=c&d=(e)', 'noopener noreferrer'],
        ['mailto:someone@example.org', 'noopener noreferrer'],
        ['https://example.org/?q=1', 'noopener noreferrer'],
      ]);
    });

    test('a third window with another chat open counts what is unread, and moves the chat up', async () => {
      const carl = await Window.open(browser, wire.url, 'Carl Weiss');
      await carl.register();
      await carl.find('Anna Lind');
      await carl.send('Hello from Carl');
      await carl.showsAll([carl]);

      const third = await anna.another();
      await third.isIn();
      await third.openChat('Carl Weiss');
      // Her first window goes elsewhere too, or it would read what comes.
      await anna.openChat('Carl Weiss');
      assert.deepEqual(await third.chats(), ['Carl Weiss', 'Boris Roth']);

      await boris.send('unread one');
      await boris.send('unread two');
      await third.chat('Boris Roth').getByText('2 unread messages').waitFor({ state: 'attached' });
      await waitFor(async () => (await third.chats())[0] === 'Boris Roth', { what: 'the chat to move up' });
      await waitFor(async () => (await third.page.title()) === '(1) Confab', { what: 'the title to count' });
      await third.screenshot(`${front}-unread`);

      await anna.openChat('Boris Roth');
      await settled();
      await waitFor(async () => (await third.page.title()) === 'Confab', { what: 'read here is read there' });
      assert.deepEqual(await third.wrong(), []);
      assert.deepEqual(await carl.wrong(), []);
      await third.page.close();
      await carl.context.close();
    });

    test('a message typed at a psql prompt appears', async () => {
      const room = await anna.room();
      const rows = await site.sql(
        `insert into chat.message (room_id, sender_id, body)
         select $1, id, 'from psql' from chat.person where login = 'boris.roth' returning client_id`, [room]);
      boris.sends.push({ room, clientId: rows[0].client_id ?? '', body: 'from psql', invokedAt: Date.now() });
      await settled();
    });

    test('reload in the middle; what was not sent yet is sent then', async () => {
      await anna.page.route('**/messages', (route) =>
        route.request().method() === 'POST' ? route.abort() : route.fallback());
      await anna.send('written before the reload');
      await anna.page.locator('.message.pending').waitFor();
      await anna.page.unrouteAll();
      await anna.reload();
      await settled();
      await talkWhile('reload', () => boris.reload());
    });

    test('the daemon is killed and comes back', async () => {
      await talkWhile('daemon', async () => {
        await site.kill('pushd', 'SIGKILL');
        await pause(1500);
        await site.begin('pushd');
      });
    });

    test('without a daemon they poll, and stream again when it is back', async () => {
      await site.kill('pushd');
      await Promise.all([anna.connection('polling'), boris.connection('polling')]);
      await talkWhile('poll', async () => {});
      await site.begin('pushd');
      await Promise.all([anna.connection('live'), boris.connection('live')]);
    });

    test('PostgreSQL is restarted in immediate mode', async () => {
      await talkWhile('postgres', () => site.restart('postgres', 'SIGQUIT'));
    });

    test('workers are killed in the middle of a send', async () => {
      const room = await anna.room();
      const blocker = await site.connect();
      await blocker.query('begin');
      await blocker.query('select from chat.room_counter where room_id = $1 for update', [room]);
      await anna.send('held up');
      await waitFor(async () => (await site.sql(`select from pg_stat_activity where wait_event_type = 'Lock'`)).length > 0,
        { what: 'the send to wait for the lock' });
      await killWorkers();
      await blocker.query('rollback');
      await talkWhile('workers', killWorkers);
    });

    test('the browser goes offline and comes back', async () => {
      await talkWhile('offline', async () => {
        await boris.offline(true);
        wire.cut();
        await boris.connection('offline');
        await boris.screenshot(`${front}-offline`);
        await boris.offline(false);
        await boris.connection('live');
      });
    });

    test('the TCP connections are cut', async () => {
      await talkWhile('cut', async () => {
        for (let n = 0; n < 3; n += 1) {
          wire.cut();
          await pause(200);
        }
      });
    });

    test('in the end nothing is missing, nothing double, and the order is the same', async () => {
      await Promise.all([anna.connection('live'), boris.connection('live')]);
      const room = await anna.room();
      await Promise.all([anna.noteAcknowledged(), boris.noteAcknowledged()]);
      const table = await site.sql('select room_id, seq, client_id, body from chat.message where room_id = $1', [room]);
      const violations = check({
        sends: [...anna.sends, ...boris.sends].filter((send) => send.room === room),
        table: table.map((row) => ({ room: Number(row.room_id), seq: Number(row.seq), clientId: row.client_id ?? '', body: row.body })),
        screens: await Promise.all([anna, boris].map(async (window) => ({ name: window.name, shown: await window.shown() }))),
      });
      assert.deepEqual(violations, []);
      assert.deepEqual(await anna.wrong(), []);
      assert.deepEqual(await boris.wrong(), []);
    });

    test('logging out ends every window, and the password opens again', async () => {
      const second = await anna.another();
      await second.isIn();
      await second.connection('live');
      await anna.page.getByRole('button', { name: 'Log out' }).click();
      await Promise.all([anna, second].map(({ page }) => page.locator('html[data-screen="auth"]').waitFor()));
      await anna.logIn(`${PASSWORD}?`);
      await anna.page.getByText('Username or password is wrong.').waitFor();
      await anna.logIn();
      await anna.isIn();
      await anna.openChat('Boris Roth');
    });
  });
}
