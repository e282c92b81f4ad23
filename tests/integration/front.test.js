// @ts-check

/** What apache.conf and lighttpd.conf promise: the same of both. */

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { request } from '../lib/http.js';
import { Person } from '../lib/person.js';
import { Site } from '../lib/site.js';

const PAGE_HEADERS = {
  'cache-control': 'no-cache',
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'cross-origin-opener-policy': 'same-origin',
};

/** Not to be had by any spelling. */
const CLOSED = ['.git/config', '.htaccess', 'lib/.hidden', 'lib/', 'style/', '../Makefile', 'lib/%2e%2e/%2e%2e/Makefile', 'confab.conf'];

/**
 * The answer to a head that announces more than it sends.
 *
 * @param {string} url
 * @param {string} head
 * @returns {Promise<string>}
 */
function rawAnswer(url, head) {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(head));
    socket.setEncoding('utf8').setTimeout(10_000, () => socket.destroy(new Error('no answer')));
    socket.on('data', (chunk) => {
      text += chunk;
      if (text.includes('\r\n\r\n')) socket.destroy();
    });
    socket.on('error', reject).on('close', () => resolve(text));
  });
}

/** More than lighttpd would start by itself. */
const WORKERS = 6;

for (const front of /** @type {const} */ (['apache', 'lighttpd'])) {
  describe(front, () => {
    /** @type {Site} */
    let site;
    /** @type {Person} */
    let alice;

    before(async () => {
      site = await Site.start({ front, env: { CONFAB_PATH_PREFIX: '/chat', CONFAB_WORKERS: WORKERS } });
      alice = await Person.register(site, 'alice');
    });
    after(() => site.stop());

    test('pages have their types, security headers and a validator', async () => {
      const page = await request(site.url);
      assert.equal(page.status, 200);
      assert.match(String(page.headers['content-type']), /^text\/html; ?charset=utf-8$/);
      assert.match(String(page.headers['content-security-policy']), /^default-src 'none'; script-src 'self';/);
      assert.match(String(page.headers['content-security-policy']), /require-trusted-types-for 'script'/);
      for (const [name, value] of Object.entries(PAGE_HEADERS)) assert.equal(page.headers[name], value, name);

      const again = await request(site.url, { headers: { 'If-None-Match': String(page.headers.etag) } });
      assert.equal(again.status, 304);
      const script = await request(new URL('app.js', site.url));
      assert.match(String(script.headers['content-type']), /^text\/javascript/);
    });

    test('the folder without its slash leads to the site', async () => {
      const answer = await request(site.url.slice(0, -1));
      assert.equal(answer.status, 301);
      assert.equal(new URL(String(answer.headers.location), site.url).pathname, '/chat/');
    });

    for (const path of CLOSED) {
      test(`${path} is not served`, async () => {
        const { pathname } = new URL(site.url);
        const head = await rawAnswer(site.url, `GET ${pathname}${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
        assert.match(head, /^HTTP\/1\.1 (400|403|404) /);
      });
    }

    test('answers of the programs are theirs alone', async () => {
      const answer = await alice.request('GET', 'session');
      assert.equal(answer.status, 200);
      assert.match(String(answer.headers['cache-control']), /^(no-store|private, no-cache)$/);
      assert.equal(answer.headers['content-security-policy'], undefined);
    });

    test('what only a program can judge reaches it', async () => {
      const encoded = await alice.request('GET', 'rooms/1%2F2');
      assert.match(String(encoded.headers['content-type']), /^application\/problem\+json/);
      const device = await alice.device({ token: true });
      assert.equal((await device.request('GET', 'session')).status, 200);
    });

    test('a body too long for any setting is 413 before it was sent', async () => {
      const { pathname } = new URL(site.url);
      const head = `POST ${pathname}api/v1/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`;
      assert.match(await rawAnswer(site.url, `${head}Content-Length: 99999999\r\n\r\n{`), /^HTTP\/1\.1 413 /);
    });

    test('events come through one by one, and uncompressed', async () => {
      const stream = alice.stream({ headers: { 'Accept-Encoding': 'gzip' } });
      await stream.opened();
      assert.equal(stream.headers['content-encoding'], undefined);
      assert.match(String(stream.headers['cache-control']), /no-store/);
      const room = await alice.createRoom({ name: 'one by one' });
      for (let n = 1; n <= 3; n++) {
        const message = await alice.send(room.id, `event ${n}`);
        await stream.event('message.new', (data) => data.message.seq === message.seq);
      }
      stream.close();
    });

    test('without the daemon streams are 503 at once; they are back within two seconds of it', async () => {
      await site.kill('pushd');
      const started = Date.now();
      const { status } = await request(new URL('stream', site.url), { headers: alice.headers() });
      assert.equal(status, 503);
      assert.ok(Date.now() - started < 1_000);

      await site.begin('pushd');
      await site.waitFor(
        async () => {
          const stream = alice.stream();
          await stream.opened();
          stream.close();
          return true;
        },
        { what: 'streams again', timeoutMs: 2_000 },
      );
    });

    test('a killed worker is replaced', async () => {
      await alice.snapshot();
      const workers = await site.workers();
      // lighttpd starts all; Apache as many as were needed at the same time.
      if (front === 'lighttpd') assert.equal(workers.length, WORKERS);
      assert.ok(workers.length > 0);
      for (const pid of workers) process.kill(pid, 'SIGKILL');
      await site.waitFor(async () => (await alice.request('GET', 'session')).status === 200, { what: 'a new worker' });
      assert.ok((await site.workers()).every((pid) => !workers.includes(pid)));
    });
  });
}
