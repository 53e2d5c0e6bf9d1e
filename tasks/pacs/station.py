"""The receivers of this process, their desk, and its conduct: opened by the first batch, shared by all, closed by the last."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network

from tasks.executor import OnWait
from tasks.guard import ErrorLog
from tasks.ledger import Ledger
from tasks.pacs.manners.conduct import Conduct
from tasks.pacs.receiving.desk import Desk
from tasks.pacs.receiving.receiver import Receiver
from tasks.pacs.settings import PacsSettings
from tasks.processes import ProcessId
from tasks.settings import Settings
from tasks.vault import Vault

_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@dataclass
class Station:
    """What receives in this process: one desk, and the Storage SCPs that hand over to it."""

    desk: Desk
    users: int = 0
    open: ExitStack = field(default_factory=ExitStack)
    #: Set, it ends all waiting in this process: no study is begun any more.
    stop: threading.Event = field(default_factory=threading.Event)
    _conducts: dict[str, Conduct] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def conduct(self, pacs: PacsSettings, settings: Settings, ledger: Ledger, on_wait: OnWait | None) -> Conduct:
        """How this process conducts itself towards a PACS: one for all batches, so that they see together that it is slow or gone."""
        with self._lock:
            if pacs.source not in self._conducts:
                self._conducts[pacs.source] = Conduct.of(pacs, settings.timezone, ledger, on_wait, self.stop)
            return self._conducts[pacs.source]


_stations: dict[tuple[str, str], Station] = {}
_guard = threading.Lock()


@contextmanager
def station(settings: Settings, vault: Vault, ledger: Ledger, errors: ErrorLog) -> Iterator[Station]:
    """This process's station. Other processes that would listen on the same ports wait until it is closed.

    Where every PACS is asked by C-GET, nothing listens.

    Raises:
        ConfigurationError: E-PULL-PORT-BUSY, E-PULL-BIND.
    """
    name = (str(vault.root), settings.model_dump_json(include={"receivers"}))
    with _guard:
        mine = _stations.get(name)
        if mine is None:
            mine = Station(Desk(vault.spool, errors))
            with ExitStack() as opening:
                if any(pacs.retrieve == "move" for pacs in settings.pacs):
                    _listen(opening, settings, ledger, mine.desk)
                mine.open = opening.pop_all()
            _stations[name] = mine
        mine.users += 1
    try:
        yield mine
    finally:
        with _guard:
            mine.users -= 1
            if not mine.users:
                del _stations[name]
                mine.open.close()


def hosts(pacs: tuple[PacsSettings, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    """The addresses of the PACSs' hosts and of this machine: who may send to us, unless the configuration says."""
    found: list[IPv4Network | IPv6Network] = [*_LOOPBACK]
    for each in pacs:
        try:
            answers = socket.getaddrinfo(each.host, None, type=socket.SOCK_STREAM)
        except OSError:
            continue  # no such host: whoever asks it will say so
        found += [ip_network(str(address[0]).partition("%")[0]) for *_, address in answers]
    return tuple(dict.fromkeys(found))


def _listen(opening: ExitStack, settings: Settings, ledger: Ledger, desk: Desk) -> None:
    here = str(ProcessId.current()).partition("-")[0]  # this host: another one has ports of its own
    for receiver in sorted(settings.receivers, key=lambda each: each.port):  # always in this order: two processes must not cross
        opening.enter_context(ledger.lock(f"receiver-{here}-{receiver.port}"))
        silence_s = max(pacs.network_timeout_s for pacs in settings.pacs)
        opening.enter_context(Receiver(receiver, desk, allowed=hosts(settings.pacs), silence_s=silence_s))
