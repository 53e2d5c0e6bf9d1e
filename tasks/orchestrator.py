"""Prefect's server as a process of ours, in a home of its own, with analytics off, and the environment in which flows reach it.

The server is not the ephemeral one that a flow would start by itself: that one gives up on a slow machine. Nothing here imports
Prefect; settings reach it by its environment.
"""

from __future__ import annotations

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

from tasks.errors import ConfigurationError
from tasks.settings import PrefectSettings
from tasks.vault import private_folder

_START_SECONDS = 120.0


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
    """The environment of a server that answers: the configured one, or our own, started here and stopped at the end.

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
    api_url = f"http://127.0.0.1:{settings.port}/api"
    if not _is_free(settings.port):
        raise ConfigurationError("E-PREFECT-PORT-BUSY", f"port {settings.port}")
    environ = environment(api_url, home)
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(settings.port)]
    with (home / "server.log").open("ab") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log, stdin=subprocess.DEVNULL)  # noqa: S603 - our own argv
    try:
        _await(process, api_url, home)
        yield environ
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def healthy(api_url: str) -> bool:
    """Whether a Prefect server answers there."""
    if not api_url.startswith(("http://", "https://")):
        return False
    try:
        with urllib.request.urlopen(f"{api_url}/health", timeout=5) as answer:  # noqa: S310 - scheme checked above
            return bool(json.load(answer) is True)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _await(process: subprocess.Popen[bytes], api_url: str, home: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if healthy(api_url):
            return
        if process.poll() is not None:
            break
        time.sleep(0.2)
    raise ConfigurationError("E-PREFECT-UNREACHABLE", f"{api_url}; its log is {home / 'server.log'}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
