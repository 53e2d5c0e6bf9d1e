"""Figures state their finding, show every subgroup, and are the same for the same results."""

from __future__ import annotations

import io
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from tasks.report import figures
from tasks.report.blocks import Figure
from tasks.report.drawing import letters
from tasks.report.flowchart import flowchart, steps
from tests.tasks.report import made
from tests.tasks.report.made_faces import CASES, document


def test_the_forest_plot_names_the_harder_subgroup() -> None:
    (forest,) = figures.forests(made.realistic())
    assert forest.alternative.startswith("Forest plot of 4 subgroups with intervals. Worse than in all other cases: AUC for")
    assert "slice thickness: thick (> 3 mm) 0.442 (0.327–0.556)" in forest.alternative
    assert "thin" not in forest.alternative


def test_a_forest_plot_without_a_harder_subgroup_says_so() -> None:
    whole = made.realistic()
    rows = tuple(row for row in whole.performance if row.attribute in {"", "sex"})
    (forest,) = figures.forests(whole.model_copy(update={"performance": rows}))
    assert forest.alternative.endswith("None is worse than all other cases by the interval of the difference.")


def test_sixty_subgroups_are_all_drawn() -> None:
    blocks = [block for section in document("awkward").sections for block in section.blocks if isinstance(block, Figure)]
    plots = [block for block in blocks if block.alternative.startswith("Forest plot")]
    drawn = [int(plot.alternative.split()[3]) for plot in plots]
    assert sum(drawn) == sum(bool(row.attribute) for row in made.awkward().performance)


@pytest.mark.parametrize("case", CASES)
def test_figures_fit_a_page_with_their_heading_and_caption(case: str) -> None:
    for section in document(case).sections:
        for block in section.blocks:
            if isinstance(block, Figure):
                width, height = Image.open(io.BytesIO(block.png)).size
                assert 174 * block.width * height / width < 230  # mm, of 258 that a page has


def test_nothing_to_estimate_draws_nothing() -> None:
    assert figures.forests(made.nothing()) == []
    assert figures.roc(made.nothing()) is None
    assert figures.forests(made.bare()) == []


def test_the_roc_shows_the_attribute_whose_levels_lie_furthest_apart() -> None:
    drawing = figures.roc(made.realistic())
    assert drawing is not None
    assert drawing.alternative.startswith(
        "ROC curves. All cases: area 0.810 (0.750–0.870); slice thickness: thick (> 3 mm): area"
    )
    assert drawing.alternative.endswith("operating point of all cases: sensitivity 0.692 at specificity 0.816.")


def test_the_flow_names_what_left_with_its_unit_and_reason() -> None:
    flow = steps(made.realistic())
    assert [step.kept.splitlines()[0] for step in flow] == [
        "15\u202f020 instances found in the archive", "15\u202f020 instances pulled", "15\u202f000 instances de-identified and released",
        "14\u202f990 instances converted to volumes or images", "300 studies read by the model", "296 studies analysed",
    ]  # fmt: skip
    assert flow[2].left == ("18 instances quarantined: E-DEID-SOP-CLASS", "2 instances quarantined: E-UNKNOWN-CODE")
    assert flow[4].left == ("1 study not read: E-INFER-MODALITY", "1 study waiting")
    assert flow[5].left == ("4 studies excluded: E-EVAL-SCORE",)


@pytest.mark.parametrize("case", CASES)
def test_drawings_are_valid_and_repeat_themselves(case: str) -> None:
    first, second = (flowchart(getattr(made, case)(), "SYNTHETIC DATA") for _ in range(2))
    assert first == second
    assert ET.fromstring(first.svg).tag.endswith("svg")


def test_letters_that_the_font_lacks_become_boxes() -> None:
    assert letters("Köln ≥ 横浜") == "Köln ≥ □□"
