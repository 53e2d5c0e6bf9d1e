"""The sections of a plan's further analyses say what the JSON says, written here once more from the JSON alone."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from tasks.report import wording
from tasks.report.blocks import Items, LeftOut, Paragraph, Section, Table
from tasks.report.document import SECTIONS, make
from tasks.report.numbers import Numbers
from tasks.report.subject import Subject
from tests.tasks.report import made
from tests.tasks.report.made_faces import document

OF_A_PLAN = ("acceptance", "operating_points", "calibration", "decision", "strata", "versions", "detection")


@cache
def results() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(made.full().model_dump_json())
    return read


def section(name: str, case: str = "full") -> Section:
    return next(each for each in document(case).sections if each.name == name)


def rows(name: str, caption: str) -> list[list[str]]:
    (table,) = [block for block in section(name).blocks if isinstance(block, Table) and block.caption.startswith(caption)]
    return [[str(cell) for cell in row] for row in table.rows]


def sentences(name: str, case: str = "full") -> str:
    said = [
        str(text) for block in section(name, case).blocks if isinstance(block, (Paragraph, Items))
        for text in ((block.text,) if isinstance(block, Paragraph) else block.items)
    ]  # fmt: skip
    return "\n".join(said)


def name(row: dict[str, Any]) -> str:
    return f"{row['attribute'].replace('_', ' ')}: {row['level']}" if row["attribute"] else "All cases"


def number(value: float, *, signed: bool = False) -> str:
    said = f"{value:+.3f}" if signed else f"{value:.3f}"
    return "0.000" if float(said) == 0 else said.replace("-", "−")


def estimate(value: dict[str, Any], *, signed: bool = False) -> str:
    if value.get("status") == "not_estimable":
        return f"not estimable: {value['reason']}"
    upper = "∞" if value["upper"] is None else number(value["upper"], signed=signed)
    between = " to " if signed else "–"
    return f"{number(value['estimate'], signed=signed)} ({number(value['lower'], signed=signed)}{between}{upper})"


def p(value: float | None) -> str:
    return "–" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


@pytest.mark.parametrize("what", OF_A_PLAN)
def test_what_the_plan_does_not_ask_for_is_left_out_and_said_to_be(what: str) -> None:
    for case in ("bare", "nothing"):
        found = SECTIONS[what](Subject(getattr(made, case)(), Numbers(getattr(made, case)())))
        if (case, what) == ("nothing", "operating_points"):
            continue
        assert isinstance(found, LeftOut), what
        listed = [row[0] for block in section("left_out", case).blocks if isinstance(block, Table) for row in block.rows]
        assert found.title in listed
    assert isinstance(section(what), Section)


def test_every_goal_has_the_verdict_that_its_bound_gives() -> None:
    verdicts = {"✓ pass": 0, "✗ fail": 0, "? not estimable": 0}
    for goal, row in zip(results()["goals"], rows("acceptance", "Goals"), strict=True):
        limit = goal["at_least"] if goal["margin"] is None else -goal["margin"]
        if goal["estimate"] is None:
            said = "? not estimable"
        elif goal["margin"] is None:
            said = "✓ pass" if goal["lower"] >= limit else "✗ fail"
        else:
            said = "✓ pass" if goal["lower"] > limit else "✗ fail"
        verdicts[said] += 1
        assert (row[0], row[-1]) == (name(goal), said)
        if goal["estimate"] is not None:
            assert row[2] == estimate(goal, signed=goal["margin"] is not None)
            left, sign, right = row[4].split(" ")
            assert (float(left.replace("−", "-")) > float(right.replace("−", "-"))) == (sign in "≥>") == (said == "✓ pass")
    assert min(verdicts.values()) > 1  # the case has each of them
    passed, failed, open_ = verdicts.values()
    short = f"{passed} of {sum(verdicts.values())} pass, {failed} fail, {open_} cannot be estimated. Not all are met."
    assert short in sentences("acceptance")
    assert short in sentences("summary")


def test_levels_that_fail_are_named_before_the_table() -> None:
    failing = [goal for goal in results()["goals"] if not goal["met"]]
    (listed,) = [block for block in section("acceptance").blocks if isinstance(block, Items)]
    assert len(listed.items) == len(failing)
    assert all(name(goal) in str(item) for goal, item in zip(failing, listed.items, strict=True))


def test_a_bound_that_just_misses_its_limit_does_not_look_equal_to_it() -> None:
    goal = made.full().goals[0].model_copy(update={"lower": 0.7499996, "met": False})
    report = make(made.full().model_copy(update={"goals": (goal,)}))
    (table,) = [b for s in report.sections if s.name == "acceptance" for b in s.blocks if isinstance(b, Table)]
    assert str(table.rows[0][4]) == "0.7499996 < 0.7500000"
    assert str(table.rows[0][5]) == "✗ fail"
    assert wording.beside(0.75, 0.75) == "0.750"
    assert wording.beside(-0.0000001, 0.1) == "0.000"


def test_where_all_goals_are_met_it_is_said_and_nothing_is_named() -> None:
    met = tuple(goal for goal in made.full().goals if goal.met)
    report = make(made.full().model_copy(update={"goals": met}))
    (found,) = [each for each in report.sections if each.name == "acceptance"]
    assert not any(isinstance(block, Items) for block in found.blocks)
    assert any(
        str(block.text).endswith(f"{len(met)} of {len(met)} pass. All are met.")
        for block in found.blocks
        if isinstance(block, Paragraph)
    )


def test_a_thousand_cases_are_whole_and_add_up() -> None:
    own = [row for row in results()["predictive"] if not row["attribute"]]
    table = rows("per_thousand", "What happens")
    assert [row[0] for row in table] == ["39.1\u202f% (these data)", "2\u202f%", "10\u202f%"]
    for row, found in zip(table, own, strict=True):
        positives, tp, fn, negatives, fp, tn = map(int, row[1:])
        exact = found["per_thousand"]
        assert (tp + fn, fp + tn, positives + negatives) == (positives, negatives, 1000)
        for whole, key in ((positives, "positives"), (tp, "tp"), (fn, "fn"), (negatives, "negatives"), (fp, "fp"), (tn, "tn")):
            assert abs(whole - exact[key]) <= 1
    summary = sentences("summary")
    for row in table:
        assert f"{row[1]} of a thousand examinations show the finding (nodule)" in summary
        assert (
            f"notices {row[2]} of them and misses {row[3]}. Of the other {row[4]}, it raises a false alarm in {row[5]}" in summary
        )


def test_predictive_values_stand_at_every_prevalence() -> None:
    found = [row for row in results()["predictive"] if not row["attribute"]]
    fields = ("ppv", "npv", "number_needed_to_predict")
    assert [row[1:] for row in rows("per_thousand", "Predictive values by prevalence")] == [
        [estimate(row[f]) for f in fields] for row in found
    ]
    parts = [row for row in results()["predictive"] if row["attribute"] and not row["own"]]
    assert [row[1:] for row in rows("per_thousand", "Predictive values in subgroups")] == [
        [estimate(row[f]) for f in fields] for row in parts
    ]


def test_every_operating_point_has_its_table() -> None:
    for point in results()["operating_points"]:
        levels = [row for row in point["performance"] if row["attribute"]]
        expected = []
        for row in levels:
            counts = [row["patients"], row["studies"], *(row["counts"][cell] for cell in ("tp", "fn", "tn", "fp"))]
            values = [estimate(row[field]) for field in ("sensitivity", "specificity", "ppv", "npv")]
            shown = [f"{n:,}".replace(",", "\u202f") for n in counts] + values
            expected.append([name(row), *(["withheld"] * 2 + ["–"] * 4 + ["withheld"] * 4 if row["suppressed"] else shown)])
        assert rows("operating_points", f"Subgroups at the operating point {point['name']}") == expected
    firsts = [row[0] for row in rows("operating_points", "All cases")]
    assert firsts == ["Main: score ≥ 0.7311", "high-sensitivity: score ≥ 0.5", "high-specificity: score ≥ 0.9"]


def test_calibration_net_benefit_and_strata_are_those_of_the_json() -> None:
    assert rows("calibration", "Calibration;") == [
        [name(row), estimate(row["slope"]), estimate(row["intercept"], signed=True), estimate(row["observed_to_expected"]), estimate(row["brier"]),
         "–" if row["ece"] is None else number(row["ece"])]
        for row in results()["calibration"]
    ]  # fmt: skip
    assert rows("calibration", "Bins") == [
        [f"{number(each['lower_score'])} to {number(each['upper_score'])}", str(each["patients"]), str(each["studies"]), number(each["mean_score"]),
         estimate(each["observed"])]
        for each in results()["calibration"][0]["curve"]
    ]  # fmt: skip
    assert [row[1:3] for row in rows("decision", "Net benefit")] == [
        [estimate(row["model"], signed=True), number(row["treat_all"], signed=True)] for row in results()["net_benefit"]
    ]
    assert rows("strata", "Strata") == [
        [
            said,
            str(row["patients"]),
            str(row["studies"]),
            str(row["positives"]),
            estimate(row["observed"]),
            estimate(row["likelihood_ratio"]),
        ]
        for said, row in zip(
            ("below 0.1", "0.1 to below 0.4", "0.4 to below 0.8", "0.8 and above"), results()["strata"], strict=True
        )
    ]


def test_differences_have_their_intervals_and_all_p_values() -> None:
    levels = [row for row in results()["performance"] if row["against_rest"]]
    said = [
        row
        for table in section("differences").blocks
        if isinstance(table, Table) and table.caption.startswith("Differences")
        for row in table.rows
    ]
    assert len(said) == len(levels)
    for level, row in zip(levels, said, strict=True):
        found = {each["metric"]: each for each in level["against_rest"]}
        expected = [level["level"]]
        for field in ("auc", "sensitivity", "specificity"):
            each = found.get(field)
            if each is None:
                expected += ["–"] * 4
                continue
            word = " worse" if each["upper"] < 0 else " better" if each["lower"] > 0 else ""
            expected += [estimate({**each, "estimate": each["difference"]}, signed=True) + word]
            expected += [p(each["p"]), p(each["p_holm"]), p(each["p_benjamini_hochberg"])]
        assert [str(cell) for cell in row] == expected
    assert [row[4:7] for row in rows("differences", "Whether")] == [
        [p(test["p"]), p(test["p_holm"]), p(test["p_benjamini_hochberg"])] for test in results()["heterogeneity"]
    ]


def test_versions_are_compared_against_the_margin_with_words() -> None:
    comparison = results()["comparison"]
    for found, row in zip(comparison["differences"], rows("versions", "Paired"), strict=True):
        difference = found["difference"]
        assert row[0].startswith(name(found))
        assert row[3] == estimate(difference, signed=True)
        assert row[4] == p(found["p"])
        met = difference["lower"] is not None and difference["lower"] > -found["margin"]
        assert row[6] == ("✓ pass" if met else "? not estimable" if difference["estimate"] is None else "✗ fail")
    cells = ("both_positive", "only_new", "only_old", "both_negative")
    assert [row[1:] for row in rows("versions", "Who")] == [
        [str(row[cell]) for cell in cells] for row in comparison["reclassified"]
    ]
    assert "In all cases non-inferiority is shown for AUC, Sensitivity, Specificity." in sentences("versions")


def test_detection_is_that_of_the_json() -> None:
    whole, *levels = results()["detection"]
    assert [row[3] for row in rows("detection", "Lesion sensitivity in all")] == [
        estimate(at["sensitivity"]) for at in whole["at"]
    ]
    assert [row[1:] for row in rows("detection", "Lesions and")] == [
        [f"{row[field]:,}".replace(",", "\u202f") for field in ("cases", "lesions", "false_positives")]
        + [estimate(row["wafroc"])]
        for row in (whole, *levels)
    ]
    assert [row[3] for row in rows("detection", "Lesion sensitivity in sub")] == [
        estimate(at["sensitivity"]) for row in levels for at in row["at"]
    ]


def test_likelihood_ratios_prevalence_and_partial_auc_stand_beside_the_rest() -> None:
    overall = next(row for row in results()["performance"] if not row["attribute"])
    said = dict(row[:2] for row in rows("performance", "Estimates"))
    assert said["Prevalence"] == estimate(overall["prevalence"])
    assert said["Likelihood ratio of a positive reading"] == estimate(overall["lr_positive"])
    assert said["Likelihood ratio of a negative reading"] == estimate(overall["lr_negative"])
    assert said["Partial AUC, specificity 0.8 to 1, standardized"] == estimate(results()["partial_auc"]["standardized"])


def test_provenance_says_who_when_and_how_often_plans_were_opened() -> None:
    said = dict(rows("provenance", "What"))
    assert (said["Run by"], said["Year of the evaluation"]) == ("regulatory", "2026")
    assert said["Plan's history"] == "the reference standard was opened under 2 plans; this is not the first of them"
    assert (said["Seed of random numbers"], said["Intervals"]) == ("20250107", "95\u202f%; of proportions by Wilson")
    made_of = results()["provenance"]
    assert (
        said["Software"]
        == f"Safelight {made_of['safelight_version']}, numpy {made_of['numpy_version']}, scipy {made_of['scipy_version']}"
    )
    assert "The plan was changed after the reference standard" in sentences("summary")
    assert "Primary endpoint: AUC of all studies" in sentences("summary")
    assert "Nobody kept a register" in sentences("summary", "bare")


def test_withheld_levels_bins_and_strata_have_no_number_anywhere() -> None:
    plain = made.full()
    bins = plain.calibration[0].curve
    none = next(row.auc for row in plain.performance if row.suppressed)
    hidden_bin = bins[2].model_copy(
        update={"suppressed": True, "patients": 0, "studies": 0, "mean_score": None, "observed": none}
    )
    curve = (*bins[:2], hidden_bin, *bins[3:])
    whole = (plain.calibration[0].model_copy(update={"curve": curve}), *plain.calibration[1:])
    stratum = plain.strata[0].model_copy(
        update={"suppressed": True, "patients": 0, "studies": 0, "positives": 0, "observed": none, "likelihood_ratio": none}
    )
    report = make(plain.model_copy(update={"calibration": whole, "strata": (stratum, *plain.strata[1:])}))
    said = {
        each.name: [[str(cell) for cell in row] for block in each.blocks if isinstance(block, Table) for row in block.rows]
        for each in report.sections
    }
    assert [row[1:] for row in said["calibration"] if row[0].startswith(f"{number(hidden_bin.lower_score)} to")] == [
        ["withheld"] * 4
    ]
    assert said["strata"][0] == ["below 0.1", *["withheld"] * 5]
    small = [f"{row.attribute}: {row.level}" for row in plain.performance if row.suppressed]
    assert len(small) == 2
    for what in ("acceptance", "per_thousand", "calibration", "differences", "versions", "detection"):
        assert not [row for row in said[what] if any(level in row[0] for level in small)]


@pytest.mark.parametrize("case", ["full", "realistic"])
def test_methods_name_a_source_for_every_interval(case: str) -> None:
    table = [block for block in section("methods", case).blocks if isinstance(block, Table)]
    assert not [row for block in table for row in block.rows if str(row[3]).startswith("see docs")]
    if case == "full":
        used = {str(row[0]): str(row[1]) for row in table[0].rows}
        assert used["score intervals of sensitivity and threshold, square-and-add over patients"] == "ROC band"
        assert used["logistic recalibration, variance over patients"] == "Slope, Intercept"
