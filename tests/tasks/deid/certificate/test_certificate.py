"""The certificate says what is in the books, balances to the instance, and turns red when a book was tampered with."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tasks.cli import app
from tasks.deid.audit import findings
from tasks.deid.audit.findings import Findings, Row, SeriesRow
from tasks.deid.certificate.facts import Audited, Certificate, Held, collect, release_digest
from tasks.deid.certificate.page import MOST_MODALITIES, MOST_REASONS, render
from tasks.deid.certificate.publishing import publish
from tasks.deid.stage import DeidentifyStage
from tasks.errors import ConfigurationError, catalogue
from tasks.lake import Lake
from tasks.ledger import Ledger
from tasks.vault import Vault
from tests.privacy.scanner import Scanner
from tests.tasks.deid.making import PLANTED, ct, encoded, planted

ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
Released = tuple[Vault, Lake, Ledger, DeidentifyStage]


@pytest.fixture(autouse=True)
def unsealed(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("tasks.deid.command", "tasks.deid.certificate.command"):
        monkeypatch.setattr(f"{module}.seal", lambda errors: None)  # it would silence this process for good


@pytest.fixture
def released(tmp_path: Path, vault: Vault, lake: Lake) -> Released:
    """Two studies by the command itself: one with a planted file and a document, one of a series without anything odd."""
    document, plain = ct(2), ct(3)
    document.SOPClassUID = document.file_meta.MediaStorageSOPClassUID = ENCAPSULATED_PDF
    plain.StudyInstanceUID, plain.SeriesInstanceUID = "1.3.6.1.4.1.99999.77.8001", "1.3.6.1.4.1.99999.77.8002"
    ward = tmp_path / "ward"
    ward.mkdir()
    for number, content in enumerate((planted(), encoded(document), encoded(plain))):
        (ward / f"{number}.dcm").write_bytes(content)
    line = ["deidentify", str(ward), "--lake", lake.url, "--vault", str(vault.root), "--workers", "1"]
    assert CliRunner().invoke(app, line).exit_code == 1
    return vault, lake, Ledger(vault.ledger_url), DeidentifyStage(vault, lake, "safe_harbor")


def test_the_counts_balance_to_the_instance(released: Released) -> None:
    made = collect(*released, verify=True)
    assert made.findings == ()
    assert made.counts["instances"] == {"found": 3, "not retrieved": 0, "released": 2, "quarantined": 1}
    assert made.counts["studies"] == {"found": 2, "released": 2}
    assert made.counts["series"] == {"found": 2, "released": 2}
    assert (made.patients, made.searched, made.residue) == (1, 2, 0)
    [held] = made.held
    assert (held.code, held.instances) == ("E-DEID-SOP-CLASS", 1)
    assert held.meaning == catalogue()["E-DEID-SOP-CLASS"].meaning
    assert made.methods[0] == ("113100", "Basic Application Confidentiality Profile")
    assert made.profile_digest == released[3].configuration()["content"]
    assert made.actions["private"]["remove"] > 0
    assert made.release == release_digest({each.key: each for each in released[1].manifests("deidentify")})


def test_the_page_says_it_and_no_identifier(released: Released, tmp_path: Path) -> None:
    vault, lake, *_ = released
    line = ["certificate", "--lake", lake.url, "--vault", str(vault.root), "--out", str(tmp_path / "out")]
    ended = CliRunner().invoke(app, line)
    assert ended.exit_code == 0, ended.output
    page = (tmp_path / "out" / "certificate.html").read_text("utf-8")
    assert "The counts balance to the instance" in page
    assert "Do not sign" not in page
    assert json.loads((tmp_path / "out" / "certificate.json").read_text())["counts"]["instances"]["released"] == 2
    scanner = Scanner([*(set(PLANTED) - {"SIGNATUR"}), "SIEMENS", "SOMATOM", "CHEST"])  # the page has a line for a signature
    assert scanner.hits((tmp_path / "ward" / "0.dcm").read_bytes().decode("latin-1"))
    assert scanner.search(tmp_path / "out") == {}
    assert scanner.hits(ended.output) == set()
    assert not re.search(r"(?:src|href)=|https?://|<script", page)


def a_file_is_deleted(vault: Vault, lake: Lake) -> None:
    (Path(lake.url) / lake.files("dicom")[0]).unlink()


def a_file_is_added(vault: Vault, lake: Lake) -> None:
    (Path(lake.url) / "dicom" / "smuggled.dcm").write_bytes(b"x")


def a_byte_is_changed(vault: Vault, lake: Lake) -> None:
    path = Path(lake.url) / lake.files("dicom")[0]
    path.write_bytes(path.read_bytes()[:-1] + b"!")


def a_list_is_lost(vault: Vault, lake: Lake) -> None:
    [path] = vault.quarantine.glob("*/quarantine.json")
    path.unlink()


def a_manifest_is_lost(vault: Vault, lake: Lake) -> None:
    (Path(lake.url) / f"manifests/deidentify/{next(iter(lake.manifests('deidentify'))).key}.json").unlink()


def a_manifest_counts_otherwise(vault: Vault, lake: Lake) -> None:
    for path in (Path(lake.url) / "manifests" / "deidentify").glob("*.json"):
        path.write_text(path.read_text().replace('"n": 1', '"n": 2'))


@pytest.mark.parametrize(
    ("tamper", "says"),
    [
        (a_file_is_deleted, "missing in the lake"), (a_file_is_added, "no manifest names"), (a_byte_is_changed, "SHA-256"),
        (a_list_is_lost, "quarantine list"), (a_manifest_is_lost, "manifest is missing"), (a_manifest_counts_otherwise, "other counts"),
    ],
)  # fmt: skip
def test_a_book_that_was_tampered_with_turns_the_page_red(
    tamper: Callable[[Vault, Lake], None], says: str, released: Released
) -> None:
    tamper(released[0], released[1])
    made = collect(*released, verify=True)
    assert any(says in finding for finding in made.findings), made.findings
    page = render(made).decode()
    assert "Do not sign" in page
    assert "The counts balance" not in page


def test_another_profile_than_the_one_that_was_applied_is_a_finding(released: Released, bent: Callable[..., str]) -> None:
    vault, lake, ledger, _ = released
    made = collect(vault, lake, ledger, DeidentifyStage(vault, lake, bent(highest_age=70)))
    assert any("another profile" in finding for finding in made.findings)


def test_a_study_that_is_due_again_is_counted_as_not_yet_done(released: Released, tmp_path: Path) -> None:
    vault, lake, ledger, stage = released
    key = next(iter(lake.manifests("deidentify"))).key
    with ledger.run("test") as run:
        assert ledger.claim("deidentify", key, "another", run, inputs="another")
        made = collect(vault, lake, ledger, stage)
    instances = made.counts["instances"]
    assert instances["waiting"] >= 1
    assert instances["waiting"] + instances["released"] + instances["quarantined"] == 3
    assert any("due again" in finding for finding in made.findings)


def test_the_last_audit_of_this_profile_is_on_the_page(released: Released) -> None:
    vault, _, _, stage = released
    assert collect(*released).audit is None
    assert "was not audited" in render(collect(*released)).decode()
    content = str(stage.configuration()["content"])
    rows, series = (Row("CT", "ge", "text", 100, 99, 0, 1, 100, 1),), (SeriesRow("CT", "ge", 2, 1, 2, {}, {}),)
    said = Findings("safe_harbor", "e", content, stage.revision, "0.1.0", "2026-01-01T00:00:00Z", 1, 5, 2, 0, rows, series)
    findings.save(vault, said)
    audit = collect(*released).audit
    assert audit is not None
    assert (audit.leaked, audit.planted, audit.series) == (1, 100, "1 of 2")
    assert audit.recall in render(collect(*released)).decode()
    findings.save(vault, dataclasses.replace(said, revision=stage.revision + 1))
    assert collect(*released).audit is None


def test_it_is_published_once_for_each_state(released: Released) -> None:
    vault, lake, ledger, stage = released
    assert publish(vault, lake, ledger, stage) is not None
    assert set(lake.files("reports")) == {"reports/certificate.html", "reports/certificate.json"}
    assert publish(vault, lake, ledger, stage) is None


def test_nothing_is_certified_where_nothing_was_done(vault: Vault, lake: Lake) -> None:
    stage = DeidentifyStage(vault, lake, "safe_harbor")
    with pytest.raises(ConfigurationError, match="E-CERTIFICATE-NOTHING"):
        collect(vault, lake, Ledger(vault.ledger_url), stage)
    assert publish(vault, lake, Ledger(vault.ledger_url), stage) is None


def full() -> Certificate:
    """A certificate with as much on it as there can be."""
    big = 9_999_999
    codes = [code for code in catalogue() if code.startswith("E-DEID-")]
    ends = dict.fromkeys(("found", "not retrieved", "waiting", "released", "quarantined"), big)
    actions = dict.fromkeys(("remove", "empty", "dummy", "uid", "patient", "year", "keep", "recurse", "clean", "shift"), big)
    return Certificate(
        release="ab" * 32, manifests=big, released_at="2026-01-01 00:00 UTC", profile="research_longitudinal", profile_digest="cd" * 32,
        edition="ps3_15_table_e1_1_2026d", revision=99, version="10.20.30", patients=big,
        counts=dict.fromkeys(("studies", "series", "instances"), ends),
        methods=tuple((f"11310{n}", "Retain Longitudinal Temporal Information Modified Dates Option") for n in range(6)),
        held=tuple(Held(code, max((each.meaning for each in catalogue().values()), key=len)[:130], big) for code in codes), searched=big, residue=big,
        actions={f"{n:02d} a rule": actions for n in range(30)}, findings=tuple(f"{big} studies are not as they should be, {n}" for n in range(20)),
        evidence={f"M{n:02d}": dict.fromkeys(("looks", "boxes_blanked", "frames_touched", "frames", "held"), big) for n in range(20)}, verified=True,
        audit=Audited("2026-01-01T00:00:00Z", "99.99 % (99.9-100.0)", big, big, f"{big} of {big}", dict.fromkeys("wxyz", "99.99 % (99.9-100.0)")),
    )  # fmt: skip


def test_the_fullest_page_sums_what_it_has_no_room_for() -> None:
    made = full()
    page = render(made).decode()
    assert f"{len(made.held) - MOST_REASONS + 1} more reasons" in page
    assert f"{20 - MOST_MODALITIES + 1} more" in page

    class Well(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in ("meta", "br"):
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    reader = Well()
    reader.feed(page)
    assert reader.open == []


@pytest.mark.peer("chromium", "pdfinfo")
def test_the_fullest_page_prints_on_one_side_of_a4(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(render(full()))
    command = [
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-pdf-header-footer",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    subprocess.run(
        [*command, f"--print-to-pdf={tmp_path / 'page.pdf'}", str(tmp_path / "page.html")],
        check=True,
        capture_output=True,
        timeout=120,
    )
    said = subprocess.run(["pdfinfo", str(tmp_path / "page.pdf")], check=True, capture_output=True, text=True).stdout
    assert re.search(r"Pages:\s+1\n", said), said
    assert "A4" in said
