"""A candidate against the running version, by a change plan, on what both read of a lake."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.changes import limits, modifications, verdict
from tasks.changes.modifications import Ran
from tasks.changes.plan import ChangePlan
from tasks.changes.tables import Tables, ran, threshold_of
from tasks.changes.verdict import Assessed, Verdict
from tasks.errors import ConfigurationError
from tasks.evaluation.analysis import analyse
from tasks.evaluation.cases import assemble, both_versions
from tasks.evaluation.plan import Comparator, Plan
from tasks.evaluation.results import Results
from tasks.inference import registry
from tasks.inference.bundle import Bundle
from tasks.lake import Lake


@dataclass(frozen=True, slots=True)
class Assessment:
    """A verdict, and the evaluations of both versions that it rests on."""

    verdict: Verdict
    results: Results
    running: Results

    def keep(self, lake: Lake) -> str:
        """Keep all with the candidate (`tasks.changes.verdict.keep`); give the folder."""
        return verdict.keep(lake, self.verdict, _bytes(self.results), _bytes(self.running))


def versions(lake: Lake, plan: ChangePlan, running: str | None, candidate: str) -> tuple[Bundle, Bundle]:
    """The running version and the candidate, both registered, every byte checked.

    Args:
        running: `name@version`; None takes the one that the bare name means today.
        candidate: `name@version`.

    Raises:
        ConfigurationError: E-CHANGE-MODEL where they are the same, of another model than the plan's, or not named by their versions; those of
            `tasks.inference.registry.find`.
    """
    for said in (running or f"{plan.model}@", candidate):
        if not said.startswith(f"{plan.model}@"):
            raise ConfigurationError("E-CHANGE-MODEL", f"{said}, where the plan is about {plan.model}")
    old, new = registry.find(lake, running or plan.model), registry.find(lake, candidate)
    if old.label == new.label:
        raise ConfigurationError("E-CHANGE-MODEL", f"{new.label} is the running version itself")
    return old, new


def assess(lake: Lake, plan: ChangePlan, evaluation: Plan, running: Bundle, candidate: Bundle) -> Assessment:
    """Evaluate both versions and hold what changed, and what was found, to the plan.

    Raises:
        ConfigurationError, SafelightError: those of `tasks.changes.limits.fit`, `tasks.changes.tables.ran`, `analyse`; E-CHANGE-PLAN where the plan
            names a field that no version has.
    """
    limits.fit(plan, evaluation)
    unknown = modifications.unknown_bounds(plan, [running, candidate])
    if unknown:
        raise ConfigurationError("E-CHANGE-PLAN", f"{plan.name}: no version has the field {', '.join(unknown)}")
    tables = Tables.of(lake)
    before, after = (ran(tables, each, evaluation.finding) for each in (running, candidate))
    cuts = threshold_of(evaluation, running), threshold_of(evaluation, candidate)
    least = [each.margin for each in plan.modification_protocol.performance_evaluation.limits if each.margin is not None]
    comparator = Comparator(model=running.label, threshold=cuts[0], margin=min(least))
    old = evaluation.model_copy(update={"model": running.label, "comparator": None})
    new = evaluation.model_copy(update={"model": candidate.label, "comparator": comparator})
    results, earlier = (
        analyse(tables.predictions, tables.reference, tables.cohort, each, threshold=cut)
        for each, cut in ((new, cuts[1]), (old, cuts[0]))
    )
    read, both = _read(tables, old), _read(tables, new)
    lost = len(read) - int(pc.sum(pc.is_in(read, both)).as_py() or 0)
    changes = modifications.compare(running, candidate, before, after, plan)
    findings = [each.finding for each in candidate.manifest.findings]
    held = limits.judged(plan, evaluation, results, findings=findings, lost=lost, before=len(read), alike=_alike(tables, new))
    return Assessment(
        Verdict(
            safelight_version=version("safelight"), plan_sha256=plan.sha256, plan=plan, evaluation_plan_sha256=evaluation.sha256,
            running=_assessed(running, before, cuts[0]), candidate=_assessed(candidate, after, cuts[1]), changes=changes, limits=held,
            results_sha256=sha256(_bytes(results)).hexdigest(), running_results_sha256=sha256(_bytes(earlier)).hexdigest(),
            verdict=verdict.verdict_of(changes, held),
        ),
        results,
        earlier,
    )  # fmt: skip


def _read(tables: Tables, evaluation: Plan) -> pa.Array:
    """The keys of the studies with a reference standard that a version gave a score for."""
    found = assemble(tables.predictions, tables.reference, tables.cohort, evaluation)
    return found.studies.take(pa.array(found.analysed.places))


def _alike(tables: Tables, evaluation: Plan) -> bool:
    """Whether both versions put all cases that both read into the same order, ties included."""
    cases, old = both_versions(tables.predictions, tables.reference, tables.cohort, evaluation)
    one, other = (np.unique(each, return_inverse=True)[1] for each in (cases.scores, old))
    return bool(np.array_equal(one, other))


def _assessed(bundle: Bundle, how: Ran, threshold: float) -> Assessed:
    return Assessed(
        **registry.identity(bundle).model_dump(), preprocessing_sha256=bundle.preprocessing_sha256, code_sha256=how.code_sha256, threshold=threshold,
    )  # fmt: skip


def _bytes(results: Results) -> bytes:
    """As `results.json`."""
    return (results.model_dump_json(indent=1) + "\n").encode()
