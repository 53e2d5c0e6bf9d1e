"""Our Storage SCP: takes the instances of the studies that are expected, byte for byte, and refuses and counts all else."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from contextlib import ExitStack

from tasks.errors import ConfigurationError
from tasks.pacs.receiving.admission import Doorkeeper, Network, loopback, server_context
from tasks.pacs.receiving.desk import Desk
from tasks.pacs.receiving.direct import DirectListener
from tasks.pacs.receiving.exchange import Terms
from tasks.pacs.receiving.library import LibraryListener
from tasks.pacs.server import STORAGE_CLASSES, acceptor_contexts
from tasks.pacs.settings import ReceiverSettings

_ENGINES: dict[str, type[DirectListener] | type[LibraryListener]] = {"direct": DirectListener, "pynetdicom": LibraryListener}


class Receiver:
    """A listening Storage SCP, with C-ECHO. Use as a context manager.

    Args:
        settings: its part of the configuration.
        desk: where instances go; several receivers may share one.
        allowed: addresses that may connect where the settings name none.
        greeting_s: how long a peer may take for its TLS handshake and its A-ASSOCIATE-RQ.
        silence_s: how long an associated peer may be silent, or take for one PDU.
    """

    def __init__(
        self, settings: ReceiverSettings, desk: Desk, *, allowed: Iterable[Network] | None = None,
        greeting_s: float = 30.0, silence_s: float = 60.0,
    ) -> None:  # fmt: skip
        self.desk = desk
        self._settings = settings
        self._doorkeeper = Doorkeeper(settings, self.desk, loopback() if allowed is None else allowed)
        self._greeting_s, self._silence_s = greeting_s, silence_s
        self._open = ExitStack()
        self._port = settings.port

    @property
    def ae_title(self) -> str:
        """Its AE title: the destination of C-MOVE."""
        return self._settings.ae_title

    @property
    def port(self) -> int:
        """The TCP port that it listens on."""
        return self._port

    def __enter__(self) -> Receiver:
        """Listen.

        Raises:
            ConfigurationError: E-PULL-PORT-BUSY, E-PULL-BIND (not an address of this machine, or not allowed), E-PULL-TLS.
        """
        settings = self._settings
        classes = settings.sop_classes or STORAGE_CLASSES
        contexts = acceptor_contexts(classes, settings.transfer_syntaxes)
        terms = Terms(self.desk, contexts, frozenset(classes), self._doorkeeper, force=settings.fsync == "instance")
        tls = None if settings.tls is None else server_context(settings.tls)
        engine = _ENGINES[settings.engine]
        try:
            listener = engine((settings.host, settings.port), terms, tls, self._greeting_s, self._silence_s)
        except OSError as error:
            code = "E-PULL-PORT-BUSY" if error.errno == errno.EADDRINUSE else "E-PULL-BIND"
            raise ConfigurationError(code, f"{settings.host}:{settings.port}") from None
        self._port = listener.port
        self._open.enter_context(listener)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
