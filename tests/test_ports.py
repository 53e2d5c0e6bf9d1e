"""Ports for tests that run beside others."""

from __future__ import annotations

import socket
from itertools import combinations
from pathlib import Path

from tests.ports import free_port, ports_of


def test_no_two_workers_give_out_the_same_port() -> None:
    shares = [set(ports_of({"PYTEST_XDIST_WORKER": f"gw{number}"})) for number in range(4)]
    assert not any(one & other for one, other in combinations(shares, 2))
    assert set(ports_of({})) == shares[0]


def test_no_outgoing_connection_takes_one() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
    assert all(max(ports_of({"PYTEST_XDIST_WORKER": f"gw{number}"})) < first for number in range(4))


def test_a_port_that_somebody_has_is_passed_over() -> None:
    before = free_port()
    share = ports_of({}) if before in ports_of({}) else range(before, before + 2)
    with socket.socket() as taken:
        following = before + 1 if before + 1 in share else share[0]
        taken.bind(("127.0.0.1", following))
        given = {free_port() for _ in range(20)}
    assert following not in given
    assert before not in given
    assert len(given) == 20
