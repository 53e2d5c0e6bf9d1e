"""Before anything is published: every rate and interval is derived again from what is published, and every sum is added up again.

By code of its own: nothing here calls what made the numbers. What cannot be derived again is named in `tasks.report.checks.coverage`.
"""

from __future__ import annotations

from tasks.evaluation.results import Results
from tasks.report.checks.cases import check_cases
from tasks.report.checks.comparisons import check_comparisons
from tasks.report.checks.curves import check_curves
from tasks.report.checks.detection import check_detection
from tasks.report.checks.document import check_document
from tasks.report.checks.measured import check_measured
from tasks.report.checks.predictive import check_predictive
from tasks.report.checks.probabilities import check_probabilities
from tasks.report.checks.readers import check_readers
from tasks.report.checks.singles import check_failures, check_times
from tasks.report.checks.versions import check_versions

__all__ = ["check", "check_document"]

_CHECKS = (
    check_cases, check_comparisons, check_predictive, check_curves, check_probabilities, check_versions, check_detection, check_measured,
    check_readers, check_times, check_failures,
)  # fmt: skip


def check(results: Results) -> None:
    """Hold the results against themselves.

    Raises:
        SafelightError: E-REPORT-MISMATCH with the subgroup and the number that does not agree with the others.
    """
    for each in _CHECKS:
        each(results)
