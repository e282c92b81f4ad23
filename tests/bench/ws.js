// @ts-check

/** A peer: rooms over the `ws` package. GET /ROOM (upgraded) joins, POST /ROOM tells everybody in the room. */

import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

/** @type {Map<string, Set<import('ws').WebSocket>>} */
const rooms = new Map();
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });

const server = createServer((request, response) => {
  /** @type {Buffer[]} */
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const text = Buffer.concat(chunks).toString();
    for (const socket of rooms.get(request.url ?? '') ?? []) socket.send(text);
    response.writeHead(200, { 'Content-Length': 0 }).end();
  });
});
server.on('upgrade', (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, (ws) => {
    const name = request.url ?? '';
    const room = rooms.get(name) ?? new Set();
    rooms.set(name, room.add(ws));
    ws.on('close', () => room.delete(ws));
  });
});
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
