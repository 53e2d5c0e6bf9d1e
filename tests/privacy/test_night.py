"""After a whole night no planted identifier is anywhere outside the vault: lake, Prefect, console, logs, names, process arguments."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.nights import Ward
from tests.privacy.scanner import Scanner, plain


class ProcessArguments(threading.Thread):
    """Watches the command lines of a process and all its children."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.seen, self.stop = pid, set(), threading.Event()

    def run(self) -> None:
        while not self.stop.wait(0.1):
            try:
                family = [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]
                self.seen |= {" ".join(process.cmdline()) for process in family}
            except psutil.Error:
                continue  # a process that has just ended has no arguments any more


@pytest.mark.slow
@pytest.mark.peer("pdftotext")
def test_a_night_leaves_no_identifier_outside_the_vault(ward: Callable[..., Ward], identifiers: list[str]) -> None:
    site = ward("night")
    process = site.begin()
    arguments = ProcessArguments(process.pid)
    arguments.start()
    assert process.wait(300) == 0, site.log.read_text()
    arguments.stop.set()

    scanner = Scanner(identifiers)
    assert len(site.tree()) > 100
    assert any(name.startswith("reports/") and name.endswith(".pdf") for name in site.tree())
    archive = site.lake / "reports" / "archive"
    assert (archive / "index.html").is_file()
    assert (archive / "index.json").is_file()
    found = scanner.search(site.lake)
    assert found == {}, {name: len(hits) for name, hits in found.items()}
    time.sleep(1)  # Prefect's client sends its last log records in the background
    assert scanner.search(Path(site.environment["PREFECT_HOME"])) == {}
    assert scanner.search(site.log) == {}
    assert arguments.seen
    assert not {hit for line in arguments.seen for hit in scanner.hits(line)}

    spool = scanner.search(site.vault / "spool")
    assert spool, "the originals do hold identifiers: the scanner can see them"
    assert not {hit for name in spool for hit in scanner.hits(name)}, "not even in the vault do files have identifiers for names"


def test_the_scanner_knows_every_kind_of_identifier(identifiers: list[str]) -> None:
    scanner = Scanner(identifiers)
    assert len({plain(value) for value in identifiers}) > 100
    assert all(scanner.hits(f"something {value} something") for value in identifiers if len(plain(value)) >= 6)
