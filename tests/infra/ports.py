"""Ports for servers that are started here."""

from __future__ import annotations

import random
import socket
import sys

# Below what Linux and macOS hand out to outgoing connections: while a server is down nobody else gets its port,
# and a client that keeps trying to connect to it does not end up connected to itself.
PORTS = range(15_000, 32_000)


def free_port() -> int:
    for port in random.sample(PORTS, 200):
        with socket.socket() as probe:
            # As the servers themselves do, else a port they just left counts as taken.
            if sys.platform != "win32":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port on 127.0.0.1")
