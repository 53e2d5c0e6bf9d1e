"""Prefect's view of the evaluation; what it computes with is imported when there is something to compute."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks import accountability
from tasks.evaluation.plan import load_plan
from tasks.guard import boundary
from tasks.site import open_site


@task(name="account", task_run_name="account", cache_policy=NO_CACHE, persist_result=False)
def account(config: str) -> int:
    """Write where every study went, if the counts balance; returns how many files hold it."""
    site = open_site(config)
    with boundary("account", site.errors), site.ledger.lock("account"):
        return len(accountability.publish(site.ledger, site.lake).files)


@task(name="evaluate", task_run_name="evaluate", cache_policy=NO_CACHE, persist_result=False)
def measure(config: str) -> bool:
    """Measure the model in every subgroup; returns whether anything had changed."""
    from tasks.evaluation.openings import note_in_ledger
    from tasks.evaluation.stage import evaluate_lake
    from tasks.evaluation.threshold import operating_point

    site = open_site(config)
    with boundary("evaluate", site.errors), site.ledger.turn("evaluate"):
        if site.settings.evaluation is None:
            return False
        plan = load_plan(site.settings.evaluation.plan)
        accounted = accountability.rows(site.ledger)
        model = site.settings.inference.named(plan.model_name)
        history = note_in_ledger(site.ledger, plan, operating_point(plan, model, site.lake).threshold)
        return evaluate_lake(site.lake, plan, accounted, model=model, history=history) is not None
