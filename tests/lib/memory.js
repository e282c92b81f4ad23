// @ts-check

/** localStorage, as far as it is used: its keys come in no order of ours. */
export function memory() {
  /** @type {Map<string, string>} */
  const map = new Map();
  return {
    getItem: (/** @type {string} */ key) => map.get(key) ?? null,
    setItem: (/** @type {string} */ key, /** @type {string} */ value) => void map.set(key, value),
    removeItem: (/** @type {string} */ key) => void map.delete(key),
    key: (/** @type {number} */ i) => [...map.keys()].sort()[i] ?? null,
    get length() {
      return map.size;
    },
  };
}
