"""Import the hospital's labels, account for every study, and measure the model in every subgroup."""

from prefect import flow

from flows.batches import configured, run_name
from tasks.deid.task import import_tables
from tasks.evaluation.task import account, measure


@flow(name="evaluate", flow_run_name=run_name, persist_result=False)
def evaluate(config: str | None = None) -> bool:
    """Import the hospital's labels, account for every study, and measure the model in every subgroup.

    Args:
        config: path of the site's configuration; SAFELIGHT_CONFIG where it is left out.

    Returns:
        whether anything had changed since the last evaluation.
    """
    path = configured(config)
    import_tables(path)
    account(path)
    return measure(path)
