"""How studies flow: each batch moves along its chain of stages on its own, a few batches at a time."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from prefect import State, allow_failure
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from tasks.deid.task import deidentify_studies
from tasks.errors import ConfigurationError
from tasks.guard import boundary
from tasks.inference.task import read_studies
from tasks.pacs.task import pull_studies
from tasks.site import open_site
from tasks.volumes.task import convert_studies

#: The reason of a run in which some studies failed.
INCOMPLETE = "E-NIGHT-INCOMPLETE"

#: What makes a run incomplete, among its counts.
_ALERTS = ("failed", "doubts", "given_up", "unusable", "undelivered", "late", "unreturned")

#: What the night does with a batch, in order.
CHAIN = {"pull": pull_studies, "deidentify": deidentify_studies, "volumes": convert_studies, "infer": read_studies}

#: Batches on their way at once. While one is read by the model, the next is de-identified and a third is pulled.
IN_FLIGHT = 4
#: Each batch in flight has one thread a stage, most of them waiting.
THREADS = IN_FLIGHT * len(CHAIN) + 2
RUNNER: TaskRunner[PrefectFuture[Any]] = ThreadPoolTaskRunner(max_workers=THREADS)  # type: ignore[assignment] # invariant there


def stream(config: str, run: str, batches: Sequence[list[str]], stages: Sequence[str]) -> Counter[str]:
    """Send batches down the chain of `stages`; returns how many batch-studies ended how (`done`, `failed`, `held`).

    A stage of a batch starts when the one before has ended, whether well or not: the ledger knows which studies it may touch.
    A batch that had to give up on a PACS counts as `given_up`. Any other exception of a task is raised, after every batch has come to its end.
    """
    under_way: deque[list[PrefectFuture[dict[str, int]]]] = deque()
    ended: list[PrefectFuture[dict[str, int]]] = []
    for number, keys in enumerate(batches, start=1):
        chain: list[PrefectFuture[dict[str, int]]] = []
        for stage in stages:
            before: list[Any] = [allow_failure(future) for future in chain[-1:]]
            chain.append(CHAIN[stage].submit(config, run, number, keys, wait_for=before, return_state=False))
        under_way.append(chain)
        if len(under_way) == IN_FLIGHT:
            ended += _wait(under_way.popleft())
    while under_way:
        ended += _wait(under_way.popleft())
    counts: Counter[str] = Counter()
    for future in ended:
        try:
            counts.update(future.result())
        except ConfigurationError as error:
            if error.code.split("-")[1] != "PULL":
                raise
            counts["given_up"] += 1  # a PACS is away, or our disk is full: what is here is worked on, and the night is incomplete
    return counts


def _wait(chain: list[PrefectFuture[dict[str, int]]]) -> list[PrefectFuture[dict[str, int]]]:
    for future in chain:
        future.wait()
    return chain


def configured(config: str | None) -> str:
    """The configuration's path: as given, or from the environment variable SAFELIGHT_CONFIG."""
    path = config or os.environ.get("SAFELIGHT_CONFIG")
    if not path:
        raise ConfigurationError("E-CONFIG-MISSING", "neither the parameter `config` nor SAFELIGHT_CONFIG is set")
    return path


def run_name() -> str:
    """A flow run's name: its flow, date and time."""
    return f"{flow_run.flow_name}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"


def verdict(counts: Counter[str]) -> State[dict[str, int]]:
    """The flow's final state, with counts and nothing else.

    Failed, so that alerts fire, where a study failed, the plan may lack one, a PACS was given up, a model could not be used, or results are late,
    could not be delivered or not returned.
    """
    said = ", ".join(f"{n} {status}" for status, n in sorted(counts.items()) if n) or "nothing was due"
    if any(counts[each] for each in _ALERTS):
        return Failed(message=f"{INCOMPLETE}: {said}")
    return Completed(message=said, data=dict(counts))


def run_stages(config: str | None, kind: str, stages: Sequence[str], doubts: int = 0) -> State[dict[str, int]]:
    """Do all due work of some stages, for every study that the ledger knows; `doubts` of the plan before count in the verdict."""
    path = configured(config)
    site = open_site(path)
    with boundary(kind, site.errors), site.ledger.run(kind, flow_run=str(flow_run.id)) as run:
        return verdict(stream(path, run, site.batches(), stages) + Counter(doubts=doubts))
