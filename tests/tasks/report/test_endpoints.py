"""Masks, measurements and readers in the report: what is withheld has no number anywhere, and what does not add up is noticed."""

from __future__ import annotations

import re

import pytest

from tasks.errors import SafelightError
from tasks.evaluation.results import Results
from tasks.report.bland_altman import bland_altman
from tasks.report.blocks import Figure, Paragraph, Table
from tasks.report.checks import check
from tests.tasks.report import made
from tests.tasks.report.made_faces import document

NAMES = ("segmentation", "agreement", "repeatability", "readers")


def blocks(name: str) -> tuple:
    return next(section for section in document("measured").sections if section.name == name).blocks


@pytest.mark.parametrize("name", NAMES)
def test_a_withheld_level_has_no_number_and_an_empty_one_its_reason(name: str) -> None:
    tables = [block for block in blocks(name) if isinstance(block, Table) and block.rows[0][0] == "All cases"]
    assert tables
    for table in tables:
        rows = {str(row[0]): [str(cell) for cell in row[1:]] for row in table.rows}
        assert not any(re.search(r"\d", cell) for cell in rows["sex: F2"])
        assert "withheld" in rows["sex: F2"]
        assert any(cell.startswith("not estimable") for cell in rows["sex: X"])


def test_numbers_are_those_of_the_results() -> None:
    whole = made.measured().segmentation[0]
    table = next(block for block in blocks("segmentation") if isinstance(block, Table))
    assert str(table.rows[0][4]) == f"{whole.dice.estimate:.3f} ({whole.dice.lower:.3f}–{whole.dice.upper:.3f})"


def test_the_plot_says_what_it_shows_and_is_not_drawn_of_too_few() -> None:
    figures = [block for name in NAMES for block in blocks(name) if isinstance(block, Figure)]
    assert len(figures) == 3
    assert figures[2].alternative.startswith("Bland-Altman plot of diameter in mm: bias +0.7")
    row = made.measured().agreement[0]
    assert bland_altman("diameter", "mm", row.limits, ()) is None
    withheld = next(row for row in made.measured().agreement if row.suppressed)
    assert bland_altman("diameter", "mm", withheld.limits, row.density) is None


def test_without_tables_the_sections_say_so() -> None:
    sections = {section.name: section for section in document("realistic").sections}
    assert not sections.keys() & set(NAMES)
    left = next(block for block in sections["left_out"].blocks if isinstance(block, Table))
    assert {"Segmentation", "Agreement of measurements", "Repeatability", "Reader study"} <= {str(row[0]) for row in left.rows}
    readers = next(block for block in blocks("readers") if isinstance(block, Paragraph))
    assert "names are not told" in str(readers.text)


def tampered(part: str, place: int, **changes: object) -> Results:
    whole = made.measured()
    rows = list(getattr(whole, part))
    rows[place] = rows[place].model_copy(update=changes)
    return whole.model_copy(update={part: tuple(rows)})


def hidden(part: str) -> int:
    return next(place for place, row in enumerate(getattr(made.measured(), part)) if row.suppressed)


def test_the_made_up_results_pass() -> None:
    check(made.measured())


@pytest.mark.parametrize("part", ["segmentation", "agreement", "repeatability", "reader_study"])
def test_what_is_withheld_and_shown_is_noticed(part: str) -> None:
    with pytest.raises(SafelightError, match="a withheld level is shown"):
        check(tampered(part, hidden(part), patients=2))
    with pytest.raises(SafelightError, match="too small to be shown"):
        check(tampered(part, 0, patients=2))


def test_a_withheld_estimate_a_wrong_interval_a_small_cell_and_lost_rows_are_noticed() -> None:
    whole = made.measured()
    dice = whole.segmentation[0].dice
    cell = whole.agreement[0].density[0].model_copy(update={"patients": 1})
    given = whole.given[0].model_copy(update={"used": whole.given[0].used - 1})
    for results, said in (
        (tampered("segmentation", hidden("segmentation"), dice=dice), "a withheld level is shown"),
        (tampered("segmentation", 0, dice=dice.model_copy(update={"estimate": 0.1})), "outside its interval"),
        (tampered("segmentation", 0, dice=dice.model_copy(update={"confidence": 0.9})), "confidence"),
        (tampered("agreement", 0, density=(cell,)), "a cell of the plot too small"),
        (whole.model_copy(update={"given": (given, *whole.given[1:])}), "rows of the table"),
    ):
        with pytest.raises(SafelightError, match=said):
            check(results)
