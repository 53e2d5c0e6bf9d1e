"""What a person sees: progress on a terminal, one line of counts at the end, one clear sentence for an error, and the exit code.

Exit codes: 0 done; 1 some studies failed or were quarantined (which, and where to look, is said); 2 could not start
(what to fix).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tasks.errors import ConfigurationError, SafelightError

if TYPE_CHECKING:  # at run time they would bring the ledger and the lake along, before it is known what is wanted
    from tasks.executor import Summary
    from tasks.stage import Outcome

DONE, INCOMPLETE, NOT_STARTED = 0, 1, 2

console = Console(highlight=False, soft_wrap=True)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def progress(title: str, total: int | None) -> Iterator[Callable[[str, Outcome], None]]:
    """A progress bar on a terminal, silence elsewhere; yields the function to call as each study ends."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(title, total=total)

        def advance(_key: str, _outcome: Outcome) -> None:
            bar.advance(task)

        yield advance


def say(line: str) -> None:
    """One line for a person."""
    console.print(line, markup=False)


def counts_line(summary: Summary) -> str:
    """`deidentify: 3 studies done, 1 failed · released 120 instance, quarantined 2 instance (E-…)`."""
    studies = ", ".join(f"{n} {status}" for status, n in sorted(summary.studies.items()) if n) or "nothing to do"
    units = ", ".join(
        f"{count.outcome} {count.n} {count.unit}" + (f" ({count.reason_code})" if count.reason_code else "")
        for count in summary.counts()
    )
    return f"{summary.stage}: studies {studies}" + (f" · {units}" if units else "")


def finish(summary: Summary, look_here: str) -> NoReturn:
    """Print the line of counts, name the studies that failed (by key) and where to look, and end with the exit code."""
    say(counts_line(summary))
    for key, outcome in sorted(summary.failures.items())[:20]:
        say(f"  failed {key}: {outcome.reason_code}" + (f" (error id {outcome.error_id})" if outcome.error_id else ""))
    if len(summary.failures) > 20:
        say(f"  … and {len(summary.failures) - 20} more")
    incomplete = bool(summary.failures) or any(
        count.outcome in {"quarantined", "rejected", "failed"} for count in summary.counts()
    )
    if incomplete:
        say(f"Look here: {look_here}")
    raise typer.Exit(INCOMPLETE if incomplete else DONE)


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn a coded error into one sentence on stderr and its exit code: 2 where the work could not start, else 1."""
    try:
        yield
    except SafelightError as error:
        _errors.print(str(error), markup=False)
        sys.stderr.flush()
        raise typer.Exit(NOT_STARTED if isinstance(error, ConfigurationError) else INCOMPLETE) from None
