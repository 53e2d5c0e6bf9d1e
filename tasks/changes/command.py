"""`safelight pccp`: may a new version of a model replace the running one, by a predetermined change control plan?"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from tasks.changes import rows
from tasks.changes.plan import evaluation_plan_of, load_change_plan
from tasks.console import DONE, INCOMPLETE, console, one_sentence, say
from tasks.lake import Lake


def pccp(
    plan: Annotated[
        str, typer.Argument(help="The change plan: a file, or the name of one in configs/changes.", metavar="CHECK.yaml")
    ],
    lake: Annotated[str, typer.Option(help="The lake that both versions read: a folder or an s3:// URL.", show_default=False)],
    candidate: Annotated[str, typer.Option(help="NAME@VERSION of the registered version that may replace the running one.")],
    running: Annotated[
        str | None, typer.Option(help="NAME@VERSION it is held against. Default: what the bare name means.")
    ] = None,
) -> None:
    """Hold a candidate against the running version by a predetermined change control plan, and keep the verdict with it.

    Ends with 1 where the verdict is not a pass: then `safelight models promote` refuses the candidate.

    Example: safelight pccp change_plan.yaml --lake lake --candidate demo_nodule@1.1.0
    """
    from tasks.changes.assessment import assess, versions
    from tasks.changes.verdict import verdicts
    from tasks.evaluation.plan import load_plan

    with one_sentence():
        wanted, where = load_change_plan(plan), Lake.open(lake)
        old, new = versions(where, wanted, running, candidate)
        made = assess(where, wanted, load_plan(evaluation_plan_of(wanted, plan)), old, new)
        said = made.verdict
        for title, (header, lines) in (("What changed", rows.changes(said.changes)), ("Limits", rows.limits(said.limits))):
            table = Table(*header, title=f"{title}: {new.label} against {old.label}")
            for line in lines:
                table.add_row(*line)
            console.print(table)
        folder = made.keep(where)
        earlier = verdicts(where, new.manifest.name, new.manifest.version)
        failed = sum(not each.passed for each in earlier) - (not said.passed)
        say(f"pccp: {new.label} against {old.label}: {said.verdict} · {rows.counts(said)}")
        if failed > 0 or len({each.plan_sha256 for each in earlier}) > 1:
            say(
                f"  This candidate has {len(earlier)} verdicts by {len({each.plan_sha256 for each in earlier})} plans; {failed} earlier ones failed."
            )
        procedures = wanted.modification_protocol.update_procedures
        say(f"  To approve: {', '.join(procedures.approved_by)}. To be told: {', '.join(procedures.told)}.")
        say(f"Look here: {lake}/{folder}")
        raise typer.Exit(DONE if said.passed else INCOMPLETE)
