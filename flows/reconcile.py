"""Put right what a killed run left behind: in the ledger, in the zones, and in Prefect, where it would stay RUNNING for ever."""

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import StateType
from prefect.states import Crashed

from flows.batches import configured, run_name
from tasks.guard import boundary
from tasks.site import open_site


@flow(name="reconcile", flow_run_name=run_name, persist_result=False)
def reconcile(config: str | None = None) -> dict[str, int]:
    """Close dead runs, free the studies they held, and remove their leftovers.

    Args:
        config: path of the site's configuration; SAFELIGHT_CONFIG where it is left out.

    Returns:
        counts of runs closed, studies freed, leftovers removed, and flow runs closed in Prefect.
    """
    site = open_site(configured(config))
    with boundary("reconcile", site.errors):
        counts = site.reconcile()
        dead = [run.flow_run for run in site.ledger.runs() if run.state == "crashed" and run.flow_run]
        return {**counts, "flow_runs": _close(dead)}


def _close(flow_runs: list[str]) -> int:
    """Mark those of the flow runs that Prefect still believes to be running as crashed."""
    if not flow_runs:
        return 0
    running = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.CANCELLING]))
    with get_client(sync_client=True) as client:
        stuck = client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=flow_runs), state=running))
        for run in stuck:
            client.set_flow_run_state(run.id, Crashed(message="Its process died; closed by reconcile."), force=True)
    return len(stuck)
