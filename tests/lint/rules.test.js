// @ts-check

/** Each house rule fires on a tree that breaks it, and on nothing else in that tree. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

const RULES = fileURLToPath(new URL('rules', import.meta.url));

/** A tree that keeps all rules. @type {Record<string, string>} */
const GOOD = {
  'common/buf.c': '#include "buf.h"\n#include "err.h"\n',
  'common/settings.c': '    TEXT(database, "", NULL, false, "what to select from"),\n    NUMBER(workers, "8", 1, 9, false, "n"),\n',
  'docs/confab.conf.5': '.It Ic database\n.It Ic workers\n',
  'push-daemon/hub.c': '#include "hub.h"\n#include "msg.h"\n',
  'push-daemon/pg.c': '#include <libpq-fe.h>\nPQconnectStart(x);\nPQsendQueryPrepared(conn, "feed_read");\n',
  'fcgi-app/db.c': '#include <libpq-fe.h>\nsnprintf(a, b, c);\n',
  'fcgi-app/stmts.c': '"select status from chat.api_x($1)"\n',
  'htdocs/lib/api.js': 'await fetch(url);\nthis.document = 1;\n',
  'docs/protocol.md': '**1.1** This.\n\n**1.2** That.\n',
  'tests/integration/a.test.js': "test('1.1 1.2 this', () => {});\n",
  'htdocs/index.html': '<script type="module" src="app.js"></script>\n',
};

/** @type {Array<[string, string, string]>} rule, file, a breach of it */
const BREACHES = [
  ['pure', 'push-daemon/sse.c', '#include "conn.h"\n'],
  ['hub knows no transport', 'push-daemon/hub.h', '#include "conn_sse.h"\n'],
  ['see libpq', 'push-daemon/feed.c', '#include <libpq-fe.h>\n'],
  ['see libpq', 'push-daemon/feed.c', 'PQclear(result);\n'],
  ['statement tables', 'fcgi-app/room.c', 'run("SELECT 1");\n'],
  ['statement tables', 'fcgi-app/room.c', 'run("delete from chat.event");\n'],
  ['never text built', 'fcgi-app/db.c', '#include <libpq-fe.h>\nPQexec(conn, text);\n'],
  ['never text built', 'fcgi-app/db.c', '#include <libpq-fe.h>\nPQescapeLiteral(conn, text, n);\n'],
  ['banned', 'common/str.c', 'sprintf(out, "%d", n);\n'],
  ['banned', 'common/str.c', 'n = atoi (text);\n'],
  ['common knows neither', 'common/log.c', '#include "../push-daemon/conn.h"\n'],
  ['does not know push-daemon', 'fcgi-app/req.c', '#include "push-daemon/conn.h"\n'],
  ['does not know fcgi-app', 'push-daemon/main.c', '#include "../fcgi-app/req.h"\n'],
  ['never markup', 'htdocs/ui/log.js', 'node.innerHTML = text;\n'],
  ['that fetches', 'htdocs/ui/log.js', 'fetch(url);\n'],
  ['no inline', 'htdocs/index.html', '<script>alert(1)</script>\n'],
  ['no inline', 'htdocs/index.html', '<p onclick="x()">\n'],
  ['third-party', 'htdocs/app.js', "import x from 'https://cdn.example/x.js';\n"],
  ['has no DOM', 'htdocs/lib/store.js', 'document.title = text;\n'],
  ['confab.conf(5)', 'docs/confab.conf.5', '.It Ic database\n'],
  ['confab.conf(5)', 'docs/confab.conf.5', '.It Ic database\n.It Ic workers\n.It Ic worker\n'],
  ['can be read', 'common/settings.c', 'const int nothing;\n'],
  ['skipped', 'tests/integration/b.test.js', "test('a', { skip: !root }, () => {});\n"],
  ['skipped', 'tests/integration/b.test.js', 'test.only(a);\n'],
  ['skipped', 'tests/unit/test_a.c', '    skip();\n'],
  ['skipped', 'tests/sql/rolled-back/a.sql', "select skip('later', 2);\n"],
  ['each paragraph', 'docs/protocol.md', '**1.1** This.\n\n**1.2** That.\n\n**1.3** More.\n'],
  ['each paragraph', 'docs/protocol.md', '**1.1** This.\n'],
  ['each paragraph', 'tests/integration/a.test.js', "test('this', () => {}); // 1.1 1.2\n"],
  ['800 lines', 'common/map.c', '\n'.repeat(801)],
];

/** @param {Record<string, string>} tree */
function judge(tree) {
  const root = mkdtempSync(join(tmpdir(), 'confab-rules-'));
  try {
    for (const [path, text] of Object.entries(tree)) {
      mkdirSync(join(root, dirname(path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const { status, stdout } = spawnSync(RULES, [root], { encoding: 'utf8' });
    return { status, rules: stdout.split('\n').filter((line) => line.startsWith('rule broken: ')), stdout };
  } finally {
    rmSync(root, { recursive: true });
  }
}

test('a good tree keeps all rules', () => {
  const { status, stdout } = judge(GOOD);
  assert.equal(status, 0, stdout);
});

for (const [rule, path, text] of BREACHES) {
  test(`${rule}: ${path}: ${text.trim().slice(0, 60)}`, () => {
    const { status, rules, stdout } = judge({ ...GOOD, [path]: text });
    assert.equal(status, 1);
    assert.ok(rules.some((line) => line.includes(rule)), stdout);
  });
}
