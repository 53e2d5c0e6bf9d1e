"""Who may connect: addresses, AE titles, certificates, and how many at once. Strangers are counted and sent away."""

from __future__ import annotations

import ipaddress
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from tasks.errors import ConfigurationError
from tasks.pacs.receiving.desk import Desk
from tasks.pacs.settings import ReceiverSettings, TlsSettings

#: Result, source and diagnostic of a rejection (PS3.8 Table 9-21).
Rejection = tuple[int, int, int]
UNKNOWN_CALLER, UNKNOWN_CALLED, LOCAL_LIMIT = (1, 1, 3), (1, 1, 7), (2, 3, 2)

#: The reason code that each rejection is counted under.
REASON = {UNKNOWN_CALLER: "E-PULL-STRANGER", UNKNOWN_CALLED: "E-PULL-CALLED", LOCAL_LIMIT: "E-PULL-CROWDED"}

Network = IPv4Network | IPv6Network


class Doorkeeper:
    """Judges connections and associations by a receiver's settings, and counts at the desk whom it sent away."""

    def __init__(self, settings: ReceiverSettings, desk: Desk, allowed: Iterable[Network]) -> None:
        """Args: `allowed` are the addresses that hold where the settings name none."""
        self.ae_title = settings.ae_title
        self.callers = frozenset(settings.allow_ae_titles)
        self.most = settings.maximum_associations
        self._desk = desk
        self._networks = tuple(ip_network(each) for each in settings.allow_addresses) or tuple(allowed)
        self._room = threading.BoundedSemaphore(self.most)

    def knows(self, host: str) -> bool:
        """Whether a connection may come from this address; a stranger is counted."""
        address = ip_address(host.partition("%")[0])
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        known = any(address in network for network in self._networks)
        if not known:
            self.turned_away(UNKNOWN_CALLER)
        return known

    @contextmanager
    def judged(self, calling: str, called: str) -> Iterator[Rejection | None]:
        """Hold a place for an association between these AE titles while the context lasts, or say why there is none."""
        why = self._titles(calling, called)
        if why is None and not self._room.acquire(blocking=False):
            why = LOCAL_LIMIT
        if why is not None:
            self.turned_away(why)
            yield why
            return
        try:
            yield None
        finally:
            self._room.release()

    def turned_away(self, why: Rejection) -> None:
        """Count a rejection."""
        self._desk.count(REASON.get(why, "E-PULL-STRANGER"))

    def _titles(self, calling: str, called: str) -> Rejection | None:
        if called != self.ae_title:
            return UNKNOWN_CALLED
        return UNKNOWN_CALLER if self.callers and calling not in self.callers else None


def loopback() -> list[Network]:
    """The addresses of this machine that no other has."""
    return [ip_network("127.0.0.0/8"), ip_network("::1/128")]


def server_context(tls: TlsSettings) -> ssl.SSLContext:
    """TLS for a receiver: our certificate, and only peers with one of the authority's (PS3.15 B.12: TLS 1.2 or newer).

    Raises:
        ConfigurationError: E-PULL-TLS.
    """
    return _context(ssl.PROTOCOL_TLS_SERVER, tls)


def client_context(tls: TlsSettings) -> ssl.SSLContext:
    """TLS for a requestor: as `server_context`. A peer whose certificate names hosts must be one of them.

    Certificates of many devices name none: these are believed by their authority alone, and the authority should be the
    hospital's own for such devices. Use it with the peer's host as `server_hostname`.

    Raises:
        ConfigurationError: E-PULL-TLS.
    """
    context = _context(ssl.PROTOCOL_TLS_CLIENT, tls)
    context.sslsocket_class = _CheckedSocket
    return context


def _context(protocol: Any, tls: TlsSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    what = "certificate, key"
    try:
        context.load_cert_chain(tls.certificate, tls.key, password=_no_password)
        what = "authority"
        context.load_verify_locations(tls.authority)
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        raise ConfigurationError("E-PULL-TLS", what) from None
    return context


def _no_password() -> str:
    """A key with a password cannot be used; OpenSSL would ask for it on the terminal, and wait."""
    raise ValueError


class _CheckedSocket(ssl.SSLSocket):
    """A client's socket that looks, after the handshake, for its host among those that the certificate names."""

    def do_handshake(self, block: bool = False) -> None:
        super().do_handshake(block)
        names: Any = (self.getpeercert() or {}).get("subjectAltName", ())
        hosts = [(str(kind), str(name)) for kind, name in names if kind in ("DNS", "IP Address")]
        if hosts and not any(_is_host(kind, name, self.server_hostname or "") for kind, name in hosts):
            raise ssl.SSLCertVerificationError("the certificate is another host's")


def _is_host(kind: str, name: str, host: str) -> bool:
    """RFC 6125 6.4: an address by its value; a name without regard to case, a leading `*` for exactly one label."""
    wanted = _address(host)
    if kind == "IP Address":
        return wanted is not None and wanted == _address(name)
    name, host = name.lower().rstrip("."), host.lower().rstrip(".")
    if wanted is not None:
        return False
    if name.startswith("*."):
        label, _, rest = host.partition(".")
        return bool(label) and rest == name[2:] and "." in rest
    return name == host


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
