"""Find the studies in the PACS and pull what is due."""

from prefect import flow
from prefect.states import State
from prefect.task_runners import ThreadPoolTaskRunner

from flows.batches import THREADS, configured, run_name, run_stages
from tasks.pacs.task import plan


@flow(name="pull", flow_run_name=run_name, task_runner=ThreadPoolTaskRunner(max_workers=THREADS), persist_result=False)
def pull(config: str | None = None) -> State[dict[str, int]]:
    """Find the studies in the PACS and pull what is due.

    Args:
        config: path of the site's configuration; SAFELIGHT_CONFIG where it is left out.
    """
    plan(configured(config))
    return run_stages(config, "pull", ["pull"])
