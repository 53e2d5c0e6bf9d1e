"""Numbers and names are written in one way."""

from __future__ import annotations

import pytest

from tasks.evaluation.results import Estimate
from tasks.report import wording
from tests.tasks.report.made import realistic


def estimated(estimate: float, lower: float, upper: float) -> Estimate:
    return Estimate(status="estimated", estimate=estimate, lower=lower, upper=upper, confidence=0.95, method="Wilson")


def test_an_estimate_stands_with_its_interval() -> None:
    assert wording.estimate(estimated(0.93, 0.88, 0.96)) == "0.930 (0.880–0.960)"
    # 399 of 411 is 97.08 %, whatever has been printed.
    assert wording.estimate(estimated(399 / 411, 0.949, 0.983)) == "0.971 (0.949–0.983)"


def test_what_cannot_be_estimated_says_why() -> None:
    missing = Estimate(status="not_estimable", confidence=0.95, reason="no positive cases")
    assert wording.estimate(missing) == "not estimable: no positive cases"
    assert wording.estimate(missing, suppressed=True) == "withheld"


def test_counts_and_shares() -> None:
    assert wording.count(15020) == "15\u202f020"
    assert wording.count(7, suppressed=True) == "withheld"
    assert [wording.counted(n, "study") for n in (0, 1, 2)] == ["0 studies", "1 study", "2 studies"]
    assert wording.counted(2, "series") == "2 series"
    assert wording.share(1, 3) == "33.3\u202f%"
    assert wording.share(0, 0) == "–"
    assert wording.percent(0.95) == "95\u202f%"
    assert wording.percent(0.999) == "99.9\u202f%"


@pytest.mark.parametrize(("name", "written"), [
    ("slice_thickness", "slice thickness"), ("ConvolutionKernel", "Convolution Kernel"), ("sex", "sex"), ("PPV", "PPV"),
])  # fmt: skip
def test_attributes_are_written_as_words(name: str, written: str) -> None:
    assert wording.attribute(name) == written


def test_a_reason_code_is_explained_where_it_is_known() -> None:
    assert wording.reason("E-REPORT-INPUT").startswith("E-REPORT-INPUT: The file is not")
    assert wording.reason("E-OF-ANOTHER-VERSION") == "E-OF-ANOTHER-VERSION"
    assert wording.reason("") == "–"


def test_long_names_keep_both_ends() -> None:
    assert wording.elided("short", 9) == "short"
    assert wording.elided("the first … and the last", 9) == "the …last"
    assert len(wording.elided("x" * 50, 10)) == 10


@pytest.mark.parametrize(("text", "shown"), [
    ("a\tb\x00c\r\nd", "a b c  d"), ("evil\u202etxt", "eviltxt"), ("no\uffffchar", "no\ufffdchar"), ("Köln 横浜 😀", "Köln 横浜 😀"),
    ("line\u2028end", "line end"),
])  # fmt: skip
def test_text_that_no_format_can_hold_is_replaced(text: str, shown: str) -> None:
    assert wording.printable(realistic().model_copy(update={"title": text})).title == shown


def test_ordinary_results_are_printed_as_they_are() -> None:
    assert wording.printable(realistic()) == realistic()
