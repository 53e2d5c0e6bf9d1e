"""Figures state their finding, show every subgroup, and are the same for the same results."""

from __future__ import annotations

import io
from xml.etree import ElementTree as ET

import matplotlib as mpl
import matplotlib.figure
import numpy as np
import pytest
from PIL import Image

from tasks.report.blocks import Figure
from tasks.report.drawing import letters
from tasks.report.figures import calibration, decision, froc, roc, versions
from tasks.report.figures.forest import forests
from tasks.report.flowchart import flowchart, steps
from tasks.report.wording import group
from tests.tasks.report import made
from tests.tasks.report.made_faces import CASES, document


def test_the_forest_plot_names_the_harder_subgroup() -> None:
    (forest,) = forests(made.realistic())
    assert forest.alternative.startswith("Forest plot of 4 subgroups with intervals. Worse than in all other cases: AUC for")
    assert "slice thickness: thick (> 3 mm) 0.442 (0.327–0.556)" in forest.alternative
    assert "thin" not in forest.alternative


def test_a_forest_plot_without_a_harder_subgroup_says_so() -> None:
    whole = made.realistic()
    rows = tuple(row for row in whole.performance if row.attribute in {"", "sex"})
    (forest,) = forests(whole.model_copy(update={"performance": rows}))
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
    assert forests(made.nothing()) == []
    assert roc.overall(made.nothing()) is None
    assert forests(made.bare()) == []


def test_the_roc_states_its_area_and_every_operating_point() -> None:
    drawing = roc.overall(made.realistic())
    assert drawing is not None
    assert drawing.alternative == (
        "ROC curve of all cases: area 0.810 (0.750–0.870); operating point of all cases: sensitivity 0.692 at specificity 0.816."
    )
    several = roc.overall(made.full())
    assert several is not None
    assert several.alternative.count("operating point") == 3
    assert "operating point high-sensitivity of all cases: sensitivity 0.879 at specificity 0.496" in several.alternative


def test_every_attribute_with_curves_has_a_panel_that_names_its_lowest_and_highest_level() -> None:
    (drawing,) = roc.by_attribute(made.realistic())
    said = drawing.alternative
    assert "ROC by slice thickness: from thick (> 3 mm) with an area of 0.442 (0.327–0.556) to thin (<= 3 mm)" in said
    assert said.endswith("the intervals do not meet.")
    assert "ROC by sex" in said
    assert roc.by_attribute(made.bare()) == []
    rows = [row for row in made.full().performance if row.attribute]
    panels = [row for row in rows if row.attribute != "only_one_kind"]
    (drawing,) = roc.by_attribute(made.full())
    assert drawing.alternative.count("ROC by") == len({row.attribute for row in panels})
    assert not any(row.level in drawing.alternative for row in rows if row.suppressed)


def test_the_calibration_curve_says_which_scores_are_wrong_and_how() -> None:
    found = made.full().calibration[0]
    drawing = calibration.calibration(found)
    assert drawing is not None
    off = [
        f"{each.lower_score:.2f}–{each.upper_score:.2f}" for each in found.curve
        if each.mean_score is not None and each.observed.upper is not None and each.mean_score > each.observed.upper
    ]  # fmt: skip
    assert len(off) > 2
    assert f"scores of {', '.join(off)} are too high" in drawing.alternative
    assert drawing.alternative.startswith("Calibration: slope 1.178 (1.007–1.349), intercept −1.210 (−1.369 to −1.051)")
    right = found.model_copy(
        update={"curve": tuple(each.model_copy(update={"mean_score": each.observed.estimate}) for each in found.curve)}
    )
    drawn = calibration.calibration(right)
    assert drawn is not None
    assert drawn.alternative.endswith("no bin of scores is too high or too low by its interval.")
    hidden = tuple(each.model_copy(update={"suppressed": True, "mean_score": None}) for each in found.curve)
    assert calibration.calibration(found.model_copy(update={"curve": hidden})) is None


def test_the_decision_curve_says_where_acting_on_the_model_is_better() -> None:
    points = made.full().net_benefit
    drawing = decision.decision(points)
    assert drawing is not None
    better = [each for each in points if each.model.lower is not None and each.model.lower > max(each.treat_all, 0)]
    assert better
    names = ", ".join(f"{100 * each.threshold_probability:g}\u202f%" for each in better)
    assert f"is better than acting on every case and on none, by its interval, at {names}." in drawing.alternative
    assert drawing.alternative.endswith("Its net benefit is below one of these at 60\u202f%.")
    assert decision.decision(points[:1]) is None


def test_the_figure_of_versions_counts_verdicts_and_names_what_is_not_shown() -> None:
    found = made.full().comparison
    assert found is not None
    (drawing,) = versions.versions(found)
    shown = sum(each.non_inferior for each in found.differences)
    assert f"non-inferior in {shown} of {len(found.differences)} comparisons." in drawing.alternative
    assert drawing.alternative.count(";") + 1 == len(found.differences) - shown
    assert "Sensitivity in sex: F −0.036 (−0.093 to +0.021)" in drawing.alternative


def test_the_froc_needs_three_points_and_says_where_they_begin_and_end() -> None:
    found = made.full().detection[0]
    drawing = froc.froc(found)
    assert drawing is not None
    assert "lesion sensitivity rises from 0.569" in drawing.alternative
    assert "at 0.125 false positives a case to 0.795" in drawing.alternative
    assert froc.froc(found.model_copy(update={"at": found.at[:2]})) is None


@pytest.mark.parametrize("case", CASES)
def test_no_figure_tells_a_number_of_what_is_withheld(case: str) -> None:
    hidden = {group(row.attribute, row.level) for row in getattr(made, case)().performance if row.suppressed}
    said = [block.alternative for section in document(case).sections for block in section.blocks if isinstance(block, Figure)]
    assert not [level for level in hidden for text in said if level in text]


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


def test_last_bits_of_the_layout_change_no_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layout whose last bits are others, as another process may get them, gives the same files."""
    results = made.realistic()
    before = [roc.overall(results), *forests(results)]
    laid_out = mpl.figure.Figure.draw_without_rendering

    def nudged(figure: mpl.figure.Figure) -> None:
        laid_out(figure)
        figure.set_layout_engine("none")
        for axes in figure.axes:
            moved = [float(np.nextafter(np.nextafter(each, 2), 2)) for each in axes.get_position(original=True).bounds]
            axes.set_position(moved)

    monkeypatch.setattr(mpl.figure.Figure, "draw_without_rendering", nudged)
    after = [roc.overall(results), *forests(results)]
    assert [(each.svg, each.png) for each in after] == [(each.svg, each.png) for each in before]


def test_letters_that_the_font_lacks_become_boxes() -> None:
    assert letters("Köln ≥ 横浜") == "Köln ≥ □□"
