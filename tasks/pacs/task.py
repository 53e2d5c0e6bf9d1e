"""Prefect's view of the retrieval: one task that plans, one that pulls a batch."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.guard import boundary
from tasks.pacs.asking.find import find, register
from tasks.site import open_site


@task(name="plan", task_run_name="plan", cache_policy=NO_CACHE, persist_result=False)
def plan(config: str) -> int:
    """Ask the PACS which studies there are, and enter them in the ledger; returns how many were new."""
    site = open_site(config)
    with boundary("plan", site.errors):
        return sum(register(site.ledger, site.vault, find(pacs, site.settings.cohort)) for pacs in site.settings.pacs)


@task(name="pull", task_run_name="pull-{batch}", cache_policy=NO_CACHE, persist_result=False)
def pull_studies(config: str, run: str, batch: int, keys: list[str]) -> dict[str, int]:
    """Pull the due studies of one batch; returns counts by status."""
    site = open_site(config)
    with boundary(f"pull batch {batch}", site.errors):
        return dict(site.work("pull", run, keys).studies)
