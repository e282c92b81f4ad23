// @ts-check

/** A TCP proxy in front of a site, to cut what a browser's own "offline" leaves open: connections that exist. */

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export class Wire {
  /** @type {Set<import('node:net').Socket>} */
  #sockets = new Set();
  #down = false;
  #server;

  /** @param {string} target the site's URL */
  constructor(target) {
    this.target = new URL(target);
    this.#server = createServer((socket) => this.#join(socket));
  }

  /** @param {string} target */
  static async to(target) {
    const wire = new Wire(target);
    wire.#server.listen(0, '127.0.0.1');
    await once(wire.#server, 'listening');
    return wire;
  }

  /** The site's address through this wire. */
  get url() {
    const { port } = /** @type {import('node:net').AddressInfo} */ (this.#server.address());
    return new URL(this.target.pathname, `http://${this.target.hostname}:${port}`).href;
  }

  /** Resets all connections; new ones are served. */
  cut() {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Resets all connections, and new ones too, until mend(). */
  break() {
    this.#down = true;
    this.cut();
  }

  mend() {
    this.#down = false;
  }

  close() {
    this.cut();
    this.#server.close();
  }

  /** @param {import('node:net').Socket} near */
  #join(near) {
    if (this.#down) return void near.resetAndDestroy();
    const far = connect({ host: this.target.hostname, port: Number(this.target.port) });
    for (const [socket, other] of [[near, far], [far, near]]) {
      this.#sockets.add(socket);
      socket.pipe(other);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }
}
