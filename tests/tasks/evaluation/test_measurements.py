"""Masks, measurements and repeated measurements: ITK, scipy, statsmodels and definitions give the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import SimpleITK
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.anova import anova_lm

from tasks.evaluation.agreement import bland_altman, deming, errors
from tasks.evaluation.replicates import repeatability
from tasks.evaluation.segmentation import overlap


def ball(centre, radius, shape=(24, 30, 28), spacing=(1.0, 1.0, 1.0)):
    grid = np.stack(np.meshgrid(*(np.arange(n) * s for n, s in zip(shape, spacing, strict=True)), indexing="ij"), axis=-1)
    return np.linalg.norm(grid - np.array(centre), axis=-1) <= radius


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.5, 0.7, 0.7)])
@pytest.mark.parametrize("shift", [0.0, 1.5, 6.0])
def test_surface_distances_are_those_of_itk(spacing, shift):
    middle = np.array([24, 30, 28]) * np.array(spacing) / 2
    one, other = ball(middle, 5.0, spacing=spacing), ball(middle + shift * np.array(spacing) / 2, 6.0, spacing=spacing)
    images = [SimpleITK.GetImageFromArray(each.astype(np.uint8)) for each in (one, other)]
    for image in images:
        image.SetSpacing(spacing[::-1])
    contours = [SimpleITK.LabelContour(image, fullyConnected=False) for image in images]
    maps = [
        SimpleITK.GetArrayFromImage(
            SimpleITK.SignedMaurerDistanceMap(each, squaredDistance=False, useImageSpacing=True, insideIsPositive=False)
        )
        for each in contours
    ]
    surfaces = [SimpleITK.GetArrayFromImage(each) > 0 for each in contours]
    # Where a voxel is of both surfaces, ITK's signed map is not above zero.
    directed = [np.maximum(there, 0.0)[here] for here, there in zip(surfaces, maps[::-1], strict=True)]
    found = overlap(one, other, spacing)
    assert found.hausdorff == pytest.approx(max(each.max() for each in directed), rel=1e-6, abs=1e-6)
    assert found.hausdorff_95 == pytest.approx(max(np.percentile(each, 95) for each in directed), rel=1e-6, abs=1e-6)
    assert found.mean_distance == pytest.approx(np.concatenate(directed).mean(), rel=1e-6, abs=1e-6)
    measures = SimpleITK.LabelOverlapMeasuresImageFilter()
    measures.Execute(*images)
    assert found.dice == pytest.approx(measures.GetDiceCoefficient(), rel=1e-12)


def test_overlap_of_boxes_is_counted():
    one, other = np.zeros((10, 10, 10), bool), np.zeros((10, 10, 10), bool)
    one[2:6, 2:6, 2:6], other[4:8, 2:6, 2:6] = True, True
    found = overlap(one, other, (2.0, 1.0, 1.0))
    assert found.dice == 0.5
    assert (found.volume, found.reference_volume) == (128.0, 128.0)
    assert found.hausdorff == 4.0  # two voxels of 2 mm
    assert overlap(one, one, (1, 1, 1)).surface_dice == 1.0
    assert overlap(one, other, (2.0, 1.0, 1.0), tolerance=4.0).surface_dice == 1.0


def test_empty_masks_have_no_distance_and_two_have_no_dice():
    empty, full = np.zeros((4, 4, 4)), np.ones((4, 4, 4))
    found = overlap(empty, full, (1, 1, 1))
    assert found.dice == 0.0
    assert np.isnan(found.hausdorff)
    assert np.isnan(overlap(empty, empty, (1, 1, 1)).dice)


@pytest.mark.parametrize(
    ("mask", "spacing", "said"),
    [
        (np.ones((3, 3)), (1, 1, 1), "same shape"),
        (np.full((3, 3, 3), 2), (1, 1, 1), "0 and 1"),
        (np.ones((3, 3, 3)), (1, 0, 1), "positive number"),
    ],
)
def test_masks_that_do_not_fit_are_refused(mask, spacing, said):
    with pytest.raises(ValueError, match=said):
        overlap(mask, np.ones((3, 3, 3)), spacing)


def measured(patients=40, each=3, seed=0):
    rng = np.random.default_rng(seed)
    keys = np.repeat(np.arange(patients), each)
    truth = rng.normal(50, 10, patients)[keys]
    return (
        1.05 * truth + 2 + rng.normal(size=patients)[keys] + rng.normal(0, 2, keys.size),
        truth + rng.normal(0, 2, keys.size),
        keys,
    )


def test_errors_are_those_of_their_definition_with_clustered_intervals():
    x, y, keys = measured()
    mae, rmse = errors(x, y, keys)
    assert (mae.estimate, rmse.estimate) == pytest.approx((np.abs(x - y).mean(), np.sqrt(np.mean((x - y) ** 2))), rel=1e-12)
    fit = sm.OLS(np.abs(x - y), np.ones(x.size)).fit(cov_type="cluster", cov_kwds={"groups": keys, "use_correction": False})
    assert mae.upper - mae.estimate == pytest.approx(stats.norm.ppf(0.975) * fit.bse[0] * np.sqrt(40 / 39), rel=1e-9)


def test_limits_of_agreement_of_single_measurements_are_those_of_1986():
    x, y, _ = measured(60, 1)
    found, apart = bland_altman(x, y), x - y
    sd, t = apart.std(ddof=1), stats.t.ppf(0.975, 59)
    assert found.sd == pytest.approx(sd, rel=1e-12)
    bias = stats.ttest_rel(x, y).confidence_interval(0.95)
    assert (found.bias.lower, found.bias.upper) == pytest.approx((bias.low, bias.high), rel=1e-9)
    assert found.upper_limit.estimate == pytest.approx(apart.mean() + stats.norm.ppf(0.975) * sd, rel=1e-12)
    spread = sd * np.sqrt(1 / 60 + stats.norm.ppf(0.975) ** 2 / (2 * 59))
    assert found.lower_limit.upper - found.lower_limit.estimate == pytest.approx(t * spread, rel=1e-9)


def test_with_several_measurements_the_variance_is_that_of_statsmodels_components():
    x, y, keys = measured(30, 4, seed=1)
    frame = pd.DataFrame({"d": x - y, "key": keys.astype(str)})
    table = anova_lm(sm.formula.ols("d ~ C(key)", frame).fit())
    between, within = table["mean_sq"].iloc[0], table["mean_sq"].iloc[1]
    found = bland_altman(x, y, keys)
    assert found.sd == pytest.approx(np.sqrt(within + max(between - within, 0) / 4), rel=1e-10)
    assert found.upper_limit.method == "jackknife over patients"
    rows = bland_altman(x, y)
    assert found.bias.upper - found.bias.lower > rows.bias.upper - rows.bias.lower


def test_deming_of_equal_errors_is_the_first_principal_axis():
    x, y, keys = measured(seed=2)
    found = deming(x, y, keys)
    _, _, axes = np.linalg.svd(np.stack([y - y.mean(), x - x.mean()], axis=1), full_matrices=False)
    assert found.slope.estimate == pytest.approx(axes[0, 1] / axes[0, 0], rel=1e-10)
    assert found.intercept.estimate == pytest.approx(x.mean() - found.slope.estimate * y.mean(), rel=1e-10)
    back = deming(y, x, keys)
    assert back.slope.estimate == pytest.approx(1 / found.slope.estimate, rel=1e-10)
    exact = deming(x, y, ratio=1e9).slope.estimate  # all errors in the measured value: least squares
    assert exact == pytest.approx(np.polyfit(y, x, 1)[0], rel=1e-6)


def test_demings_interval_covers():
    covered = 0
    for seed in range(150):
        x, y, keys = measured(40, 3, seed=1000 + seed)
        found = deming(x, y, keys, ratio=(1 + 4) / 4).slope
        covered += found.lower <= 1.05 <= found.upper
    assert covered / 150 >= 0.88


def test_repeatability_is_the_residual_of_a_one_way_analysis_of_variance():
    rng = np.random.default_rng(4)
    keys = np.repeat(np.arange(12), rng.integers(1, 5, 12))
    values = rng.normal(100, 20, 12)[keys] + rng.normal(0, 3, keys.size)
    found = repeatability(values, keys)
    table = anova_lm(sm.formula.ols("v ~ C(k)", pd.DataFrame({"v": values, "k": keys.astype(str)})).fit())
    mean_square, freedom = table["mean_sq"].iloc[1], int(table["df"].iloc[1])
    assert found.freedom == freedom
    assert found.wsd.estimate == pytest.approx(np.sqrt(mean_square), rel=1e-10)
    bounds = [np.sqrt(freedom * mean_square / stats.chi2.ppf(q, freedom)) for q in (0.975, 0.025)]
    assert (found.wsd.lower, found.wsd.upper) == pytest.approx(bounds, rel=1e-9)
    assert found.coefficient.estimate == pytest.approx(stats.norm.ppf(0.975) * np.sqrt(2) * np.sqrt(mean_square), rel=1e-9)


def test_cv_of_duplicates_is_the_root_mean_square_of_the_pairs():
    pairs = np.array([[10.0, 11.0], [20.0, 19.0], [5.0, 5.5]])
    own = pairs.std(axis=1, ddof=1) / pairs.mean(axis=1)
    found = repeatability(pairs.ravel(), np.repeat([0, 1, 2], 2))
    assert found.cv_percent.estimate == pytest.approx(100 * np.sqrt(np.mean(own**2)), rel=1e-12)


@pytest.mark.parametrize(
    ("values", "keys", "reason"),
    [
        ([], [], "no measurements"), ([1.0, 2.0], [0, 1], "no patient was measured twice"), ([1.0, np.nan], [0, 0], "not finite"),
        ([3.0, 3.0], [0, 0], "all repeated measurements agree"),
    ],
)  # fmt: skip
def test_what_was_not_repeated_says_so(values, keys, reason):
    assert reason in repeatability(values, keys).wsd.reason


def test_measurements_that_are_none_say_so():
    assert errors([1.0, np.inf], [1.0, 2.0])[0].reason == "1 of 2 cases have a measurement that is not a finite number"
    assert bland_altman([1.0, 2.0], [1.0, 1.0]).bias.reason == "fewer than three patients"
    assert deming([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]).slope.reason == "the measurements do not vary together"
    assert repeatability([-1.0, 1.5], [0, 0]).cv_percent.status == "estimated"
    assert "not above zero" in repeatability([-1.0, 0.5], [0, 0]).cv_percent.reason
