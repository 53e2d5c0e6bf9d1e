"""Prefect's view of the stage `volumes`: one task a batch of studies."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.guard import boundary
from tasks.site import open_site


@task(name="volumes", task_run_name="volumes-{batch}", cache_policy=NO_CACHE, persist_result=False)
def convert_studies(config: str, run: str, batch: int, keys: list[str]) -> dict[str, int]:
    """Do the stage for the due studies of one batch; returns counts by status."""
    site = open_site(config)
    with boundary(f"volumes batch {batch}", site.errors):
        return dict(site.work("volumes", run, keys).studies)
