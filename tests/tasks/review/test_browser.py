"""In a browser: what is drawn surrounds what it is about, on the right side; pages ask nobody, and work without script and by keyboard."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tasks.inference.bundle import Bundle
from tasks.lake import Lake
from tasks.review import case_page, index, planes, sights
from tasks.review.cases import Case, collect
from tasks.review.counts import count
from tests.tasks.gallery.browser import Page, axe_core, chromium
from tests.tasks.review import made

pytestmark = pytest.mark.peer("chromium")

BOX: made.Box = ((6, 20, 4), (14, 30, 9))
SPACING = (2.0, 1.5, 3.0)
#: Slices along each of the patient's axes: axial, sagittal, coronal; the latter two as scanners store them.
ACQUIRED = {"axial": (0, 1, 2), "sagittal": (1, 2, 0), "coronal": (0, 2, 1)}
FLIPS = [(i, j, k) for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]
#: Of the screen: three pictures beside each other, and their checkbox.
SIZE = (1100, 900)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("browser")) as page:
        page.size(*SIZE)
        yield page


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where lakes are, one of each kind; each test replaces their only study."""
    return tmp_path_factory.mktemp("cases")


# ---- where marks are ----------------------------------------------------------------------------------------------------


def screen(browser: Page) -> NDArray[np.int16]:
    """(rows, columns, 3) of the screen."""
    return np.asarray(Image.open(io.BytesIO(browser.screenshot())).convert("RGB")).astype(np.int16)


def bounds(inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Left, top, and the first column and row beyond."""
    rows, columns = np.nonzero(inside)
    assert len(rows), "nothing is there"
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], float)


def check_marks(browser: Page, file: Path, voxels: NDArray[Any], affine: NDArray[np.float64]) -> None:
    """The pixels that change with the checkbox surround the bright pixels, which are where nibabel says; letters are in their places."""
    browser.open(file)
    with_marks = screen(browser)
    browser.ask("document.getElementById('marks').click()")
    without = screen(browser)
    image = nibabel.as_closest_canonical(nibabel.Nifti1Image(voxels, affine))
    bright = np.asarray(image.dataobj) > 0
    steps = np.linalg.norm(image.affine[:3, :3], axis=0)
    shown = browser.ask(_FIGURES)
    assert max(figure["box"][3] for figure in shown) <= SIZE[1], "a part of a picture is not on the screen"
    assert [figure["name"] for figure in shown] == ["axial", "coronal", "sagittal"]
    for figure in shown:
        left, top, right, bottom = (round(edge) for edge in figure["box"])
        cut = np.s_[top:bottom, left:right]
        seen = bounds(without[cut].min(axis=2) > 200)
        drawn = bounds(np.abs(with_marks[cut] - without[cut]).max(axis=2) > 40)
        # drawn around: the line is 3.5 pixels wide and lies on the edge, which a smoothed picture may blur by as much as it is enlarged by
        assert (drawn[:2] <= seen[:2] + 1).all(), figure["name"]
        assert (drawn[2:] >= seen[2:] - 1).all(), figure["name"]
        wide = (right - left) / figure["size"][0]
        assert np.abs(drawn - seen).max() <= 4 + 0.75 * wide * max(SPACING), figure["name"]
        # where nibabel says: shares of the width and height, from the letters' corner
        projected, letters, spacing = {
            "axial": (bright.any(axis=2)[::-1, ::-1], "RLAP", steps[[0, 1]]), "coronal": (bright.any(axis=1)[::-1, ::-1], "RLSI", steps[[0, 2]]),
            "sagittal": (bright.any(axis=0)[::-1, ::-1], "APSI", steps[[1, 2]]),
        }[figure["name"]]  # fmt: skip
        assert figure["letters"] == letters
        wanted = bounds(projected.T) * np.tile(spacing, 2) * wide
        assert np.abs(seen - wanted).max() <= 2 + 0.75 * wide * max(SPACING), figure["name"]
        assert (right - left) / (bottom - top) == pytest.approx(
            projected.shape[0] * spacing[0] / (projected.shape[1] * spacing[1]), rel=0.02
        )


@cache
def home(folder: Path, kind: str) -> tuple[Lake, Bundle]:
    return made.opened(folder, kind)


def block(
    folder: Path, kind: str, order: tuple[int, ...], flips: tuple[int, ...]
) -> tuple[Path, NDArray[Any], NDArray[np.float64]]:
    """A case page about a bright block that is far from any middle."""
    lake, model = home(folder, kind)
    voxels = made.with_block(made.chest((36, 48, 20)), BOX)
    where = made.affine(order, flips, SPACING)
    rows = made.publish(lake, 1, made.volume(voxels=voxels, affine=where))
    labels = made.with_block(np.zeros(voxels.shape, np.uint8), BOX, 1) if kind == "segmentation" else None
    boxes = {"nodule": [(BOX, 0.9)]} if kind == "detection" else None
    made.say(lake, model, rows, {"nodule": 0.9 if boxes else None}, boxes=boxes, labels=labels)
    (case,) = collect(lake, model)
    file = folder / f"{kind}.html"
    file.write_bytes(case_page.render(case, model, sights.of(lake, case, model.manifest)))
    return file, voxels, where


@pytest.mark.parametrize("flips", FLIPS)
@pytest.mark.parametrize("acquired", ACQUIRED)
def test_a_box_surrounds_what_it_is_about(acquired: str, flips: tuple[int, ...], place: Path, browser: Page) -> None:
    check_marks(browser, *block(place, "detection", ACQUIRED[acquired], flips))


@pytest.mark.parametrize("acquired", ACQUIRED)
def test_an_outline_surrounds_what_it_is_about(acquired: str, place: Path, browser: Page) -> None:
    check_marks(browser, *block(place, "segmentation", ACQUIRED[acquired], (1, -1, -1)))


def test_a_box_on_the_wrong_side_is_seen(place: Path, browser: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        planes.Planes, "_along", lambda self, after, start, stop: (start[self.turn.order[after]], stop[self.turn.order[after]])
    )
    with pytest.raises(AssertionError):
        check_marks(browser, *block(place, "detection", (0, 1, 2), (1, 1, 1)))


def test_a_mirrored_picture_is_seen(place: Path, browser: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planes, "_CODES", "RPI")
    with pytest.raises(AssertionError):
        check_marks(browser, *block(place, "detection", (0, 1, 2), (-1, -1, 1)))


#: Each figure: its plane's name, the picture on the screen, its width and height in mm, and the letters left, right, top, bottom.
_FIGURES = """[...document.querySelectorAll('figure')].map(figure => {
  const svg = figure.querySelector('svg'), box = svg.querySelector('image').getBoundingClientRect();
  const at = side => figure.querySelector('.edge.' + side).textContent;
  return { name: figure.className, box: [box.left, box.top, box.right, box.bottom],
           size: [svg.viewBox.baseVal.width, svg.viewBox.baseVal.height],
           letters: ['left', 'right', 'top', 'bottom'].map(at).join('') };
})"""


# ---- the list -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Bundle, list[Case]]:
    """Forty studies, the tenth part of which was not read, with a reference; their list as a page."""
    folder = tmp_path_factory.mktemp("list")
    lake, bundle = made.opened(folder)
    labels = {}
    for n in range(40):
        rows = made.publish(lake, 100 + n, made.volume(n, voxels=made.chest((6, 6, 4), n)))
        made.say(
            lake, bundle, rows, {"nodule": n * 37 % 40 / 40}, reasons=["E-INFER-SPACING"] if n % 10 == 3 else [""],
            input_mean=0.45 if n == 7 else 0.2,
        )  # fmt: skip
        if n % 3:
            labels[f"2.25.{100 + n}", "nodule"] = n % 2
    cases = index.in_order(collect(lake, bundle, labels), with_reference=True)
    file = folder / "index.html"
    file.write_bytes(listed(cases, bundle))
    return file, bundle, cases


def listed(cases: list[Case], bundle: Bundle) -> bytes:
    return index.render(cases, bundle, count(cases, bundle.manifest, with_reference=True), with_reference=True)


ROWS = "[...document.querySelectorAll('#cases tbody tr')].map(row => row.querySelector('a').title)"


def at(browser: Page, fragment: str) -> None:
    browser.ask(
        f"new Promise(done => {{ addEventListener('hashchange', () => setTimeout(done), {{once: true}}); location.hash = {fragment!r}; }})"
    )


def test_the_list_filters_and_sorts(model: tuple[Path, Bundle, list[Case]], browser: Page) -> None:
    file, _, cases = model
    browser.open(file)
    assert browser.requests() == [file.as_uri()]
    assert browser.complaints() == []
    assert browser.ask(ROWS) == [case.study for case in cases]
    for fragment, wanted in (
        ("show=not_read", [case for case in cases if not case.is_read]), ("show=positive", [case for case in cases if case.is_positive]),
        ("show=false_negative", [case for case in cases if case.outcome == "false_negative"]),
        ("show=outside", [case for case in cases if case.study == "2.25.107"]), ("show=stale", []),
        ("reason=E-INFER-SPACING", [case for case in cases if case.reason_code == "E-INFER-SPACING"]),
        ("q=2.25.113+spacing", [case for case in cases if case.study == "2.25.113"]),
        ("sort=3&down=1", sorted(cases, key=lambda case: -(case.readings[0].score if case.is_read else -1))),
        ("sort=3", sorted(cases, key=lambda case: case.readings[0].score if case.is_read else 9)),
    ):  # fmt: skip
        at(browser, fragment)
        assert browser.ask(ROWS) == [case.study for case in wanted], fragment
        assert browser.ask("document.getElementById('nothing').hidden") is bool(wanted)
    assert browser.ask("[...document.querySelectorAll('[aria-sort]')].map(head => head.ariaSort)") == ["ascending"]


def test_the_list_is_used_by_keyboard(model: tuple[Path, Bundle, list[Case]], browser: Page) -> None:
    file, _, cases = model
    browser.open(file)
    browser.key("/")
    assert browser.ask("document.activeElement.id") == "search"
    browser.ask("document.querySelectorAll('#cases thead button')[3].focus()")
    browser.key("Enter")
    assert browser.ask("location.hash") == "#sort=3&down=1"
    assert (
        browser.ask(ROWS)[0] == max((case for case in cases if case.is_read), key=lambda case: case.readings[0].score or 0).study
    )
    browser.key("Enter")
    assert browser.ask("location.hash") == "#sort=3"
    browser.key("Enter")
    assert browser.ask("location.hash") == ""
    assert browser.ask(ROWS) == [case.study for case in cases]


def test_without_a_script_all_is_there(model: tuple[Path, Bundle, list[Case]], browser: Page, place: Path) -> None:
    case, _, _ = block(place, "detection", (0, 1, 2), (-1, -1, 1))
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(model[0])
        nodes = browser.call("DOM.getDocument", depth=-1)["root"]["nodeId"]
        many = browser.call("DOM.querySelectorAll", nodeId=nodes, selector="#cases tbody tr a")["nodeIds"]
        assert len(many) == 40
        assert browser.call("DOM.querySelectorAll", nodeId=nodes, selector="#bar[hidden]")["nodeIds"]
        # the checkbox needs none: a click, and the marks are gone
        browser.open(case)
        before = screen(browser)
        nodes = browser.call("DOM.getDocument", depth=-1)["root"]["nodeId"]
        box = browser.call("DOM.querySelector", nodeId=nodes, selector="#marks")["nodeId"]
        x, y = browser.call("DOM.getBoxModel", nodeId=box)["model"]["content"][:2]
        for kind in ("mousePressed", "mouseReleased"):
            browser.call("Input.dispatchMouseEvent", type=kind, x=x + 4, y=y + 4, button="left", clickCount=1)
        yellow = np.array([255, 212, 0])
        assert (np.abs(before - yellow).max(axis=2) < 40).any()
        assert not (np.abs(screen(browser) - yellow).max(axis=2) < 40).any()
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_nothing_stands_beyond_the_edge(
    width: int, dark: bool, model: tuple[Path, Bundle, list[Case]], browser: Page, place: Path
) -> None:
    try:
        browser.size(width, 844, dark=dark)
        for file in (model[0], block(place, "segmentation", (0, 1, 2), (-1, -1, 1))[0]):
            browser.open(file)
            assert browser.ask("document.documentElement.scrollWidth") <= width
    finally:
        browser.size(*SIZE)


def test_a_thousand_cases_stand_on_one_page(model: tuple[Path, Bundle, list[Case]], browser: Page, place: Path) -> None:
    _, bundle, cases = model
    file = place / "many.html"
    file.write_bytes(listed(cases * (index.LINES // len(cases)), bundle))
    browser.open(file)
    assert len(browser.ask(ROWS)) == index.LINES == 1000
    at(browser, "show=not_read&sort=0")
    assert len(browser.ask(ROWS)) == 100


# ---- accessibility ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    return axe_core(tmp_path_factory.mktemp("axe"))


@pytest.mark.peer("npm")
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing(dark: bool, axe: str, model: tuple[Path, Bundle, list[Case]], browser: Page, place: Path) -> None:
    """WCAG 2.2 A and AA and best practices, as far as a program can tell."""
    try:
        browser.size(*SIZE, dark=dark)
        for file in (model[0], *(block(place, kind, (0, 1, 2), (-1, -1, 1))[0] for kind in ("detection", "segmentation"))):
            browser.open(file)
            browser.ask(axe + "; undefined")
            found = browser.ask(
                "axe.run(document, {resultTypes: ['violations']}).then(said => said.violations.map(each => [each.id, each.nodes.map(n => n.html)]))"
            )
            assert found == [], file
        # and it does see: a picture without a name
        browser.ask("document.querySelector('svg[role]').removeAttribute('aria-label')")
        found = browser.ask("axe.run(document).then(said => said.violations.map(each => each.id))")
        assert "svg-img-alt" in found
    finally:
        browser.size(*SIZE)
