"""The whole night: pull → deidentify → volumes → infer, batch by batch, then deliver, return, evaluate and publish."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from typing import Any

from prefect import State, flow
from prefect.artifacts import create_link_artifact, create_table_artifact
from prefect.runtime import flow_run

from flows.batches import INCOMPLETE, RUNNER, configured, run_name, stream, verdict
from flows.evaluate import evaluate
from flows.publish import publish
from flows.reconcile import reconcile
from tasks.accountability import lines
from tasks.deid.task import certify
from tasks.delivery.task import deliver_results
from tasks.guard import boundary
from tasks.night import DONE, NOT_ENDED, SOME_FAILED
from tasks.pacs.task import plan
from tasks.preflight import check
from tasks.results.task import return_results
from tasks.site import Site, open_site
from tasks.stage import STUDY_STAGES


@flow(name="nightly", flow_run_name=run_name, task_runner=RUNNER, persist_result=False)
def nightly(config: str | None = None) -> State[dict[str, int]]:
    """Do everything that is due, once, now.

    Args:
        config: path of the site's configuration; SAFELIGHT_CONFIG where it is left out.
    """
    path = configured(config)
    site = open_site(path)
    reconcile(path)
    with boundary("night", site.errors), site.ledger.run("night", flow_run=str(flow_run.id)) as run:
        check(site)
        planned = plan(path)
        began = site.ledger.now()
        counts = stream(path, run, site.batches(), STUDY_STAGES) + Counter(doubts=planned["doubts"])
        counts += Counter(deliver_results(path, began)) + Counter(return_results(path, run))
        evaluate(path)
        publish(path)
        certify(path)
        _show(site)
    return verdict(counts)


def _show(site: Site) -> None:
    """The night's table and links to its pages, on Prefect's page. Counts and paths of ours; nothing else."""
    table = [asdict(line) for line in lines(site.ledger, site.lake)]
    create_table_artifact(key="night", table=table, description="Where every study and instance went.")
    for key, text in (("report", "Validation report"), ("certificate", "Certificate of de-identification")):
        page = f"reports/{key}.html"
        if site.lake.exists(page):
            where = (site.lake.root / page).as_uri() if site.lake.root is not None else f"{site.lake.url}/{page}"
            create_link_artifact(key=key, link=where, link_text=text)


def _exit_code(state: State[Any]) -> int:
    """What `tasks.night` understands: all is done, some studies failed, or the night did not come to its end."""
    if state.is_completed():
        return DONE
    return SOME_FAILED if (state.message or "").startswith(INCOMPLETE) else NOT_ENDED


def main() -> None:
    """The process of `tasks.night.command`: one night with the configuration that the first argument names."""
    sys.exit(_exit_code(nightly(sys.argv[1], return_state=True)))
