"""The page of all reports says what the index says, without its script too; filters filter, and axe-core finds nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import html

from tasks.report.publishing import trend
from tasks.report.publishing.entries import Endpoint, Entry, GoalSaid, Index
from tasks.report.publishing.index_page import render
from tests.tasks.gallery.browser import Page, axe_core, chromium

FILES = ("report.html", "report.pdf", "report.docx", "results.json", "tables/01-a.csv")


def report(number: int, **change: object) -> Entry:
    value = Endpoint(status="estimated", estimate=0.8 + number / 100, lower=0.75, upper=0.95)
    filled = {
        "path": f"plan/2031/{number:04d}-{number:016x}", "number": number, "year": 2031, "plan": "plan", "digest": f"{number:016x}",
        "title": f"Evaluation {number}", "finding": "nodule", "model": "detector", "model_version": f"1.{number}", "confidence": 0.95,
        "threshold": 0.5, "patients": 1200, "studies": 1500, "positives": 300, "results_sha256": f"{number:064x}",
        "endpoints": {"auc": value, "sensitivity": value, "specificity": value}, "files": FILES,
    }  # fmt: skip
    return Entry.model_validate(filled | change)


WITHHELD = {name: Endpoint(status="withheld") for name in trend.NAMES}
MISSED = (
    GoalSaid(attribute="", level="", metric="sensitivity", at_least=0.9, margin=None, met=False),
    GoalSaid(attribute="sex", level="F", metric="auc", at_least=None, margin=0.05, met=True),
)
REPORTS = (
    report(1), report(2, goals=MISSED, verdict="not all goals met"), report(3, year=2032, synthetic=True, plan="other", model="<b>&"),
    report(4, patients=None, studies=None, positives=None, endpoints=WITHHELD, finding="bleeding"),
    Entry(path="plan/2032/0005-5555555555555555", number=5, year=2032, plan="plan", digest="5" * 16, problem="E-REPORT-DAMAGED"),
)  # fmt: skip


def page(*reports: Entry) -> html.HtmlElement:
    return html.document_fromstring(render(Index(reports=reports or REPORTS)).decode())


def test_every_report_is_there_the_latest_first_with_its_numbers_and_files() -> None:
    rows = page().find_class("report")
    assert [row.findtext(".//h3/span") for row in rows] == [f"No. {n}" for n in (5, 4, 3, 2, 1)]
    last = rows[-1]
    assert [found.text_content() for found in last.iter("dd")][:3] == ["0.810 (0.750–0.950)"] * 3
    assert "1\u202f500 studies, 1\u202f200 patients" in last.text_content()
    links = {link.get("href") for link in last.iter("a")}
    assert links == {f"{REPORTS[0].path}/{name}" for name in (*FILES, "manifest.json")}


def test_goals_are_said_with_their_verdicts() -> None:
    row = page().find_class("report")[3]
    assert "not all goals met" in row.text_content()
    assert [item.text for item in row.find("div/details/ul").iter("li")] == [
        "Sensitivity at least 0.9, all cases: not met", "AUC not worse than all other cases by 0.05, sex: F: met",
    ]  # fmt: skip


def test_what_is_withheld_has_no_number_in_table_figure_or_text() -> None:
    hidden = report(1, patients=None, studies=None, positives=None, endpoints=WITHHELD)
    web = page(hidden, hidden.model_copy(update={"number": 2, "results_sha256": "2" * 64}))
    assert not web.xpath("//img")
    assert {cell.text_content() for cell in web.xpath("//td[position()>2 and position()<6]")} == {"withheld"}
    assert not re.search(r"0\.\d", web.find_class("report")[0].text_content())


def test_a_damaged_report_has_its_reason_and_no_number_and_is_in_no_trend() -> None:
    row = page().find_class("report")[0]
    assert "E-REPORT-DAMAGED" in row.text_content()
    assert row.find(".//dl") is None
    assert all("No. 5" not in table.text_content() for table in page().iter("table"))


def test_markup_in_the_data_stays_text() -> None:
    assert b"<b>&" not in render(Index(reports=REPORTS))
    assert page().xpath("//li[@data-model='<b>&']")


def test_a_series_shows_the_same_results_once() -> None:
    again = report(2, results_sha256=report(1).results_sha256)
    (one,) = trend.series((report(1), again, report(3)))
    assert [each.number for each in one.entries] == [2, 3]


def test_synthetic_data_and_others_are_no_one_series() -> None:
    first, second = trend.series((report(1), report(2, synthetic=True)))
    assert (first.synthetic, second.synthetic) == (False, True)
    assert "(synthetic data)" in second.title


def test_the_text_for_the_figure_says_what_it_shows() -> None:
    low = {name: Endpoint(status="estimated", estimate=0.5, lower=0.45, upper=0.55) for name in trend.NAMES}
    (one,) = trend.series((report(1), report(2, endpoints=low)))
    drawn = trend.draw(one)
    assert drawn is not None
    assert (
        "AUC 0.810 (0.750–0.950) in report 1, 0.500 (0.450–0.550) in report 2, lower beyond both intervals" in drawn.alternative
    )
    assert trend.draw(trend.Series("p", "f", "m", synthetic=False, entries=(report(1),))) is None


def test_the_page_loads_nothing_and_allows_its_own_script_and_style_alone() -> None:
    web = page()
    (policy,) = web.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert not web.xpath("//script[@src] | //link | //iframe | //form | //*[@style] | //@onclick")
    assert all(not re.match(r"[a-z]+:|/", link) for link in web.xpath("//a/@href"))
    assert all(source.startswith("data:image/svg+xml;base64,") for source in web.xpath("//img/@src"))


def test_the_same_index_gives_the_same_bytes() -> None:
    assert render(Index(reports=REPORTS)) == render(Index(reports=REPORTS))


def test_an_empty_archive_has_a_page() -> None:
    assert "0 reports" in html.document_fromstring(render(Index(reports=())).decode()).text_content()


# ---- in a browser -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    return axe_core(tmp_path_factory.mktemp("axe"))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "index.html"
    path.write_bytes(render(Index(reports=REPORTS)))
    return path


SHOWN = "[...document.querySelectorAll('.report')].filter(each => !each.hidden).map(each => each.querySelector('.number').textContent)"


@pytest.mark.peer("chromium")
def test_filters_filter_and_are_in_the_address(browser: Page, written: Path) -> None:
    browser.open(written)
    assert browser.complaints() == []
    assert browser.ask(SHOWN) == [f"No. {n}" for n in (5, 4, 3, 2, 1)]
    choose = "(name, value) => { const s = document.querySelector(`select[name=${name}]`); s.value = value; s.dispatchEvent(new Event('change')); }"
    for name, value, shown in (
        ("verdict", "not all goals met", [2]), ("verdict", "", [5, 4, 3, 2, 1]), ("year", "2032", [5, 3]), ("data", "synthetic", [3]),
    ):  # fmt: skip
        browser.ask(f"({choose})({name!r}, {value!r})")
        assert browser.ask(SHOWN) == [f"No. {n}" for n in shown]
    assert browser.ask("document.getElementById('shown').textContent") == "1 of 5 reports shown"
    fragment = browser.ask("location.hash")
    browser.open(written, fragment)
    assert browser.ask(SHOWN) == ["No. 3"]
    assert browser.ask("[...document.querySelectorAll('.series')].filter(each => !each.hidden).length") == 1
    browser.ask("document.getElementById('clear').click()")
    assert len(browser.ask(SHOWN)) == 5
    assert [asked for asked in browser.requests() if not asked.startswith("data:")] == [written.as_uri()]


@pytest.mark.peer("chromium")
def test_without_script_all_is_there_and_nothing_that_needs_one(browser: Page, written: Path) -> None:
    try:
        browser.call("Emulation.setScriptExecutionDisabled", value=True)
        browser.open(written)
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
        assert len(browser.ask(SHOWN)) == 5
        assert browser.ask("getComputedStyle(document.getElementById('filters')).display") == "none"
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


@pytest.mark.peer("chromium")
@pytest.mark.parametrize("width", [1200, 390])
def test_nothing_is_wider_than_the_screen(width: int, browser: Page, written: Path) -> None:
    try:
        browser.size(width, 800)
        browser.open(written)
        assert browser.ask("document.documentElement.scrollWidth") <= width
    finally:
        browser.call("Emulation.clearDeviceMetricsOverride")


@pytest.mark.peer("chromium")
@pytest.mark.peer("npm")
@pytest.mark.parametrize(("width", "dark"), [(1200, False), (390, True)])
def test_axe_finds_nothing(width: int, dark: bool, axe: str, browser: Page, written: Path) -> None:
    """WCAG 2.2 A and AA and best practices, as far as a program can tell."""
    try:
        browser.size(width, 800, dark=dark)
        browser.open(written)
        browser.ask(axe + "; undefined")
        found = browser.ask(
            "axe.run(document, {resultTypes: ['violations']}).then(said => said.violations.map(each => [each.id, each.nodes.map(n => n.html)]))"
        )
        assert found == []
        browser.ask("document.querySelector('img').removeAttribute('alt')")  # and it does see
        assert "image-alt" in browser.ask("axe.run(document).then(said => said.violations.map(each => each.id))")
    finally:
        browser.call("Emulation.clearDeviceMetricsOverride")
