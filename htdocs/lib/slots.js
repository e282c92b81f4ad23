// @ts-check

/**
 * How many streams the tabs of one browser hold. By HTTP/1.1 a browser opens six connections to a host
 * (Chromium 156, 2026-11), and a stream takes one for as long as it lasts: a sixth would leave none for
 * requests, in any tab. Tabs beyond the limit poll.
 */

const STREAMS = 3;

/**
 * @param {string} name  of the site, on this origin
 * @param {LockManager} [locks]  Web Locks: shared by the origin's tabs, and freed when a tab ends in
 *   whatever way; missing outside of secure contexts, where every tab then streams
 * @returns {() => Promise<(() => void)|null>} takes a place and gives the function that frees it; null when
 *   all are taken
 */
export function streamSlots(name, locks = globalThis.navigator?.locks) {
  return async () => {
    if (!locks) return () => {};
    for (let n = 0; n < STREAMS; n++) {
      const free = await take(locks, `${name}:stream:${n}`);
      if (free) return free;
    }
    return null;
  };
}

/** @param {LockManager} locks @param {string} name @returns {Promise<(() => void)|null>} */
function take(locks, name) {
  return new Promise((resolve, reject) => {
    const held = locks.request(name, { ifAvailable: true }, (lock) => {
      if (!lock) return resolve(null);
      return new Promise((free) => resolve(() => free(undefined)));
    });
    held.catch(reject);
  });
}
