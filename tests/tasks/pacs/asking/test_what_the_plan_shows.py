"""What is expected, measured or assumed; what a person sees of a plan; what the lake gets of it: never an identifier."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from data_contracts.selection import CONTRACT
from tasks.console import console
from tasks.lake import Lake
from tasks.pacs.asking.estimate import estimate, known_modality
from tasks.pacs.asking.found import FoundSeries, FoundStudy, event
from tasks.pacs.asking.plan import Plan
from tasks.pacs.asking.published import publish_selection
from tasks.pacs.asking.selection import Selection, load_selection
from tasks.pacs.asking.shown import in_bytes, in_time, show
from tasks.pacs.book import Book
from tasks.pacs.settings import MannersSettings
from tests.tasks.pacs.hospital import MRN, ROOT, Site


def study(number: int, *series: tuple[str, int, bool], code: str = "", source: str = "HOSPITAL") -> FoundStudy:
    listed = tuple(
        FoundSeries(f"{ROOT}.{number}.{n}", modality, f"of {MRN}", "", instances, chosen, "thin" if chosen else "no_rule")
        for n, (modality, instances, chosen) in enumerate(series, start=1)
    )
    counts = {each.series_instance_uid: each.instances for each in listed if each.chosen}
    return FoundStudy(source, f"{ROOT}.{number}", MRN, "", MRN, counts, code, "20240315", MRN, listed)


STUDIES = [study(1, ("CT", 100, True), ("CT", 50, False)), study(2, ("MR", 10, True), ("PR", 0, True))]


def selection() -> Selection:
    made = load_selection("thin_chest_ct")
    assert made is not None
    return made


# ---- the estimate -------------------------------------------------------------------------------------------------------


def test_sizes_and_rates_that_were_measured_count(site: Site) -> None:
    pacs = site.pacs(1, manners=MannersSettings(associations=2))
    made = estimate(STUDIES, pacs, {"CT": 1000.0, "MR": 10.0}, 100.0)
    assert (made.bytes, made.bytes_basis) == (100 * 1000 + 10 * 10, "measured")
    assert (made.seconds, made.seconds_basis) == (100_100 / 200, "measured")


def test_what_was_not_measured_is_assumed_and_said_so(site: Site) -> None:
    pacs = site.pacs(1, manners=MannersSettings(associations=1))
    half = estimate(STUDIES, pacs, {"CT": 1000.0}, 100.0)
    assert half.bytes_basis == half.seconds_basis == "partly measured"
    none = estimate(STUDIES, pacs, {}, None)
    assert none.bytes_basis == none.seconds_basis == "assumed"
    assert none.bytes > 100 * 512 * 512 * 2  # no less than the pixels of its CT images


def test_a_limit_on_studies_an_hour_is_a_limit_on_the_time(site: Site) -> None:
    pacs = site.pacs(1, manners=MannersSettings(studies_per_hour=1))
    assert estimate(STUDIES, pacs, {"CT": 1.0, "MR": 1.0}, 1e9).seconds == 7200


@pytest.mark.parametrize(("size", "said"), [(0, "0 B"), (999, "999 B"), (999.9, "1 kB"), (52_700_000, "52.7 MB"), (3e12, "3 TB")])
def test_sizes_are_in_powers_of_ten(size: float, said: str) -> None:
    assert in_bytes(size) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "1 s"), (89, "89 s"), (90, "2 min"), (5399, "1 h 30 min"), (7260, "2 h 1 min"), (200_000, "2 d 7 h")],
)
def test_times_are_in_words(seconds: float, said: str) -> None:
    assert in_time(seconds) == said


def test_a_modality_that_is_none_of_the_standards_terms_is_not_shown() -> None:
    assert known_modality("CT") == "CT"
    assert known_modality("MUELLER") is None
    assert known_modality("") is None


# ---- the screen ---------------------------------------------------------------------------------------------------------


def test_a_plan_is_shown_in_counts_by_pacs_rule_and_code(site: Site) -> None:
    plan = Plan(
        ("HOSPITAL", "AWAY"), "", selection(),
        [*STUDIES, study(3, code="E-PULL-STUDY-DATE"), event("HOSPITAL", "E-PULL-FIND-CUT"), event("HOSPITAL", "E-PULL-FIND-CUT")],
        Counter({("HOSPITAL", "modality"): 7}), Counter({"HOSPITAL": 4}), {"AWAY": "E-PULL-UNREACHABLE"},
    )  # fmt: skip
    with console.capture() as shown:
        show(plan, [site.pacs(1), site.pacs(2, name="AWAY")], Book(site.ledger))
    said = shown.get()
    assert "│ HOSPITAL │ 2" in said
    assert "assumed" in said
    for line in (
        "7 studies of HOSPITAL left out, not of the cohort: modality", "1 series left out: no_rule",
        "1 studies cannot be pulled: E-PULL-STUDY-DATE, the PACS lists a study without a valid date",
        "2 answers or studies are in doubt: E-PULL-FIND-CUT", "AWAY could not be asked to the end: E-PULL-UNREACHABLE",
        "HOSPITAL cut its answers for 4 days or ranges",
    ):  # fmt: skip
        assert line in said
    assert MRN not in said
    assert ROOT not in said


def test_what_was_retrieved_before_is_what_is_expected(site: Site) -> None:
    book = Book(site.ledger)
    book.end(book.begin("2.25.1", "HOSPITAL"), modality="CT", seconds=2.0, instances=10, bytes=5000)
    with console.capture() as shown:
        show(Plan(("HOSPITAL",), "", studies=STUDIES[:1]), [site.pacs(1, manners=MannersSettings(associations=1))], book)
    assert "50 kB (measured)" in shown.get()
    assert "20 s (measured)" in shown.get()


# ---- the lake -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.open(tmp_path / "lake")


def published(lake: Lake) -> set[tuple[str, bool]]:
    return {(row["rule"], row["chosen"]) for row in lake.table(CONTRACT).to_pylist()}


def test_what_was_chosen_and_left_is_a_table_without_an_identifier(site: Site, lake: Lake) -> None:
    odd = replace(STUDIES[0], listed=(replace(STUDIES[0].listed[0], modality=MRN, assumed=("ImageType", "SliceThickness")),))
    plan = Plan(("HOSPITAL",), "", selection(), [odd, *STUDIES[1:], event("HOSPITAL", "E-PULL-FIND-CUT")])
    assert publish_selection(plan, site.vault, lake) == 3
    table = lake.table(CONTRACT)
    assert set(table["StudyInstanceUID"].to_pylist()) == {site.keys.study(f"{ROOT}.{n}") for n in (1, 2)}
    assert set(table["Modality"].to_pylist()) == {None, "MR", "PR"}
    assert set(table["selection_sha256"].to_pylist()) == {selection().sha256}
    assert "ImageType SliceThickness" in table["assumed"].to_pylist()
    files = [(lake.root / name).read_bytes() for name in lake.files("")]  # type: ignore[operator]
    assert not any(secret.encode() in content for content in (*files, str(table.to_pylist()).encode()) for secret in (MRN, ROOT))


def test_the_table_keeps_studies_that_a_later_plan_does_not_name(site: Site, lake: Lake) -> None:
    publish_selection(Plan(("HOSPITAL",), "", selection(), STUDIES), site.vault, lake)
    stamp = {name: (lake.root / name).stat().st_mtime_ns for name in lake.files("")}  # type: ignore[operator]
    publish_selection(Plan(("HOSPITAL",), "", selection(), STUDIES[1:]), site.vault, lake)
    assert {name: (lake.root / name).stat().st_mtime_ns for name in lake.files("")} == stamp  # type: ignore[operator]
    assert publish_selection(Plan(("HOSPITAL",), "", None, STUDIES[:1]), site.vault, lake) == 2
    assert published(lake) == {("thin", True)}


def test_what_a_person_chose_says_so(site: Site, lake: Lake) -> None:
    publish_selection(Plan((), "", studies=STUDIES[:1], reviewed="0" * 64), site.vault, lake)
    assert published(lake) == {("reviewed", True), ("reviewed", False)}


def test_without_a_selection_there_is_no_table(site: Site, lake: Lake) -> None:
    assert publish_selection(Plan(("HOSPITAL",), "", None, STUDIES), site.vault, lake) == 0
    assert lake.files("") == []
