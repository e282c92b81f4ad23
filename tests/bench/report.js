// @ts-check

/** How figures are put together, and shown. */

/** @param {number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** In three digits or so. @param {number} value */
export function short(value) {
  if (value >= 1_000_000) return `${(value / 1_000_000).toFixed(2)}M`;
  if (value >= 10_000) return `${(value / 1_000).toFixed(0)}k`;
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value.toFixed(2);
}

/** @param {string} title @param {string[]} columns @param {(string | number)[][]} rows */
export function table(title, columns, rows) {
  const cells = [columns, ...rows.map((row) => row.map((cell) => (typeof cell === 'number' ? short(cell) : cell)))];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i].length)));
  const line = (/** @type {string[]} */ row) =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`;
  console.log(`\n${title}\n`);
  console.log(line(cells[0]));
  console.log(`|${widths.map((width, i) => '-'.repeat(width + 1) + (i === 0 ? '-' : ':')).join('|')}|`);
  for (const row of cells.slice(1)) console.log(line(row));
}

/** What was asked for, and whether it is so. @param {string} what @param {number} value @param {'at most' | 'at least'} sense @param {number} limit */
export function bar(what, value, sense, limit) {
  const met = sense === 'at most' ? value <= limit : value >= limit;
  console.log(`${met ? 'met   ' : 'MISSED'} ${what}: ${short(value)}, ${sense} ${short(limit)}`);
}
