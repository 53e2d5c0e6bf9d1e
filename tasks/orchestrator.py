"""Prefect's server as a process of ours, in a home of its own, with analytics off, and the environment in which flows reach it.

The server is not the ephemeral one that a flow would start by itself: that one gives up on a slow machine. Nothing here imports
Prefect; settings reach it by its environment.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tasks.errors import ConfigurationError
from tasks.processes import ProcessId
from tasks.settings import PrefectSettings
from tasks.vault import private_folder

_START_SECONDS = 120.0
#: Servers that this process has started, and that serve others longer than itself.
_used_by_others: list[subprocess.Popen[bytes]] = []


def environment(api_url: str, home: Path) -> dict[str, str]:
    """This process's environment with everything that makes Prefect use `api_url`, keep to `home`, and tell nobody."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return kept | {
        "PREFECT_API_URL": api_url,
        "PREFECT_HOME": str(home),
        "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        "PREFECT_LOGGING_LOG_PRINTS": "false",
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "true",
    }


@contextmanager
def server(settings: PrefectSettings, default_home: Path) -> Iterator[dict[str, str]]:
    """The environment of a server that answers: the configured one, or our own.

    Our own is started by the first process that needs it, shared by all that name the same home, and stopped by the last of them.
    One that a killed process left behind is used again.

    Args:
        settings: `api_url` names a server that runs already; otherwise one is started on `port` with its database in `home`.
        default_home: where our own server lives when the settings name no home.

    Raises:
        ConfigurationError: E-PREFECT-UNREACHABLE, E-PREFECT-PORT-BUSY.
    """
    home = private_folder((settings.home or default_home).absolute())
    if settings.api_url is not None:
        if not healthy(settings.api_url):
            raise ConfigurationError("E-PREFECT-UNREACHABLE", settings.api_url)
        yield environment(settings.api_url, home)
        return
    with (home / ".users.lock").open("w") as users:
        with (home / ".start.lock").open("w") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            fcntl.flock(users, fcntl.LOCK_SH)
            api_url, process = _running(home), None
            if api_url is None:
                api_url, process = _start(home, settings.port)
        try:
            yield environment(api_url, home)
        finally:
            with (home / ".start.lock").open("w") as starting:
                fcntl.flock(starting, fcntl.LOCK_EX)
                fcntl.flock(users, fcntl.LOCK_UN)
                if _is_last(users):
                    _stop(home)
                if process is not None and process.poll() is None:  # our own child: no zombie is left of it
                    _used_by_others.append(process)


def _is_last(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _running(home: Path) -> str | None:
    """The API's URL of the server that lives in `home`, if it answers."""
    try:
        owner, api_url = (home / "server.pid").read_text().split()
    except (OSError, ValueError):
        return None
    process = ProcessId.parse(owner)
    return api_url if process is not None and process.is_alive() and healthy(api_url) else None


def _start(home: Path, port: int) -> tuple[str, subprocess.Popen[bytes]]:
    if not _is_free(port):
        raise ConfigurationError("E-PREFECT-PORT-BUSY", f"port {port}")
    api_url = f"http://127.0.0.1:{port}/api"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "server.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own argv
            command, env=environment(api_url, home), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )
    (home / "server.pid").write_text(f"{ProcessId.of(process.pid)} {api_url}")
    deadline = time.monotonic() + _START_SECONDS
    try:
        while time.monotonic() < deadline and process.poll() is None:
            if healthy(api_url):
                return api_url, process
            time.sleep(0.2)
    except BaseException:  # Ctrl-C while it starts: it has a session of its own and would stay
        process.kill()
        process.wait()
        raise
    process.kill()
    process.wait()
    raise ConfigurationError("E-PREFECT-UNREACHABLE", f"{api_url}; its log is {home / 'server.log'}")


def _stop(home: Path) -> None:
    try:
        owner, _ = (home / "server.pid").read_text().split()
    except (OSError, ValueError):
        return
    process = ProcessId.parse(owner)
    if process is not None and process.is_here() and process.is_alive():
        process.stop()
    (home / "server.pid").unlink(missing_ok=True)


def healthy(api_url: str) -> bool:
    """Whether a Prefect server answers there."""
    if not api_url.startswith(("http://", "https://")):
        return False
    try:
        with urllib.request.urlopen(f"{api_url}/health", timeout=5) as answer:  # noqa: S310 - scheme checked above
            return bool(json.load(answer) is True)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
