"""Prefect's view of the stage `deidentify`: one task a batch of studies."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.deid.importing import import_table
from tasks.guard import boundary
from tasks.site import open_site


@task(name="deidentify", task_run_name="deidentify-{batch}", cache_policy=NO_CACHE, persist_result=False)
def deidentify_studies(config: str, run: str, batch: int, keys: list[str]) -> dict[str, int]:
    """Do the stage for the due studies of one batch; returns counts by status."""
    site = open_site(config)
    with boundary(f"deidentify batch {batch}", site.errors):
        return dict(site.work("deidentify", run, keys).studies)


@task(name="import", task_run_name="import", cache_policy=NO_CACHE, persist_result=False)
def import_tables(config: str) -> int:
    """Map the hospital's labels and demographics to the lake's keys; returns how many rows were matched."""
    site = open_site(config)
    with boundary("import", site.errors), site.ledger.turn("import"):
        return sum(
            import_table(entry.file, kind=entry.kind, key=entry.key, vault=site.vault, ledger=site.ledger, lake=site.lake).matched
            for entry in site.settings.imports
        )
