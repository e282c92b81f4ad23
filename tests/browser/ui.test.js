// @ts-check

/** What one person sees and does in the application: history, unread, failures, keyboard, phone, light and dark. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Person } from '../lib/person.js';
import { Site } from '../lib/site.js';
import { waitFor } from '../lib/wait.js';
import { launch, PASSWORD, Window } from './window.js';
import { Wire } from './wire.js';

const HISTORY = 180;
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

/** @type {Site} */
let site;
/** @type {import('playwright-core').Browser} */
let browser;
/** @type {Person} */
let grace;
/** @type {number} */
let room;
/** @type {Person} */
let boris;
/** @type {number} */
let borisRoom;

before(async () => {
  // Below a prefix, since all paths must be relative.
  [site, browser] = await Promise.all([Site.start({ env: { CONFAB_PATH_PREFIX: '/chat' } }), launch()]);
  const [anna, ...others] = await Promise.all(
    [['anna', 'Anna Lindqvist'], ['grace', 'Grace Okafor'], ['boris', 'Борис Смирнов'], ['dana', 'דנה לוי'], ['eve', '<b>Eve</b> "&amp;"']].map(
      ([login, displayName]) => register(login, displayName)));
  grace = others[0];
  for (const other of others.slice(1)) {
    const { id } = await other.dialogWith(anna);
    if (other.login === 'boris') [boris, borisRoom] = [other, id];
    await other.send(id, `<i>Hello</i> from ${other.user.display_name}`);
  }
  room = (await grace.dialogWith(anna)).id;
  await site.sql(
    `insert into chat.message (room_id, sender_id, body)
     select $1, case when n % 3 = 0 then $2::bigint else $3 end, 'Message number ' || n from generate_series(1, $4::int) n`,
    [room, grace.id, anna.id, HISTORY]);
  await anna.call('PUT', `rooms/${room}/read`, { seq: HISTORY });
});

after(async () => {
  await browser?.close();
  await site?.stop();
});

/** With the password that windows use. @param {string} login @param {string} displayName */
async function register(login, displayName) {
  const person = new Person(site, login, PASSWORD);
  await person.call('POST', 'users', { login, password: PASSWORD, display_name: displayName });
  await person.logIn();
  return person;
}

/**
 * A window of Anna's, closed with the test; nothing may have gone wrong in it.
 *
 * @param {import('node:test').TestContext} t
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
async function annasWindow(t, options) {
  const window = await opened(t, 'Anna', options);
  await window.logIn();
  await window.isIn();
  await window.connection('live');
  return window;
}

/**
 * @param {import('node:test').TestContext} t
 * @param {string} name
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
async function opened(t, name, options) {
  const window = await Window.open(browser, site.url, name, options);
  t.after(async () => {
    const wrong = await window.wrong();
    await window.context.close();
    assert.deepEqual(wrong, []);
  });
  return window;
}

/** The browser has another session, as if by a page that tells no window so. @param {Window} window @param {Person} person */
async function becomes({ context }, person) {
  const cookies = await context.cookies();
  await context.addCookies(cookies.map((cookie) => ({ ...cookie, value: person.cookies.get(cookie.name) ?? '' })));
}

/** Scrolls a step up, and says how far a message in view was moved by what was loaded for it. @param {Window} window */
async function scrollUp({ page }) {
  return page.evaluate(async () => {
    const scroller = /** @type {HTMLElement} */ (document.querySelector('.scroller'));
    scroller.scrollTop -= 1500;
    for (let n = 0; n < 3; n += 1) scroller.dispatchEvent(new Event('scroll'));
    const top = scroller.getBoundingClientRect().top;
    const rows = [...document.querySelectorAll('.message')];
    const row = /** @type {Element} */ (rows.find((one) => one.getBoundingClientRect().top > top));
    const count = rows.length;
    const there = row.getBoundingClientRect().top;
    const deadline = Date.now() + 300;
    while (Date.now() < deadline && document.querySelectorAll('.message').length === count) {
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
    return Math.abs(row.getBoundingClientRect().top - there);
  });
}

test('history loads on the way up without a jump, down to the first message; then back to the latest', async (t) => {
  const window = await annasWindow(t);
  await window.openChat('Grace Okafor');
  await window.page.locator('.body', { hasText: `Message number ${HISTORY}` }).waitFor();
  /** @type {string[]} */
  const pages = [];
  window.page.on('request', (request) => request.url().includes('before=') && pages.push(request.url()));
  const region = window.page.locator('confab-message-list [aria-live="polite"]');
  /** @type {number[]} */
  const moved = [];
  await waitFor(async () => {
    moved.push(await scrollUp(window));
    return (await window.shown())[0].seq === 1;
  }, { what: 'the first message', timeoutMs: 30_000 });
  assert.deepEqual((await window.shown()).map(({ seq }) => seq), Array.from({ length: HISTORY }, (_, i) => i + 1));

  assert.ok(Math.max(...moved) <= 1, `nothing moved: ${moved}`);
  assert.equal(new Set(pages).size, pages.length, 'no page was asked for twice');
  assert.equal(await region.textContent(), '', 'nothing of it was read out');

  await grace.send(room, 'While you were reading');
  await grace.send(room, 'and still');
  const jump = window.page.getByRole('button', { name: '2 new messages. Jump to the latest' });
  await jump.waitFor();
  await window.chat('Grace Okafor').getByText('2 unread messages').waitFor({ state: 'attached' });
  await window.screenshot('history');
  await jump.click();
  await window.page.locator('.body', { hasText: 'and still' }).waitFor();
  await jump.waitFor({ state: 'hidden' });
  await waitFor(async () => (await grace.call('GET', `rooms/${room}`)).receipts.some(
    (/** @type {any} */ { user, read_seq }) => user !== grace.id && read_seq === HISTORY + 2), { what: 'the read mark' });
});

test('unread messages are counted, divided off, and read when they are seen', async (t) => {
  const window = await annasWindow(t);
  await grace.send(room, 'unread one');
  await grace.send(room, 'unread two');
  const chat = window.chat('Grace Okafor');
  await chat.getByText('2 unread messages').waitFor({ state: 'attached' });
  await window.openChat('Grace Okafor');
  const divider = window.page.locator('.divider');
  await divider.waitFor();
  assert.match(String(await divider.evaluate((node) => node.nextElementSibling?.querySelector('.body')?.textContent)), /^unread one$/);
  await waitFor(async () => (await chat.locator('.badge-count').textContent()) === '', { what: 'the badge to go' });

  await site.sql(`insert into chat.message (room_id, sender_id, body) select $1, $2::bigint, 'many' from generate_series(1, 100)`, [borisRoom, boris.id]);
  await window.chat('Борис Смирнов').getByText('99+').waitFor();
});

test('nobody reads in a window without focus; with it, what is in view is read', async (t) => {
  const window = await annasWindow(t);
  await window.openChat('Grace Okafor');
  await window.page.evaluate(() => (document.hasFocus = () => false));
  const chat = window.chat('Grace Okafor');
  for (const [body, badge] of [['in the background', '1 unread message'], ['twice', '2 unread messages']]) {
    await grace.send(room, body);
    await window.page.locator('.body', { hasText: body }).waitFor();
    await chat.getByText(badge).waitFor({ state: 'attached' });
  }
  await window.page.evaluate(() => {
    document.hasFocus = () => true;
    dispatchEvent(new Event('focus'));
  });
  await waitFor(async () => (await chat.locator('.badge-count').textContent()) === '', { what: 'the badge to go' });
});

test('what comes in is read out, what was there before is not', async (t) => {
  const window = await annasWindow(t);
  await window.openChat('Grace Okafor');
  const region = window.page.locator('confab-message-list [aria-live="polite"]');
  assert.equal(await region.textContent(), '');
  await grace.send(room, 'for the ears');
  await waitFor(async () => (await region.textContent()) === 'Grace Okafor: for the ears', { what: 'the announcement' });
  await window.send('for the eyes');
  await window.page.locator('.message.sent', { hasText: 'for the eyes' }).waitFor();
  assert.equal(await region.textContent(), 'Grace Okafor: for the ears');
});

test('a refused message says so, and can be discarded or sent again', async (t) => {
  const window = await annasWindow(t);
  await window.openChat('Grace Okafor');
  await window.page.route('**/messages', (route) => route.request().method() === 'POST'
    ? route.fulfill({ status: 403, contentType: 'application/problem+json', body: '{"status":403,"code":"forbidden","detail":"Not now."}' })
    : route.fallback());
  await window.send('refused one');
  await window.send('refused two');
  const failures = window.page.locator('.failure');
  await failures.nth(1).waitFor();
  await window.screenshot('failed');
  await failures.first().getByRole('button', { name: 'Discard' }).click();
  await waitFor(async () => (await failures.count()) === 1);
  await window.page.unrouteAll();
  await failures.getByRole('button', { name: 'Retry' }).click();
  await window.page.locator('.message.sent', { hasText: 'refused two' }).waitFor();
  assert.equal(await window.page.getByText('refused one').count(), 0);
});

test('names and messages with markup stay text everywhere', async (t) => {
  const window = await annasWindow(t);
  await window.page.getByText('<b>Eve</b> "&amp;"').first().waitFor();
  await window.openChat('<b>Eve</b>');
  await window.page.getByText('<i>Hello</i> from <b>Eve</b> "&amp;"').last().waitFor();
  assert.equal(await window.page.locator('b, i').count(), 0);
});

test('everything can be done with the keyboard; Shift+Enter and an input method do not send', async (t) => {
  const window = await annasWindow(t);
  const { page } = window;
  await page.getByRole('combobox').press('Tab');
  await page.keyboard.press('Enter');
  const field = page.getByRole('textbox', { name: /^Message / });
  await field.waitFor();
  await waitFor(() => field.evaluate((node) => node === document.activeElement), { what: 'the cursor where one writes' });
  await page.keyboard.type('first');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('second');
  await field.evaluate((node) =>
    node.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true, cancelable: true })));
  assert.equal(await field.inputValue(), 'first\nsecond');
  const draftRoom = await window.room();
  await page.keyboard.press('Escape');
  await waitFor(() => page.evaluate((id) => document.activeElement?.getAttribute('href') === `#/room/${id}`, draftRoom),
    { what: 'the focus back in the list' });
  await page.keyboard.press('Enter');
  await waitFor(async () => (await field.inputValue()) === 'first\nsecond', { what: 'the draft' });
  await field.press('Enter');
  await page.locator('.message.sent', { hasText: 'second' }).waitFor();
});

test('the focus is where one begins, and follows what comes on screen', async (t) => {
  const window = await opened(t, 'Anna');
  const { page } = window;
  const search = page.locator('confab-search input:focus');
  await page.locator('[name=login]:focus').waitFor();
  await page.getByRole('button', { name: 'Create account' }).first().click();
  await page.locator('[name=display_name]:focus').waitFor();
  await page.getByRole('button', { name: 'Log in' }).first().click();
  await window.logIn();
  await search.waitFor();
  await page.keyboard.type('grace');
  await page.getByRole('button', { name: 'Clear search' }).click();
  await search.waitFor();
  await window.openChat('Grace Okafor');
  const composer = page.locator('confab-composer textarea:focus');
  await composer.waitFor();
  await window.reload();
  await composer.waitFor();

  await page.locator('.scroller').evaluate((node) => (node.scrollTop = 0));
  await page.getByRole('button', { name: 'Jump to the latest message' }).press('Enter');
  await composer.waitFor();
  await page.route('**/messages', (route) => route.fulfill({ status: 403 }));
  await window.send('refused');
  await page.getByRole('button', { name: 'Discard' }).press('Enter');
  await composer.waitFor();
  await page.evaluate(() => (location.hash = '#/room/999999'));
  await page.locator('.conversation-state:focus', { hasText: 'This chat is not available' }).waitFor();
  await page.keyboard.press('Escape');
  await search.waitFor();
  await page.getByRole('button', { name: 'Log out' }).press('Enter');
  await page.locator('[name=login]:focus').waitFor();
});

test("on a phone the focus goes to headings, so that no keyboard comes up, and back to one's chat", async (t) => {
  const window = await opened(t, 'Anna', PHONE);
  const { page } = window;
  await page.locator('.auth-card h1:focus').waitFor();
  await window.logIn();
  await page.locator('#account-name:focus').waitFor();
  await window.chat('Grace Okafor').tap();
  await page.locator('h2:focus', { hasText: 'Grace Okafor' }).waitFor();
  await page.getByRole('button', { name: 'Back to the chats' }).tap();
  await window.chat('Grace Okafor').locator('a:focus').waitFor();
});

test('without JavaScript the page says what it needs, and shows nothing else', async (t) => {
  const window = await Window.open(browser, site.url, 'Nobody', { javaScriptEnabled: false });
  const { page } = window;
  t.after(() => window.context.close());
  assert.equal(await page.locator('noscript h1').textContent(), 'Confab needs JavaScript');
  assert.ok(await page.locator('noscript p').isVisible());
  await window.screenshot('look-noscript');
  for (const part of ['#shell', 'confab-auth', 'confab-notice']) assert.equal(await page.locator(part).isVisible(), false, part);
});

test('a draft stays with its room, also through a reload, until it is sent or one logs out', async (t) => {
  const window = await annasWindow(t);
  const area = window.page.getByRole('textbox', { name: /^Message / });
  await window.openChat('Grace Okafor');
  await area.fill('for Grace');
  await window.openChat('Борис Смирнов');
  assert.equal(await area.inputValue(), '');
  await area.fill('for Boris');
  await window.reload();
  await waitFor(async () => (await area.inputValue()) === 'for Boris', { what: 'the draft' });
  await window.openChat('Grace Okafor');
  assert.equal(await area.inputValue(), 'for Grace');
  await area.press('Enter');
  await window.page.locator('.message.sent', { hasText: 'for Grace' }).waitFor();
  await window.openChat('Борис Смирнов');
  await window.openChat('Grace Okafor');
  assert.equal(await area.inputValue(), '');
  await window.page.getByRole('button', { name: 'Log out' }).click();
  await window.logIn();
  await window.isIn();
  await window.openChat('Борис Смирнов');
  assert.equal(await area.inputValue(), '');
});

test('a draft is one in all tabs, and is sent once', async (t) => {
  const window = await annasWindow(t);
  await window.openChat('Grace Okafor');
  const other = await window.another();
  await other.openChat('Grace Okafor');
  const area = (/** @type {Window} */ one) => one.page.getByRole('textbox', { name: /^Message / });
  const shows = (/** @type {Window} */ one, /** @type {string} */ text) => waitFor(async () => (await area(one).inputValue()) === text, { what: text });
  await area(window).fill('in one');
  await shows(other, 'in one');
  await area(other).fill('in the other');
  await shows(window, 'in the other');
  await area(other).press('Enter');
  await shows(window, '');
  await other.reload();
  await other.openChat('Grace Okafor');
  assert.equal(await area(other).inputValue(), '');
  await window.page.locator('.message.sent', { hasText: 'in the other' }).waitFor();
  assert.equal(await window.page.locator('.message', { hasText: 'in the other' }).count(), 1);
});

test('on a phone one pane at a time, with a way back', async (t) => {
  const window = await annasWindow(t, PHONE);
  const { page } = window;
  await window.chat('Grace Okafor').tap();
  await page.getByRole('button', { name: 'Back to the chats' }).tap();
  await window.chat('Grace Okafor').waitFor();
  assert.equal(await page.locator('confab-conversation').isVisible(), false);
  await page.goBack();
  await window.isOpen('Grace Okafor');
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(overflow, 0, 'nothing sticks out');
});

test('the longest names and words stay inside of what they stand in', async (t) => {
  const [wide, cyrillic] = await Promise.all([register('wide', 'W'.repeat(64)), register('cyrillic', 'Щ'.repeat(64))]);
  const { id: crowd } = await wide.createRoom({ name: 'M'.repeat(80), members: [cyrillic.id, grace.id] });
  for (const one of [wide, cyrillic]) await one.send(crowd, `${'w'.repeat(300)} short`);
  for (const options of [PHONE, {}]) {
    const window = await opened(t, 'Grace', options);
    await window.logIn();
    await window.isIn();
    await window.openChat('MMMM');
    await window.page.locator('.author').nth(1).waitFor();
    const sticksOut = await window.page.evaluate(() =>
      [...document.querySelectorAll('.bubble, .author, .words, .chat, .conversation-head, #account')]
        .filter((node) => {
          const parent = /** @type {Element} */ (node.parentElement).getBoundingClientRect();
          const { right, width } = node.getBoundingClientRect();
          return width > 0 && (right > parent.right + 1 || right > innerWidth + 1 || (node.matches('.author, .words') && node.scrollWidth > node.clientWidth + 1));
        })
        .map((node) => `${node.className || node.id} ${node.scrollWidth} in ${node.clientWidth}`));
    assert.deepEqual(sticksOut, []);
    assert.equal(await window.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
  }
});

test('a chat that is not there says so, and there is a way back', async (t) => {
  const window = await annasWindow(t, PHONE);
  await window.page.evaluate(() => (location.hash = '#/room/999999'));
  await window.page.getByText('This chat is not available').waitFor();
  await window.page.getByRole('button', { name: 'Back to the chats' }).tap();
  await window.chat('Grace Okafor').waitFor();
});

test('the last state of the search decides, and nobody found is said', async (t) => {
  const window = await annasWindow(t);
  const field = window.page.getByRole('combobox');
  await field.pressSequentially('grace');
  await window.page.getByRole('option', { name: 'Grace Okafor' }).waitFor();
  await field.fill('nobody at all');
  await window.page.getByText('Nobody found for “nobody at all”.').waitFor();
  await field.press('Escape');
  await window.chat('Grace Okafor').waitFor();
  assert.equal(await field.inputValue(), '');
});

test('the arrows choose among the people found, and Enter opens the one chosen', async (t) => {
  await Promise.all([register('zoe.a', 'Zoe Adams'), register('zoe.b', 'Zoe Brown')]);
  const window = await annasWindow(t);
  const { page } = window;
  const field = page.getByRole('combobox');
  await field.fill('zoe');
  const names = page.locator('#search-results .person-name');
  await names.nth(1).waitFor();
  const chosen = page.locator('[role="option"][aria-selected="true"] .person-name');
  const [first, second] = await names.allTextContents();
  for (const [key, name] of [['ArrowUp', first], ['ArrowDown', second], ['ArrowUp', first], ['ArrowDown', second]]) {
    await field.press(key);
    assert.equal(await chosen.textContent(), name);
  }
  await field.press('Enter');
  await window.isOpen(second);
});

test('logging out with something unsent asks first, and then leaves nothing of it in the browser', async (t) => {
  const window = await annasWindow(t);
  const { page } = window;
  const unsent = () => page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('confab:outbox:')).length);
  await window.openChat('Grace Okafor');
  await page.route('**/messages', (route) => route.abort());
  await window.send('never sent');
  await page.locator('.message.pending').waitFor();
  const leave = page.getByRole('button', { name: 'Log out' });
  await leave.click();
  await page.getByText('1 message has not been sent yet. Log out and discard it?').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('#log-out:focus').waitFor();
  assert.equal(await unsent(), 1);
  await leave.click();
  await page.getByRole('dialog').getByRole('button', { name: 'Log out' }).click();
  await page.locator('html[data-screen="auth"]').waitFor();
  await waitFor(async () => (await unsent()) === 0);
});

test('a server that is away is told of when it lasts, and found again', async (t) => {
  const wire = await Wire.to(site.url);
  t.after(() => wire.close());
  const window = await Window.open(browser, wire.url, 'Anna');
  t.after(() => window.context.close());
  await window.logIn();
  await window.connection('live');
  const notice = window.page.locator('confab-notice');
  wire.break();
  await window.connection('connecting');
  assert.equal(await notice.isVisible(), false);
  await notice.getByText('No connection to the server.').waitFor();
  await window.connection('offline');
  wire.mend();
  await notice.getByRole('button', { name: 'Retry now' }).click();
  await window.connection('live');
  assert.equal(await notice.isVisible(), false);
  wire.break();
  await window.connection('connecting');
  assert.equal(await notice.isVisible(), false, 'the next one may be short again');
});

test('a database that is away is told of, though the stream stands, and found again', async (t) => {
  const window = await annasWindow(t);
  await site.kill('postgres');
  await window.connection('connecting');
  await window.connection('offline');
  await site.begin('postgres');
  await window.connection('live');
  assert.equal(await window.page.locator('confab-notice').isVisible(), false);
});

test('who logs in in one window is in all of that browser', async (t) => {
  const window = await opened(t, 'Anna');
  const other = await window.another();
  await window.logIn();
  await window.isIn();
  other.name = 'Boris';
  await other.logIn();
  await window.page.locator('#account-name').getByText(boris.user.display_name).waitFor();
  await window.connection('live');
});

test('logging out ends the session that the browser has, unless that is another person', async (t) => {
  const window = await annasWindow(t);
  const { page } = window;
  const leave = page.getByRole('button', { name: 'Log out' });
  const anna = new Person(site, 'anna', PASSWORD);
  await anna.logIn();
  await becomes(window, anna);
  await leave.click();
  await page.locator('html[data-screen="auth"]').waitFor();
  assert.equal((await anna.request('GET', 'session')).status, 401);
  await page.reload();
  await page.locator('html[data-screen="auth"]').waitFor();

  await window.logIn();
  await window.isIn();
  await becomes(window, boris);
  await leave.click();
  await page.locator('#account-name').getByText(boris.user.display_name).waitFor();
  assert.equal((await boris.request('GET', 'session')).status, 200);
});

test('a log-out that did not work is told, and tried again', async (t) => {
  const window = await annasWindow(t);
  const { page } = window;
  await page.route('**/session', (route) => route.fulfill({ status: 503 }));
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByText('You are still logged in.').waitFor();
  await page.unroute('**/session');
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.locator('html[data-screen="auth"]').waitFor();
  await page.reload();
  await page.locator('html[data-screen="auth"]').waitFor();
});

test('a question is not answered by another person', async (t) => {
  const window = await annasWindow(t);
  const { page } = window;
  const other = await window.another();
  await window.openChat('Grace Okafor');
  await window.context.route('**/messages', (route) => route.abort());
  await window.send('kept for Anna');
  await page.locator('.message.pending').waitFor();
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByRole('dialog').waitFor();
  await becomes(window, boris);
  await other.reload();
  await page.locator('#account-name').getByText(boris.user.display_name).waitFor();
  assert.equal(await page.getByRole('dialog').count(), 0);
  const keys = await page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('confab:outbox:')));
  assert.equal(keys.length, 1);
});

test('what one wrote is never sent by the session of another, nor lost', async (t) => {
  const window = await annasWindow(t);
  await window.openChat('Grace Okafor');
  const mine = () => window.page.locator('.message.own');
  const stored = async (/** @type {string} */ body) =>
    (await site.sql('select p.login from chat.message m join chat.person p on p.id = m.sender_id where body = $1', [body])).map(({ login }) => login);
  await becomes(window, boris);
  await window.send('written as Anna');
  await window.page.locator('#account-name').getByText(boris.user.display_name).waitFor();
  assert.equal(await mine().getByText('written as Anna').count(), 0);
  await window.context.clearCookies();
  await window.page.reload();
  await window.logIn();
  await window.isIn();
  await waitFor(async () => (await stored('written as Anna')).length > 0);
  assert.deepEqual(await stored('written as Anna'), ['anna']);

  await window.openChat('Grace Okafor');
  await window.context.clearCookies();
  await window.send('written without a session');
  await window.page.getByText('You have been logged out.').waitFor();
  await window.logIn();
  await window.isIn();
  await waitFor(async () => (await stored('written without a session')).length > 0);
  assert.deepEqual(await stored('written without a session'), ['anna']);
});

test('Enter opens whom one has typed, not whom one typed before', async (t) => {
  const window = await annasWindow(t);
  const field = window.page.getByRole('combobox');
  await field.pressSequentially('dana');
  await window.page.getByRole('option', { name: 'דנה לוי' }).waitFor();
  // In one turn of the page, so that no answer can come in between.
  await field.evaluate((input) => {
    /** @type {HTMLInputElement} */ (input).value = 'grace';
    input.dispatchEvent(new InputEvent('input', { bubbles: true }));
    input.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
  });
  await window.isOpen('Grace Okafor');
});

test('what the server would refuse is not sent: controls go, and nothing visible is nothing', async (t) => {
  const window = await annasWindow(t);
  await window.openChat('Grace Okafor');
  const area = window.page.getByRole('textbox', { name: 'Message Grace Okafor' });
  await area.fill('\u200b \u0007');
  assert.ok(await window.page.getByRole('button', { name: 'Send' }).isDisabled());
  await area.fill('be\u0000ep\u0007');
  await area.press('Enter');
  await window.page.getByRole('log').getByText('beep', { exact: true }).waitFor();
});

test('a conversation that could not be read comes by itself when it can be', async (t) => {
  const window = await annasWindow(t);
  await window.page.route('**/messages?*', (route) => route.fulfill({ status: 503, headers: { 'Retry-After': '1' } }));
  await window.chat('Grace Okafor').click();
  await window.page.getByText('The messages could not be loaded.').waitFor();
  const area = window.page.getByRole('textbox', { name: 'Message Grace Okafor' });
  await area.fill('seen at once');
  await area.press('Enter');
  await window.page.getByRole('log').getByText('seen at once', { exact: true }).waitFor();
  await window.page.unroute('**/messages?*');
  await window.page.getByText(`Message number ${HISTORY}`, { exact: true }).waitFor();
});

test('eight tabs of one browser are all served', async (t) => {
  const first = await annasWindow(t);
  const pages = [first.page];
  while (pages.length < 8) pages.push(await first.page.context().newPage());
  for (const page of pages.slice(1)) await page.goto(first.page.url());
  for (const page of pages) await page.locator('[data-connection="live"], [data-connection="polling"]').first().waitFor();
  await first.openChat('Grace Okafor');
  await first.send('to all tabs');
  for (const page of pages) await page.locator('confab-chat-list').getByText('to all tabs').waitFor();
});

test('it looks as it should: wide and phone, light and dark', async (t) => {
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    for (const [size, options] of /** @type {const} */ ([['wide', {}], ['phone', PHONE]])) {
      const stranger = await opened(t, 'Nobody', { ...options, colorScheme });
      await stranger.page.getByLabel('Username').waitFor();
      await stranger.screenshot(`look-auth-${size}-${colorScheme}`);
      const window = await annasWindow(t, { ...options, colorScheme });
      await window.screenshot(`look-list-${size}-${colorScheme}`);
      await window.openChat('Grace Okafor');
      await window.screenshot(`look-room-${size}-${colorScheme}`);
    }
  }
});
