"""Prefect's view of the return of results."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.guard import boundary
from tasks.site import open_site


@task(name="return", task_run_name="return", cache_policy=NO_CACHE, persist_result=False)
def return_results(config: str, run: str) -> dict[str, int]:
    """Send what is due to the PACS, where the site has a node for it.

    Returns:
        `unreturned`: results that failed, or that wait because the PACS is away.
    """
    from tasks.results.batch import return_batch

    site = open_site(config)
    if site.settings.returns is None:
        return {}
    with boundary("return", site.errors), site.ledger.turn("return"):
        made = return_batch(
            site.settings.returns, list(site.ledger.studies()), vault=site.vault, lake=site.lake, ledger=site.ledger, run=run,
            errors=site.errors, max_attempts=site.settings.executor.max_attempts,
        )  # fmt: skip
        held = made.units["withheld", "E-RETURN-NOT-FINAL", "study"]
        return {"unreturned": made.studies["failed"] + made.studies["postponed"] - held}
