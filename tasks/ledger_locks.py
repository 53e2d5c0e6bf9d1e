"""Named locks and numbered slots that all processes of a ledger share; a process that dies gives back what it held.

A file lock beside an SQLite ledger, an advisory lock on PostgreSQL. There, what is held or waited for has a connection of its own,
apart from those that read and write: however many threads wait for a lock, the one that has it can go on.
"""

from __future__ import annotations

import fcntl
import hashlib
import math
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import SystemRandom

import sqlalchemy as sa

#: Between two looks whether a slot is free, in seconds: drawn anew each time, so that those who wait do not look in step.
_LOOK_AGAIN_S = (0.2, 0.6)
_PLAIN = re.compile(r"[A-Za-z0-9._:@+-]{1,120}")
#: Without it, a server would hear only after hours that a host is gone, and keep its locks as long.
_NOTICE_DEAD_HOSTS = ("tcp_keepalives_idle = 60", "tcp_keepalives_interval = 15", "tcp_keepalives_count = 4")

_draw = SystemRandom().uniform

#: Takes a lock by its name, at once or after waiting; says whether it has it.
_Take = Callable[[str, bool], bool]


class Locks:
    """The locks of one ledger. Safe to use from several threads, which exclude each other as processes do."""

    def __init__(self, engine: sa.Engine) -> None:
        self._database = Path(str(engine.url.database))
        self._server: sa.Engine | None = None
        if engine.dialect.name == "postgresql":
            # Statements commit themselves: a transaction that stays open for hours would keep the server from cleaning up.
            self._server = sa.create_engine(engine.url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold a named lock; wait for it as long as it takes."""
        with self._taking() as take:
            take(name, True)
            yield

    @contextmanager
    def slot(
        self,
        name: str,
        n: int,
        limit: Callable[[], float] | None,
        sleep: Callable[[float], object] = time.sleep,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Iterator[int | None]:
        """Hold one of `n` slots of a name; see `Ledger.slots`."""
        with self._taking() as take:
            held = None
            while held is None and not stopped():
                allowed = n if limit is None else max(1, min(n, math.ceil(limit())))
                held = next((number for number in range(allowed) if take(f"{name}-{number}", False)), None)
                if held is None:
                    sleep(_draw(*_LOOK_AGAIN_S))
            yield held

    @contextmanager
    def _taking(self) -> Iterator[_Take]:
        """Yields the function that takes locks; at the end they are given back."""
        with self._of_files() if self._server is None else self._of_the_server(self._server) as take:
            yield take

    @contextmanager
    def _of_files(self) -> Iterator[_Take]:
        held = []

        def take(name: str, wait: bool) -> bool:
            stream = (self._database.parent / f".{self._database.name}.{_file_name(name)}.lock").open("w")
            try:
                fcntl.flock(stream, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                stream.close()
                return False
            held.append(stream)
            return True

        try:
            yield take
        finally:
            for stream in held:
                stream.close()  # gives the lock back

    @contextmanager
    def _of_the_server(self, server: sa.Engine) -> Iterator[_Take]:
        held = []
        with server.connect() as connection:
            for setting in _NOTICE_DEAD_HOSTS:
                connection.exec_driver_sql(f"SET {setting}")

            def take(name: str, wait: bool) -> bool:
                ask = sa.func.pg_advisory_lock if wait else sa.func.pg_try_advisory_lock
                taken = connection.scalar(sa.select(ask(number(name))))
                if wait or taken:
                    held.append(name)
                return bool(wait or taken)

            try:
                yield take
            finally:
                with suppress(sa.exc.DBAPIError):  # where the connection is lost, the server has given them back already
                    for name in held:
                        connection.execute(sa.select(sa.func.pg_advisory_unlock(number(name))))


def number(name: str) -> int:
    """A name as the 63 bits that PostgreSQL's advisory locks go by."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1


def _file_name(name: str) -> str:
    """A lock's name as it may stand in a file name: a PACS may be called `A/B`."""
    return name if _PLAIN.fullmatch(name) else hashlib.sha256(name.encode()).hexdigest()
