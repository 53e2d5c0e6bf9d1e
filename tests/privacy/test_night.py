"""After a whole night no planted identifier is anywhere outside the vault: lake, Prefect, console, logs, names, process arguments."""

from pathlib import Path

import pytest

from tests.nights import Calm
from tests.privacy.scanner import Scanner, plain


@pytest.mark.slow
@pytest.mark.peer("pdftotext")
def test_a_night_leaves_no_identifier_outside_the_vault(calm: Calm, identifiers: list[str]) -> None:
    site = calm.site
    scanner = Scanner(identifiers)
    assert len(site.tree()) > 100
    assert any(name.startswith("reports/") and name.endswith(".pdf") for name in site.tree())
    archive = site.lake / "reports" / "archive"
    assert (archive / "index.html").is_file()
    assert (archive / "index.json").is_file()
    found = scanner.search(site.lake)
    assert found == {}, {name: len(hits) for name, hits in found.items()}
    assert scanner.search(Path(site.environment["PREFECT_HOME"])) == {}
    assert scanner.search(site.log) == {}
    assert calm.arguments
    assert not {hit for line in calm.arguments for hit in scanner.hits(line)}

    spool = scanner.search(site.vault / "spool")
    assert spool, "the originals do hold identifiers: the scanner can see them"
    assert not {hit for name in spool for hit in scanner.hits(name)}, "not even in the vault do files have identifiers for names"


def test_the_scanner_knows_every_kind_of_identifier(identifiers: list[str]) -> None:
    scanner = Scanner(identifiers)
    assert len({plain(value) for value in identifiers}) > 100
    assert all(scanner.hits(f"something {value} something") for value in identifiers if len(plain(value)) >= 6)
