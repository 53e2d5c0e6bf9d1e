"""PDUs come off a connection as they were sent, however the network cuts and joins them."""

from __future__ import annotations

import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.pacs.receiving.line import ABORT, ASSOCIATE_RQ, GREATEST, P_DATA, HungUpError, Line, pdu

PDUS = st.lists(st.tuples(st.integers(ASSOCIATE_RQ, ABORT), st.binary(max_size=40)), max_size=12)


def came_of(content: bytes, pieces: list[int]) -> list[tuple[int, bytes]]:
    """What a line reads of `content`, sent in pieces of these sizes, and the rest at once; each body as it is before the next is read."""
    here, there = socket.socketpair()
    with here, there:

        def send() -> None:
            start = 0
            for size in pieces:
                there.sendall(content[start : start + size])
                start += size
            there.sendall(content[start:])
            there.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        line, found = _Line(here, 10.0), []
        try:
            while True:
                kind, body = line.read()
                found.append((kind, bytes(body)))
        except HungUpError:
            sender.join()
        return found


class _Line(Line):
    """A line on a socket without TCP's options."""

    def __init__(self, connection: socket.socket, silence_s: float) -> None:
        super().__init__(_Plain(connection), silence_s)  # type: ignore[arg-type]


class _Plain:
    def __init__(self, connection: socket.socket) -> None:
        self.settimeout, self._receive, self.calls = connection.settimeout, connection.recv_into, 0

    def setsockopt(self, *_: object) -> None:
        """Not of this kind of socket."""

    def recv_into(self, view: memoryview) -> int:
        self.calls += 1
        return self._receive(view)


@settings(max_examples=150, deadline=None)
@given(PDUS, st.lists(st.integers(0, 60), max_size=8))
def test_every_pdu_comes_as_it_was_sent_however_it_is_cut(sent: list[tuple[int, bytes]], pieces: list[int]) -> None:
    assert came_of(b"".join(pdu(kind, body) for kind, body in sent), pieces) == sent


@pytest.mark.parametrize("cut", range(1, 12))
def test_one_that_is_cut_short_does_not_come(cut: int) -> None:
    content = pdu(P_DATA, b"first") + pdu(P_DATA, b"other")
    assert came_of(content[:-cut], []) == [(P_DATA, b"first")]


def test_the_greatest_comes_and_the_header_after_it_costs_no_call_of_its_own() -> None:
    here, there = socket.socketpair()
    with here, there:
        body = bytes(range(256)) * (GREATEST // 256)
        sender = threading.Thread(target=there.sendall, args=(pdu(P_DATA, body) + pdu(P_DATA, b"next") + pdu(P_DATA, b"last"),))
        sender.start()
        line = _Line(here, 10.0)
        assert line.read() == (P_DATA, body)
        sender.join()
        plain = line._connection
        before = plain.calls  # type: ignore[attr-defined]
        assert [bytes(line.read()[1]) for _ in range(2)] == [b"next", b"last"]
        assert plain.calls - before <= 3  # type: ignore[attr-defined]
