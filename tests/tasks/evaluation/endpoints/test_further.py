"""Masks, measurements, repeated measurements and readers in results.json: what pandas, statsmodels, scipy and scikit-learn find in the same rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import statsmodels.api as sm
from scipy import stats
from sklearn.metrics import roc_auc_score
from statsmodels.stats.anova import anova_lm

from tasks.errors import ConfigurationError, SafelightError
from tasks.evaluation.analysis import analyse
from tasks.evaluation.endpoints.further import Tables
from tasks.evaluation.endpoints.read import clustered_figures
from tasks.evaluation.readers import figures
from tests.tasks.evaluation.cohorts import changed, columns, patient, plan, tables
from tests.tasks.evaluation.endpoints.made import ASKED, evaluated, measurements, overlaps, readings


@pytest.fixture(scope="module")
def results():
    return evaluated()


def people() -> pd.DataFrame:
    return pd.DataFrame({name: columns()[name] for name in ("study", "patient", "sex", "label")})


def of(table: pa.Table) -> pd.DataFrame:
    return table.to_pandas().merge(people(), left_on="StudyInstanceUID", right_on="study")


def mean_over_patients(values: pd.Series, patients: pd.Series) -> tuple[float, float, float]:
    """The mean with statsmodels' standard error over clusters."""
    fit = sm.OLS(values.to_numpy(), np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": pd.factorize(patients)[0], "use_correction": False}
    )
    k = patients.nunique()
    reach = stats.norm.ppf(0.975) * fit.bse[0] * np.sqrt(k / (k - 1))
    return fit.params[0], fit.params[0] - reach, fit.params[0] + reach


# ---- masks ----------------------------------------------------------------------------------------------------------------


def test_means_of_masks_are_clustered_means_in_every_level(results):
    frame = of(overlaps())
    seen = 0
    for row in results.segmentation:
        if row.attribute == "slice_thickness":
            continue
        mine = frame[(frame.structure == row.structure) & ((frame.sex == row.level) | (row.level == ""))]
        assert (row.cases, row.patients) == (len(mine), mine.patient.nunique())
        for name in ("dice", "mean_distance", "hausdorff_95"):
            there, found = mine[mine[name].notna()], getattr(row, name)
            assert (found.estimate, found.lower, found.upper) == pytest.approx(
                mean_over_patients(there[name], there.patient), rel=1e-9
            )
            seen += 1
    assert seen == 18


def test_empty_masks_are_counted_and_have_no_distance(results):
    whole = {row.structure: row for row in results.segmentation if not row.attribute}
    assert (whole["liver"].one_empty, whole["lesion"].one_empty, whole["lesion"].both_empty) == (0, 30, 0)
    frame = of(overlaps())
    lesions = frame[frame.structure == "lesion"]
    assert whole["lesion"].dice.estimate == pytest.approx(lesions.dice.mean())
    assert whole["lesion"].hausdorff.estimate == pytest.approx(lesions.hausdorff.dropna().mean())


def test_volumes_are_held_against_each_other_in_millilitres(results):
    frame = of(overlaps())
    liver = frame[frame.structure == "liver"]
    apart = (liver.volume - liver.reference_volume) / 1000
    whole = next(row for row in results.segmentation if row.structure == "liver")
    assert whole.volumes.bias.estimate == pytest.approx(apart.mean())
    table = anova_lm(sm.formula.ols("d ~ C(p)", pd.DataFrame({"d": apart.to_numpy(), "p": liver.patient.to_numpy()})).fit())
    between, within = table["mean_sq"]
    sizes = liver.groupby("patient").size()
    typical = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / (len(sizes) - 1)
    assert whole.volumes.sd == pytest.approx(np.sqrt(within + max(between - within, 0) / typical), rel=1e-9)


# ---- measurements ---------------------------------------------------------------------------------------------------------


def test_agreement_is_that_of_the_rows_with_both_values(results):
    frame = of(measurements())
    for row in results.agreement:
        if row.attribute == "slice_thickness":
            continue
        mine = frame[(frame.sex == row.level) | (row.level == "")]
        apart = mine.value - mine.reference_value
        found = row.mean_absolute_error
        assert (found.estimate, found.lower, found.upper) == pytest.approx(
            mean_over_patients(apart.abs(), mine.patient), rel=1e-9
        )
        assert row.root_mean_square_error.estimate == pytest.approx(np.sqrt((apart**2).mean()))
        axes = np.linalg.svd(
            np.stack([mine.reference_value - mine.reference_value.mean(), mine.value - mine.value.mean()], axis=1)
        )[2]
        assert row.slope.estimate == pytest.approx(axes[0, 1] / axes[0, 0], rel=1e-9)
    assert results.agreement[0].slope.lower < 1.03 < results.agreement[0].slope.upper


def test_repeatability_is_the_residual_over_patients_and_targets(results):
    frame = of(measurements())
    frame["subject"] = frame.patient + frame.target
    frame = frame[frame.groupby("subject").subject.transform("size") > 1]
    table = anova_lm(sm.formula.ols("value ~ C(subject)", frame).fit())
    whole = results.repeatability[0]
    assert (whole.measurements, whole.patients) == (len(frame), frame.patient.nunique())
    assert whole.freedom == int(table["df"].iloc[1])
    assert whole.wsd.estimate == pytest.approx(np.sqrt(table["mean_sq"].iloc[1]), rel=1e-9)
    assert whole.wsd.lower < 1.0 < whole.wsd.upper  # the noise that was put in


# ---- readers --------------------------------------------------------------------------------------------------------------


def test_readers_areas_are_scikit_learns_and_names_are_not_told(results):
    frame, whole = of(readings()), results.reader_study[0]
    for each in whole.figures:
        mine = frame[(frame.modality == each.modality) & (frame.reader == f"Dr. Name {each.reader - 1}")]
        assert each.value == pytest.approx(roc_auc_score(mine.label, mine.score), rel=1e-12)
    assert "Dr." not in results.model_dump_json()
    (both,) = [each for each in whole.differences if each.generalized == "readers_and_cases"]
    assert (both.first, both.second, both.non_inferior) == ("with", "without", True)
    assert whole.covariance == "Obuchowski (patients as clusters)"
    t = stats.t.ppf(0.975, both.difference.freedom)
    assert both.difference.upper - both.difference.estimate == pytest.approx(t * both.difference.standard_error, rel=1e-9)


@pytest.mark.parametrize("figure", ["auc", "sensitivity", "specificity"])
def test_covariances_over_patients_are_delongs_where_each_has_one_case(figure):
    rng = np.random.default_rng(5)
    labels = np.arange(40) % 2
    scores = np.round(rng.normal(size=(2, 3, 40)) + rng.normal(size=40) + labels, 1)
    given = scores if figure == "auc" else (scores > 0.5).astype(float)
    one, other = (
        clustered_figures(given, labels.astype(float), np.arange(40), figure),
        figures(given, labels, figure=figure, covariance="delong"),
    )
    np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(one.values, other.values)


def test_covariances_over_patients_are_near_those_of_leaving_patients_out():
    rng = np.random.default_rng(6)
    owner = np.repeat(np.arange(120), 3)
    labels = (rng.random(360) < 0.4).astype(float)
    scores = labels + rng.normal(size=120)[owner] + 0.7 * rng.normal(size=(2, 2, 360))
    flat = scores.reshape(4, -1)
    left = np.array([[roc_auc_score(labels[owner != k], row[owner != k]) for k in range(120)] for row in flat])
    found = clustered_figures(scores, labels, owner, "auc").covariance
    np.testing.assert_allclose(found, np.cov(left) * 119**2 / 120, rtol=0.05)
    assert found[0, 0] > 1.1 * figures(scores, labels, covariance="delong").covariance[0, 0]


def test_cases_that_not_everybody_read_are_left_out_and_counted():
    table = readings()
    results = evaluated(given=Tables(readings=table.slice(5)))
    assert (results.reader_study[0].cases, results.reader_study[0].incomplete) == (295, 5)
    (given,) = results.given
    assert (given.rows, given.used, given.unusable) == (2395, 295 * 8, 35)


# ---- who is shown ---------------------------------------------------------------------------------------------------------


def small() -> tuple[pa.Table, ...]:
    """Three patients of a level F2, of whom one has no masks: F2 has two here."""
    predictions, reference, cohort = tables()
    rows = {place: "F2" for place, who in enumerate(columns()["patient"]) if who in {patient(0), patient(1), patient(2)}}
    return predictions, reference, changed(cohort, "sex", rows)


def test_small_levels_are_hidden_in_every_table_with_another_one():
    scheme = plan(**ASKED, subgroups=[{"attribute": "sex", "levels": ["F", "M", "F2", "X"]}])
    results = analyse(*small(), scheme, beside=Tables(overlaps(), measurements(), readings()))
    for rows in (results.segmentation, results.agreement, results.repeatability, results.reader_study):
        hidden = {row.level for row in rows if row.suppressed}
        assert "F2" in hidden
        assert len(hidden) >= 2
        for row in rows:
            if row.suppressed:
                said = row.model_dump_json(exclude={"level", "attribute", "structure", "measurement"})
                assert '"estimate":0' not in said
                assert row.patients == 0
                assert '"status":"estimated"' not in said
            if row.level == "X":
                assert not row.suppressed


def test_a_level_that_is_too_small_in_a_further_table_alone_is_hidden_there():
    found = columns()
    kept = [place for place, sex in enumerate(found["sex"]) if sex == "F" or found["patient"][place] in {patient(1), patient(3)}]
    table = overlaps().filter(pa.compute.is_in(overlaps()["StudyInstanceUID"], pa.array(found["study"][kept])))
    results = evaluated(given=Tables(overlaps=table))
    assert not any(row.suppressed for row in results.performance)
    assert {row.level for row in results.segmentation if row.suppressed and row.attribute == "sex"} == {"F", "M"}


def test_nothing_is_shown_where_the_performance_of_all_cases_is_withheld():
    results = evaluated(minimum_cases=290)
    assert (results.segmentation, results.agreement, results.reader_study, results.given) == ((), (), (), ())


def test_the_density_has_full_cells_only_and_its_edges_tell_no_value(results):
    frame = of(measurements())
    x, y = (frame.value + frame.reference_value) / 2, frame.value - frame.reference_value
    assert len(results.agreement[0].density) > 5
    for cell in results.agreement[0].density:
        inside = (x >= cell.mean[0]) & (x < cell.mean[1]) & (y >= cell.difference[0]) & (y < cell.difference[1])
        assert (cell.patients, cell.cases) == (frame.patient[inside].nunique(), inside.sum())
        assert cell.patients >= results.minimum_cases
        for low, high in (cell.mean, cell.difference):
            assert low / (high - low) == pytest.approx(round(low / (high - low)), abs=1e-9)
    assert all(not row.density for row in results.agreement if row.attribute)


# ---- where rows go, and what is refused -----------------------------------------------------------------------------------


def test_rows_of_every_kind_are_counted():
    table = overlaps()
    odd = pa.table({
        "StudyInstanceUID": ["nobody's", columns()["study"][0], columns()["study"][1]], "structure": ["liver", "spleen", "lesion"],
        "dice": pa.array([0.5, 0.5, None], pa.float64()), "volume": pa.array([1.0, 1.0, None]), "reference_volume": pa.array([1.0, 1.0, None]),
        "reason_code": [None, None, "E-EVAL-MASK-GRID"],
    })  # fmt: skip
    kept = table.slice(0, 301).take(pa.array([*range(301)]))  # the second study's lesion is not there
    (given,) = evaluated(given=Tables(overlaps=pa.concat_tables([kept, odd], promote_options="default"))).given
    assert (given.rows, given.used, given.unknown, given.not_in_plan, given.unusable) == (304, 301, 1, 1, 1)


def test_a_section_without_its_table_is_a_limitation():
    said = " ".join(analyse(*tables(), plan(**ASKED)).limitations)
    for name in ("overlaps", "measurements", "readings"):
        assert f"no table of {name} was given" in said


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        (Tables(overlaps=overlaps()), ConfigurationError, "E-EVAL-OVERLAPS"),
        (Tables(measurements=measurements()), ConfigurationError, "E-EVAL-MEASUREMENTS"),
        (Tables(readings=readings()), ConfigurationError, "E-EVAL-READINGS"),
    ],
)
def test_a_table_that_the_plan_does_not_ask_for_is_refused(given, error, said):
    with pytest.raises(error, match=said):
        analyse(*tables(), plan(), beside=given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Tables(overlaps=pa.concat_tables([overlaps(), overlaps().slice(0, 3)])), "overlaps: 3 rows beyond the first"),
        (Tables(overlaps=changed(overlaps(), "dice", {0: 1.5, 1: -0.1})), "2 values of dice"),
        (Tables(overlaps=changed(overlaps(), "dice", {0: None}, pa.float64())), "1 rows have no dice"),
        (Tables(measurements=changed(measurements(), "value", {0: np.inf})), "1 rows have a value that is infinite"),
        (Tables(measurements=measurements().drop_columns("target")), "measurements: 300 rows beyond the first"),
        (Tables(readings=pa.concat_tables([readings(), readings().slice(0, 2)])), "readings: 2 rows beyond the first"),
        (Tables(readings=readings().slice(0, 1200)), "1 of 2 modalities of the plan have no readings"),
        (Tables(readings=changed(readings(), "score", {0: np.inf})), "1 scores are infinite"),
    ],
)
def test_tables_that_can_not_be_are_refused(given, said):
    with pytest.raises(SafelightError, match=said):
        evaluated(given=given)


def test_a_column_that_is_missing_is_named():
    with pytest.raises(ConfigurationError, match="overlaps: volume"):
        evaluated(given=Tables(overlaps=overlaps().drop_columns("volume")))


def test_the_order_of_rows_does_not_matter():
    tables_ = [overlaps(), measurements(), readings()]
    shuffled = [table.take(pa.array(np.random.default_rng(9).permutation(table.num_rows))) for table in tables_]
    one, other = evaluated(given=Tables(*tables_)), evaluated(given=Tables(*shuffled))
    assert one == other
