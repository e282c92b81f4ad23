// @ts-check

/** A peer: rooms of Socket.IO, over WebSocket alone. The parameter `room` joins, POST /ROOM tells everybody in the room. */

import { createServer } from 'node:http';
import { Server } from 'socket.io';

const server = createServer((request, response) => {
  /** @type {Buffer[]} */
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    io.to((request.url ?? '').slice(1)).emit('message', Buffer.concat(chunks).toString());
    response.writeHead(200, { 'Content-Length': 0 }).end();
  });
});
// The load answers no pings, so there are none.
const io = new Server(server, { transports: ['websocket'], pingInterval: 3_600_000, perMessageDeflate: false });
io.on('connection', (socket) => {
  void socket.join(String(socket.handshake.query.room));
});
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
