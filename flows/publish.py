"""Make the validation report of the latest evaluation."""

from prefect import flow

from flows.batches import configured, run_name
from tasks.report.task import publish_documents


@flow(name="publish", flow_run_name=run_name, persist_result=False)
def publish(config: str | None = None) -> bool:
    """Make the validation report of the latest evaluation.

    Args:
        config: path of the site's configuration; SAFELIGHT_CONFIG where it is left out.

    Returns:
        whether there was anything new to publish.
    """
    return publish_documents(configured(config))
