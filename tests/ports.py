"""Free TCP ports for servers that are told theirs beforehand: of no two test processes the same."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from random import SystemRandom

#: Below what Linux gives to outgoing connections and to whoever binds port 0 (`net.ipv4.ip_local_port_range`): only a server that was told so
#: can take a port between the look and the use of it.
_FIRST, _AFTER_LAST = 18_000, 32_000
#: Ports that each of pytest-xdist's workers has for itself.
_SHARE = 3_500


def ports_of(environment: Mapping[str, str]) -> range:
    """The ports that a test process may give out, by the name of its worker (`gw0`, `gw1`, …; none outside of pytest-xdist)."""
    worker = int(environment.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = _FIRST + worker * _SHARE % (_AFTER_LAST - _FIRST)
    return range(first, first + _SHARE)


def _in_turn() -> Iterator[int]:
    """All of them over and over, from any one of them on: another `pytest` on this machine should begin elsewhere."""
    ports = ports_of(os.environ)
    number = SystemRandom().randrange(len(ports))
    while True:
        yield ports[number % len(ports)]
        number += 1


_NEXT = _in_turn()


def free_port() -> int:
    """A TCP port that nobody listens on, and that this process has not given out for long."""
    for port in _NEXT:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("unreachable")
