"""Prefect's view of the stage `deidentify`: one task a batch of studies. What the certificate needs is imported when it is written."""

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


@task(name="certificate", task_run_name="certificate", cache_policy=NO_CACHE, persist_result=False)
def certify(config: str) -> bool:
    """Publish the certificate of what is in the lake; returns whether it says anything new."""
    from tasks.deid.certificate.publishing import publish
    from tasks.deid.stage import DeidentifyStage

    site = open_site(config)
    with boundary("certificate", site.errors), site.ledger.turn("certificate"):
        stage = site.stage("deidentify")
        return isinstance(stage, DeidentifyStage) and publish(site.vault, site.lake, site.ledger, stage) is not None
