"""Make the validation report of the latest evaluation, and put it into the lake's archive of reports."""

from prefect import flow
from prefect.artifacts import create_link_artifact

from flows.batches import configured, run_name
from tasks.report.task import publish_documents
from tasks.site import Site, open_site


@flow(name="publish", flow_run_name=run_name, persist_result=False)
def publish(config: str | None = None) -> bool:
    """Make the validation report of the latest evaluation.

    Args:
        config: path of the site's configuration; SAFELIGHT_CONFIG where it is left out.

    Returns:
        whether there was anything new to publish.
    """
    path = configured(config)
    new = publish_documents(path)
    _show(open_site(path), new=new)
    return new


def _show(site: Site, *, new: bool) -> None:
    """A link to the page of all reports, on Prefect's page. Counts and a path of ours; nothing else."""
    from tasks.report.stage import ARCHIVE, listed

    counts = listed(site.lake)
    if counts is None:
        return
    page = f"{ARCHIVE}/index.html"
    where = (site.lake.root / page).as_uri() if site.lake.root is not None else f"{site.lake.shown}/{page}"
    said = f"{counts['reports']} in all, {'one' if new else 'none'} new, {counts['damaged']} damaged."
    create_link_artifact(key="reports", link=where, link_text="All validation reports", description=said)
