"""The parts about masks, measurements and readers as tables."""

from __future__ import annotations

import pyarrow as pa

from tasks.evaluation.columns import Rows, bounds, estimates, flat, shown, values
from tasks.evaluation.endpoints.parts import (
    Agreed,
    Given,
    Limits,
    ModalityDifference,
    ModalityMean,
    ReaderFigure,
    ReaderStudy,
    Repeated,
    Segmented,
)
from tasks.evaluation.results import Results

_OVERLAP = ("dice", "surface_dice", "mean_distance", "hausdorff", "hausdorff_95")
_LIMITS = ("bias", "lower_limit", "upper_limit")
_ERRORS = ("mean_absolute_error", "root_mean_square_error")
_LINE = ("slope", "intercept")
_REPEATED = ("wsd", "coefficient", "cv_percent")
_LEVEL = ("attribute", "level")


def _limits(found: Limits) -> list[object]:
    return [*values(found.bias), *values(found.lower), *values(found.upper), found.sd]


def tables(results: Results) -> dict[str, Rows]:
    """Every table of these parts."""
    studies = results.reader_study
    limits = (*(name for each in _LIMITS for name in bounds(each)), "sd")
    number = tuple((each, pa.float64()) for each in _LIMITS)
    return {
        "segmentation": Rows(
            (*_LEVEL, "structure", "patients", "cases", "one_empty", "both_empty", "suppressed",
             *(n for each in _OVERLAP for n in bounds(each)), *limits),
            ((row.attribute, row.level, row.structure, *shown(row.suppressed, row.patients, row.cases, row.one_empty, row.both_empty), row.suppressed,
              *estimates(_OVERLAP, row), *_limits(row.volumes)) for row in results.segmentation),
            (Segmented, Limits), number,
        ),
        "agreement": Rows(
            (*_LEVEL, "measurement", "unit", "patients", "cases", "suppressed", *(n for each in (*_ERRORS, *_LINE) for n in bounds(each)), *limits),
            ((row.attribute, row.level, row.measurement, row.unit, *shown(row.suppressed, row.patients, row.cases), row.suppressed,
              *estimates((*_ERRORS, *_LINE), row), *_limits(row.limits)) for row in results.agreement),
            (Agreed, Limits), number,
        ),
        "repeatability": Rows(
            (*_LEVEL, "measurement", "unit", "patients", "measurements", "freedom", "suppressed", *(n for each in _REPEATED for n in bounds(each))),
            ((row.attribute, row.level, row.measurement, row.unit, *shown(row.suppressed, row.patients, row.measurements, row.freedom),
              row.suppressed, *estimates(_REPEATED, row)) for row in results.repeatability),
            (Repeated,),
        ),
        "density": Rows(
            ("what", "mean_from", "mean_to", "difference_from", "difference_to", "patients", "cases"),
            ((name, *cell.mean, *cell.difference, cell.patients, cell.cases)
             for name, cells in (
                 *((f"volume of {row.structure} (ml)", row.density) for row in results.segmentation),
                 *((f"{row.measurement} ({row.unit})" if row.unit else row.measurement, row.density) for row in results.agreement),
             ) for cell in cells),
            (Agreed,),
            (("what", pa.string()), *((f"{axis}_{end}", pa.float64()) for axis in ("mean", "difference") for end in ("from", "to"))),
        ),
        "reader_study": Rows(
            (*_LEVEL, "figure", "covariance", "readers", "patients", "cases", "positives", "incomplete", "suppressed", "reason"),
            ((row.attribute, row.level, row.figure, row.covariance,
              *shown(row.suppressed, row.readers, row.patients, row.cases, row.positives, row.incomplete), row.suppressed, row.reason)
             for row in studies),
            (ReaderStudy,), (("incomplete", pa.int64()),),
        ),
        "reader_figures": Rows(
            (*_LEVEL, "modality", "reader", "value"),
            ((row.attribute, row.level, each.modality, each.reader, each.value) for row in studies for each in row.figures),
            (ReaderFigure, ReaderStudy),
        ),
        "reader_means": Rows(
            (*_LEVEL, "generalized", "modality", *bounds("figure")),
            ((row.attribute, row.level, each.generalized, each.modality, *values(each.figure)) for row in studies for each in row.means),
            (ModalityMean, ReaderStudy),
        ),
        "reader_differences": Rows(
            (*_LEVEL, "generalized", "first", "second", *bounds("difference"), "p", "margin", "non_inferior"),
            ((row.attribute, row.level, each.generalized, each.first, each.second, *values(each.difference), each.p, each.margin, each.non_inferior)
             for row in studies for each in row.differences),
            (ModalityDifference, ReaderStudy),
        ),
        "given": flat(Given, results.given),
    }  # fmt: skip
