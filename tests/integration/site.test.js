// @ts-check

/** `make run` does what README.md says of it. It is tools/site run, in a folder of the test's own. */

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, chmodSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Person } from '../lib/person.js';
import { reservePort } from '../lib/ports.js';
import { request } from '../lib/http.js';
import { waitFor } from '../lib/wait.js';

const TOOL = fileURLToPath(new URL('../../tools/site', import.meta.url));
const DEMO_PASSWORD = 'confab-demo';
const PROGRAMS = /^(postgres|apache2|lighttpd|confab-pushd|confab\.fcgi|sed|cat|bash)$/;

/** One process started as a user would start it at a terminal. */
class Run {
  output = '';

  /** @param {string} dir @param {number} port @param {Record<string, string>} [env] */
  constructor(dir, port, env = {}) {
    this.port = port;
    this.child = spawn(TOOL, ['run', dir], {
      // A session of its own: Ctrl-C is a signal to a whole process group.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PORT: String(port), ...env },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (this.output += text));
    }
    /** @type {Promise<number | NodeJS.Signals | null>} */
    this.ended = new Promise((resolve) => this.child.once('close', (code, signal) => resolve(signal ?? code)));
  }

  get pid() {
    return /** @type {number} */ (this.child.pid);
  }

  get url() {
    return `http://127.0.0.1:${this.port}/`;
  }

  /** @param {RegExp} pattern @param {number} [from] */
  async prints(pattern, from = 0) {
    try {
      return await waitFor(() => pattern.exec(this.output.slice(from)), {
        what: String(pattern),
        timeoutMs: 30_000,
        giveUp: () => (this.child.exitCode === null ? undefined : new Error('it ended')),
      });
    } catch (error) {
      throw new Error(`waiting for ${pattern} in:\n${this.output}`, { cause: error });
    }
  }

  ready() {
    return this.prints(/Confab is at (\S+)/);
  }

  /** All processes below this one, with their names. */
  descendants() {
    const all = processes();
    const below = new Set([this.pid]);
    for (let size = 0; size !== below.size; ) {
      size = below.size;
      for (const { pid, parent } of all) if (below.has(parent)) below.add(pid);
    }
    return all.filter(({ pid }) => below.has(pid));
  }

  /** The program itself, not its children of the same name. @param {string} name */
  pidOf(name) {
    const found = processes().find((process) => process.name === name && process.parent === this.pid);
    assert.ok(found, `${name} runs`);
    return found.pid;
  }

  /** Ctrl-C, or another way to end it; then nothing of it may be left. @param {NodeJS.Signals} [signal] */
  async stop(signal = 'SIGINT') {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return this.child.exitCode;
    const before = this.descendants().filter(({ name }) => PROGRAMS.test(name));
    process.kill(-this.pid, signal);
    const status = await this.ended;
    const after = processes();
    const left = before.filter(({ pid, name }) => after.some((other) => other.pid === pid && other.name === name));
    assert.deepEqual(left, [], `left behind:\n${this.output}`);
    return status;
  }
}

function processes() {
  const found = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = /^(\d+) \((.*)\) (\S) (\d+)/s.exec(readFileSync(`/proc/${entry}/stat`, 'utf8'));
      if (stat && stat[3] !== 'Z') found.push({ pid: Number(stat[1]), name: stat[2], parent: Number(stat[4]) });
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

/** A folder for a site, and what runs in it; all of it ends with the test. */
class TestSite {
  /** @type {Run[]} */
  #runs = [];
  /** @type {Array<() => void>} */
  #releases = [];

  /** @param {import('node:test').TestContext} t */
  constructor(t) {
    const parent = mkdtempSync(join(process.env.SITE_TMP ?? tmpdir(), 'confab-run-'));
    // Started by root, the servers are another user, who must get through.
    chmodSync(parent, 0o711);
    this.dir = join(parent, 'site');
    t.after(async () => {
      for (const run of this.#runs) await run.stop('SIGTERM');
      for (const release of this.#releases) release();
      if (existsSync(this.dir)) execFileSync(TOOL, ['remove', this.dir]);
      rmSync(parent, { recursive: true });
    });
  }

  async freePort() {
    const { port, release } = await reservePort();
    this.#releases.push(release);
    return port;
  }

  /** @param {Record<string, string>} [env] */
  async run(env) {
    const run = new Run(this.dir, await this.freePort(), env);
    this.#runs.push(run);
    return run;
  }
}

for (const front of ['apache', 'lighttpd']) {
  test(`behind ${front}: prints what one needs, serves, stops on Ctrl-C, keeps its data`, async (t) => {
    const site = new TestSite(t);
    const first = await site.run({ FRONT: front });
    const [, url] = await first.ready();
    assert.equal(url, first.url);
    const [, psql] = await first.prints(/^ +database +(psql .*)$/m);
    assert.match(first.output, /log-ins +alice and bob, password/);
    assert.match(first.output, /^postgres \| /m);
    assert.match(first.output, /^pushd {4}\| /m);

    const page = await request(first.url);
    assert.equal(page.status, 200);
    assert.match(String(page.headers['content-security-policy']), /default-src 'none'/);
    assert.match(String(page.headers['content-type']), /^text\/html/);

    const alice = new Person(first, 'alice', DEMO_PASSWORD);
    const bob = new Person(first, 'bob', DEMO_PASSWORD);
    await Promise.all([alice.logIn(), bob.logIn()]);
    const room = await alice.dialogWith(bob);
    const stream = bob.stream();
    await stream.opened();
    await alice.send(room.id, 'hello');
    await stream.event('message.new', ({ message }) => message.body === 'hello');

    const count = execFileSync('sh', ['-c', `${psql} -XAtc 'select count(*) from chat.message'`], { encoding: 'utf8' });
    assert.equal(count.trim(), '1');
    assert.equal(await first.stop('SIGINT'), 0);

    const second = await site.run({ FRONT: front });
    await second.ready();
    const again = new Person(second, 'alice', DEMO_PASSWORD);
    await again.logIn();
    assert.deepEqual((await again.history(room.id)).items.map((/** @type {any} */ item) => item.body), ['hello']);
  });
}

test('a taken port is a clear error before anything starts', async (t) => {
  const site = new TestSite(t);
  const port = await site.freePort();
  const taken = createServer().listen(port, '127.0.0.1');
  t.after(() => taken.close());
  const run = new Run(site.dir, port);
  assert.equal(await run.ended, 1);
  assert.match(run.output, new RegExp(`port ${port} is taken`));
  assert.ok(!existsSync(join(site.dir, 'pg')));
});

test('a setting from the environment holds for the workers; a bad one is a clear error', async (t) => {
  const site = new TestSite(t);
  const bad = await site.run({ CONFAB_WORKERS: 'many' });
  assert.equal(await bad.ended, 1);
  assert.match(bad.output, /workers/i);

  const run = await site.run({ CONFAB_REQUEST_BODY_BYTES: '2048', CONFAB_PATH_PREFIX: '/chat' });
  const [, url] = await run.ready();
  assert.equal(url, `${run.url}chat/`);
  assert.equal((await request(url)).status, 200);
  const answer = await request(`${url}api/v1/session`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ login: 'alice', password: 'x'.repeat(3000) }),
  });
  assert.equal(answer.status, 413);
  const alice = new Person({ url }, 'alice', DEMO_PASSWORD);
  await alice.logIn();
  await alice.stream().opened();
});

test('two sites at once; the same one only once', async (t) => {
  const sites = [new TestSite(t), new TestSite(t)];
  const [one, two] = await Promise.all(sites.map((site) => site.run()));
  await Promise.all([one.ready(), two.ready()]);
  const again = await sites[0].run();
  assert.equal(await again.ended, 1);
  assert.match(again.output, /runs already/);
  assert.equal((await request(one.url)).status, 200);
  assert.equal((await request(two.url)).status, 200);
});

test('what is killed is started again, and the site heals by itself', async (t) => {
  const run = await new TestSite(t).run();
  await run.ready();
  const alice = new Person(run, 'alice', DEMO_PASSWORD);
  await alice.logIn();

  for (const name of ['confab-pushd', 'postgres', 'apache2']) {
    const seen = run.output.length;
    process.kill(run.pidOf(name), 'SIGKILL');
    await run.prints(/^site +\| \w+ ended; it starts again/m, seen);
    await waitFor(
      async () => {
        await alice.snapshot();
        const stream = alice.stream();
        await stream.opened();
        stream.close();
        return true;
      },
      { what: `the site without the killed ${name}`, timeoutMs: 20_000 },
    );
  }
});

test('when make run itself is killed, its programs end, and the next start finds everything', async (t) => {
  const site = new TestSite(t);
  const run = await site.run();
  await run.ready();
  const programs = run.descendants().filter(({ name }) => /^(postgres|apache2|confab-pushd)$/.test(name));
  process.kill(run.pid, 'SIGKILL');
  await waitFor(() => !processes().some(({ pid }) => programs.some((program) => program.pid === pid)), {
    what: 'the programs to end',
    timeoutMs: 20_000,
  });

  const next = await site.run();
  await next.ready();
  await new Person(next, 'alice', DEMO_PASSWORD).logIn();
});
