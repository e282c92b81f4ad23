// @ts-check

/** The manuals say what the programs do. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { program } from '../lib/fcgi.js';

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

test('the manuals are well-formed', () => {
  for (const name of readdirSync(DOCS).filter((file) => /\.[58]$/.test(file))) {
    execFileSync('mandoc', ['-T', 'lint', '-W', 'warning', join(DOCS, name)], { encoding: 'utf8' });
  }
});
