"""What `safelight doctor` looks at: each finding says what is fine, or in one sentence what to fix."""

from __future__ import annotations

import os
import platform
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tasks.errors import ConfigurationError, SafelightError
from tasks.orchestrator import environment, healthy
from tasks.pacs.settings import ReceiverSettings
from tasks.preflight import Look, looks
from tasks.results.policy import NodeSettings
from tasks.site import Site, open_site

#: Versions that were seen to work together where others were seen not to.
_SEEN_TO_WORK = {"prefect": "3.8.8", "fastapi": "0.141.1", "torch": "2.13.0"}
_PACKAGES = ("pydicom", "pynetdicom", "numpy", "SimpleITK", "pandas", "pyarrow", "deid")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    said: str


def examine(config: Path | None) -> list[Finding]:
    """Look at the installation and, with a configuration, at everything that a night needs. Never raises for what it finds."""
    findings = list(_installation())
    if config is None:
        return findings
    try:
        site = open_site(str(config.absolute()))
    except SafelightError as error:
        return [*findings, Finding("configuration", False, str(error))]
    findings.append(Finding("configuration", True, f"{config} describes {site.settings.site}"))
    findings.append(Finding("vault", True, f"{site.vault.root} is private, its site key is there"))
    findings.append(Finding("lake", True, f"{site.lake.url} can be written"))
    findings.append(Finding("ledger", True, f"{len(site.ledger.studies())} studies known"))
    findings += [_check(what, look) for what, look in (*looks(site), *_more(site))]
    return findings


def _installation() -> Iterator[Finding]:
    python = platform.python_version()
    yield Finding("python", sys.version_info >= (3, 11), f"{python} (3.11 or newer is needed)")
    yield Finding("processors", True, str(os.cpu_count()))
    for package, wanted in _SEEN_TO_WORK.items():
        found = _version(package)
        yield Finding(package, found.split("+")[0] == wanted, f"{found} (tested with {wanted})")
    for package in _PACKAGES:
        found = _version(package)
        yield Finding(package, found != "missing", found)
    quiet = environment("http://127.0.0.1/api", Path("/nonexistent"))
    off = quiet["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false" and quiet["DO_NOT_TRACK"] == "1"
    yield Finding("analytics", off, "off for our own Prefect server and its clients")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _check(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, look())
    except SafelightError as error:
        return Finding(what, False, str(error))


def _more(site: Site) -> Iterator[Look]:
    """What a night could wait for, but a person should know of: a receiver's port that is taken, a server that does not answer."""
    settings = site.settings
    for receiver in settings.receivers if settings.pacs else ():
        yield f"receiver {receiver.ae_title}", lambda receiver=receiver: _receiver(receiver)  # type: ignore[misc]
    yield "delivery", lambda: _delivery(site)
    if settings.returns is not None:
        node = settings.returns.node
        yield f"results to {node.ae_title}", lambda: _results(node)
    if settings.prefect.api_url is not None:
        url = settings.prefect.api_url
        yield "Prefect", lambda: _server(url)


def _results(node: NodeSettings) -> str:
    from tasks.results.sender import echo

    echo(node)
    return f"{node.ae_title} at {node.host}:{node.port} takes reports, segmentations and presentation states"


def _receiver(receiver: ReceiverSettings) -> str:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((receiver.host, receiver.port))
        except OSError:
            raise ConfigurationError("E-PULL-PORT-BUSY", f"{receiver.host}:{receiver.port}") from None
    return f"{receiver.ae_title} can listen on {receiver.host}:{receiver.port}"


def _delivery(site: Site) -> str:
    from tasks.delivery.stage import outlook

    return outlook(site)


def _server(url: str) -> str:
    if not healthy(url):
        raise ConfigurationError("E-PREFECT-UNREACHABLE", url)
    return f"{url} answers"
