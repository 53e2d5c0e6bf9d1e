"""Find the studies in the PACS and pull what is due."""

from prefect import State, flow

from flows.batches import RUNNER, configured, run_name, run_stages
from tasks.pacs.task import plan


@flow(name="pull", flow_run_name=run_name, task_runner=RUNNER, persist_result=False)
def pull(config: str | None = None) -> State[dict[str, int]]:
    """Find the studies in the PACS and pull what is due.

    Args:
        config: path of the site's configuration; SAFELIGHT_CONFIG where it is left out.
    """
    planned = plan(configured(config))
    return run_stages(config, "pull", ["pull"], planned["doubts"])
