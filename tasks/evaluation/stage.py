"""The evaluation of a lake: its tables in, `results/` and the table `metrics` out, once for each state of the inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.cohort import CONTRACT as COHORT
from data_contracts.metrics import CONTRACT as METRICS
from data_contracts.predictions import CONTRACT as PREDICTIONS
from data_contracts.reference import CONTRACT as REFERENCE
from data_contracts.service_levels import CONTRACT as SERVICE_LEVELS
from data_contracts.volumes import CONTRACT as VOLUMES
from tasks import accountability as night
from tasks.evaluation import key_images, output
from tasks.evaluation.analysis import analyse
from tasks.evaluation.plan import Plan
from tasks.evaluation.results import PlanHistory, Results, Role
from tasks.evaluation.tables import ACQUISITION, content_sha256
from tasks.evaluation.threshold import operating_point
from tasks.evaluation.timing import of_the_plan
from tasks.lake import Lake, Manifest
from tasks.stage import Count, digest

STAGE = "evaluate"
#: Raised by hand whenever the same inputs and plan give other results than before.
REVISION = 5


def evaluate_lake(
    lake: Lake,
    plan: Plan,
    accountability: Iterable[Mapping[str, Any]] = (),
    *,
    model: str | None = None,
    history: PlanHistory | None = None,
) -> Manifest | None:
    """Evaluate the plan on the lake's tables `predictions`, `reference`, `cohort` and `volumes`.

    Publishes `results/results.json`, `results/*.csv`, `results/*.parquet`, `tables/metrics/<plan>.parquet`, and the key images of failures
    where the plan asks for them, under the plan's name. How soon results came is told where there is the table `service_levels`.

    Args:
        accountability: rows of `tasks.accountability.rows`.
        model: as in `operating_point`.
        history: what the register says of the plan (`tasks.evaluation.openings`).

    Returns:
        what was published, or None where inputs and plan are those of the earlier publication: then nothing was done.

    Raises:
        ConfigurationError, SafelightError: those of `tasks.evaluation.analysis.analyse` and of `operating_point`.
    """
    point = operating_point(plan, model, lake)
    version = point.model_version or plan.model_version
    rows = [row for row in accountability if _concerns(row["stage"], plan.model_name, version)]
    read = lake.table(PREDICTIONS)
    read = point.applies_to(read) if plan.comparator is None else read
    read = read.join(acquisition(lake), "SeriesInstanceUID", join_type="left outer")
    truth, people = lake.table(REFERENCE), lake.table(COHORT)
    timed = of_the_plan(lake.table(SERVICE_LEVELS), plan, version)
    pictured = plan.failures is not None and plan.failures.images
    used = [read, truth, people, timed, *(key_images.made_of(lake) if pictured else ())]
    totals = [[*end, n] for end, n in night.totals(rows).items()]
    fingerprint = digest({
        "stage": STAGE, "revision": REVISION, "version": metadata.version("safelight"), "plan": plan.sha256, "threshold": point.threshold,
        "inputs": [content_sha256(table) for table in used], "accountability": totals,
        "history": None if history is None else history.model_dump(),
    })  # fmt: skip
    earlier = lake.manifest(STAGE, plan.name)
    if earlier is not None and earlier.fingerprint == fingerprint and lake.intact(earlier):
        return None
    results = analyse(
        read, truth, people, plan, threshold=point.threshold, accountability=rows, history=history, service_levels=timed,
        role=Role.NIGHT,
    )  # fmt: skip
    images: dict[str, bytes] = {}
    if pictured and results.failures:
        failed, images = key_images.with_images(lake, results.failures, read, plan)
        results = results.model_copy(update={"failures": failed})
    with lake.publication(STAGE, plan.name, fingerprint) as publication:
        for name, content in output.files(results).items():
            publication.write(f"results/{name}", content)
        for path, image in images.items():
            publication.write(path, image)
        publication.write_table(METRICS, output.metrics(results))
        analysed = 0 if results.overall().suppressed else results.overall().studies
        return publication.commit(tally=_tally(results), passed=analysed)


def _concerns(stage: str, model: str, version: str) -> bool:
    """Whether a row of the accountability belongs to this evaluation: the readings of other models and versions do not."""
    name, _, reader = stage.partition(":")
    return name != "infer" or reader == f"{model}@{version}" or (not version and reader.partition("@")[0] in {"", model})


def acquisition(lake: Lake) -> pa.Table:
    """One row a series of a lake: what all its volumes agree on; null where they differ or do not say."""
    grouped = (
        lake.table(VOLUMES, ["SeriesInstanceUID", *ACQUISITION])
        .group_by("SeriesInstanceUID")
        .aggregate([(name, function) for name in ACQUISITION for function in ("min", "count_distinct")])
    )
    columns = {"SeriesInstanceUID": grouped["SeriesInstanceUID"]}
    for name in ACQUISITION:
        least = grouped[f"{name}_min"]
        columns[name] = pc.if_else(pc.equal(grouped[f"{name}_count_distinct"], 1), least, pa.scalar(None, least.type))
    return pa.table(columns)


def _tally(results: Results) -> list[Count]:
    excluded = [Count("excluded", row.reason.partition(":")[0], "study", row.studies) for row in results.excluded]
    overall = results.overall()
    shown = [] if overall.suppressed else [Count("analysed", "", "study", overall.studies)]
    return [*shown, *excluded]
