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

from tasks import accountability
from tasks.console import console, say
from tasks.ledger import Ledger
from tasks.processes import ProcessId
from tasks.site import Site
from tasks.status import StageStatus, overview


def run_flow(config: Path, environment: dict[str, str], ledger: Ledger, log: Path) -> int:
    """Run the nightly flow once and show how it goes.

    Args:
        config: the site's configuration.
        environment: from `tasks.orchestrator.server`.
        ledger: watched for progress.
        log: where the flow's own output goes.

    Returns:
        the exit code of the flow's process: 0 where every study ended well.
    """
    command = [sys.executable, "-m", "flows.nightly", str(config)]
    with log.open("ab") as stream:
        process = subprocess.Popen(command, env=environment, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL)  # noqa: S603
    try:
        _watch(process, ledger)
    except KeyboardInterrupt:
        say("Stopping: what is finished is kept; the next run goes on from here.")
        ProcessId.of(process.pid).stop()
    return process.wait()


def night_table(site: Site) -> Table:
    """Found, pulled, released, quarantined, converted, read: studies and instances by stage and reason; the counts balance."""
    drawn = Table(title="The night", expand=False)
    for heading in ("stage", "outcome", "reason"):
        drawn.add_column(heading)
    drawn.add_column("n", justify="right")
    drawn.add_column("unit")
    before = ""
    for (stage, outcome, reason, unit), n in accountability.totals(accountability.rows(site.ledger)).items():
        if before and stage != before:
            drawn.add_section()
        drawn.add_row(stage if stage != before else "", outcome, reason, str(n), unit)
        before = stage
    return drawn


def anything_new(before: list[StageStatus], after: list[StageStatus]) -> bool:
    """Whether a run changed any study's state."""
    return before != after


def _watch(process: subprocess.Popen[bytes], ledger: Ledger) -> None:
    """Draw the stages on a terminal, or say a line now and then elsewhere, until the process ends."""
    if not console.is_terminal:
        said = ""
        while process.poll() is None:
            line = " · ".join(f"{status.stage} {status.done}/{status.total}" for status in overview(ledger))
            if line != said:
                say(line)
                said = line
            _pause(process, 5.0)
        return
    with Live(_picture(ledger), console=console, refresh_per_second=4, transient=True) as live:
        while process.poll() is None:
            live.update(_picture(ledger))
            _pause(process, 0.5)


def _pause(process: subprocess.Popen[bytes], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)


def _picture(ledger: Ledger) -> Group:
    grid = Table.grid(padding=(0, 2))
    for status in overview(ledger):
        ended = status.done + status.failed
        note = f"{status.failed} failed" if status.failed else (f"{status.running} in work" if status.running else "")
        grid.add_row(status.stage, ProgressBar(max(status.total, 1), ended, width=40), f"{ended}/{status.total} studies", note)
    return Group(grid)
