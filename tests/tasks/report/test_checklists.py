"""Checklists are whole, refer to sections that there are, and never call covered what a report does not say."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.errors import ConfigurationError
from tasks.report.checklists import SECTIONS, Checklist, Counts, Item, checklists, counts, coverage, parse, shipped

#: Items and rows as the publications count them themselves: abstract or title of the statement, and its table.
PUBLISHED = {"claim_2024": (44, 44), "stard_2015": (30, 34), "stard_ai_2025": (40, 48), "tripod_ai_2024": (27, 52)}
EVERYTHING = dict.fromkeys(SECTIONS, True)
PAGE = (Path(__file__).parents[3] / "docs" / "reports" / "checklists.md").read_text("utf-8")


def source(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(files("configs").joinpath("checklists", f"{name}.yaml").read_text("utf-8"))
    return loaded


def refused(said: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError, match="E-REPORT-CHECKLIST") as error:
        parse(yaml.safe_dump(said), "somewhere.yaml")
    return error.value.place


def small(*items: dict[str, Any], **changes: Any) -> dict[str, Any]:
    made = {"authors": "A", "title": "T", "published_in": "J", "year": 2020, "doi": "10.1/x"}
    rows = items or ({"id": "1", "heading": "H", "asks": "a", "covered_by": ["summary"]},)
    return {
        "checklist": "small", "title": "Small", "edition": "1", "source": made, "scope": "s", "published": {"items": len(rows), "rows": len(rows)},
        "complete": True, "verified": True, "checked": "c", "items": list(rows), **changes,
    }  # fmt: skip


def one(**changes: Any) -> Checklist:
    return parse(yaml.safe_dump(small({"id": "1", "heading": "H", "asks": "a", **changes})), "small.yaml")


# ---- what is shipped --------------------------------------------------------------------------------------------------------


def test_all_five_are_shipped() -> None:
    assert set(shipped()) == {*PUBLISHED, "fda_ai_dsf_2025"}
    assert tuple(found.checklist for found in checklists()) == shipped()


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_numbers_are_those_of_the_publication(name: str) -> None:
    (found,) = checklists([name])
    items, rows = PUBLISHED[name]
    assert found.complete
    assert (found.published.items, found.published.rows) == (items, rows)  # type: ignore[union-attr]
    numbers = [int(re.match(r"\d+", item.id)[0]) for item in found.items]  # type: ignore[index]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(1, items + 1))
    assert len({item.id for item in found.items}) == len(found.items) == rows


def test_letters_are_those_of_the_publication() -> None:
    lettered = {name: [item.id for item in checklists([name])[0].items if item.id[-1].isalpha()] for name in PUBLISHED}
    assert lettered["claim_2024"] == []
    assert lettered["stard_2015"] == ["10a", "10b", "12a", "12b", "13a", "13b", "21a", "21b"]
    assert lettered["stard_ai_2025"] == [
        "15a", "15b", "15c", "15d", "16a", "16b", "16c", "17a", "17b", "26a", "26b", "40a", "40b",
    ]  # fmt: skip
    assert lettered["tripod_ai_2024"] == [
        "3a", "3b", "3c", "5a", "5b", "6a", "6b", "6c", "8a", "8b", "8c", "9a", "9b", "9c", "12a", "12b", "12c", "12d", "12e", "12f", "12g",
        "18a", "18b", "18c", "18d", "18e", "18f", "20a", "20b", "20c", "23a", "23b", "27a", "27b", "27c",
    ]  # fmt: skip


def test_what_the_guidance_does_not_number_is_not_called_complete() -> None:
    (found,) = checklists(["fda_ai_dsf_2025"])
    assert not found.complete
    assert found.published is None
    assert "Chapters I to VII" in found.missing
    by_chapter: dict[str, list[int]] = {}
    for item in found.items:
        chapter, _, number = item.id.rpartition(".")
        by_chapter.setdefault(chapter, []).append(int(number))
    assert list(by_chapter) == ["VIII", "IX", "X", "X.A", "C", "E"]
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in by_chapter.values())


def test_every_row_of_a_stard_item_that_stard_ai_kept_is_judged_alike() -> None:
    """STARD-AI's 30 unchanged rows are STARD's: one report cannot cover one and not the other."""
    kept = {
        "2": "2", "4": "4", "5": "5", "8": "7", "9": "8", "10": "9", "15a": "10a", "15c": "12a", "16a": "10b", "16b": "11", "16c": "12b",
        "17a": "13a", "17b": "13b", "18": "14", "19": "15", "20": "16", "21": "17", "22": "18", "24": "19", "26a": "21a", "26b": "21b",
        "27": "22", "30": "23", "31": "24", "32": "25", "33": "26", "34": "27", "36": "28", "37": "29", "38": "30",
    }  # fmt: skip
    assert len(kept) == 30
    older, newer = ({item.id: item for item in checklists([name])[0].items} for name in ("stard_2015", "stard_ai_2025"))

    def judged(item: Item) -> tuple[object, ...]:
        return item.asks, item.covered_by, item.partly, item.not_covered

    assert [new for new, old in kept.items() if judged(newer[new]) != judged(older[old])] == []


@pytest.mark.parametrize("name", shipped())
def test_sources_can_be_found_and_wording_is_short(name: str) -> None:
    (found,) = checklists([name])
    assert found.source.citation.count(". ") >= 2
    assert str(found.source.year) in found.edition + found.source.published_in
    assert max(len(item.asks) for item in found.items) < 130
    assert all(
        item.asks.endswith(".") and not item.partly.endswith(".") and not item.not_covered.endswith(".") for item in found.items
    )


# ---- what is refused --------------------------------------------------------------------------------------------------------


def test_an_item_is_either_covered_or_not() -> None:
    row = {"id": "1", "heading": "H", "asks": "a"}
    assert "either covered_by or not_covered" in refused(small(row))
    assert "either covered_by or not_covered" in refused(small({**row, "covered_by": ["summary"], "not_covered": "why"}))
    assert "partly without covered_by" in refused(small({**row, "not_covered": "why", "partly": "what"}))
    assert "a section twice" in refused(small({**row, "covered_by": ["summary", "summary"]}))


def test_a_section_that_no_report_has_is_refused() -> None:
    said = source("stard_2015")
    said["items"][0]["covered_by"] = ["sumary"]
    assert "items.0.covered_by.0" in refused(said)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_a_list_that_lost_or_gained_an_item_is_not_complete(name: str) -> None:
    lost, gained, renumbered, doubled = (source(name) for _ in range(4))
    del lost["items"][7]
    gained["items"].append({**gained["items"][0], "id": "99"})
    renumbered["items"][-1]["id"] = "99"
    doubled["items"][3]["id"] = doubled["items"][2]["id"]
    assert "not what was published" in refused(lost)
    assert "not what was published" in refused(gained)
    assert "not what was published" in refused(renumbered)
    assert "twice" in refused(doubled)


def test_what_is_said_of_the_list_itself_must_agree() -> None:
    assert "without a published count" in refused(small(published=None))
    assert "missing says" in refused(small(complete=False))
    assert "missing says" in refused(small(missing="something"))
    assert "unverified names" in refused(small(verified=False))
    assert "unverified names" in refused(small(unverified=["1"]))
    assert "unverified names" in refused(small(verified=False, unverified=["2"]))
    assert parse(yaml.safe_dump(small(verified=False, unverified=["1"])), "small.yaml").unverified == ("1",)
    assert parse(yaml.safe_dump(small(published=None, complete=False, missing="the rest")), "small.yaml").missing == "the rest"


def test_what_is_no_checklist_is_refused_with_its_place() -> None:
    for text in ("{", "[]", "checklist: x", "a: 1"):
        with pytest.raises(ConfigurationError, match=r"E-REPORT-CHECKLIST.*here\.yaml"):
            parse(text, "here.yaml")


def test_a_checklist_that_is_not_shipped_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"E-REPORT-CHECKLIST.*stard_2003"):
        checklists(["stard_2015", "stard_2003"])
    assert checklists([]) == ()
    assert [found.checklist for found in checklists(["tripod_ai_2024", "claim_2024"])] == ["tripod_ai_2024", "claim_2024"]


# ---- held against a report --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped())
def test_counts_add_up_and_an_empty_report_covers_nothing(name: str) -> None:
    (found,) = checklists([name])
    whole, none = coverage(found, EVERYTHING), coverage(found, {})
    assert [row.id for row in whole] == [row.id for row in none] == [item.id for item in found.items]
    told = counts(whole)
    assert told.covered + told.partly + told.not_covered == len(found.items)
    assert told.covered > 0
    assert told.partly == sum(bool(item.partly) for item in found.items)
    assert told.not_covered == sum(bool(item.not_covered) for item in found.items)
    assert counts(none) == Counts(0, 0, len(found.items))


def test_a_row_says_where_and_what_is_missing() -> None:
    (row,) = coverage(one(covered_by=["performance", "baseline"], partly="the reason"), EVERYTHING)
    assert (row.state, row.sections, row.where) == (
        "partly",
        ("performance", "baseline"),
        "performance, baseline; missing: the reason",
    )
    (row,) = coverage(one(covered_by=["performance"]), {"performance": True})
    assert (row.state, row.where) == ("covered", "performance")
    (row,) = coverage(one(not_covered="nobody knows"), EVERYTHING)
    assert (row.state, row.sections, row.where) == ("not", (), "not covered: nobody knows")


def test_a_section_that_is_left_out_takes_its_items_along() -> None:
    found = one(covered_by=["performance", "calibration"])
    present: dict[str, bool | str] = {"performance": True, "calibration": "the plan asks for none"}
    (row,) = coverage(found, present)
    assert (row.state, row.sections) == ("partly", ("performance",))
    assert row.where == "performance; calibration not in this report: the plan asks for none"
    (row,) = coverage(found, {"performance": False})
    assert (row.state, row.where) == ("not", "performance not in this report; calibration not in this report")
    (row,) = coverage(one(covered_by=["calibration"], partly="more"), {"calibration": ""})
    assert (row.state, row.where) == ("not", "calibration not in this report")


def test_a_section_that_nobody_has_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="performence"):
        coverage(one(covered_by=["performance"]), {"performence": True})


# ---- the page ---------------------------------------------------------------------------------------------------------------


def test_the_page_counts_as_the_code_does() -> None:
    said = {
        name: tuple(map(int, told))
        for name, *told in re.findall(r"^\| `(\w+)` \|.*\| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", PAGE, re.MULTILINE)
    }
    told = {found.checklist: counts(coverage(found, EVERYTHING)) for found in checklists()}
    assert said == {
        found.checklist: (
            len(found.items),
            told[found.checklist].covered,
            told[found.checklist].partly,
            told[found.checklist].not_covered,
        )
        for found in checklists()
    }


def test_the_page_names_every_section_and_its_examples_work(capsys: pytest.CaptureFixture[str]) -> None:
    (named,) = re.findall(r"^Sections are (.*?)\. A file", PAGE, re.MULTILINE | re.DOTALL)
    assert tuple(re.findall(r"`(\w+)`", named)) == SECTIONS
    (example,), (code,), (printed,) = (
        re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) for language in ("yaml", "python", "text")
    )
    assert len(parse(example, "example_2020.yaml").items) == 3
    exec(code, {})
    assert capsys.readouterr().out == printed
