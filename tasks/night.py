"""One night from the command line: the flow in a process of its own, a live picture of it, and its table at the end."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tasks import accountability
from tasks.console import console, say
from tasks.errors import SafelightError
from tasks.ledger import Ledger
from tasks.pacs.waiting import waiting
from tasks.processes import ProcessId
from tasks.site import Site
from tasks.stage import COHORT_STAGES
from tasks.status import overview

#: Exit codes of the flow's own process; any other, and Python's own 1, means that it broke.
DONE, NOT_ENDED, SOME_FAILED = 0, 2, 10


def run_flow(config: Path, environment: dict[str, str], ledger: Ledger, log: Path) -> bool:
    """Run the nightly flow once and show how it goes.

    Args:
        config: the site's configuration.
        environment: from `tasks.orchestrator.server`.
        ledger: watched for progress.
        log: where the flow's own output goes.

    Returns:
        whether every study ended well.

    Raises:
        SafelightError: E-RUN-CHILD with the log's path where the night did not come to its end; E-RUN-STOPPED after Ctrl-C.
    """
    began = time.time()
    with log.open("ab") as stream:
        process = subprocess.Popen(command(config), env=environment, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL)  # noqa: S603
    try:
        _watch(process, ledger, began)
    except KeyboardInterrupt:
        say("Stopping …")
        raise SafelightError("E-RUN-STOPPED") from None
    finally:
        if process.poll() is None:  # whatever ended the watching, the flow must not go on unseen
            ProcessId.of(process.pid).stop()
            process.poll()
    code = process.wait()
    if code not in {DONE, SOME_FAILED}:
        raise SafelightError("E-RUN-CHILD", str(log))
    return code == DONE


def command(config: Path) -> list[str]:
    """The night as a process of its own. Not by `-m`: worker processes would import the flow, and Prefect with it, all over again."""
    return [sys.executable, "-c", "from flows.nightly import main; main()", str(config)]


def night_table(site: Site) -> Table:
    """Found, pulled, released, quarantined, converted, read, analysed: studies and instances by stage and reason."""
    found = accountability.lines(site.ledger, site.lake)
    drawn = Table(title="The night", expand=False)
    drawn.add_column("stage", overflow="fold")
    drawn.add_column("outcome")
    drawn.add_column("reason", min_width=max((len(line.reason_code) for line in found), default=0))
    for heading in ("studies", "instances"):
        drawn.add_column(heading, justify="right")
    before = ""
    for line in found:
        if before and line.stage != before:
            drawn.add_section()
        stage = line.stage.replace(":", " ") if line.stage != before else ""
        drawn.add_row(
            stage, line.outcome, line.reason_code, str(line.studies), "" if line.instances is None else str(line.instances)
        )
        before = line.stage
    return drawn


def _watch(process: subprocess.Popen[bytes], ledger: Ledger, since: float) -> None:
    """Draw the stages on a terminal, or say a line now and then elsewhere, until the process ends."""
    if not console.is_terminal:
        said = ""
        while process.poll() is None:
            line = " · ".join(
                [f"{status.stage} {status.done}/{status.total}" for status in overview(ledger)]
                + _turns(ledger, since)
                + waiting(ledger)
            )
            if line != said:
                say(line)
                said = line
            _pause(process, 5.0)
        return
    with Live(_picture(ledger, since), console=console, refresh_per_second=4, transient=True) as live:
        while process.poll() is None:
            live.update(_picture(ledger, since))
            _pause(process, 0.5)


def _turns(ledger: Ledger, since: float) -> list[str]:
    """The cohort's stages that have begun since a time, in words."""
    turns = ledger.turns(since)
    return [f"{stage} {turns[stage].event}" for stage in COHORT_STAGES if stage in turns]


def _pause(process: subprocess.Popen[bytes], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)


def _picture(ledger: Ledger, since: float) -> Group:
    grid = Table.grid(padding=(0, 2))
    for status in overview(ledger):
        ended = status.done + status.failed
        note = f"{status.failed} failed" if status.failed else (f"{status.running} in work" if status.running else "")
        grid.add_row(status.stage, ProgressBar(max(status.total, 1), ended, width=40), f"{ended}/{status.total} studies", note)
    turns = ledger.turns(since)
    for stage in COHORT_STAGES:
        turn = turns.get(stage)
        said = "" if turn is None else "in work" if turn.event == "running" else f"{turn.event} in {turn.seconds:.1f} s"
        grid.add_row(stage, ProgressBar(1, turn is not None and turn.event == "done", width=40), "the cohort", said)
    return Group(grid, *map(Text, waiting(ledger)))
