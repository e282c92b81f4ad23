// @ts-check

/**
 * A strict reader of Prometheus' text exposition format 0.0.4, written from its description: what a lenient scraper
 * would pass over is an error here.
 */

import assert from 'node:assert/strict';
import { DAEMON_URL } from './guest.js';
import { request } from './http.js';

/**
 * @typedef {object} Family
 * @property {string} name
 * @property {string} help
 * @property {string} type
 * @property {Array<{name: string, labels: Record<string, string>, value: number}>} samples
 */

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`);
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/;
const VALUE = /^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]Inf|NaN)$/;
const TYPES = new Set(['counter', 'gauge', 'histogram']);

/** @param {string} text @returns {Map<string, Family>} */
export function parseMetrics(text) {
  assert.ok(text.endsWith('\n'), 'the last line ends in a newline');
  /** @type {Map<string, Family>} */
  const families = new Map();
  /** @type {Family | undefined} */
  let family;
  for (const line of text.slice(0, -1).split('\n')) {
    const help = line.match(new RegExp(`^# HELP (${NAME}) ((?:[^\\\\\\n]|\\\\[\\\\n])+)$`));
    const type = line.match(new RegExp(`^# TYPE (${NAME}) (\\w+)$`));
    if (help) {
      assert.ok(!families.has(help[1]), `one group of lines for ${help[1]}`);
      family = { name: help[1], help: help[2], type: '', samples: [] };
      families.set(family.name, family);
    } else if (type) {
      assert.ok(family && type[1] === family.name && family.type === '' && family.samples.length === 0, line);
      assert.ok(TYPES.has(type[2]), line);
      family.type = type[2];
    } else {
      assert.ok(family?.type, `a sample before its type: ${line}`);
      family.samples.push(parseSample(line, family));
    }
  }
  for (const each of families.values()) checkFamily(each);
  return families;
}

/** @param {string} line @param {Family} family */
function parseSample(line, family) {
  const found = line.match(SAMPLE);
  assert.ok(found, `no sample: ${line}`);
  const [, name, labelText = '', valueText] = found;
  assert.match(valueText, VALUE, line);
  assert.ok(name === family.name || (family.type === 'histogram' && /^_(bucket|sum|count)$/.test(name.slice(family.name.length))), line);
  /** @type {Record<string, string>} */
  const labels = {};
  for (let rest = labelText; rest !== ''; ) {
    const label = rest.match(LABEL);
    assert.ok(label && !(label[1] in labels), line);
    labels[label[1]] = label[2];
    rest = rest.slice(label[0].length);
  }
  return { name, labels, value: Number(valueText.replace('Inf', 'Infinity')) };
}

/** @param {Family} family */
function checkFamily({ name, type, samples }) {
  assert.ok(type && samples.length > 0, `${name} has a type and samples`);
  const series = samples.map((sample) => `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`);
  assert.equal(new Set(series).size, series.length, `${name}: each series once`);
  assert.equal(type === 'counter', name.endsWith('_total'), `${name}: counters, and they alone, end in _total`);
  if (type !== 'gauge') for (const { value } of samples) assert.ok(value >= 0, name);
  if (type !== 'histogram') return;
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  const bounds = buckets.map(({ labels }) => Number(labels.le.replace('Inf', 'Infinity')));
  assert.deepEqual(bounds, [...bounds].sort((a, b) => a - b), `${name}: bounds ascend`);
  const counts = buckets.map(({ value }) => value);
  assert.deepEqual(counts, [...counts].sort((a, b) => a - b), `${name}: buckets are cumulative`);
  assert.equal(buckets.at(-1)?.labels.le, '+Inf');
  assert.equal(samples.find((sample) => sample.name === `${name}_count`)?.value, counts.at(-1));
  assert.ok(samples.some((sample) => sample.name === `${name}_sum`));
}

/** What a daemon tells on its private address. @param {string} socketPath */
export async function scrape(socketPath) {
  const answer = await request(new URL('/metrics', DAEMON_URL), { socketPath });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  return parseMetrics(answer.text);
}

/**
 * The one sample of a family that has these labels.
 *
 * @param {Map<string, Family>} families
 * @param {string} name
 * @param {Record<string, string>} [labels]
 */
export function metric(families, name, labels = {}) {
  const found = families.get(name)?.samples.filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value)) ?? [];
  assert.equal(found.length, 1, `${name} ${JSON.stringify(labels)}`);
  return found[0].value;
}
