// @ts-check

/** deploy/htaccess.example makes a working site of a folder on shared hosting: by mod_fcgid, and by plain CGI; with streams and without. */

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { request } from '../lib/http.js';
import { Person } from '../lib/person.js';
import { reservePort } from '../lib/ports.js';
import { Site } from '../lib/site.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BUILD = resolve(ROOT, process.env.BUILD ?? 'build/release');
const MODULES = '/usr/lib/apache2/modules';

/** The host's own configuration, which its customers do not see. @param {string} dir @param {number} port */
function hostConfiguration(dir, port) {
  const modules = ['mpm_event', 'authz_core', 'dir', 'mime', 'env', 'setenvif', 'headers', 'rewrite', 'fcgid', 'cgid', 'proxy', 'proxy_http'];
  return [
    ...modules.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`),
    `Listen 127.0.0.1:${port}`,
    'ServerName 127.0.0.1',
    `ServerRoot ${dir}`,
    `DefaultRuntimeDir ${dir}/state`,
    `PidFile ${dir}/state/pid`,
    `ScriptSock ${dir}/state/cgid`,
    `FcgidIPCDir ${dir}/state/fcgid`,
    `FcgidProcessTableFile ${dir}/state/fcgid_shm`,
    'ErrorLog "|/bin/cat"',
    `DocumentRoot ${dir}/www`,
    'TypesConfig /etc/mime.types',
    'DirectoryIndex index.html',
    `<Directory ${dir}/www>`,
    'AllowOverride All',
    'Require all granted',
    '</Directory>',
  ].join('\n');
}

/** What a customer does by hand. @param {string} www @param {Site} site @param {(text: string) => string} edit */
function installInto(www, site, edit) {
  cpSync(join(ROOT, 'htdocs'), www, { recursive: true });
  copyFileSync(join(BUILD, 'confab.fcgi'), join(www, 'confab.fcgi'));
  chmodSync(join(www, 'confab.fcgi'), 0o755);
  const example = readFileSync(join(ROOT, 'deploy/htaccess.example'), 'utf8');
  const placed = example.replace('/home/USER/confab.conf', site.conf).replace('/home/USER/run/push.sock', site.pushSocket);
  writeFileSync(join(www, '.htaccess'), edit(placed));
}

for (const [kind, edit] of /** @type {Array<[string, (text: string) => string]>} */ ([
  ['mod_fcgid, and streams', (text) => text.replace(/^#(RewriteRule .*stream)/m, '$1')],
  ['plain CGI', (text) => text.replace(/^AddHandler fcgid/m, '#$&').replace(/^#(AddHandler cgi)/m, '$1')],
])) {
  test(kind, async (t) => {
    const streamed = kind.includes('streams');
    const site = await Site.start({ front: null, env: { CONFAB_PATH_PREFIX: '/chat' } });
    const { port, release } = await reservePort();
    const dir = join(site.dir, '..', 'host');
    const www = join(dir, 'www', 'chat');
    for (const folder of [join(dir, 'state'), www]) mkdirSync(folder, { recursive: true });
    installInto(www, site, edit);
    writeFileSync(join(dir, 'apache.conf'), hostConfiguration(dir, port));
    execFileSync('chown', ['-R', site.user, join(dir, 'state')]);

    const apache = spawn(
      'setpriv',
      [...site.asUser, '--pdeathsig=TERM', '/usr/sbin/apache2', '-f', join(dir, 'apache.conf'), '-DFOREGROUND'],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let log = '';
    for (const output of [apache.stdout, apache.stderr]) output.setEncoding('utf8').on('data', (text) => (log += text));
    const ended = new Promise((done) => apache.once('exit', done));
    t.after(async () => {
      await site.kill('pushd'); // Apache waits for the streams
      apache.kill('SIGTERM');
      await ended;
      release();
      await site.stop();
    });

    const url = `http://127.0.0.1:${port}/chat/`;
    await site.waitFor(async () => (await request(url)).status > 0, { what: 'Apache' });
    const page = await request(url);
    assert.equal(page.status, 200, log);
    assert.match(String(page.headers['content-security-policy']), /^default-src 'none'/);
    assert.equal((await request(new URL('.htaccess', url))).status, 403);

    const alice = await Person.register({ url }, 'alice');
    const program = await Person.register({ url }, 'program', { token: true });
    const room = await alice.dialogWith(program);
    const streams = [alice.stream(), program.stream()];
    await Promise.all(streams.map((stream) => (streamed ? stream.opened() : stream.ended())));
    await alice.send(room.id, 'by cookie');
    await program.send(room.id, 'by bearer token');
    const { items } = await program.history(room.id);
    assert.deepEqual(items.map((/** @type {any} */ item) => item.body), ['by cookie', 'by bearer token']);
    for (const stream of streams) {
      if (streamed) await stream.event('message.new', ({ message }) => message.body === 'by bearer token');
      else assert.equal(stream.status, 404);
      stream.close();
    }
  });
}
