"""In a browser: the page asks nobody, its tables can be sorted by click and by key, all is there without a script, nothing is off the screen."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.report.blocks import Document, Section, Table, numbered
from tasks.report.html import render
from tasks.report.numbers import Number
from tests.peers import programs
from tests.tasks.gallery.browser import Page, chromium
from tests.tasks.report.made_faces import cells, document, rendered

pytestmark = pytest.mark.peer("chromium")

AXE = "axe-core@4.14.1"
WIDE, PHONE = (1200, 900), (390, 844)
SMALL, NAMES = "−0.200", ("level 10", "Level 9", "level 1", "all withheld", "of few")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("browser")) as page:
        page.size(*WIDE)
        yield page


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    pages = {case: rendered(case)["report.html"] for case in ("realistic", "awkward")} | {"sorting": render(_sorting())}
    for name, content in pages.items():
        (folder / f"{name}.html").write_bytes(content)
    return {name: folder / f"{name}.html" for name in pages}


def _sorting() -> Document:
    """A column of numbers in which the order of letters is another than that of values, and of two cells without a number."""
    numbers = (
        Number("1\u202f204", "sum", ("/a",), 1204), Number("98", "sum", ("/b",), 98), Number(SMALL, "signed", ("/c",), -0.2), "withheld", "–"
    )  # fmt: skip
    rows = tuple(zip(NAMES, numbers, strict=True))
    return Document("T", "S", "", "", numbered((
        Section("s", "Sorting", (
            Table("To sort", ("Name", "Number"), rows, (False, True), (1, 1)),
            Table("Too short to sort", ("Name", "Number"), rows[:3], (False, True), (1, 1)),
        )),
    )))  # fmt: skip


def column(browser: Page, place: int) -> list[str]:
    return browser.ask(f"[...document.querySelectorAll('#table-1 tbody tr')].map(row => row.cells[{place}].textContent)")


def states(browser: Page) -> list[str | None]:
    return browser.ask("[...document.querySelectorAll('#table-1 thead th')].map(head => head.getAttribute('aria-sort'))")


def click(browser: Page, selector: str) -> None:
    """Where its middle is, with the mouse."""
    browser.ask(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center', behavior: 'instant'}})")
    x, y = browser.ask(
        f"(box => [box.x + box.width / 2, box.y + box.height / 2])(document.querySelector({selector!r}).getBoundingClientRect())"
    )
    for kind in ("mousePressed", "mouseReleased"):
        browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)


def test_a_column_is_sorted_by_value_and_what_has_none_stays_behind(files: dict[str, Path], browser: Page) -> None:
    browser.open(files["sorting"])
    original = column(browser, 1)
    button = "#table-1 th:nth-child(2) button"
    click(browser, button)
    assert column(browser, 1) == [SMALL, "98", "1\u202f204", "withheld", "–"]
    assert states(browser) == [None, "ascending"]
    assert browser.ask("document.getElementById('said').textContent") == "Sorted by Number, ascending"
    click(browser, button)
    assert column(browser, 1) == ["1\u202f204", "98", SMALL, "withheld", "–"]
    assert states(browser) == [None, "descending"]
    click(browser, button)
    assert column(browser, 1) == original
    assert states(browser) == [None, None]
    assert browser.complaints() == []


def test_names_are_sorted_as_people_count_and_by_key(files: dict[str, Path], browser: Page) -> None:
    browser.open(files["sorting"])
    browser.ask("document.querySelector('#table-1 th button').focus()")
    browser.key("Enter")
    assert column(browser, 0) == ["all withheld", "level 1", "Level 9", "level 10", "of few"]
    assert states(browser) == ["ascending", None]
    assert browser.ask("document.activeElement.textContent") == "Name"
    click(browser, "#table-1 th:nth-child(2) button")
    assert states(browser) == [None, "ascending"]


def test_cross_tables_are_not_sorted(files: dict[str, Path], browser: Page) -> None:
    browser.open(files["sorting"])
    assert browser.ask("document.querySelectorAll('#table-2 button').length") == 0


def test_a_real_report_is_sorted_and_asks_nobody(files: dict[str, Path], browser: Page) -> None:
    browser.open(files["awkward"])
    number = next(block.number for section in document("awkward").sections for block in section.blocks
                  if isinstance(block, Table) and block.caption == "Performance by scanner")  # fmt: skip
    click(browser, f"#table-{number} th:nth-child(8) button")
    found = browser.ask(f"[...document.querySelectorAll('#table-{number} tbody tr')].map(row => row.cells[7].textContent)")
    assert len(found) == 60
    areas = [cell.partition(" ")[0] for cell in found]
    assert areas == sorted(areas)  # all positive and of the same length: their letters are in the order of their values
    assert {address for address in browser.requests() if not address.startswith("data:")} == {files["awkward"].as_uri()}
    assert browser.complaints() == []


def test_without_a_script_all_is_there_and_no_button_is(files: dict[str, Path], browser: Page) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(files["realistic"])
        snapshot = browser.call("DOMSnapshot.captureSnapshot", computedStyles=[])
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
    strings, layout = snapshot["strings"], snapshot["documents"][0]["layout"]
    shown = "".join("".join(strings[place] for place in layout["text"] if place >= 0).split())
    assert [cell for row in cells("realistic") for cell in row if "".join(cell.split()) not in shown] == []
    names = {strings[place] for place in snapshot["documents"][0]["nodes"]["nodeName"]}
    assert "TABLE" in names
    assert "BUTTON" not in names


def test_another_script_does_not_run(files: dict[str, Path], browser: Page, tmp_path: Path) -> None:
    page = (
        files["sorting"]
        .read_text("utf-8")
        .replace("</main>", "<script>window.hit = 1</script><img src=x onerror='window.hit = 1'></main>")
    )
    (tmp_path / "page.html").write_text(page, "utf-8")
    browser.open(tmp_path / "page.html")
    assert browser.ask("window.hit === undefined")
    assert browser.ask("document.querySelectorAll('#table-1 button').length") == 2


@pytest.mark.parametrize("size", [WIDE, PHONE])
@pytest.mark.parametrize("case", ["realistic", "awkward"])
def test_nothing_is_off_the_screen_but_in_boxes_that_scroll(
    case: str, size: tuple[int, int], files: dict[str, Path], browser: Page
) -> None:
    try:
        browser.size(*size)
        browser.open(files[case])
        assert browser.ask("document.documentElement.scrollWidth <= innerWidth")
        assert browser.ask(_OUTSIDE) == []
    finally:
        browser.size(*WIDE)


#: Elements with text of their own that reach out of the window, and stand in no box that scrolls; and headers whose words are cut.
_OUTSIDE = """
[...document.querySelectorAll('body *')].filter(each => {
  if (each.closest('.unseen, .skip, script') || !each.textContent.trim()) return false;
  const box = each.getBoundingClientRect();
  return (box.right > innerWidth + 1 || box.left < -1) && !each.closest('.scroll') && !each.querySelector('.scroll')
    || each.matches('th button') && each.scrollWidth > each.parentElement.clientWidth + 1;
}).map(each => each.outerHTML.slice(0, 200))
"""


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core."""
    folder = tmp_path_factory.mktemp("axe")
    done = subprocess.run(["npm", "pack", "--silent", AXE], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    found = list(folder.glob("axe-core-*.tgz"))
    if done.returncode or not found:
        why = f"npm pack {AXE} did not bring it"
        pytest.fail(why) if programs.required() else pytest.skip(why)
    with tarfile.open(found[0]) as archive:
        member = archive.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()


def violations(browser: Page, axe: str) -> list[Any]:
    browser.ask(axe + "; undefined")
    return browser.ask(
        "axe.run(document, {resultTypes: ['violations']})"
        ".then(said => said.violations.map(each => [each.id, each.nodes.map(node => node.html).slice(0, 3)]))"
    )


@pytest.mark.peer("npm")
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_axe_finds_nothing(size: tuple[int, int], dark: bool, axe: str, files: dict[str, Path], browser: Page) -> None:
    """WCAG 2.2 A and AA and best practices, as far as a program can tell, also of a sorted table."""
    try:
        browser.size(*size, dark=dark)
        browser.open(files["realistic"])
        browser.ask("document.querySelector('th button').click()")
        assert violations(browser, axe) == []
        # and it does see: a picture without a name
        browser.ask("document.querySelector('main img').removeAttribute('alt')")
        assert "image-alt" in [name for name, _ in violations(browser, axe)]
    finally:
        browser.size(*WIDE)
