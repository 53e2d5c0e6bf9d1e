"""Prefect's view of the report; what makes one is imported when it is made, so that a night begins at once."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.guard import boundary
from tasks.site import open_site


@task(name="publish", task_run_name="publish", cache_policy=NO_CACHE, persist_result=False)
def publish_documents(config: str) -> bool:
    """Make the report of the latest evaluation; returns whether there was anything new."""
    from tasks.report.stage import publish_report

    site = open_site(config)
    with boundary("publish", site.errors), site.ledger.turn("publish"):
        return publish_report(site.lake) is not None
