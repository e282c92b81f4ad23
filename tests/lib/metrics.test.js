// @ts-check

/** The strict reader of metrics is strict. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { metric, parseMetrics } from './metrics.js';

const HEAD = '# HELP a_total A.\n# TYPE a_total counter\n';

test('what is right is read', () => {
  const families = parseMetrics(`${HEAD}a_total{x="1",y="\\"\\n"} 2\na_total 3e+06\n# HELP g G.\n# TYPE g gauge\ng -0.5\n`);
  assert.equal(metric(families, 'a_total', { x: '1' }), 2);
  assert.equal(metric(families, 'g'), -0.5);
});

test('what is wrong is refused', () => {
  const wrong = {
    'no newline at the end': `${HEAD}a_total 1`,
    'no type': '# HELP a A.\na 1\n',
    'no help': 'a 1\n',
    'no sample': HEAD,
    'an empty line': `${HEAD}a_total 1\n\n`,
    'two groups': `${HEAD}a_total 1\n# HELP b B.\n# TYPE b gauge\nb 1\n${HEAD}a_total{x="1"} 1\n`,
    'a foreign sample': `${HEAD}b 1\n`,
    'twice the same': `${HEAD}a_total{x="1",y="2"} 1\na_total{y="2",x="1"} 1\n`,
    'a label twice': `${HEAD}a_total{x="1",x="1"} 1\n`,
    'a quote in a label': `${HEAD}a_total{x="1"1"} 1\n`,
    'two blanks': `${HEAD}a_total  1\n`,
    'no number': `${HEAD}a_total one\n`,
    'hexadecimal': `${HEAD}a_total 0x10\n`,
    'a negative counter': `${HEAD}a_total -1\n`,
    'a counter without _total': '# HELP a A.\n# TYPE a counter\na 1\n',
    'a histogram that is not cumulative':
      '# HELP h H.\n# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n',
    'a histogram without a sum': '# HELP h H.\n# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_count 1\n',
    'a histogram whose count differs': '# HELP h H.\n# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 2\n',
  };
  for (const [what, text] of Object.entries(wrong)) assert.throws(() => parseMetrics(text), assert.AssertionError, what);
});
