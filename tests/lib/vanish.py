#!/usr/bin/env python3
"""A client that vanishes without a word, as one does whose cable is cut.

usage: vanish.py PORT HEADER

It opens a stream on that port of 127.0.0.1, waits for the first event, and says "gone": from then on the kernel drops
every packet that comes for this connection, so that nothing is answered any more. At the end of standard input it ends.
"""

import socket
import sys

IP_MINTTL = 21  # <linux/in.h>
MORE_THAN_ANY_TTL_HERE = 255


def main(port, header):
    with socket.create_connection(("127.0.0.1", int(port))) as peer:
        peer.sendall(f"GET /stream HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n".encode())
        heard = b""
        while b"event: connected" not in heard:
            some = peer.recv(4096)
            if not some:
                sys.exit(f"the stream ended: {heard.decode()}")
            heard += some
        peer.setsockopt(socket.IPPROTO_IP, IP_MINTTL, MORE_THAN_ANY_TTL_HERE)
        print("gone", flush=True)
        sys.stdin.read()


main(*sys.argv[1:])
