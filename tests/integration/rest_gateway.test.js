// @ts-check

/** How confab.fcgi is started, spoken to and ended: FastCGI and CGI alike. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { connect } from 'node:net';
import test from 'node:test';
import { promisify } from 'node:util';
import { Worker, cgi, exchange, program, requestBody, requestHead, variablesOf } from '../lib/fcgi.js';
import { Site } from '../lib/site.js';
import { waitFor } from '../lib/wait.js';

const ENV = { CONFAB_PASSWORD_MEMORY_KIB: 64, CONFAB_PASSWORD_PASSES: 1 };
const HEALTH = { uri: '/api/v1/health' };

/** @type {Site} */
let site;

test.before(async () => {
  site = await Site.start({ front: null, pushd: false });
});

test.after(() => site.stop());

/**
 * A worker for one test.
 *
 * @param {(worker: Worker) => Promise<void>} use
 * @param {Parameters<typeof Worker.start>[1]} [options]
 */
async function withWorker(use, options = {}) {
  const worker = await Worker.start(site, { ...options, env: { ...ENV, ...options.env } });
  try {
    await use(worker);
  } finally {
    const statuses = await worker.stop();
    assert.ok(
      statuses.every((status) => status === 0),
      `${statuses}: ${worker.log.slice(-2000)}`,
    );
  }
}

/** @param {object} fields @param {Record<string, string>} [headers] */
function registration(fields, headers = {}) {
  return {
    method: 'POST',
    uri: '/api/v1/users',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify({ password: 'long enough', display_name: 'X', token: true, ...fields }),
  };
}

/** Holds the worker at a lock inside PostgreSQL until let go. */
async function holdRegistrations() {
  const client = await site.connect();
  await client.query('begin');
  await client.query('lock table chat.person in access exclusive mode');
  return () => client.query('rollback');
}

async function waiting() {
  const rows = await site.sql(
    "select from pg_stat_activity where application_name = 'confab.fcgi' and wait_event_type = 'Lock'",
  );
  return rows.length > 0;
}

// ---- FastCGI and CGI ----

test('FastCGI and plain CGI give the same bytes', () =>
  withWorker(async (worker) => {
    const { json } = await worker.request(registration({ login: 'same' }));
    const headers = { Authorization: `Bearer ${json.token}`, 'Content-Type': 'application/json' };
    const requests = [
      HEALTH,
      { uri: '/api/v1/server', method: 'HEAD' },
      { uri: '/nowhere' },
      { uri: '/api/v1/me', method: 'PATCH' },
      { uri: '/api/v1/me' },
      { uri: '/api/v1/me', headers },
      { uri: '/api/v1/users?q=same&limit=1', headers },
      { uri: '/api/v1/users?limit=0', headers },
      { uri: '/api/v1/rooms', method: 'POST', headers, body: '{"kind":1}' },
      { uri: '/api/v1/rooms', method: 'POST', headers, body: '{"kind":' },
      { uri: '/api/v1/rooms', method: 'POST', headers, body: Buffer.alloc(70_000, ' ') },
      { uri: '/api/v1/rooms', method: 'POST', headers, body: '{}', variables: { CONTENT_LENGTH: '3' } },
      { uri: '/api/v1/rooms', method: 'OPTIONS' },
      registration({ login: 'same' }),
    ];
    for (const request of requests) {
      const [byFcgi, byCgi] = [await worker.request(request), await cgi(site, { ...request, env: ENV })];
      /** @param {import('../lib/fcgi.js').FcgiAnswer} answer */
      const bytes = (answer) => answer.bytes.toString('latin1').replaceAll(answer.headers['x-request-id'], '(id)');
      assert.equal(bytes(byCgi), bytes(byFcgi));
      assert.equal(byCgi.exitStatus, 0);
    }
  }));

test('CGI: a chunked body without a length is 411, not lost', async () => {
  const request = registration({ login: 'chunked' });
  const variables = { CONTENT_LENGTH: undefined, HTTP_TRANSFER_ENCODING: 'chunked' };
  const answer = await cgi(site, { ...request, variables, env: ENV });
  assert.equal(answer.status, 411);
  assert.equal(answer.json.code, 'length_required');
});

test('FastCGI: a body of unknown length is read to its end', () =>
  withWorker(async (worker) => {
    const request = registration({ login: 'unknown' });
    assert.equal((await worker.request({ ...request, variables: { CONTENT_LENGTH: undefined } })).status, 201);
  }));

test('a body in many small records is one body', () =>
  withWorker(async (worker) => {
    const request = registration({ login: 'pieces' });
    const body = requestBody(request.body);
    const pieces = [...requestHead(variablesOf(request))].map((byte) => Buffer.from([byte]));
    assert.equal((await exchange(worker.path, [...pieces, body])).status, 201);
    // Every byte of the body in a record of its own.
    const again = registration({ login: 'pieces2' });
    const records = [...Buffer.from(again.body)].map((byte) => requestBody(Buffer.from([byte])).subarray(0, 9));
    const answer = await exchange(worker.path, [requestHead(variablesOf(again)), ...records, requestBody()]);
    assert.equal(answer.status, 201);
  }));

test('a connection that the server wants to keep is closed all the same', () =>
  withWorker(async (worker) => {
    const head = requestHead(variablesOf(HEALTH), true);
    const kept = await exchange(worker.path, [head, requestBody()]);
    assert.equal(kept.status, 200);
    await kept.closed;
    assert.equal((await worker.request({ ...HEALTH, timeoutMs: 2_000 })).status, 200);
  }));

test('silent, broken and vanishing connections do not stop a worker', () =>
  withWorker(async (worker) => {
    const garbage = [
      Buffer.alloc(0),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.alloc(64, 0xff),
      requestHead({}).subarray(0, 20),
    ];
    for (const bytes of garbage) {
      await new Promise((resolve) => {
        const socket = connect(worker.path, () => socket.end(bytes, () => socket.destroy()));
        socket.on('close', resolve);
        socket.on('error', () => {});
      });
    }
    // One that vanishes before its answer.
    await new Promise((resolve) => {
      const socket = connect(worker.path, () => {
        socket.write(Buffer.concat([requestHead(variablesOf(HEALTH)), requestBody()]), () => socket.destroy());
      });
      socket.on('close', resolve);
    });
    assert.equal((await worker.request(HEALTH)).status, 200);
    const silent = connect(worker.path);
    await new Promise((resolve) => silent.on('connect', resolve));
    assert.equal((await worker.request({ ...HEALTH, timeoutMs: 10_000 })).status, 200);
    silent.destroy();
  }));

test('a client that stops in the middle does not hold a worker for ever', { timeout: 60_000 }, () =>
  withWorker(async (worker) => {
    const head = requestHead(variablesOf({ ...registration({ login: 'stopped' }), variables: { CONTENT_LENGTH: '1000' } }));
    const stopped = connect(worker.path);
    stopped.on('error', () => {});
    await new Promise((resolve) => stopped.write(Buffer.concat([head, requestBody('{').subarray(0, 9)]), resolve));
    assert.equal((await worker.request({ ...HEALTH, timeoutMs: 50_000 })).status, 200);
    stopped.destroy();
  }));

test('garbage in the variables harms nobody', () =>
  withWorker(async (worker) => {
    const odd = { REQUEST_METHOD: 'G\r\nT', REQUEST_URI: '/api/v1/\r\nX-Evil: 1', HTTP_HOST: '\xff'.repeat(9000) };
    const answer = await worker.request({
      variables: odd,
      headers: { Cookie: ';'.repeat(30_000), Origin: 'x'.repeat(30_000) },
    });
    assert.equal(answer.status, 404);
    assert.equal(answer.headers['x-evil'], undefined);
    assert.doesNotMatch(worker.log, /Evil/);
    // A browser's name that cannot be kept is no reason to refuse a log-in.
    const agents = ['\xff\xfe', '', 'x'.repeat(20_000), 'Ж'.repeat(400)];
    for (const [n, agent] of agents.entries()) {
      const login = await worker.request(registration({ login: `agent${n}` }, { 'User-Agent': agent }));
      assert.equal(login.status, 201, login.text);
    }
  }));

// ---- The life of a worker ----

for (const signal of /** @type {NodeJS.Signals[]} */ (['SIGTERM', 'SIGUSR1', 'SIGINT'])) {
  test(`${signal} ends an idle worker`, async () => {
    const worker = await Worker.start(site, { env: ENV });
    assert.equal((await worker.request(HEALTH)).status, 200);
    assert.deepEqual(await worker.stop(signal), [0]);
  });
}

test('a signal in the middle of a request lets it finish', async () => {
  const worker = await Worker.start(site, { env: { ...ENV, CONFAB_LOCK_TIMEOUT_MS: 4000 } });
  const release = await holdRegistrations();
  const answer = worker.request(registration({ login: 'finished' }));
  await site.waitFor(waiting, { what: 'the worker to wait for the lock' });
  worker.signal('SIGTERM');
  await release();
  assert.equal((await answer).status, 201);
  assert.deepEqual(await worker.ended(), [0]);
  assert.equal((await site.sql("select from chat.person where login = 'finished'")).length, 1);
});

test('a signal in the middle of a body lets it come to its end', () =>
  withWorker(async (worker) => {
    // It has no other socket yet, beside what it was started with: the database comes after the body.
    const fds = `/proc/${worker.pids[0]}/fd`;
    const reads = () => readdirSync(fds).some((fd) => Number(fd) > 2 && readlinkSync(`${fds}/${fd}`).startsWith('socket:'));
    const request = registration({ login: 'uninterrupted' });
    const body = requestBody(request.body);
    const socket = connect(worker.path).setEncoding('latin1');
    let answer = '';
    socket.on('data', (bytes) => (answer += bytes));
    socket.write(Buffer.concat([requestHead(variablesOf(request)), body.subarray(0, 20)]));
    await site.waitFor(reads, { what: 'the worker to read' });
    worker.signal('SIGTERM');
    socket.write(body.subarray(20));
    assert.deepEqual(await worker.ended(), [0]);
    await site.waitFor(() => answer.includes('Status: 201 Created'), { what: 'the answer' });
  }));

test('a worker begins anew after its share of requests, and loses none of those that wait', () =>
  withWorker(
    async (worker) => {
      const answers = await Promise.all(Array.from({ length: 100 }, () => worker.request(HEALTH)));
      assert.ok(answers.every(({ status }) => status === 200));
      await site.waitFor(() => (worker.log.match(/^fcgi recycle$/gm) ?? []).length === 14, { what: 'every seventh request' });
      assert.ok(worker.alive);
    },
    { env: { CONFAB_WORKER_REQUESTS: 7 } },
  ));

test('several workers share one socket', () =>
  withWorker(
    async (worker) => {
      const answers = await Promise.all(Array.from({ length: 40 }, () => worker.request(HEALTH)));
      assert.ok(answers.every(({ status }) => status === 200));
    },
    { count: 3 },
  ));

test('below a path prefix', () =>
  withWorker(
    async (worker) => {
      const { json } = await worker.request({ ...registration({ login: 'prefixed' }), uri: '/chat/api/v1/users' });
      const headers = { Authorization: `Bearer ${json.token}` };
      await worker.request({ ...registration({ login: 'prefixed2' }), uri: '/chat/api/v1/users' });
      await worker.request({ ...registration({ login: 'prefixed3' }), uri: '/chat/api/v1/users' });
      const page = await worker.request({ uri: '/chat/api/v1/users?q=prefixed&limit=1', headers });
      assert.match(page.headers.link, /^<\/chat\/api\/v1\/users\?/);
      assert.equal((await worker.request({ uri: '/api/v1/health' })).status, 404);
      const login = await worker.request({
        ...registration({}, { 'Sec-Fetch-Site': 'same-origin' }),
        uri: '/chat/api/v1/session',
        body: JSON.stringify({ login: 'prefixed', password: 'long enough' }),
      });
      assert.match(login.headers['set-cookie'], /; Path=\/chat; /);
    },
    { env: { CONFAB_PATH_PREFIX: '/chat' } },
  ));

test('a web server may name the configuration by a variable of the request', async () => {
  const env = { ...ENV, CONFAB_CONF: undefined };
  const worker = await Worker.start(site, { env });
  const variables = { CONFAB_CONF: site.conf };
  assert.equal((await worker.request({ ...HEALTH, variables })).status, 200);
  assert.equal((await worker.request(HEALTH)).status, 200);
  assert.deepEqual(await worker.stop(), [0]);

  const misled = await Worker.start(site, { env });
  await assert.rejects(misled.request({ ...HEALTH, variables: { CONFAB_CONF: '/nonexistent' } }));
  assert.deepEqual(await misled.ended(), [1]);
  assert.match(misled.log, /configuration \/nonexistent: No such file or directory/);

  // What a client sends is another variable, and what the environment names goes first.
  await withWorker(async (steady) => {
    const answer = await steady.request({
      ...HEALTH,
      headers: { 'Confab-Conf': '/nonexistent' },
      variables: { CONFAB_CONF: '/nonexistent' },
    });
    assert.equal(answer.status, 200);
  });
  // So does the command line's, also when the worker has begun anew.
  await withWorker(
    async (steady) => {
      for (let n = 0; n < 3; n += 1) {
        assert.equal((await steady.request({ ...HEALTH, variables: { CONFAB_CONF: '/nonexistent' } })).status, 200);
      }
    },
    { args: ['-c', site.conf], env: { CONFAB_CONF: undefined, CONFAB_WORKER_REQUESTS: 1 } },
  );
});

// ---- The log ----

test('one line a request, and no secrets in it', () =>
  withWorker(async (worker) => {
    const { json } = await worker.request(registration({ login: 'secretive', password: 'tell nobody' }));
    const answer = await worker.request({
      uri: '/api/v1/users?q=tellnobody',
      headers: { Authorization: `Bearer ${json.token}` },
    });
    const id = answer.headers['x-request-id'];
    await waitFor(() => worker.log.includes(`request id=${id} method=GET route=/users status=200 ms=`), {
      what: 'the line',
    });
    for (const secret of ['tell nobody', 'tellnobody', json.token, 'secretive'])
      assert.ok(!worker.log.includes(secret));
    assert.equal(worker.log.split('\n').filter((line) => / request id=/.test(line)).length, 2);
  }));

test('what nobody expected is told to the log, not to the client', () =>
  withWorker(async (worker) => {
    await site.sql("alter table chat.person add constraint person_odd check (login <> 'odd')");
    const answer = await worker.request(registration({ login: 'odd' }));
    await site.sql('alter table chat.person drop constraint person_odd');
    assert.equal(answer.status, 500);
    assert.equal(answer.json.code, 'internal');
    assert.doesNotMatch(answer.text, /person_odd|constraint|sql/i);
    await waitFor(() => /db error stmt=register sqlstate=23514 constraint=person_odd/.test(worker.log), {
      what: 'the line',
    });
  }));

// ---- Passwords ----

test('without a directory for its locks it says so, and serves the rest', () =>
  withWorker(
    async (worker) => {
      const answer = await worker.request(registration({ login: 'nowhere' }));
      assert.equal(answer.status, 500);
      assert.match(
        worker.log,
        /password lock_file path=\/nonexistent\/run\/password\.lock error="No such file or directory"/,
      );
      assert.equal((await worker.request(HEALTH)).status, 200);
    },
    { env: { CONFAB_RUNTIME_DIR: '/nonexistent/run' } },
  ));

test('a connection string that is none ends the worker, and the log says why', async () => {
  const worker = await Worker.start(site, { env: { ...ENV, CONFAB_DATABASE: 'host' } });
  await assert.rejects(worker.request(HEALTH));
  assert.deepEqual(await worker.ended(), [1]);
  assert.match(worker.log, /db conninfo_refused why="missing '=' after 'host' in connection info string"/);
});

// ---- The command line ----

const run = promisify(execFile);

test('-T prints a configuration that reads back, -n checks one', async () => {
  const env = { ...ENV, CONFAB_CONF: '/dev/null', CONFAB_DATABASE: 'host=/x', CONFAB_WORKERS: '3' };
  const { stdout } = await run(program(), ['-T'], { env: /** @type {any} */ (env) });
  assert.match(stdout, /^database = host=\/x$/m);
  assert.match(stdout, /^workers = 3$/m);
  await run(program(), ['-n', '-c', site.conf], { env: {} });
  await assert.rejects(
    run(program(), ['-n', '-c', '/nonexistent'], { env: {} }),
    /configuration \/nonexistent: No such file/,
  );
  await assert.rejects(
    run(program(), ['-n', '-c', '/dev/null'], { env: { CONFAB_WORKERS: '0' } }),
    /workers is out of range/,
  );
});

test('-h and -V, and no web server at all', async () => {
  assert.match((await run(program(), ['--help'])).stdout, /^usage: confab\.fcgi /);
  assert.match((await run(program(), ['-V'])).stdout, /^confab\.fcgi \d+\.\d+/);
  await assert.rejects(run(program(), ['-x']), /usage/);
  await assert.rejects(run(program(), ['more']), /usage/);
  await assert.rejects(run(program(), ['-c', '/dev/null'], { env: {} }), /no web server started this program/);
});
