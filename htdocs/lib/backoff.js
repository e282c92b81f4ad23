// @ts-check

/**
 * Full jitter: anything between nothing and a ceiling that doubles. Clients that
 * lost the same server spread over the whole interval instead of coming back in
 * step, which no fixed or slightly shaken delay achieves.
 */
export class Backoff {
  #base;
  #cap;
  #failures = 0;

  /** @param {{base?: number, cap?: number}} [options] milliseconds */
  constructor({ base = 1000, cap = 30000 } = {}) {
    this.#base = base;
    this.#cap = cap;
  }

  /** How many delays were taken since the last success. */
  get failures() {
    return this.#failures;
  }

  /**
   * @param {number} [atLeast] what the server asked for (Retry-After), in ms;
   *   jitter comes on top of it, so that nobody returns early
   * @returns {number} ms to wait before the next try
   */
  next(atLeast = 0) {
    const ceiling = Math.min(this.#cap, this.#base * 2 ** Math.min(this.#failures, 16));
    this.#failures += 1;
    return Math.round(atLeast + Math.random() * ceiling);
  }

  reset() {
    this.#failures = 0;
  }
}

/**
 * @param {number} ms
 * @param {AbortSignal} [signal] ends the wait early; the promise resolves all the same
 * @returns {Promise<void>}
 */
export function sleep(ms, signal) {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}
