"""In a browser: nothing is asked of anyone, two thousand cards stand, filters do what they say, and without a script there is a list."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tasks.gallery.page import render
from tests.tasks.gallery.browser import Page, chromium
from tests.tasks.gallery.made import held, pictures, row, rows

pytestmark = pytest.mark.peer("chromium")
COUNT = 2000
SHOWN = "[...document.querySelectorAll('#cards > li')].map(card => card.dataset.series)"
SAID = "document.getElementById('shown').textContent"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("browser")) as page:
        page.size(1440, 900)
        yield page


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _page(tmp_path_factory.mktemp("many"), rows(COUNT))


@pytest.fixture(scope="module")
def sixty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _page(tmp_path_factory.mktemp("few"), rows(60))


@pytest.fixture
def few(sixty: Path, browser: Page) -> Path:
    """Sixty cards, open, without marks."""
    browser.open(sixty)
    if browser.ask("localStorage.length"):
        browser.ask("localStorage.clear()")
        browser.open(sixty)
    return sixty


def at(browser: Page, fragment: str) -> None:
    """Change the part of the address behind `#`, and wait until the page has heard of it."""
    browser.ask(
        f"new Promise(done => {{ addEventListener('hashchange', () => setTimeout(done), {{once: true}}); location.hash = {fragment!r}; }})"
    )


def _page(folder: Path, shown: list[dict[str, Any]], **more: Any) -> Path:
    file = folder / "gallery.html"
    file.write_bytes(render(shown, pictures(shown), base="..", **more))
    return file


def series(chosen: Any) -> list[str]:
    return [each["SeriesInstanceUID"] for each in rows(60) if chosen(each)]


def test_two_thousand_cards_stand_and_nothing_is_asked_of_anyone(many: Path, browser: Page) -> None:
    browser.open(many)
    assert browser.ask("document.querySelectorAll('#cards > li').length") == COUNT
    assert browser.ask(SAID) == "2,000 shown"
    assert browser.ask(_DECODED) == -(-sum(each["path"] is not None for each in rows(COUNT)) // 9)
    assert {address for address in browser.requests() if not address.startswith("data:")} == {many.as_uri()}
    assert browser.complaints() == []
    browser.open(many, "#status=quarantined")
    assert browser.ask(SAID) == f"{sum(each['path'] is None for each in rows(COUNT)):,} of 2,000 shown"


def test_the_policy_holds_back_what_a_value_could_bring_in(tmp_path: Path, browser: Page) -> None:
    hostile = "<img src='https://example.org/x.png' onerror='window.hit = 1'><script>window.hit = 1</script>"
    file = _page(tmp_path, [row(1, Manufacturer=hostile, Modality=hostile, split_by=[hostile]), row(2), held(3, hostile)])
    browser.open(file, "#q=" + quote(hostile) + "&manufacturer=" + quote(hostile))
    assert browser.ask("[window.hit === undefined, document.images.length]") == [True, 1]
    assert browser.requests() == [file.as_uri(), *[address for address in browser.requests() if address.startswith("data:")]]
    assert browser.complaints() == []
    # and were the escape to fail: the policy alone
    browser.ask(f"document.body.insertAdjacentHTML('beforeend', {hostile!r})")
    browser.ask("new Promise(done => setTimeout(done, 50))")
    assert browser.ask("window.hit === undefined")
    assert "Content Security Policy" in str(browser.complaints())


CHOICES: list[tuple[str, Any]] = [
    ("status=quarantined", lambda each: each["status"] == "quarantined"),
    ("status=quarantined&status=resampled", lambda each: each["status"] in {"quarantined", "resampled"}),
    ("reason=E-VOLUME-DECODE", lambda each: each["reason_code"] == "E-VOLUME-DECODE"),
    ("modality=MR&manufacturer=SIEMENS", lambda each: (each["Modality"], each["Manufacturer"]) == ("MR", "SIEMENS")),
    ("thickness=over+5+mm", lambda each: (each["SliceThickness"] or 0) > 5),
    ("thickness=not+stated", lambda each: each["SliceThickness"] is None),
    ("flags=sheared&flags=lossy", lambda each: each["is_sheared"] or each["lossy"]),
    ("mark=ok", lambda each: False),
    ("q=" + rows(60)[7]["SeriesInstanceUID"], lambda each: each["SeriesInstanceUID"] == rows(60)[7]["SeriesInstanceUID"]),
    ("q=b30F+ge+medical&status=converted",
     lambda each: (each["ConvolutionKernel"], each["status"], each["Manufacturer"][:2]) == ("B30f", "converted", "GE")),

]  # fmt: skip


def test_the_address_says_which_cards_are_shown(few: Path, browser: Page) -> None:
    for fragment, chosen in CHOICES:
        at(browser, fragment)
        wanted = series(chosen)
        assert browser.ask(SHOWN) == wanted, fragment
        assert browser.ask(SAID) == f"{len(wanted)} of 60 shown"
        assert browser.ask("document.getElementById('nothing').hidden") is bool(wanted)


SORTS: dict[str, Any] = {
    "certificate": lambda each: each["max_position_error_mm"], "spacing": lambda each: each["slice_spacing_mm"],
    "slices": lambda each: each["n_slices"], "low": lambda each: each["value_min"], "high": lambda each: each["value_max"],
    "range": lambda each: None if each["value_min"] is None else each["value_max"] - each["value_min"],
}  # fmt: skip


def test_cards_are_sorted_and_those_without_a_value_come_last(few: Path, browser: Page) -> None:
    for name, value in SORTS.items():
        known = [each for each in rows(60) if value(each) is not None]
        without = [each for each in rows(60) if value(each) is None]
        for down in (False, True):
            at(browser, f"sort={name}" + "&down=1" * down)
            wanted = [*sorted(known, key=value, reverse=down), *without]  # both keep the order of equals
            assert browser.ask(SHOWN) == [each["SeriesInstanceUID"] for each in wanted], (name, down)
    browser.ask("document.getElementById('sort').value = ''; document.getElementById('sort').dispatchEvent(new Event('change'))")
    assert browser.ask(SHOWN) == [each["SeriesInstanceUID"] for each in rows(60)]


def test_counts_say_what_each_choice_would_leave(few: Path, browser: Page) -> None:
    at(browser, "modality=MR")
    counts = browser.ask(_COUNTS)
    shown = rows(60)
    assert counts["CT"] == str(sum(each["Modality"] == "CT" for each in shown))  # of the other modalities: as if instead
    assert counts["4D"] == str(sum(each["Modality"] == "MR" and each["kind"] == "4d" for each in shown))
    assert counts["sheared"] == "0"


def test_a_choice_is_written_into_the_address_and_taken_back(few: Path, browser: Page) -> None:
    browser.ask(
        "[...document.querySelectorAll('#facets label')].find(label => label.textContent.startsWith('quarantined')).click()"
    )
    assert browser.ask("location.hash") == "#status=quarantined"
    browser.ask(
        "(() => { const box = document.getElementById('search'); box.value = 'decode'; box.dispatchEvent(new Event('input')); })()"
    )
    assert browser.ask(SHOWN) == series(lambda each: each["reason_code"] == "E-VOLUME-DECODE")
    browser.ask("document.getElementById('clear').click()")
    assert browser.ask("location.hash") == ""
    assert len(browser.ask(SHOWN)) == 60


def test_the_keyboard_moves_marks_and_enlarges(few: Path, browser: Page) -> None:
    here = "[...document.querySelectorAll('#cards > li')].indexOf(document.activeElement)"
    browser.ask("document.querySelector('#cards > li').focus()")
    for key, place in (
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowDown", 7),
        ("ArrowUp", 2),
        ("ArrowLeft", 1),
        ("End", 59),
        ("Home", 0),
    ):
        browser.key(key)
        assert browser.ask(here) == place, key
    browser.key("o")
    browser.key("ArrowRight")
    browser.key("l")
    browser.key("Enter")
    assert browser.ask("document.activeElement.className") == "card converted is-again large"
    assert browser.ask("document.getElementById('marked').textContent") == "1 ok, 1 to look at again"
    # one card alone is in the order of Tab, with what is in it
    assert browser.ask(
        "[...document.querySelectorAll('#cards [tabindex=\"0\"]')].every(each => each.closest('li') === document.activeElement)"
    )
    browser.key("/")
    assert browser.ask("document.activeElement.id") == "search"


def test_marks_outlive_the_page_and_can_be_handed_on(few: Path, browser: Page, tmp_path: Path) -> None:
    browser.ask(
        "[...document.querySelectorAll('#cards > li')].slice(3, 5).forEach((card, n) => card.querySelectorAll('.marks button')[n].click())"
    )
    browser.open(few, "#mark=again")
    shown = rows(60)
    assert browser.ask(SHOWN) == [shown[4]["SeriesInstanceUID"]]
    browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    browser.ask("document.getElementById('export').click()")
    until = time.monotonic() + 30
    while not (tmp_path / "marks.csv").exists() and time.monotonic() < until:
        time.sleep(0.05)
    lines = (tmp_path / "marks.csv").read_text("utf-8").splitlines()
    assert lines == [
        "StudyInstanceUID,SeriesInstanceUID,volume_index,sha256_or_reason,mark",
        f"{shown[3]['StudyInstanceUID']},{shown[3]['SeriesInstanceUID']},0,{shown[3]['sha256'][:16]},ok",
        f"{shown[4]['StudyInstanceUID']},{shown[4]['SeriesInstanceUID']},0,{shown[4]['reason_code'][:16]},look again",
    ]


def test_without_a_script_it_is_a_plain_list(few: Path, browser: Page) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(few, "#status=quarantined")
        nodes = browser.call("DOM.getDocument", depth=-1)["root"]["nodeId"]
        assert len(browser.call("DOM.querySelectorAll", nodeId=nodes, selector="#cards > li")["nodeIds"]) == 60
        assert len(browser.call("DOM.querySelectorAll", nodeId=nodes, selector="noscript p")["nodeIds"]) == 1
        for selector in ("#panel[hidden]", "#bar[hidden]"):
            assert browser.call("DOM.querySelectorAll", nodeId=nodes, selector=selector)["nodeIds"]
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 768, 1440])
def test_nothing_stands_beyond_the_edge(width: int, dark: bool, few: Path, browser: Page) -> None:
    try:
        browser.size(width, 844, dark=dark)
        browser.open(few)
        assert browser.ask("document.documentElement.scrollWidth") <= width
        # names that can be read: the contrast of WCAG 2.2, 1.4.3
        assert browser.ask(_CONTRAST) == []
    finally:
        browser.size(1440, 900)


#: How many of every ninth picture can be decoded; they are lazy until they are wanted.
_DECODED = """(async () => {
  const all = [...document.images].filter((each, n) => n % 9 === 0);
  for (const each of all) each.loading = 'eager';
  await Promise.all(all.map(each => each.decode()));
  return all.length;
})()"""
#: Each choice and the number beside it.
_COUNTS = """Object.fromEntries([...document.querySelectorAll('#facets label')].map(
  label => [label.querySelector('span').textContent, label.querySelector('b').textContent]))"""
#: Texts whose colour is less than 4.5 times as bright or as dark as what is behind them.
_CONTRAST = """(() => {
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const light = rgb => { const [r, g, b] = rgb.map(v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const poor = new Set();
  const texts = 'h1, h2, h2 b, .card p, .badge, .why, .why b, .marks button, a, summary, legend, label:not(.none) span, #shown, .counts';
  for (const element of document.querySelectorAll(texts)) {
    if (!element.textContent.trim() || !element.checkVisibility()) continue;
    const [one, other] = [light(numbers(getComputedStyle(element).color).slice(0, 3)), light(behind(element))].sort((a, b) => b - a);
    if ((one + 0.05) / (other + 0.05) < 4.5) poor.add(element.className || element.tagName);
  }
  return [...poor];
})()"""
