"""What of results.json no check can hold against the rest, and why: it is taken as given. All other places have a check.

Some of these are held from one side. A number that is listed here may still be refused: a test only shows that not every change of it is.
"""

from __future__ import annotations

from typing import Final

_NAMED = "a name of the plan or of a table"
_WORDS, _PLAN, _NAME = "words", "a setting of the plan", "the name of a way whose interval follows from its standard error"

#: JSON Pointers, with `*` for any place of a list (and as in `fnmatch`) → why.
AS_GIVEN: Final[dict[str, str]] = {
    "/title": _WORDS, "/intended_use": _WORDS, "/finding": _WORDS, "/endpoint": _WORDS, "/synthetic": _PLAN, "/schema_name": "a constant",
    "/minimum_cases": f"{_PLAN}; nothing that is shown lies below it",
    "/provenance/*": "hashes and names of what is not in the file",
    "/plan_history/*": "what the register says",
    "/limitations/*": "sentences that the evaluation wrote",
    "/accountability/*": "counts of the ledger; no stage has more instances than it was given",
    "/excluded/*/reason": _WORDS,
    "/goals/*/at_least": f"{_PLAN}; the verdict follows from it", "/goals/*/margin": f"{_PLAN}; the verdict follows from it",
    "/goals/*/reason": _WORDS, "/heterogeneity/*/reason": _WORDS,
    "/operating_points/*/name": _PLAN, "/operating_points/*/threshold": f"{_PLAN}; a higher one has fewer positive readings",
    "/calibration/*/intercept/method": _NAME, "/calibration/*/slope/method": _NAME, "/calibration/*/brier/method": _NAME,
    "/calibration/*/observed_to_expected/method": _NAME, "/calibration/*/binning": _PLAN,
    "/calibration/*/curve/*/upper_score": "between the bin's mean and the next bin: where scores end is not published",
    "/net_benefit/*/model/method": _NAME,
    "/partial_auc/standardized/lower": "of random draws: it lies below the estimate",
    "/partial_auc/standardized/upper": "of random draws: it lies above the estimate",
    "/comparison/comparator": _PLAN, "/comparison/comparator_threshold": _PLAN, "/comparison/reason": _WORDS,
    "/comparison/differences/*/difference/method": _NAME, "/comparison/differences/*/margin": f"{_PLAN}; the verdict follows from it",
    "/detection/*/false_positives": "at least those that a threshold lets in; the others are not published",
    "/detection/*/at/*/false_positives": f"{_PLAN}; no more are let in", "/detection/*/at/*/threshold": "a score; it falls as more are let in",
    "/roc/*/band/lower/*": "of sums over patients along the curve; below the curve", "/roc/*/band/upper/*": "likewise; above the curve",
    "/roc/*/band/method": _NAME,
    "/segmentation/*/level": _NAMED, "/segmentation/*/structure": _NAMED, "/agreement/*/level": _NAMED, "/agreement/*/measurement": _NAMED,
    "/agreement/*/unit": _WORDS, "/repeatability/*/level": _NAMED, "/repeatability/*/measurement": _NAMED, "/repeatability/*/unit": _WORDS,
    "/agreement/*/density/*/cases": "all cells together hold no more cases than there are",
    "/reader_study/*/level": _NAMED, "/reader_study/*/figure": _PLAN,
    "/reader_study/*/incomplete": "cases that are in no figure",
    "/reader_study/*/differences/*/margin": f"{_PLAN}; the verdict follows from it",
    "/given/*/sha256": "a hash",
    "/time_to_result/*/median_minutes": "a quantile of times that are not published; on the right side of the target",
    "/time_to_result/*/p90_minutes": "a quantile of times that are not published; on the right side of the target",
    "/failures/*/study": "a key", "/failures/*/image": "a path", "/failures/*/alternative": _WORDS, "/failures/*/no_image": _WORDS,
}  # fmt: skip
