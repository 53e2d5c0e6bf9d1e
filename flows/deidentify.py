"""De-identify everything that was pulled and is due."""

from prefect import flow
from prefect.states import State
from prefect.task_runners import ThreadPoolTaskRunner

from flows.batches import THREADS, run_name, run_stages


@flow(name="deidentify", flow_run_name=run_name, task_runner=ThreadPoolTaskRunner(max_workers=THREADS), persist_result=False)
def deidentify(config: str | None = None) -> State[dict[str, int]]:
    """De-identify everything that was pulled and is due.

    Args:
        config: path of the site's configuration; SAFELIGHT_CONFIG where it is left out.
    """
    return run_stages(config, "deidentify", ["deidentify"])
