"""From tables to results: every study is accounted for, every declared level is a row, and what is missing is said."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import scipy
from sklearn.metrics import confusion_matrix, roc_auc_score

from tasks.errors import ConfigurationError, SafelightError
from tasks.evaluation.analysis import ROC_POINTS, analyse
from tasks.evaluation.cases import THICK, THIN
from tasks.evaluation.plan import NOT_DECLARED, NOT_STATED
from tasks.evaluation.results import Role
from tests.tasks.evaluation.cohorts import changed, columns, patient, plan, study, tables


def row(results, attribute, level):
    (found,) = [row for row in results.performance if (row.attribute, row.level) == (attribute, level)]
    return found


def reasons(results):
    return {entry.reason.partition(":")[0]: entry.studies for entry in results.excluded}


def test_counts_and_aucs_of_every_level_are_those_of_scikit_learn():
    made, results = columns(), analyse(*tables(), plan())
    masks = {
        ("", ""): made["label"] >= 0,
        ("sex", "F"): made["sex"] == "F",
        ("sex", "M"): made["sex"] == "M",
        ("slice_thickness", THIN): made["SliceThickness"] <= 3,
        ("slice_thickness", THICK): made["SliceThickness"] > 3,
    }
    assert [(found.attribute, found.level) for found in results.performance] == list(masks)
    for (attribute, level), mask in masks.items():
        found, labels, scores = row(results, attribute, level), made["label"][mask], made["score"][mask]
        tn, fp, fn, tp = confusion_matrix(labels, scores >= plan().threshold).ravel()
        assert found.counts.model_dump() == {"tp": tp, "fp": fp, "fn": fn, "tn": tn}
        assert found.auc.estimate == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
        assert found.sensitivity.estimate == pytest.approx(tp / (tp + fn), abs=1e-15)
        assert found.specificity.estimate == pytest.approx(tn / (tn + fp), abs=1e-15)
        assert found.ppv.estimate == pytest.approx(tp / (tp + fp), abs=1e-15)
        assert found.npv.estimate == pytest.approx(tn / (tn + fn), abs=1e-15)
        assert found.patients == len(set(made["patient"][mask]))
        assert (found.studies, found.positives, found.negatives) == (mask.sum(), labels.sum(), (1 - labels).sum())


def test_a_score_at_the_threshold_is_a_positive_reading():
    predictions, reference, cohort = tables(40)
    predictions = changed(predictions, "score", dict.fromkeys(range(40), 1.0))
    found = analyse(predictions, reference, cohort, plan(subgroups=[])).overall()
    assert (found.counts.fn, found.counts.tn) == (0, 0)
    assert found.auc.reason == "all scores are equal"
    assert found.npv.reason == "no case was read as negative"


def test_the_report_is_told_of_the_harder_subgroup():
    said = analyse(*tables(), plan()).limitations
    assert said[0].startswith(f"The model does worse where slice_thickness = {THICK}: AUC 0.")
    assert "in all other cases (difference -0." in said[0]
    assert any("without correction for multiple comparisons" in line for line in said)
    assert not any(THIN in line for line in said)


def test_rows_in_another_order_give_the_same_bytes():
    given = tables()
    order = np.random.default_rng(0).permutation(300)
    moved = [table.take(order).select(table.column_names[::-1]) for table in given]
    assert analyse(*moved, plan()).model_dump_json() == analyse(*given, plan()).model_dump_json()


def test_every_study_is_analysed_or_excluded_for_one_reason():
    predictions, reference, cohort = tables()
    predictions = changed(predictions, "score", {0: None, 1: float("nan"), 2: float("inf"), 3: None})
    predictions = changed(predictions, "reason_code", {3: "E-STAGE-UNEXPECTED", 4: "E-STAGE-UNEXPECTED"})
    predictions = predictions.filter(pc.invert(pc.is_in(predictions["StudyInstanceUID"], pa.array([study(5), study(6)]))))
    reference = changed(reference, "label", {6: None, 7: None}).slice(0, 299)
    results = analyse(predictions, reference, cohort.slice(0, 290), plan())
    assert reasons(results) == {
        "E-EVAL-SCORE": 3, "E-STAGE-UNEXPECTED": 2, "E-EVAL-NO-PREDICTION": 1, "E-EVAL-NO-REFERENCE": 1, "E-EVAL-INDETERMINATE": 2,
    }  # fmt: skip
    assert results.overall().studies + sum(entry.studies for entry in results.excluded) == 300
    assert results.worst_case.studies == results.overall().studies + 6
    assert row(results, "sex", NOT_STATED).studies == 9


def test_in_the_worst_case_each_unread_case_is_an_error():
    predictions, reference, cohort = tables()
    labels = columns()["label"]
    lost = list(range(12))
    results = analyse(changed(predictions, "score", dict.fromkeys(lost)), reference, cohort, plan())
    main, worst = results.overall(), results.worst_case
    positives = int(labels[lost].sum())
    assert 0 < positives < 12
    assert (worst.counts.tp, worst.counts.tn) == (main.counts.tp, main.counts.tn)
    assert (worst.counts.fn, worst.counts.fp) == (main.counts.fn + positives, main.counts.fp + 12 - positives)
    wrong = np.where(labels == 1, -1e9, 1e9)
    scores = np.where(np.arange(300) < 12, wrong, columns()["score"])
    assert worst.auc.estimate == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert any("did not read 12 of 300 studies" in line for line in results.limitations)


def test_with_everything_read_the_worst_case_is_the_main_one():
    results = analyse(*tables(), plan())
    assert results.worst_case == results.overall()
    assert results.excluded == ()


def test_declared_levels_stay_and_others_are_gathered():
    predictions, reference, cohort = tables()
    cohort = changed(cohort, "sex", {**dict.fromkeys(range(20), None), **dict.fromkeys(range(20, 60), "O"), 60: " "})
    results = analyse(predictions, reference, cohort, plan(subgroups=[{"attribute": "sex", "levels": ["F", "M", "X"]}]))
    assert [found.level for found in results.performance[1:]] == ["F", "M", "X", NOT_STATED, NOT_DECLARED]
    empty = row(results, "sex", "X")
    assert (empty.studies, empty.suppressed, empty.auc.reason) == (0, False, "no cases")
    assert (row(results, "sex", NOT_STATED).studies, row(results, "sex", NOT_DECLARED).studies) == (21, 40)
    assert sum(found.studies for found in results.performance[1:]) == 300
    assert any("There are no cases where sex = X" in line for line in results.limitations)
    assert any("sex is not stated for 21 of 300 studies" in line for line in results.limitations)
    assert [entry.level for entry in results.baseline] == [found.level for found in results.performance[1:]]


def test_a_small_level_is_neither_counted_nor_estimated_nor_drawn():
    predictions, reference, cohort = tables()
    cohort = changed(cohort, "sex", {0: "O", 1: "O"})
    results = analyse(predictions, reference, cohort, plan(subgroups=[{"attribute": "sex", "levels": ["F", "M", "O"]}]))
    small = row(results, "sex", "O")
    assert small.suppressed
    assert (small.patients, small.studies, small.positives, small.counts.tp) == (0, 0, 0, 0)
    assert small.auc.reason == "fewer than 5 patients"
    hidden = [found.level for found in results.performance if found.suppressed]
    assert len(hidden) == 2  # and one more, or the total would give it back
    assert all(found.studies == 0 for found in results.baseline if found.suppressed)
    assert not any(curve.level in hidden for curve in results.roc)
    assert any("Withheld because of few patients" in line for line in results.limitations)


def test_too_few_patients_altogether_show_nothing():
    results = analyse(*(table.slice(0, 3) for table in tables()), plan(subgroups=[]))
    assert results.overall().suppressed
    assert results.worst_case.suppressed
    assert results.roc == ()
    assert "nothing can be estimated" in " ".join(results.limitations)


def test_no_cases_at_all_give_rows_without_numbers():
    results = analyse(*(table.slice(0, 0) for table in tables()), plan())
    assert [found.level for found in results.performance] == ["", "F", "M", THIN, THICK]
    assert {found.auc.reason for found in results.performance} == {"no cases"}
    assert any("nothing can be estimated" in line for line in results.limitations)


def test_only_positives_leave_specificity_without_a_number():
    predictions, reference, cohort = tables(60)
    results = analyse(predictions, changed(reference, "label", dict.fromkeys(range(60), 1)), cohort, plan())
    assert results.overall().specificity.reason == "no negative cases"
    assert results.overall().auc.reason == "no negative cases"
    assert results.overall().sensitivity.status == "estimated"
    assert any("overall AUC is not estimable: no negative cases" in line for line in results.limitations)


@pytest.mark.parametrize(("millimetres", "level"), [(0.6, THIN), (3.0, THIN), (3.0000004, THIN), (3.01, THICK), (10.0, THICK)])
def test_slices_up_to_three_millimetres_are_thin(millimetres, level):
    predictions, reference, cohort = tables(40)
    cohort = changed(cohort, "SliceThickness", dict.fromkeys(range(40), millimetres))
    assert row(analyse(predictions, reference, cohort, plan()), "slice_thickness", level).studies == 40


@pytest.mark.parametrize("millimetres", [None, 0.0, -1.0])
def test_a_thickness_that_is_none_is_not_stated(millimetres):
    predictions, reference, cohort = tables(40)
    cohort = changed(cohort, "SliceThickness", dict.fromkeys(range(40), millimetres))
    assert row(analyse(predictions, reference, cohort, plan()), "slice_thickness", NOT_STATED).studies == 40


def test_numbers_are_levels_as_a_plan_writes_them():
    predictions, reference, cohort = tables()
    results = analyse(predictions, reference, cohort, plan(subgroups=[{"attribute": "SliceThickness", "levels": ["2.5", "5"]}]))
    thick = columns()["SliceThickness"] == 5.0
    assert [found.studies for found in results.performance] == [300, 300 - thick.sum(), thick.sum()]


def test_every_level_is_held_against_all_other_cases():
    made, results = columns(), analyse(*tables(), plan())
    thick, thin = row(results, "slice_thickness", THICK), row(results, "slice_thickness", THIN)
    other = made["SliceThickness"] <= 3
    (area,) = [found for found in thick.against_rest if found.metric == "auc"]
    assert area.rest == pytest.approx(roc_auc_score(made["label"][other], made["score"][other]), abs=1e-12)
    assert area.difference == pytest.approx(thick.auc.estimate - thin.auc.estimate, abs=1e-12)
    assert thick.harder("auc")
    assert not thin.harder("auc")
    assert row(results, "", "").against_rest == ()


def test_a_small_level_alone_is_withheld_where_the_plan_says_so():
    predictions, reference, cohort = tables(60)
    few = changed(cohort, "sex", {0: "O"})
    subgroups = [{"attribute": "sex", "levels": ["F", "M", "O"]}]
    careful = analyse(predictions, reference, few, plan(subgroups=subgroups))
    plain = analyse(predictions, reference, few, plan(subgroups=subgroups, complementary_suppression=False))
    assert [found.level for found in careful.performance if found.suppressed] != ["O"]
    assert [found.level for found in plain.performance if found.suppressed] == ["O"]


def test_attributes_of_the_series_may_stand_beside_the_predictions():
    predictions, reference, cohort = tables()
    beside = predictions.append_column("SliceThickness", cohort["SliceThickness"])
    beside = beside.append_column("Manufacturer", pa.array(["V"] * 300))
    subgroups = [{"attribute": "Manufacturer", "levels": ["V", "W"]}, {"attribute": "slice_thickness", "levels": [THIN, THICK]}]
    results = analyse(beside, reference, cohort.drop_columns(["SliceThickness"]), plan(subgroups=subgroups))
    assert row(results, "Manufacturer", "V").studies == 300
    assert row(results, "slice_thickness", THICK).auc == row(analyse(*tables(), plan()), "slice_thickness", THICK).auc


def test_one_site_is_said_to_be_one_site():
    predictions, reference, cohort = tables()
    sited = cohort.append_column("site", pa.array(["A"] * 300))
    subgroups = [{"attribute": "site", "levels": ["A", "B"]}]
    assert "All cases are of one site" in " ".join(analyse(predictions, reference, sited, plan(subgroups=subgroups)).limitations)
    both = cohort.append_column("site", pa.array(["A", "B"] * 150))
    assert "one site" not in " ".join(analyse(predictions, reference, both, plan(subgroups=subgroups)).limitations)


def test_synthetic_data_are_called_synthetic():
    assert "The data are synthetic" in " ".join(analyse(*tables(), plan(synthetic=True)).limitations)


def test_accountability_is_summed_over_studies_in_the_order_of_the_night():
    ends = [
        {"StudyInstanceUID": study(i), "stage": stage, "outcome": outcome, "reason_code": "", "unit": "instance", "n": 10}
        for i in range(3) for stage, outcome in (("volumes", "converted"), ("pull", "pulled"))
    ]  # fmt: skip
    found = analyse(*tables(40), plan(), accountability=ends).accountability
    assert [(entry.stage, entry.n) for entry in found] == [("pull", 30), ("volumes", 30)]


def test_a_long_roc_curve_is_thinned_and_keeps_its_ends():
    results = analyse(*tables(6000), plan(subgroups=[]))
    (curve,) = results.roc
    assert len(curve.fpr) <= ROC_POINTS
    assert (curve.fpr[0], curve.tpr[0], curve.fpr[-1], curve.tpr[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(curve.tpr, curve.fpr) == pytest.approx(results.overall().auc.estimate, abs=2e-3)


def test_provenance_names_plan_model_and_inputs():
    found = analyse(*tables(), plan()).provenance
    assert (found.plan_name, found.plan_sha256) == ("test", plan().sha256)
    assert (found.model_name, found.model_version, found.weights_sha256) == ("m", "1.0", "ab" * 32)
    predictions, reference, cohort = tables()
    other = analyse(changed(predictions, "score", {0: 0.5}), reference, cohort, plan()).provenance
    assert other.predictions_sha256 != found.predictions_sha256
    assert (other.reference_sha256, other.cohort_sha256) == (found.reference_sha256, found.cohort_sha256)


# ---- guards: each broken on purpose ---------------------------------------------------------------------------------------


def repeated(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table, table.slice(3, 2)])


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_case_that_stands_twice_is_refused(position):
    given = list(tables(40))
    given[position] = repeated(given[position])
    with pytest.raises(SafelightError, match="2 rows beyond the first") as caught:
        analyse(*given, plan())
    assert caught.value.code == "E-EVAL-DUPLICATE"


def test_several_series_of_a_study_are_refused_unless_the_plan_takes_the_maximum():
    predictions, reference, cohort = tables(40)
    series = predictions.append_column("SeriesInstanceUID", pa.array([f"2.25.{i}" for i in range(40)]))
    more = changed(series.slice(0, 10), "SeriesInstanceUID", {i: f"2.25.{90 + i}" for i in range(10)})
    lower = changed(more, "score", dict.fromkeys(range(10), -99.0))
    both = pa.concat_tables([lower, series])
    with pytest.raises(SafelightError, match="E-EVAL-DUPLICATE"):
        analyse(both, reference, cohort, plan())
    found = analyse(both, reference, cohort, plan(several_series="maximum"))
    assert found.overall() == analyse(series, reference, cohort, plan()).overall()
    with pytest.raises(SafelightError, match="E-EVAL-DUPLICATE"):
        analyse(pa.concat_tables([both, more]), reference, cohort, plan(several_series="maximum"))


def test_a_series_that_was_read_stands_for_its_study_beside_one_that_was_not():
    predictions, reference, cohort = tables(40)
    unread = changed(predictions.slice(0, 5), "score", dict.fromkeys(range(5)))
    unread = changed(unread, "reason_code", dict.fromkeys(range(5), "E-X"))
    found = analyse(pa.concat_tables([unread, predictions]), reference, cohort, plan())
    assert found.overall() == analyse(predictions, reference, cohort, plan()).overall()


@pytest.mark.parametrize("label", [2, -1])
def test_a_label_other_than_0_and_1_is_refused(label):
    predictions, reference, cohort = tables(40)
    with pytest.raises(SafelightError, match="1 of 40 labels") as caught:
        analyse(predictions, changed(reference, "label", {7: label}), cohort, plan())
    assert caught.value.code == "E-EVAL-LABEL"


@pytest.mark.parametrize(
    ("labels", "kind"), [({0: float("nan")}, pa.float64()), ({0: 0.5}, pa.float64()), ({0: "yes"}, pa.string())]
)
def test_a_label_that_is_no_class_is_refused_in_any_type(labels, kind):
    predictions, reference, cohort = tables(40)
    texts = [value if kind != pa.string() else str(value) for value in reference["label"].to_pylist()]
    typed = reference.set_column(2, "label", pa.array([labels.get(i, value) for i, value in enumerate(texts)], kind))
    with pytest.raises(SafelightError, match="E-EVAL-LABEL"):
        analyse(predictions, typed, cohort, plan())


def test_labels_may_be_booleans():
    predictions, reference, cohort = tables(40)
    booleans = reference.set_column(2, "label", reference["label"].cast(pa.bool_()))
    assert analyse(predictions, booleans, cohort, plan()).performance == analyse(*tables(40), plan()).performance


def test_another_finding_or_model_is_left_out_and_nothing_left_is_refused():
    predictions, reference, cohort = tables(40)
    other = changed(predictions, "finding", dict.fromkeys(range(40), "effusion"))
    both = pa.concat_tables([predictions, other])
    assert analyse(both, reference, cohort, plan()).performance == analyse(predictions, reference, cohort, plan()).performance
    for wrong in (plan(finding="effusion"), plan(model="n"), plan(model="m@2.0")):
        with pytest.raises(ConfigurationError, match="E-EVAL-MODEL"):
            analyse(predictions, reference, cohort, wrong)
    with pytest.raises(ConfigurationError, match="rows of the reference, none for effusion"):
        analyse(other, reference, cohort, plan(finding="effusion"))


def test_two_versions_are_refused_unless_the_plan_names_one():
    predictions, reference, cohort = tables(40)
    newer = changed(predictions, "model_version", dict.fromkeys(range(40), "2.0"))
    both = pa.concat_tables([predictions, newer])
    with pytest.raises(ConfigurationError, match="model_version: 2 different ones") as caught:
        analyse(both, reference, cohort, plan())
    assert caught.value.code == "E-EVAL-VERSIONS"
    assert analyse(both, reference, cohort, plan(model="m@2.0")).provenance.model_version == "2.0"


def test_two_sets_of_weights_under_one_version_are_refused():
    predictions, reference, cohort = tables(40)
    with pytest.raises(ConfigurationError, match="weights_sha256: 2 different ones"):
        analyse(changed(predictions, "weights_sha256", {0: "cd" * 32}), reference, cohort, plan())


def test_tables_that_disagree_about_a_patient_are_refused():
    predictions, reference, cohort = tables(40)
    with pytest.raises(SafelightError, match="1 studies have more than one PatientID"):
        analyse(predictions, reference, changed(cohort, "PatientID", {0: patient(999)}), plan())


def test_without_any_patient_studies_are_not_taken_for_independent():
    predictions, reference, cohort = tables(40)
    with pytest.raises(ConfigurationError, match="no table has a PatientID"):
        analyse(predictions.drop_columns(["PatientID"]), reference, cohort.drop_columns(["PatientID"]), plan())


def test_a_case_without_a_patient_is_excluded():
    predictions, reference, cohort = tables(40)
    none = changed(predictions, "PatientID", {0: None}), reference, changed(cohort, "PatientID", {0: None})
    results = analyse(*none, plan())
    assert reasons(results) == {"E-EVAL-NO-PATIENT": 1}
    assert results.overall().studies == 39


def test_any_table_may_name_the_patient():
    predictions, reference, cohort = tables(40)
    bare = predictions.drop_columns(["PatientID"])
    assert analyse(bare, reference, cohort, plan()).performance == analyse(predictions, reference, cohort, plan()).performance


def test_an_attribute_that_the_cohort_lacks_is_refused():
    with pytest.raises(ConfigurationError, match="planet") as caught:
        analyse(*tables(40), plan(subgroups=[{"attribute": "planet", "levels": ["Earth"]}]))
    assert caught.value.code == "E-EVAL-ATTRIBUTE"


@pytest.mark.parametrize(("position", "column"), [(0, "score"), (0, "StudyInstanceUID"), (1, "label"), (2, "StudyInstanceUID")])
def test_a_missing_column_is_named(position, column):
    given = list(tables(40))
    given[position] = given[position].drop_columns([column])
    with pytest.raises(ConfigurationError, match=column) as caught:
        analyse(*given, plan())
    assert caught.value.code == "E-EVAL-COLUMN"


def test_a_score_that_is_text_is_refused():
    predictions, reference, cohort = tables(40)
    texts = predictions.set_column(predictions.column_names.index("score"), "score", pa.array(["high"] * 40))
    with pytest.raises(ConfigurationError, match="score can't be read as numbers"):
        analyse(texts, reference, cohort, plan())


def test_without_a_threshold_nothing_is_evaluated():
    with pytest.raises(ConfigurationError, match="E-EVAL-THRESHOLD"):
        analyse(*tables(40), plan(threshold="manifest"))
    assert analyse(*tables(40), plan(threshold="manifest"), threshold=1.0).threshold == 1.0


def test_the_number_of_threads_of_the_linear_algebra_does_not_matter(tmp_path):
    code = (
        "from tests.tasks.evaluation.cohorts import plan, tables; from tasks.evaluation.analysis import analyse; import hashlib;"
        "print(hashlib.sha256(analyse(*tables(60_000), plan()).model_dump_json().encode()).hexdigest())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"OPENBLAS_NUM_THREADS": n}, capture_output=True, text=True, check=True
        ).stdout
        for n in ("1", "2")
    }
    assert len(said) == 1


def test_the_worst_case_does_not_give_hidden_cases_back():
    predictions, reference, cohort = tables(40)
    predictions = changed(predictions, "score", dict.fromkeys(range(3, 40)), pa.float64())
    results = analyse(predictions, reference, cohort, plan(subgroups=[]))
    assert results.overall().suppressed
    assert results.worst_case.suppressed


def test_few_cases_of_either_kind_are_said_to_be_few():
    made = columns()
    positives = int(made["label"].sum())
    assert positives >= 100
    assert not any("are advised" in line for line in analyse(*tables(), plan()).limitations)
    small = columns(120)["label"]
    (said,) = [line for line in analyse(*tables(120), plan()).limitations if "are advised" in line]
    assert said.startswith(f"Cases with the finding: {small.sum()}, without: {120 - small.sum()}. At least 100 of each")


def test_subgroups_with_wide_intervals_are_named():
    results = analyse(*tables(120), plan())
    (said,) = [line for line in results.limitations if "is wider than 0.30" in line]
    for row in results.performance[1:]:
        wide = [
            name for name in ("auc", "sensitivity", "specificity") if getattr(row, name).upper - getattr(row, name).lower > 0.3
        ]
        named = f"{row.attribute} = {row.level} ({', '.join(wide).replace('auc', 'AUC')})"
        assert (named in said) == bool(wide)
    assert not any("is wider than" in line for line in analyse(*tables(3000), plan()).limitations)


@pytest.mark.parametrize("how", ["exclude", "positive"])
def test_the_share_of_an_indeterminate_reference_standard_is_told(how):
    predictions, reference, cohort = tables()
    reference = changed(reference, "label", dict.fromkeys(range(12), None))
    said = analyse(predictions, reference, cohort, plan(indeterminate=how)).limitations
    assert "The reference standard is indeterminate for 12 of 300 studies (4.0 %)." in said
    assert not any("is indeterminate for" in line for line in analyse(*tables(), plan()).limitations)


def test_who_ran_it_and_when_are_noted_as_the_caller_says():
    made = analyse(*tables(), plan(interval="jeffreys", seed=7), role=Role.REGULATORY, year=2026).provenance
    assert (made.role, made.year, made.interval, made.seed) == ("regulatory", 2026, "jeffreys", 7)
    assert (made.numpy_version, made.scipy_version) == (np.__version__, scipy.__version__)
    silent = analyse(*tables(), plan()).provenance
    assert (silent.role, silent.year) == (None, None)
