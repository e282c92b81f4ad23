// @ts-check

/** Fewer combinations than all: every two choices of different dimensions still meet in one of them. */

/**
 * @template {Record<string, readonly any[]>} T
 * @typedef {{[K in keyof T]: T[K][number]}} Combination
 */

/**
 * All combinations. @template {Record<string, readonly any[]>} T @param {T} dimensions @returns {Combination<T>[]}
 */
function product(dimensions) {
  /** @type {any[]} */
  let all = [{}];
  for (const [name, choices] of Object.entries(dimensions)) {
    all = all.flatMap((combination) => choices.map((choice) => ({ ...combination, [name]: choice })));
  }
  return all;
}

/**
 * Takes, as long as a pair has not met, the combination in which most such pairs meet.
 *
 * @template {Record<string, readonly any[]>} T
 * @param {T} dimensions  the choices of each
 * @returns {Combination<T>[]}
 */
export function pairwise(dimensions) {
  const names = Object.keys(dimensions);
  /** @param {any} combination */
  const pairsOf = (combination) => {
    const places = names.map((name, i) => `${i}.${dimensions[name].indexOf(combination[name])}`);
    return places.flatMap((place, i) => places.slice(i + 1).map((other) => `${place} ${other}`));
  };
  const candidates = product(dimensions).map((combination) => ({ combination, pairs: pairsOf(combination) }));
  const unmet = new Set(candidates.flatMap(({ pairs }) => pairs));
  const taken = [];
  while (unmet.size > 0) {
    const count = (/** @type {string[]} */ pairs) => pairs.filter((pair) => unmet.has(pair)).length;
    const best = candidates.reduce((a, b) => (count(b.pairs) > count(a.pairs) ? b : a));
    taken.push(best.combination);
    for (const pair of best.pairs) unmet.delete(pair);
  }
  return taken;
}
