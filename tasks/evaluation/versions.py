"""The plan's model against its comparator on the cases that both read: overall and in every level that is shown."""

from __future__ import annotations

from collections.abc import Iterator, Set

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.evaluation.cases import Cases, both_versions
from tasks.evaluation.paired import Paired, paired_auc, paired_proportions
from tasks.evaluation.plan import Comparator, Plan
from tasks.evaluation.results import Reclassified, VersionComparison, VersionDifference


def compare(
    predictions: pa.Table,
    reference: pa.Table,
    cohort: pa.Table,
    plan: Plan,
    *,
    threshold: float,
    hidden: Set[tuple[str, str]] = frozenset(),
) -> VersionComparison | None:
    """Compare the versions; None where the plan names no comparator.

    Args:
        predictions, reference, cohort: see `tasks.evaluation.cases.assemble`; predictions of both versions.
        threshold: the operating point of the plan's model.
        hidden: (attribute, level) of the rows that are not shown; ("", "") where nothing is.
    """
    wanted = plan.comparator
    if wanted is None:
        return None
    cut = threshold if wanted.threshold is None else wanted.threshold
    cases, old = both_versions(predictions, reference, cohort, plan)
    patients = int(np.unique(cases.patients).size)
    about = {"comparator": wanted.model, "comparator_threshold": cut}
    if ("", "") in hidden or patients < plan.minimum_cases:
        reason = f"fewer than {plan.minimum_cases} patients whose cases both versions read"
        return VersionComparison(**about, studies=0, patients=0, differences=(), reclassified=(), reason=reason)
    found = list(_differences("", "", cases, old, plan, wanted, threshold, cut))
    for attribute, levels in cases.levels.items():
        for place, level in enumerate(levels.names):
            inside = levels.codes == place
            few = np.unique(cases.patients[inside]).size < plan.minimum_cases
            if (attribute, level) not in hidden and inside.any() and not few:
                found += _differences(attribute, level, _inside(cases, inside), old[inside], plan, wanted, threshold, cut)
    called, before = cases.scores >= threshold, old >= cut
    return VersionComparison(
        **about, studies=int(old.size), patients=patients, differences=tuple(found),
        reclassified=tuple(_reclassified(label, called, before, cases.labels == label) for label in (1, 0)),
    )  # fmt: skip


def _inside(cases: Cases, mask: NDArray[np.bool_]) -> Cases:
    return Cases(cases.patients[mask], cases.scores[mask], cases.labels[mask], {}, cases.places[mask])


def _differences(
    attribute: str,
    level: str,
    cases: Cases,
    old: NDArray[np.float64],
    plan: Plan,
    wanted: Comparator,
    threshold: float,
    cut: float,
) -> Iterator[VersionDifference]:
    ill, patients = cases.labels == 1.0, cases.patients
    called, before = cases.scores >= threshold, old >= cut
    confidence = plan.confidence
    yield _said(attribute, level, "auc", paired_auc(cases.scores, old, ill, patients, confidence=confidence), wanted)
    for metric, among, hits, earlier in (("sensitivity", ill, called, before), ("specificity", ~ill, ~called, ~before)):
        empty = "no positive cases" if metric == "sensitivity" else "no negative cases"
        found = paired_proportions(hits[among], earlier[among], patients[among], confidence=confidence, empty=empty)
        yield _said(attribute, level, metric, found, wanted)


def _said(attribute: str, level: str, metric: str, found: Paired, wanted: Comparator) -> VersionDifference:
    lower = found.difference.lower
    return VersionDifference(
        attribute=attribute, level=level, metric=metric, new=found.first, old=found.second, difference=found.difference, p=found.p,
        margin=wanted.margin, non_inferior=lower is not None and lower > -wanted.margin,
    )  # fmt: skip


def _reclassified(label: int, called: NDArray[np.bool_], before: NDArray[np.bool_], among: NDArray[np.bool_]) -> Reclassified:
    pairs = ((called, before), (called, ~before), (~called, before), (~called, ~before))
    both, new, old, neither = (int(np.count_nonzero(one & other & among)) for one, other in pairs)
    return Reclassified(label=label, both_positive=both, only_new=new, only_old=old, both_negative=neither)
