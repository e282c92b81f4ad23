// @ts-check

/** Waiting for conditions. No test sleeps for a fixed time and hopes. */

const FIRST_LOOK_MS = 5;
const SLOWEST_LOOK_MS = 200;

/** @param {number} ms */
export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Looks, ever more seldom, until the condition gives something true, and returns that. What the condition throws
 * counts as "not yet", and is the cause of the failure at the deadline.
 *
 * @template T
 * @param {() => T | Promise<T>} condition
 * @param {{what?: string, timeoutMs?: number, giveUp?: () => Error | undefined}} [options]
 *   giveUp: an error that makes further waiting pointless
 * @returns {Promise<NonNullable<Exclude<T, false>>>}
 */
export async function waitFor(condition, { what, timeoutMs = 10_000, giveUp } = {}) {
  const deadline = Date.now() + timeoutMs;
  let cause;
  for (let ms = FIRST_LOOK_MS; ; ms = Math.min(ms * 2, SLOWEST_LOOK_MS)) {
    try {
      const value = await condition();
      // @ts-ignore: narrowed by truth
      if (value) return value;
    } catch (error) {
      cause = error;
    }
    const hopeless = giveUp?.();
    if (hopeless) throw hopeless;
    if (Date.now() >= deadline) {
      throw new Error(`not within ${timeoutMs} ms: ${what ?? condition}`, { cause });
    }
    await pause(ms);
  }
}
