"""De-identify everything that was pulled and is due."""

from prefect import State, flow

from flows.batches import RUNNER, run_name, run_stages


@flow(name="deidentify", flow_run_name=run_name, task_runner=RUNNER, persist_result=False)
def deidentify(config: str | None = None) -> State[dict[str, int]]:
    """De-identify everything that was pulled and is due.

    Args:
        config: path of the site's configuration; SAFELIGHT_CONFIG where it is left out.
    """
    return run_stages(config, "deidentify", ["deidentify"])
