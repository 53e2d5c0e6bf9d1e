"""The second reader's page, in a browser: complete, quiet, on any screen, and safe from what others wrote."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.delivery.finding_rows import Numbers, said
from tasks.delivery.panel import panel
from tasks.delivery.policy import ModelDelivery
from tasks.delivery.served import Served
from tasks.delivery.standing import Reading
from tasks.delivery.statements import FirstRead
from tasks.inference.manifest import parse
from tests.tasks.delivery.made import BANDS, EVENING, UTC, finding, manifest
from tests.tasks.gallery.browser import Page, chromium

EVIL = "<script>document.title='gone'</script>\"'&{{7*7}}"
MODEL = Served(
    parse(manifest("chest", finding(bands=BANDS), finding("embolism"), head="detection"), "chest"),
    "0" * 64,
    ModelDelivery(mode="second_reader"),
)


def page_of(number: str = "ACC-1") -> bytes:
    """A page with one finding that is there, in two places, and one that is not."""
    box = {
        "finding": "nodule",
        "center_lps_mm": [-41.3, 12.0, -203.75],
        "SeriesInstanceUID": "2.25.77",
        "SOPInstanceUID": "2.25.88",
        "frame_number": 1,
    }
    boxes = [
        box | {"detection_index": place, "score": score, "extent_mm": edges}
        for place, (score, edges) in enumerate([(0.91, [6.5, 8.0, 7.0]), (0.62, [4.0, 4.0, 5.0]), (0.2, [1.0, 1.0, 1.0])])
    ]
    rows = [{"finding": name, "status": "read", "score": score} for name, score in (("nodule", 0.91), ("embolism", 0.04))]
    entries = said(MODEL, Reading(tuple(rows), tuple(boxes), ()), Numbers({"2.25.77": 4}, {"2.25.88": 112}))
    who = {"AccessionNumber": number, "PatientID": "PAT-1", "StudyInstanceUID": "1.2.826.0.1.999.1", "PatientName": ""}
    return panel(MODEL, entries, who, FirstRead("final", EVENING, corrected=True), UTC)


def test_the_same_input_gives_the_same_bytes() -> None:
    assert page_of() == page_of()
    assert EVIL not in page_of(EVIL).decode()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One browser for all tests."""
    if shutil.which("chromium") is None:
        pytest.skip("chromium is missing")
    with chromium(tmp_path_factory.mktemp("chromium")) as page:
        yield page


@pytest.mark.peer("chromium")
def test_in_a_browser(browser: Page, tmp_path: Path) -> None:
    path = tmp_path / "panel.html"
    path.write_bytes(page_of(EVIL))
    for width in (1280, 375):
        browser.size(width, 900)
        browser.open(path)
        assert browser.requests() == [path.as_uri()]
        assert browser.complaints() == []
        assert browser.ask("document.title") == "Second reading"
        assert browser.ask("document.querySelector('dd').textContent") == EVIL
        assert browser.ask("document.querySelectorAll('img, svg, canvas, script').length") == 0  # a panel, no overlay
        assert browser.ask("document.documentElement.scrollWidth <= innerWidth")
        assert browser.ask("[...document.querySelectorAll('h2, .present, .absent')].map(each => each.textContent)") == [
            "Findings",
            "present",
            "below operating point",
            "Nodule: where",
        ]
        assert browser.ask("document.querySelectorAll('table')[1].rows.length") == 3
        assert (
            browser.ask("getComputedStyle(document.querySelector('.present')).fontWeight") == "600"
        )  # the policy lets its own style through
