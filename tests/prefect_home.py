"""Homes for Prefect servers with a database that has been migrated already: migrating takes most of a first start, and ends alike for all.

One home, and the server in it, is shared by all processes of a test session: an idle server needs a thirtieth of a processor, and its start
seconds of one. The demo's test has no such home: there a first start is seen whole.
"""

from __future__ import annotations

import fcntl
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tasks.orchestrator import environment

_DATABASE = "prefect.db"


def migrated_home(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make `home`, for one server alone, and put a migrated database into it; all processes of this test session copy one."""
    home.mkdir(mode=0o700)
    shutil.copyfile(_template(tmp_path_factory) / _DATABASE, home / _DATABASE)
    return home


def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of the server that all processes of this test session share; the first that asks makes it."""
    shared = shared_folder(tmp_path_factory)
    home = shared / "prefect"
    with (shared / "prefect.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.exists():
            making = migrated_home(Path(mkdtemp(dir=shared)) / "prefect", tmp_path_factory)
            making.rename(home)
    return home


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of this test session: pytest-xdist's workers have theirs in one."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if base.name.startswith("popen-") else base


def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home that is copied, made by the first process that asks, with Prefect's own command, while the others wait."""
    shared = shared_folder(tmp_path_factory)
    folder = shared / "migrated-prefect"
    with (shared / "migrated-prefect.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / _DATABASE).exists():
            making = shared / "migrating-prefect"
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir(mode=0o700)
            _migrate(making)
            making.rename(folder)
    return folder


def _migrate(home: Path) -> None:
    database = home / _DATABASE
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "server", "database", "upgrade", "--yes"],
        env=environment("", home) | {"PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{database}"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    with closing(
        sqlite3.connect(database)
    ) as connection:  # nothing of it may be left in the write-ahead log, which is not copied
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert busy == 0
