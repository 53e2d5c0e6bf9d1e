"""Prefect's view of the delivery."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.guard import boundary
from tasks.site import open_site


@task(name="deliver", task_run_name="deliver", cache_policy=NO_CACHE, persist_result=False)
def deliver_results(config: str, since: float) -> dict[str, int]:
    """Deliver what is there.

    Args:
        since: when the night began, in seconds since the epoch.

    Returns:
        `undelivered`: what someone should look at; `late`: results that came too late since then, or are overdue.
    """
    from tasks.delivery.service_levels import late
    from tasks.delivery.stage import deliver

    site = open_site(config)
    with boundary("deliver", site.errors):
        made = deliver(site)
        return {"undelivered": made.doubts, "late": sum(late(made.levels, since, made.since).values())}
