"""Maps a stage over studies, by the ledger or by what lies in the lake, in whatever pool of workers it is given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import BrokenExecutor, Future, as_completed
from dataclasses import dataclass, field

from tasks.errors import SafelightError
from tasks.guard import ErrorLog, guarded
from tasks.lake import Lake
from tasks.ledger import Beside, Ledger
from tasks.pools import InlinePool, Pool
from tasks.stage import Count, Outcome, Stage, fingerprint


@dataclass
class Summary:
    """What one turn of a stage over many studies came to."""

    stage: str
    studies: Counter[str] = field(default_factory=Counter)
    units: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    failures: dict[str, Outcome] = field(default_factory=dict)

    def add(self, key: str, outcome: Outcome) -> None:
        """Count one study's outcome."""
        self.studies[outcome.status] += 1
        for count in outcome.tally:
            self.units[count.outcome, count.reason_code, count.unit] += count.n
        if outcome.status == "failed":
            self.failures[key] = outcome

    def counts(self) -> tuple[Count, ...]:
        """Units by outcome and reason."""
        return tuple(sorted(Count(*end, n) for end, n in self.units.items()))


OnEnd = Callable[[str, Outcome], None]
#: Told where work waits for something outside: for what, why (a reason code; empty: it goes on), until when (seconds since the epoch).
OnWait = Callable[[str, str, float | None], None]


def run_by_ledger(
    stage: Stage,
    keys: list[str],
    *,
    ledger: Ledger,
    run: str,
    pool: Pool,
    errors: ErrorLog,
    max_attempts: int = 3,
    on_end: OnEnd | None = None,
) -> Summary:
    """Do a stage for those of `keys` that are due in the ledger, and write there what became of each.

    Args:
        keys: study keys, in the order in which they are begun. Those whose upstream stage is not finished, or handed nothing on, are left
            alone.
        run: the id of the ledger's run in whose name studies are claimed.
        on_end: called with (study key, outcome) as each study ends.

    Returns:
        the counts of this turn: `done`, `failed`, and `held` for studies that another live run is working on.
    """
    _withdraw(stage, keys, ledger, run)
    inputs = _inputs(stage, keys, ledger)
    wanted = {key: fingerprint(stage, given) for key, given in inputs.items()}
    summary = Summary(stage.label())
    claimed = {}
    due = set(ledger.due(stage.label(), wanted, max_attempts=max_attempts))
    for key in (key for key in keys if key in due):
        if ledger.claim(stage.label(), key, wanted[key], run, inputs=inputs[key]):
            claimed[key] = inputs[key]

    def end(key: str, outcome: Outcome) -> None:
        _finish(stage, key, outcome, ledger, run)
        summary.add(key, outcome)
        if on_end is not None:
            on_end(key, outcome)

    _map(stage, claimed, pool, errors, end)
    rows = ledger.results(stage.label(), list(wanted))
    summary.studies["held"] = sum(row.status == "running" and row.owner != run for row in rows.values())
    return summary


def attempt(
    stage: Stage, key: str, inputs: str, *, ledger: Ledger, run: str, errors: ErrorLog, beside: Beside | None = None
) -> Outcome | None:
    """Do a stage for one study in this thread, with the ledger's row around it; None where another run has it, or had it meanwhile.

    `beside` writes more in the transaction in which the row is finished or given back.
    """
    if not ledger.claim(stage.label(), key, fingerprint(stage, inputs), run, inputs=inputs):
        return None
    outcome = _work(stage, key, inputs, errors)
    _finish(stage, key, outcome, ledger, run, beside)
    return outcome


def run_by_manifest(
    stage: Stage, inputs: Mapping[str, str], *, lake: Lake, pool: Pool, errors: ErrorLog, whole: bool, on_end: OnEnd | None = None
) -> Summary:
    """Do a stage without a ledger: for the studies of `inputs` (key → input digest) whose manifest in the lake is not of today.

    Args:
        whole: `inputs` is all there is, so what the stage once published of other studies is withdrawn.

    Returns:
        the counts of this turn; studies that were up to date are counted as `unchanged`.
    """
    summary = Summary(stage.label())
    for published in list(lake.manifests(stage.label())) if whole else ():
        if published.key not in inputs:
            stage.withdraw(published.key)
            summary.studies["withdrawn"] += 1
    due = {}
    for key, given in sorted(inputs.items()):
        manifest = lake.manifest(stage.label(), key)
        if manifest is not None and manifest.fingerprint == fingerprint(stage, given) and not manifest.stale:
            summary.studies["unchanged"] += 1
        else:
            due[key] = given

    def end(key: str, outcome: Outcome) -> None:
        summary.add(key, outcome)
        if on_end is not None:
            on_end(key, outcome)

    _map(stage, due, pool, errors, end)
    return summary


def _finish(stage: Stage, key: str, outcome: Outcome, ledger: Ledger, run: str, beside: Beside | None = None) -> None:
    if outcome.status == "postponed":
        ledger.release(stage.label(), key, run, beside=beside)
    else:
        ledger.finish(stage.label(), key, run, outcome, beside=beside)


def _inputs(stage: Stage, keys: list[str], ledger: Ledger) -> dict[str, str]:
    if stage.upstream is None:
        return {key: study.found_digest for key, study in ledger.studies(keys).items()}
    rows = ledger.results(stage.upstream, keys)
    return {key: row.output for (key, _), row in rows.items() if row.status == "done" and row.passed}


def _withdraw(stage: Stage, keys: list[str], ledger: Ledger, run: str) -> None:
    """Take back what the stage once published of studies of which it gets nothing any more: the lake follows from its inputs alone."""
    if stage.upstream is None:
        return
    before = ledger.results(stage.upstream, keys)
    for key, _ in ledger.results(stage.label(), keys):
        giver = before.get((key, stage.upstream))
        gone = giver is None or (giver.status == "done" and not giver.passed)
        if gone and ledger.claim(stage.label(), key, "", run):
            stage.withdraw(key)
            ledger.forget(stage.label(), key, run)


def _map(stage: Stage, inputs: Mapping[str, str], pool: Pool, errors: ErrorLog, end: OnEnd) -> None:
    futures: dict[Future[Outcome], str] = {}
    suspects = []
    for key, given in inputs.items():
        future = pool.submit(_work, stage, key, given, errors)
        if isinstance(pool, InlinePool):
            end(key, future.result())
        else:
            futures[future] = key
    for future in as_completed(futures):
        try:
            end(futures[future], future.result())
        except BrokenExecutor:
            suspects.append(futures[future])
    for key in sorted(suspects):  # a worker died: find out alone whose study it was
        try:
            outcome = pool.isolated(_work, stage, key, inputs[key], errors)
        except BrokenExecutor:
            died = SafelightError("E-WORKER-DIED", f"{stage.label()} {key}")
            outcome = Outcome("failed", reason_code=died.code, error_id=errors.record(f"{stage.label()} {key}", died))
        end(key, outcome)


def _work(stage: Stage, key: str, inputs: str, errors: ErrorLog) -> Outcome:
    """One study in a worker."""
    return guarded(stage.label(), key, errors, lambda: stage.run(key, inputs, fingerprint(stage, inputs)))
