// @ts-check

/** REST as it arrives through Apache and through lighttpd. */

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import test from 'node:test';
import { request } from '../lib/http.js';
import { Person } from '../lib/person.js';
import { Site } from '../lib/site.js';

const BODY_BYTES_MAX = 65_536;

for (const front of /** @type {const} */ (['apache', 'lighttpd'])) {
  test(front, async (t) => {
    const site = await Site.start({
      front,
      pushd: false,
      env: { CONFAB_PASSWORD_MEMORY_KIB: 64, CONFAB_PASSWORD_PASSES: 1 },
    });
    t.after(() => site.stop());
    const url = (/** @type {string} */ path) => new URL(`api/v1/${path}`, site.url);
    const bot = await Person.register(site, 'bot', { token: true });
    const browser = await Person.register(site, 'browser');
    const room = await bot.dialogWith(browser);
    const json = { ...bot.headers('POST'), 'Content-Type': 'application/json' };

    await t.test('cookies and bearer tokens arrive', async () => {
      assert.equal((await bot.call('GET', 'me')).login, 'bot');
      assert.equal((await browser.call('GET', 'me')).login, 'browser');
      assert.ok(browser.cookies.size === 1 && !browser.token);
      const answer = await request(url('me'));
      assert.equal(answer.status, 401);
      assert.match(answer.headers['www-authenticate'] ?? '', /^Bearer/);
    });

    await t.test('errors are ours to the last byte', async () => {
      const answers = {
        404: await request(url('nowhere'), { headers: json }),
        405: await request(url('rooms'), { method: 'PATCH', headers: json, body: '{}' }),
        415: await request(url('rooms'), {
          method: 'POST',
          headers: { ...json, 'Content-Type': 'text/html' },
          body: '<',
        }),
        422: await request(url('rooms'), { method: 'POST', headers: json, body: '{}' }),
      };
      for (const [status, answer] of Object.entries(answers)) {
        assert.equal(answer.status, Number(status));
        assert.equal(answer.headers['content-type'], 'application/problem+json');
        assert.equal(answer.json.request_id, answer.headers['x-request-id']);
        assert.equal(answer.headers['cache-control'], 'no-store');
        assert.equal(answer.headers['x-content-type-options'], 'nosniff');
      }
      assert.equal(answers[405].headers.allow, 'GET, HEAD, POST, OPTIONS');
    });

    await t.test('HEAD, OPTIONS and 204 have no body', async () => {
      const head = await request(url('me'), { method: 'HEAD', headers: json });
      assert.deepEqual([head.status, head.text], [200, '']);
      const options = await request(url('me'), { method: 'OPTIONS' });
      assert.deepEqual([options.status, options.text], [204, '']);
      const device = await browser.device();
      const out = await device.request('DELETE', 'session');
      assert.deepEqual([out.status, out.text], [204, '']);
    });

    await t.test('a body up to the limit passes, in one piece or chunked; a bigger one is 413', async () => {
      /** @param {number} size */
      const message = (size) => {
        const text = JSON.stringify({ body: 'big', unknown: '' });
        return text.replace('""', `"${'x'.repeat(size - text.length)}"`);
      };
      const send = (/** @type {number} */ size, /** @type {Record<string, string>} */ headers = {}) =>
        request(url(`rooms/${room.id}/messages`), {
          method: 'POST',
          headers: { ...json, ...headers },
          body: message(size),
        });
      assert.equal((await send(BODY_BYTES_MAX)).status, 201);
      assert.equal((await send(BODY_BYTES_MAX, { 'Transfer-Encoding': 'chunked' })).status, 201);
      for (const headers of [{}, { 'Transfer-Encoding': 'chunked' }]) {
        assert.equal(
          (await send(BODY_BYTES_MAX + 1, /** @type {any} */ (headers))).status,
          413,
          JSON.stringify(headers),
        );
      }
    });

    await t.test('odd addresses are refused', async () => {
      for (const path of ['rooms/%00', 'rooms/%zz', 'rooms/1%2F2', 'rooms//1', `rooms/${'9'.repeat(5000)}`]) {
        const answer = await request(`${site.url}api/v1/${path}`, { headers: json });
        assert.ok(answer.status >= 400 && answer.status < 500, `${path}: ${answer.status}`);
      }
    });

    await t.test('a client that goes away in the middle of a body writes nothing', async () => {
      const before = await site.sql('select count(*) from chat.message');
      const body = JSON.stringify({ body: 'half' });
      await new Promise((resolve) => {
        const { hostname, port } = new URL(site.url);
        const socket = connect(Number(port), hostname, () => {
          socket.write(
            `POST ${url(`rooms/${room.id}/messages`).pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n` +
              `Authorization: Bearer ${bot.token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length + 10}\r\n\r\n${body}`,
            () => socket.destroy(),
          );
        });
        socket.on('close', resolve);
      });
      assert.equal((await bot.call('GET', 'me')).login, 'bot');
      assert.deepEqual(await site.sql('select count(*) from chat.message'), before);
    });

    await t.test('a killed worker is replaced, and a send that is repeated counts once', async () => {
      const clientId = '00000000-0000-4000-8000-000000000001';
      for (const pid of await site.workers()) process.kill(pid, 'SIGKILL');
      const answer = await site.waitFor(
        async () => {
          const sent = await bot.request('POST', `rooms/${room.id}/messages`, { body: 'once', client_id: clientId });
          return sent.status < 300 && sent;
        },
        { what: 'a send that is answered' },
      );
      assert.ok([200, 201].includes(answer.status));
      assert.equal((await site.sql('select from chat.message where client_id = $1', [clientId])).length, 1);
    });
  });
}
