"""Masks, measurements and repeated measurements: every interval by its standard error, and what the numbers of one row say of each other."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, sqrt
from typing import Any

from tasks.evaluation.endpoints.parts import Agreed, DensityCell, Limits, Repeated, Segmented
from tasks.evaluation.estimate import Estimate
from tasks.evaluation.results import Results
from tasks.report.checks import again, estimates
from tasks.report.checks.holding import TOLERANCE, close, hold, mismatch, named

_NORMAL = again.quantile(0.95)
_SHARES, _DISTANCES = ("dice", "surface_dice"), ("mean_distance", "hausdorff", "hausdorff_95")


def check_measured(results: Results) -> None:
    """Every row, and where the rows of the further tables went."""
    for given in results.given:
        summed = given.used + given.unknown + given.not_in_plan + given.unusable
        hold(given.rows == summed, f"table of {given.name}", "its rows do not add up")
    hold(len({given.name for given in results.given}) == len(results.given), "further tables", "one stands twice")
    for kind, rows in (
        ("segmentation", [(row.structure, row, row.cases) for row in results.segmentation]),
        ("agreement", [(row.measurement, row, row.cases) for row in results.agreement]),
        ("repeatability", [(row.measurement, row, row.measurements) for row in results.repeatability]),
    ):
        seen = [(name, row.attribute, row.level) for name, row, _ in rows]
        hold(len(set(seen)) == len(seen), kind, "a row stands twice")
        for name, row, cases in rows:
            check_shown(row.attribute, row.level, results, f"{named(row.attribute, row.level)}: {kind} of {name}", cases=cases)
    for name in dict.fromkeys(row.structure for row in results.segmentation):
        mine = [row for row in results.segmentation if row.structure == name]
        add_up(mine, ("cases", "one_empty", "both_empty"), f"segmentation of {name}")
    for name in dict.fromkeys(row.measurement for row in results.agreement):
        add_up([row for row in results.agreement if row.measurement == name], ("cases",), f"agreement of {name}")
    for row in results.segmentation:
        _check_segmented(row, results, f"{named(row.attribute, row.level)}: segmentation of {row.structure}")
    for row in results.agreement:
        _check_agreed(row, results, f"{named(row.attribute, row.level)}: agreement of {row.measurement}")
    for row in results.repeatability:
        _check_repeated(row, results, f"{named(row.attribute, row.level)}: repeatability of {row.measurement}")


def check_shown(attribute: str, level: str, results: Results, where: str, *, cases: int) -> None:
    """What the main table withholds has no cases here, either."""
    hidden = {(row.attribute, row.level) for row in results.performance if row.suppressed}
    hold(
        not attribute or attribute in {row.attribute for row in results.performance},
        where,
        "the main table has no such attribute",
    )
    hold(not results.overall().suppressed, where, "it is shown though all cases are withheld")
    hold(not cases or (attribute, level) not in hidden, where, "the main table withholds this level")


def add_up(rows: Sequence[Any], fields: Sequence[str], where: str) -> None:
    """The levels of an attribute that are all shown are all cases."""
    whole = next((row for row in rows if not row.attribute), None)
    if whole is None:
        raise mismatch(where, "there is no row of all cases")
    for attribute in {row.attribute for row in rows if row.attribute}:
        levels = [row for row in rows if row.attribute == attribute]
        shown_all = not any(row.suppressed for row in (whole, *levels)) and all(row.cases for row in levels)
        for name in fields:
            summed, among = sum(getattr(row, name) for row in levels), getattr(whole, name)
            hold(summed == among if shown_all else summed <= among, f"{attribute}: {where}", f"the levels' {name} do not add up")


def _people(patients: int, cases: int, results: Results, where: str, *, suppressed: bool) -> None:
    if suppressed:
        hold(not patients and not cases, where, "the counts of a withheld level are shown")
    else:
        hold(patients <= cases and bool(patients) == bool(cases), where, "patients")
        hold(not patients or patients >= results.minimum_cases, where, "a level too small to be shown is shown")


# ---- masks ------------------------------------------------------------------------------------------------------------------


def _check_segmented(row: Segmented, results: Results, where: str) -> None:
    _people(row.patients, row.cases, results, where, suppressed=row.suppressed)
    hold(row.one_empty + row.both_empty <= row.cases, where, "more empty masks than cases")
    for name in (*_SHARES, *_DISTANCES):
        value: Estimate = getattr(row, name)
        if estimates.normal(value, results.confidence, where, name, least=0.0, most=1.0 if name in _SHARES else inf):
            hold(row.cases > 0 and value.scale == "identity" and value.method == "mean over patients", where, f"{name} (method)")
    _check_limits(row.volumes, results, f"{where}: volumes", row.patients, row.cases)
    _check_density(row.density, results, f"{where}: volumes", row.cases, whole=not row.attribute)


# ---- measurements -----------------------------------------------------------------------------------------------------------


def _check_agreed(row: Agreed, results: Results, where: str) -> None:
    _people(row.patients, row.cases, results, where, suppressed=row.suppressed)
    absolute, root, bias = row.mean_absolute_error, row.root_mean_square_error, row.limits.bias
    there = [estimates.normal(each, results.confidence, where, name, least=0.0) for name, each in
             (("mean_absolute_error", absolute), ("root_mean_square_error", root))]  # fmt: skip
    if all(there):
        hold(absolute.scale == "identity" and root.scale == "square", where, "errors (scale)")
        methods = absolute.method == "mean over patients" and root.method.startswith("square root of a mean")
        hold(methods, where, "errors (method)")
        mean, square = float(absolute.estimate or 0.0), float(root.estimate or 0.0)
        hold(mean <= square + TOLERANCE, where, "the root mean square error is below the mean absolute one")
        if bias.estimate is not None:
            hold(abs(bias.estimate) <= mean + TOLERANCE, where, "the mean absolute error is below the bias")
            n = row.cases
            if row.patients == n and row.limits.sd is not None:
                hold(close(square**2, bias.estimate**2 + row.limits.sd**2 * (n - 1) / n), where, "root_mean_square_error")
    _check_limits(row.limits, results, f"{where}: limits", row.patients, row.cases)
    for name, value in (("slope", row.slope), ("intercept", row.intercept)):
        if estimates.normal(value, results.confidence, where, name):
            hold(value.freedom == row.patients - 1 and value.scale == "identity", where, f"{name} (degrees of freedom)")
            hold(value.method.startswith("jackknife"), where, f"{name} (method)")
    _check_density(row.density, results, where, row.cases, whole=not row.attribute)


def _check_limits(found: Limits, results: Results, where: str, patients: int, cases: int) -> None:
    """Bias ± 1.96 SD; with one case a patient the standard errors follow from the SD as well (Bland and Altman 1986)."""
    there = [estimates.normal(each, results.confidence, where, name) for name, each in
             (("bias", found.bias), ("lower", found.lower), ("upper", found.upper))]  # fmt: skip
    hold(len({*there, found.sd is not None}) == 1, where, "some of bias, SD and limits are missing")
    if not all(there) or found.sd is None:
        return
    if found.bias.estimate is None or found.bias.freedom is None:
        raise mismatch(where, "bias (degrees of freedom)")
    k = found.bias.freedom + 1
    hold(found.sd >= 0.0 and k <= patients, where, "sd")
    for sign, name, limit in ((-1.0, "lower", found.lower), (1.0, "upper", found.upper)):
        hold(close(limit.estimate, found.bias.estimate + sign * _NORMAL * found.sd, 1e-8), where, f"{name} limit")
        hold(limit.freedom == found.bias.freedom and limit.scale == "identity", where, f"{name} limit (degrees of freedom)")
        if patients == cases:
            error = found.sd * sqrt(1.0 / k + _NORMAL**2 / (2.0 * (k - 1)))
            hold(close(limit.standard_error, error, 1e-8), where, f"{name} limit (standard error)")
            hold(limit.method == "Bland and Altman 1986", where, f"{name} limit (method)")
        else:
            hold(limit.method in ("Bland and Altman 1986", "jackknife over patients"), where, f"{name} limit (method)")
    hold(found.bias.method.startswith("Student's t"), where, "bias (method)")
    if patients == cases:
        hold(close(found.bias.standard_error, found.sd / sqrt(k)), where, "bias (standard error)")


def _check_density(cells: Sequence[DensityCell], results: Results, where: str, cases: int, *, whole: bool) -> None:
    """Cells of a plot are of enough patients, of the same size, do not overlap, and hold no more cases than there are."""
    hold(whole or not cells, where, "a plot of a level")
    corners = [(cell.mean[0], cell.difference[0]) for cell in cells]
    hold(len(set(corners)) == len(corners) and sum(cell.cases for cell in cells) <= cases, where, "the plot's cells")
    for cell in cells:
        hold(results.minimum_cases <= cell.patients <= cell.cases, where, "a cell of too few patients is shown")
        for name in ("mean", "difference"):
            (low, high), (first_low, first_high) = getattr(cell, name), getattr(cells[0], name)
            step = first_high - first_low
            hold(low < high and close(high - low, step, 1e-6), where, f"a cell's {name}")
            hold(abs(low / step - round(low / step)) < 1e-6, where, f"a cell's {name} is not on the grid")


# ---- repeated measurements ----------------------------------------------------------------------------------------------------


def _check_repeated(row: Repeated, results: Results, where: str) -> None:
    _people(row.patients, row.measurements, results, where, suppressed=row.suppressed)
    if row.suppressed:
        hold(not row.freedom, where, "the counts of a withheld level are shown")
    # Each thing was measured at least twice, and each patient has at least one of them.
    hold(row.measurements <= 2 * row.freedom or not row.measurements, where, "freedom")
    hold(row.freedom <= row.measurements - row.patients or not row.freedom, where, "freedom")
    for name in ("wsd", "coefficient", "cv_percent"):
        value: Estimate = getattr(row, name)
        if not estimates.known(value, results.confidence, where, name, most=inf):
            continue
        hold(value.freedom == row.freedom and value.standard_error is None, where, f"{name} (degrees of freedom)")
        hold(value.method.startswith("chi-squared"), where, f"{name} (method)")
        made = again.spread(float(value.estimate or 0.0), float(row.freedom), value.confidence)
        estimates.bounded(value, made, where, name, most=inf)
    if row.wsd.estimate is not None:
        hold(close(row.coefficient.estimate, _NORMAL * sqrt(2.0) * row.wsd.estimate), where, "coefficient")
    else:
        hold(row.coefficient.estimate is None, where, "coefficient")
