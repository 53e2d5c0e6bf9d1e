"""`safelight monitor`: how a model version did in a period of its use, beside a baseline."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from tasks.changes import rows
from tasks.changes.plan import evaluation_plan_of, load_change_plan
from tasks.console import DONE, INCOMPLETE, console, one_sentence, say
from tasks.lake import Lake


def monitor(
    plan: Annotated[
        str, typer.Argument(help="The change plan: a file, or the name of one in configs/changes.", metavar="PLAN.yaml")
    ],
    lake: Annotated[str, typer.Option(help="The lake that the version read: a folder or an s3:// URL.", show_default=False)],
    period: Annotated[str, typer.Option(help="Years of the studies: 2025, or 2024-2025.", show_default=False)],
    baseline: Annotated[str, typer.Option(help="Earlier years to hold them against.", show_default=False)],
    model: Annotated[str | None, typer.Option(help="NAME@VERSION. Default: what the plan's model means today.")] = None,
) -> None:
    """Monitor a model version in a period: its performance, what has changed since a baseline, and the drift of scores and input.

    Writes monitoring.json into the lake's folder monitoring/, with results.json of both periods. Ends with 1 where the change plan's limits give
    an alert.

    Example: safelight monitor change_plan.yaml --lake lake --period 2025 --baseline 2023-2024
    """
    from tasks.changes.monitoring import watch
    from tasks.changes.periods import Period
    from tasks.errors import ConfigurationError
    from tasks.evaluation.plan import load_plan
    from tasks.inference.registry import find

    with one_sentence():
        wanted, where = load_change_plan(plan), Lake.open(lake)
        if (model or wanted.model).partition("@")[0] != wanted.model:
            raise ConfigurationError("E-CHANGE-MODEL", f"{model}, where the plan is about {wanted.model}")
        bundle = find(where, model or wanted.model)
        evaluation = load_plan(evaluation_plan_of(wanted, plan))
        made = watch(where, wanted, evaluation, bundle, Period.parse(period), Period.parse(baseline))
        for title, (header, lines) in rows.monitoring(made.found).items():
            table = Table(*header, title=title)
            for line in lines:
                table.add_row(*line)
            console.print(table)
        folder = made.publish(where)
        found = made.found
        say(
            f"monitor: {bundle.label} in {period} against {baseline} · {found.period.studies} and {found.baseline.studies} studies, "
            f"{found.studies_without_year} without a year · {len(found.limits)} limits, {len(found.alerts)} alerts"
        )
        for alert in found.alerts:
            where_from = f" where {alert.attribute} = {alert.level}" if alert.attribute else ""
            say(f"  ALERT {alert.metric}{where_from}: {alert.reason}")
        say(f"Look here: {lake}/{folder}")
        raise typer.Exit(INCOMPLETE if found.alerts else DONE)
