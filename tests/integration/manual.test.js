// @ts-check

/** The manuals say what the programs do. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { PROGRAM as DAEMON, begin } from '../lib/daemon.js';
import { program } from '../lib/fcgi.js';
import { DAEMON_URL } from '../lib/guest.js';
import { request } from '../lib/http.js';
import { parseMetrics } from '../lib/metrics.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DOCS = join(ROOT, 'docs');

test('confab.conf(5) has the default and the range of every number', () => {
  const dump = execFileSync(program(), ['-T', '-c', '/dev/null'], { env: {}, encoding: 'utf8' });
  const defaults = new Map([...dump.matchAll(/^(\w+) = (.*)$/gm)].map(([, name, value]) => [name, value]));
  const manual = readFileSync(join(DOCS, 'confab.conf.5'), 'utf8');
  const items = new Map(
    manual
      .split('\n.It Ic ')
      .slice(1)
      .map((item) => {
        const [name, ...lines] = item.split('\n');
        return [name, lines.join(' ')];
      }),
  );
  const table = readFileSync(join(ROOT, 'common/settings.c'), 'utf8');
  const numbers = [...table.matchAll(/NUMBER\((\w+),\s*"(\d+)",\s*(\d+),\s*(\d+),\s*(true|false)/g)];
  assert.ok(numbers.length > 20);
  for (const [, name, value, min, max, reloadable] of numbers) {
    const item = items.get(name) ?? '';
    assert.equal(defaults.get(name), value);
    assert.ok(item.includes(`Default: ${value}.`), `${name}: default ${value}`);
    assert.ok(item.includes(`${min} to ${max}`), `${name}: ${min} to ${max}`);
    assert.equal(item.startsWith('*'), reloadable === 'true', `${name}: re-read on SIGHUP`);
  }
});

/** The names of a list in a section of a manual. @param {string} manual @param {string} section @param {RegExp} [form] */
function listed(manual, section, form = /^[a-z_ ]+$/) {
  const [, text] = readFileSync(join(DOCS, manual), 'utf8').split(`\n.Sh ${section}\n`);
  const items = [...text.split('\n.Sh ')[0].matchAll(/^\.It (?:Sy|Fl) (.*)$/gm)];
  return items.flatMap(([, names]) => names.split(' , ')).filter((name) => form.test(name));
}

/** @param {string} folder */
function sources(folder) {
  const files = readdirSync(join(ROOT, folder)).filter((file) => file.endsWith('.c'));
  return files.map((file) => readFileSync(join(ROOT, folder, file), 'utf8')).join('\n');
}

test('confab-pushd(8) has each metric, and no other', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'confab-manual-'));
  const daemon = begin({ CONFAB_RUNTIME_DIR: dir, CONFAB_PUSH_LISTEN: `unix:${dir}/push`, CONFAB_ADMIN_LISTEN: `unix:${dir}/admin` });
  try {
    await daemon.logged(/admin listening/);
    const { text } = await request(new URL('/metrics', DAEMON_URL), { socketPath: `${dir}/admin` });
    assert.deepEqual(listed('confab-pushd.8', 'MONITORING').sort(), [...parseMetrics(text).keys()].sort());
  } finally {
    daemon.child.kill('SIGTERM');
    await daemon.ended;
    rmSync(dir, { recursive: true });
  }
});

test('confab-pushd(8) has each line of the log, and no other', () => {
  // What happened are the words before the first KEY=VALUE.
  const calls = [...`${sources('push-daemon')}${readFileSync(join(ROOT, 'common/start.c'))}`.matchAll(/\b(?:log_(?:err|warn|info)x?|fatalx?)\(\s*"([^"\\]*)/g)];
  const events = new Set(calls.map(([, format]) => format.match(/^[a-z]+(?: [a-z]+(?![\w=]))*/)?.[0]));
  assert.ok(events.size > 20);
  assert.deepEqual(listed('confab-pushd.8', 'DIAGNOSTICS').sort(), [...events].sort());
});

test('confab-pushd(8) has each reason and its close code, and no other', () => {
  const rows = [...readFileSync(join(ROOT, 'push-daemon/reason.c'), 'utf8').matchAll(/= \{"(\w+)", (\d+)\}/g)];
  assert.ok(rows.length > 10);
  assert.deepEqual(
    listed('confab-pushd.8', 'DIAGNOSTICS', / No \d+$/).sort(),
    rows.map(([, word, code]) => `${word} No ${code}`).sort(),
  );
});

test('the manuals have the options that --help prints, and no other', () => {
  for (const [name, path] of [['confab-pushd.8', DAEMON], ['confab.fcgi.8', program()]]) {
    const help = execFileSync(path, ['--help'], { env: {}, encoding: 'utf8' });
    const printed = [...help.matchAll(/^ {2}-(\w)/gm)].map(([, letter]) => letter);
    const manual = readFileSync(join(DOCS, name), 'utf8');
    const described = [...manual.matchAll(/^\.It Fl (\w)\b/gm)].map(([, letter]) => letter);
    assert.ok(printed.length >= 5, help);
    assert.deepEqual(described.sort(), printed.sort(), name);
  }
});

test('the manuals are well-formed', () => {
  for (const name of readdirSync(DOCS).filter((file) => /\.[58]$/.test(file))) {
    execFileSync('mandoc', ['-T', 'lint', '-W', 'warning', join(DOCS, name)], { encoding: 'utf8' });
  }
});
