#!/usr/bin/env python3
"""Plays systemd for a test: holds a listening socket, starts a program with it, hears how it is.

usage: activate.py ADDRESS PROGRAM [OPTION...]

ADDRESS is a path or a port of 127.0.0.1. The program starts at once, and again for each line on standard input, as
`systemctl restart` would do it: SIGTERM, its end, a new one. It gets the socket (sd_listen_fds) and says how it is
(sd_notify), with a watchdog. Standard output tells, a line each, what the program says and how it ends. At the end of
standard input the program is stopped for the last time.
"""

import os
import select
import signal
import socket
import sys
import tempfile

WATCHDOG_USEC = 1_000_000
BACKLOG = 4096
FIRST_FD = 3


def tell(text):
    print(text, flush=True)


def open_listener(address):
    if address.startswith("/"):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address)
    else:
        listener = socket.socket(socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", int(address)))
    listener.listen(BACKLOG)
    return listener


def start(listener, notify_path, command):
    pid = os.fork()
    if pid == 0:
        os.dup2(listener.fileno(), FIRST_FD)
        os.set_inheritable(FIRST_FD, True)
        own = str(os.getpid())
        os.environ.update(LISTEN_PID=own, LISTEN_FDS="1", NOTIFY_SOCKET=notify_path)
        os.environ.update(WATCHDOG_PID=own, WATCHDOG_USEC=str(WATCHDOG_USEC))
        os.execvp(command[0], command)
    return pid


def stop(program):
    os.kill(program, signal.SIGTERM)
    _, status = os.waitpid(program, 0)
    tell(f"ended {os.waitstatus_to_exitcode(status)}")


def main():
    listener = open_listener(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(os.path.join(folder, "notify"))
        program = start(listener, notify.getsockname(), sys.argv[2:])
        while True:
            readable, _, _ = select.select([notify, sys.stdin], [], [])
            if notify in readable:
                tell(notify.recv(4096).decode())
            if sys.stdin in readable:
                line = sys.stdin.readline()
                stop(program)
                if not line:
                    break
                program = start(listener, notify.getsockname(), sys.argv[2:])


main()
