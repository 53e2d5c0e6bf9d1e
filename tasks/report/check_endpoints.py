"""The further parts of the results are held against themselves before they are reported: masks, measurements and readers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import BaseModel

from tasks.evaluation.estimate import Estimate
from tasks.evaluation.results import Results

Hold = Callable[[bool, str, str], None]
_TOLERANCE = 1e-9


def check_endpoints(results: Results, hold: Hold) -> None:
    """Nothing withheld has a number, nothing too small is shown, intervals hold their estimates, and counts add up.

    Args:
        hold: raises where its condition does not hold, with where and what.
    """
    parts = {name: getattr(results, name) for name in ("segmentation", "agreement", "repeatability", "reader_study")}
    for name, rows in parts.items():
        for row in rows:
            _row(row, f"{name}, {row.attribute}: {row.level}" if row.attribute else f"{name}, all cases", results, hold)
    for given in results.given:
        hold(given.rows == given.used + given.unknown + given.not_in_plan + given.unusable, given.name, "rows of the table")


def _row(row: Any, where: str, results: Results, hold: Hold) -> None:
    found = list(_estimates(row))
    density = getattr(row, "density", ())
    if row.suppressed:
        bare = all(each.status == "not_estimable" for each in found) and not density and not getattr(row, "figures", ())
        counts = [
            value
            for value in row.model_dump(exclude={"incomplete"}).values()
            if isinstance(value, int) and not isinstance(value, bool)
        ]
        hold(bare and not any(counts), where, "a withheld level is shown")
        return
    hold(row.patients == 0 or row.patients >= results.minimum_cases, where, "a level too small to be shown is shown")
    for value in found:
        hold(value.confidence == results.confidence, where, "confidence of an interval")
        if value.estimate is None or value.lower is None or value.upper is None:
            hold(value.status == "not_estimable" and bool(value.reason), where, "an estimate without an interval")
            continue
        hold(value.lower - _TOLERANCE <= value.estimate <= value.upper + _TOLERANCE, where, "an estimate outside its interval")
    hold(
        all(cell.patients >= results.minimum_cases for cell in density),
        where,
        "a cell of the plot too small to be shown is shown",
    )
    hold(sum(cell.cases for cell in density) <= getattr(row, "cases", 0) or not density, where, "cells of the plot")


def _estimates(part: Any) -> Iterator[Estimate]:
    if isinstance(part, Estimate):
        yield part
    elif isinstance(part, BaseModel):
        for name in type(part).model_fields:
            yield from _estimates(getattr(part, name))
    elif isinstance(part, tuple):
        for each in part:
            yield from _estimates(each)
