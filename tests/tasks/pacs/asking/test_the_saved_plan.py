"""The saved plan survives a person and a spreadsheet, exactly; what is not that plan any more is refused with its line."""

from __future__ import annotations

import csv
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.errors import ConfigurationError
from tasks.pacs.asking.found import FoundSeries, FoundStudy, event
from tasks.pacs.asking.lists import ListRow, StudyList
from tasks.pacs.asking.plan import Plan
from tasks.pacs.asking.saved import COLUMNS, read_plan, save_plan
from tasks.vault import Vault
from tests.tasks.pacs.hospital import MRN, ROOT

NOW = datetime(2024, 3, 20, 20, 15, 7, tzinfo=UTC)
ODD = [
    "00123",
    "=cmd()",
    "+1",
    "-1",
    "@x",
    "'quoted",
    "a,b;c\td",
    'say "x"',
    "two\nlines",
    "Größe 患者",
    "1e5",
    " in  side ",
    "2024-01-02",
]


def study(number: int, identifier: str, *series: FoundSeries) -> FoundStudy:
    listed = series or (FoundSeries(f"{ROOT}.{number}.1", "CT", identifier, "CHEST", 3, True, "thin"),)
    counts = {each.series_instance_uid: each.instances for each in listed if each.chosen}
    return FoundStudy(
        "HOSPITAL", f"{ROOT}.{number}", identifier, identifier, identifier, counts, "", "20240315", identifier, listed
    )  # fmt: skip


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.open(tmp_path / "vault")


def saved(vault: Vault, *studies: FoundStudy) -> Path:
    return save_plan(Plan(("HOSPITAL",), "digest", studies=list(studies)), vault, NOW)


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.reader(stream))


def rewritten(path: Path, change: Callable[[list[list[str]]], list[list[str]]], delimiter: str = ",") -> Path:
    """As a spreadsheet writes it."""
    content = change(rows(path))
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(content)
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_identifiers_survive_the_round_trip_exactly(vault: Vault, delimiter: str) -> None:
    studies = [study(number, odd) for number, odd in enumerate(ODD, start=1)]
    read = read_plan(rewritten(saved(vault, *studies), lambda table: table, delimiter), vault, ["HOSPITAL"])
    plain = [replace(each, selected=True, listed=tuple(replace(series, reason="") for series in each.listed)) for each in studies]
    assert read.studies == plain
    assert read.is_closed


def test_no_cell_is_a_formula_or_a_number_that_loses_its_zeros(vault: Vault) -> None:
    table = rows(saved(vault, *(study(number, odd) for number, odd in enumerate(ODD, start=1))))
    assert tuple(table[0]) == COLUMNS
    for row in table[1:]:
        for name, cell in zip(COLUMNS, row, strict=True):
            assert cell[:1] not in set("=+-@\t\r\n")
            assert name == "instances" or not cell.replace(".", "").isdigit()


def test_the_plan_and_its_folder_are_private_and_a_second_one_overwrites_nothing(vault: Vault) -> None:
    first, second = saved(vault, study(1, MRN)), saved(vault, study(2, MRN))
    assert first.name == "20240320-201507.csv"
    assert first.parent == vault.root / "plans"
    assert second.name == "20240320-201507-2.csv"
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700


def test_what_a_person_chose_is_pulled_and_rows_may_be_taken_out(vault: Vault) -> None:
    both = (
        FoundSeries(f"{ROOT}.1.1", "CT", "a", "", 3, True, "thin"),
        FoundSeries(f"{ROOT}.1.2", "CT", "b", "", 5, False, "no_rule"),
    )
    nothing = replace(study(3, "C"), series={}, listed=(replace(both[1], series_instance_uid=f"{ROOT}.3.1"),))
    path = saved(vault, study(1, "A", *both), study(2, "B"), replace(nothing, reason_code="E-PULL-NOTHING-CHOSEN"))
    at = COLUMNS.index("chosen")

    def review(table: list[list[str]]) -> list[list[str]]:
        assert [row[at] for row in table[1:]] == ["yes", "no", "yes", "no"]
        table[1][at], table[2][at], table[4][at] = "no", "YES", "yes"
        return [table[0], *table[1:3], table[4]]

    read = read_plan(rewritten(path, review), vault, ["HOSPITAL"])
    assert [dict(each.series) for each in read.pulled] == [{f"{ROOT}.1.2": 5}, {f"{ROOT}.3.1": 5}]
    assert [[series.chosen for series in each.listed] for each in read.studies] == [[False, True], [True]]


def test_what_cannot_be_pulled_is_in_the_plan_and_cannot_be_chosen(vault: Vault) -> None:
    undated = replace(study(1, "A"), series={}, listed=(), reason_code="E-PULL-STUDY-DATE")
    path = saved(vault, undated, event("HOSPITAL", "E-PULL-FIND-CUT"), study(2, "B"))
    assert [row[COLUMNS.index("reason")] for row in rows(path)[1:]] == ["'E-PULL-STUDY-DATE", "'E-PULL-FIND-CUT", "'thin"]
    assert len(read_plan(path, vault, ["HOSPITAL"]).studies) == 1

    def choose(table: list[list[str]]) -> list[list[str]]:
        table[1][COLUMNS.index("chosen")] = "yes"
        return table

    with pytest.raises(ConfigurationError, match="line 2: what it stands for cannot be pulled"):
        read_plan(rewritten(path, choose), vault, ["HOSPITAL"])


@pytest.mark.parametrize(
    "column",
    ["source", "PatientID", "IssuerOfPatientID", "AccessionNumber", "StudyInstanceUID", "SeriesInstanceUID", "instances"],
)
def test_a_changed_identifier_is_refused_with_its_line_and_without_it(vault: Vault, column: str) -> None:
    def change(table: list[list[str]]) -> list[list[str]]:
        table[2][COLUMNS.index(column)] = f"{MRN}-X"
        return table

    with pytest.raises(ConfigurationError) as caught:
        read_plan(rewritten(saved(vault, study(1, "A"), study(2, "B")), change), vault, ["HOSPITAL"])
    assert caught.value.code == "E-PULL-PLAN-FILE"
    assert "line 3" in str(caught.value)
    assert MRN not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table[1:], "line 1"),
        (lambda table: [], "line 1"),
        (lambda table: [row[:-1] for row in table], "line 1"),
        (lambda table: [table[0], table[1][:-1]], "line 2: it has 14 cells in place of 15"),
        (lambda table: [table[0], table[1], table[1]], "line 3: the series stands in it twice"),
        (lambda table: [table[0], [*table[1][:12], "maybe", *table[1][13:]]], "line 2: `chosen` is neither yes nor no"),
    ],
)
def test_a_broken_plan_is_refused_with_its_line(
    vault: Vault, change: Callable[[list[list[str]]], list[list[str]]], said: str
) -> None:
    with pytest.raises(ConfigurationError, match="E-PULL-PLAN-FILE") as caught:
        read_plan(rewritten(saved(vault, study(1, "A")), change), vault, ["HOSPITAL"])
    assert said in str(caught.value)


def test_a_plan_of_another_vault_or_another_pacs_is_refused(vault: Vault, tmp_path: Path) -> None:
    path = saved(vault, study(1, "A"))
    with pytest.raises(ConfigurationError, match="line 2: it is of another vault"):
        read_plan(path, Vault.open(tmp_path / "other"), ["HOSPITAL"])
    with pytest.raises(ConfigurationError, match="line 2: its PACS is not in the configuration"):
        read_plan(path, vault, ["ELSEWHERE"])


@pytest.mark.parametrize("content", [b"\xff\xfe", b'"a', None])
def test_a_file_that_cannot_be_read_is_one_sentence(vault: Vault, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "plan.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="E-PULL-PLAN-FILE"):
        read_plan(path, vault, ["HOSPITAL"])


def test_rows_of_the_list_without_a_study_are_beside_the_plan(vault: Vault) -> None:
    wanted = StudyList("PatientID", (ListRow(2, "007", "A"), ListRow(3, "8")))
    plan = Plan(("HOSPITAL",), "", wanted=wanted, unmatched=[(wanted.rows[0], "E-PULL-LIST-NOT-FOUND")])
    path = save_plan(plan, vault, NOW)
    beside = path.with_name("20240320-201507-unmatched.csv")
    assert rows(beside) == [["line", "PatientID", "IssuerOfPatientID", "reason"], ["2", "'007", "'A", "E-PULL-LIST-NOT-FOUND"]]
    assert stat.S_IMODE(beside.stat().st_mode) == 0o600
