// @ts-check

/**
 * HTTP as a test needs it: any header, any bytes, a unix socket if wanted, and a connection of its own for each
 * request, so that a restarted server is met by a new one.
 */

import { request as httpRequest } from 'node:http';

/**
 * @typedef {object} Answer
 * @property {number} status
 * @property {import('node:http').IncomingHttpHeaders} headers
 * @property {string} text
 * @property {any} json  the body parsed, or undefined when it is not JSON
 */

/**
 * @param {string | URL} url
 * @param {object} [options]
 * @param {string} [options.method]
 * @param {import('node:http').OutgoingHttpHeaders} [options.headers]
 * @param {string | Buffer} [options.body]
 * @param {string} [options.socketPath]
 * @param {AbortSignal} [options.signal]
 * @param {number} [options.timeoutMs]  for the whole answer
 * @returns {Promise<Answer>}
 */
export function request(url, { method = 'GET', headers = {}, body, socketPath, signal, timeoutMs = 30_000 } = {}) {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(url, { method, headers, socketPath, signal, agent: false }, (incoming) => {
      /** @type {Buffer[]} */
      const chunks = [];
      incoming.on('data', (chunk) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        try {
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text, json: parse(incoming, text) });
        } catch (error) {
          reject(error);
        }
      });
    });
    const timer = setTimeout(() => {
      outgoing.destroy(new Error(`${method} ${url}: no whole answer within ${timeoutMs} ms`));
    }, timeoutMs);
    outgoing.on('error', reject);
    outgoing.on('close', () => clearTimeout(timer));
    outgoing.end(body);
  });
}

/**
 * @param {import('node:http').IncomingMessage} incoming
 * @param {string} text
 */
function parse(incoming, text) {
  if (text === '' || !/^application\/(problem\+)?json\b/.test(incoming.headers['content-type'] ?? '')) return undefined;
  return JSON.parse(text);
}
