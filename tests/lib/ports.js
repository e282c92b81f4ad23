// @ts-check

/**
 * Free TCP ports on 127.0.0.1, safe between processes that ask at the same time. A port is reserved by listening
 * on the same number of 127.0.0.2 for as long as the test lives: the kernel frees it, whatever ends the test.
 */

import { createServer } from 'node:net';

// Below the range from which the kernel takes ports for outgoing connections.
const FIRST_PORT = 20_000;
const PORTS = 12_000;

/**
 * @param {number} port
 * @param {string} host
 * @returns {Promise<import('node:net').Server | undefined>}
 */
function listen(port, host) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host }, () => resolve(server));
  });
}

/** @returns {Promise<{port: number, release: () => void}>} */
export async function reservePort() {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    const lock = await listen(port, '127.0.0.2');
    if (!lock) continue;
    const probe = await listen(port, '127.0.0.1');
    if (probe) {
      await new Promise((resolve) => probe.close(resolve));
      lock.unref();
      return { port, release: () => lock.close() };
    }
    lock.close();
  }
}
