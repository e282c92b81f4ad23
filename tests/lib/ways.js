// @ts-check

/** The ways on which a client may hear events: a transport, through the web server or straight from one of the daemons. */

import { DAEMON_URL } from './guest.js';
import { Poller } from './poller.js';
import { SseReader } from './sse.js';
import { WsReader } from './websocket.js';

/** By the path that each is asked at. The last is the worker's, and needs no daemon. */
const READERS = { stream: SseReader, ws: WsReader, poll: Poller, 'api/v1/events': Poller };

/** @typedef {keyof typeof READERS} Path */
/** What the daemon offers. @type {readonly Path[]} */
export const DAEMON_PATHS = ['stream', 'ws', 'poll'];

/**
 * @typedef {object} Way
 * @property {string} name
 * @property {(lastEventId?: string) => import('./reader.js').Reader} open
 *
 * @typedef {object} Member  a Person, or a Guest
 * @property {{giveUp?: () => Error | undefined}} site
 * @property {() => Record<string, string>} headers
 * @property {() => Promise<any>} snapshot
 * @property {(room: number, query?: string) => Promise<any>} history
 *
 * @typedef {import('./site.js').Site} Site
 */

/** @param {Site} site @param {Member} member @param {Path} path @returns {Way} */
export function throughFront(site, member, path) {
  return {
    name: `${path} through ${site.front}`,
    open: (lastEventId) =>
      new READERS[path](new URL(path, site.url), { headers: member.headers(), lastEventId, giveUp: site.giveUp }),
  };
}

/** @param {Site} site @param {Member} member @param {Path} path @param {number} [daemon] @returns {Way} */
export function straight(site, member, path, daemon) {
  const { name, socket: socketPath } = site.daemon(daemon);
  const origin = socketPath ? DAEMON_URL : `http://${site.pushListen}`;
  return {
    name: `${path} of ${name}`,
    open: (lastEventId) =>
      new READERS[path](new URL(path, origin), { headers: member.headers(), lastEventId, socketPath, giveUp: site.giveUp }),
  };
}
