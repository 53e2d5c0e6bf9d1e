"""Prefect's view of the retrieval: one task that plans, one that pulls a batch."""

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Running

from tasks.executor import OnWait
from tasks.guard import ErrorLog, boundary
from tasks.pacs.asking.entry import ask, enter
from tasks.pacs.waiting import sentence
from tasks.site import open_site


@task(name="plan", task_run_name="plan", cache_policy=NO_CACHE, persist_result=False)
def plan(config: str) -> dict[str, int]:
    """Ask the PACSs which studies there are, save the plan, and enter the studies in the ledger.

    Returns:
        `{"new": studies that were not known before, "doubts": 1 where something that is wanted may be missing, else 0}`.
    """
    site = open_site(config)
    if not site.settings.pacs:
        return {"new": 0, "doubts": 0}
    tell = _told(str(flow_run.id), ZoneInfo(site.settings.timezone), site.errors)
    with boundary("plan", site.errors):
        made, _ = ask(site, site.settings.cohort, on_wait=tell)
        return {"new": enter(site, made), "doubts": int(made.is_doubtful)}


@task(name="pull", task_run_name="pull-{batch}", cache_policy=NO_CACHE, persist_result=False)
def pull_studies(config: str, run: str, batch: int, keys: list[str]) -> dict[str, int]:
    """Pull the due studies of one batch; returns counts by status. Where the work waits, the flow run's state says why."""
    site = open_site(config)
    tell = _told(str(flow_run.id), ZoneInfo(site.settings.timezone), site.errors)
    with boundary(f"pull batch {batch}", site.errors):
        return dict(site.work("pull", run, keys, on_wait=tell).studies)


def _told(run: str, zone: ZoneInfo, errors: ErrorLog) -> OnWait:
    """Shows in Prefect that a flow run waits, for which PACS, why and until when; and that it goes on."""

    def tell(source: str, code: str, until: float | None) -> None:
        state: State[Any] = Running(name="Waiting", message=sentence(source, code, until, zone)) if code else Running()
        try:
            with get_client(sync_client=True) as client:
                client.set_flow_run_state(UUID(run), state, force=True)
        except Exception as error:  # noqa: BLE001 - a page that is not up to date must not end a night
            errors.record("state of the flow run", error)

    return tell
