"""A batch of studies pulled in this process: from each PACS so many at once as it allows, and when it allows it."""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tasks.errors import ConfigurationError, SafelightError
from tasks.executor import OnEnd, OnWait, Summary, attempt
from tasks.guard import ErrorLog
from tasks.ledger import Ledger, Study
from tasks.pacs.association import Requestor
from tasks.pacs.manners.conduct import Conduct
from tasks.pacs.moving.carrier import Carrier, Getter, Mover
from tasks.pacs.moving.retrieve import OURS, Patience
from tasks.pacs.receiving.desk import Desk
from tasks.pacs.settings import PacsSettings
from tasks.pacs.stage import IDENTITY, PASSING, PullStage
from tasks.pacs.station import Station, station
from tasks.settings import Settings
from tasks.stage import Count, Outcome, fingerprint
from tasks.vault import Vault

#: Less than this on the vault's disk, and no study is begun.
RESERVE_BYTES = 256 << 20
#: How often a study may be postponed in one batch before it counts as failed: a PACS that dies of it would be asked for ever.
_POSTPONEMENTS = 3
_STRANGER = "E-PULL-STRANGER"


def pull_batch(
    settings: Settings,
    vault: Vault,
    ledger: Ledger,
    run: str,
    keys: list[str],
    errors: ErrorLog,
    on_end: OnEnd | None = None,
    on_wait: OnWait | None = None,
) -> Summary:
    """Pull those of `keys` that are due, in the name of the ledger's `run`.

    Batches of this process share its receivers; those of other processes that would listen on the same ports wait for their turn. Where
    nothing is due, no port is opened and no PACS is asked.

    Args:
        on_end: called with (study key, outcome) as each study ends.
        on_wait: called where work begins to wait or goes on: PACS, reason code (empty: it goes on), until when.

    Returns:
        counts: `done`, `failed`, `held` by other live runs, and `waiting`, where a PACS is being drained and they were not begun.

    Raises:
        ConfigurationError: E-CONFIG (no PACS is configured), E-PULL-PORT-BUSY, E-PULL-BIND, E-PULL-SOURCE; E-PULL-BREAKER and as `echo`
            where a PACS cannot be worked with, after the studies of the other PACSs have been pulled.
    """
    if not settings.pacs:
        raise ConfigurationError("E-CONFIG", "pacs is missing")
    work = _Batch(settings, vault, ledger, run, errors, Summary(IDENTITY.label()), on_end, on_wait)
    due = work.due(keys)
    if due:
        with station(settings, vault, ledger, errors) as opened:
            work.pull(due, opened)
            for code, n in opened.desk.take_strays().items():
                work.summary.units["refused", code, "instance"] += n
    rows = ledger.results(IDENTITY.label(), keys)
    work.summary.studies["held"] = sum(row.status == "running" and row.owner != run for row in rows.values())
    if work.errors_raised:
        raise work.errors_raised[0]
    return work.summary


@dataclass
class _Batch:
    """What the threads of a batch share."""

    settings: Settings
    vault: Vault
    ledger: Ledger
    run: str
    errors: ErrorLog
    summary: Summary
    on_end: OnEnd | None
    on_wait: OnWait | None
    errors_raised: list[SafelightError] = field(default_factory=list)
    studies: dict[str, Study] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def due(self, keys: list[str]) -> dict[str, list[Study]]:
        """The studies that are due, by the PACS that has them, in the order of their keys."""
        self.studies = self.ledger.studies(keys)
        wanted = {key: fingerprint(IDENTITY, study.found_digest) for key, study in self.studies.items()}
        found: dict[str, list[Study]] = defaultdict(list)
        for key in self.ledger.due(IDENTITY.label(), wanted, max_attempts=self.settings.executor.max_attempts):
            found[self.studies[key].source].append(self.studies[key])
        unknown = set(found) - {pacs.source for pacs in self.settings.pacs}
        for source in sorted(unknown):
            self.errors_raised.append(ConfigurationError("E-PULL-SOURCE", f"{len(found.pop(source))} studies of {source}"))
        return found

    def pull(self, due: dict[str, list[Study]], opened: Station) -> None:
        """Pull them, with the associations that each PACS allows, and wait until all has ended."""
        threads, queues = [], []
        for pacs in self.settings.pacs:
            studies = due.get(pacs.source, [])
            queue = _Queue(studies)
            queues.append(queue)
            conduct = opened.conduct(pacs, self.settings, self.ledger, self.on_wait)
            for number in range(min(pacs.manners.associations, len(studies))):
                worker = _Worker(self, pacs, conduct, queue, opened.desk, number)
                threads.append(
                    threading.Thread(target=self._guarded, args=(worker,), name=f"pull {pacs.source} {number}", daemon=True)
                )
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException:
            opened.stop.set()  # whoever interrupts the waiting interrupts the work: no study is begun any more
            raise
        for queue in queues:
            self.waiting(queue.close())

    def ended(self, key: str, outcome: Outcome) -> None:
        """Count one study's end."""
        with self._lock:
            self.summary.add(key, outcome)
            if self.on_end is not None:
                self.on_end(key, outcome)

    def give_up(self, study: Study, outcome: Outcome) -> None:
        """Count a study as failed that was postponed too often."""
        inputs, n = study.found_digest, sum(study.expected.values())
        if self.ledger.claim(IDENTITY.label(), study.study_key, fingerprint(IDENTITY, inputs), self.run, inputs=inputs):
            failed = replace(outcome, status="failed", tally=(Count("failed", outcome.reason_code, "instance", n),))
            self.ledger.finish(IDENTITY.label(), study.study_key, self.run, failed)
            self.ended(study.study_key, failed)

    def waiting(self, n: int) -> None:
        """Count studies that were not begun."""
        with self._lock:
            self.summary.studies["waiting"] += n

    def _guarded(self, worker: _Worker) -> None:
        try:
            worker.work()
        except SafelightError as error:
            self._raised(error)
        except Exception as error:  # noqa: BLE001 - a thread's exception would be lost
            error_id = self.errors.record(f"{IDENTITY.label()} {worker.pacs.source}", error)
            self._raised(SafelightError("E-STAGE-UNEXPECTED", f"error id {error_id}"))

    def _raised(self, error: SafelightError) -> None:
        with self._lock:
            self.errors_raised.append(error)


class _Queue:
    """Studies of one PACS that are still to be pulled. Safe to use from several threads."""

    def __init__(self, studies: Iterable[Study]) -> None:
        self._studies = deque(studies)
        self._postponed: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._closed = False
        self._workers = 0

    def take(self) -> Study | None:
        """The next one; None where there is none, or the queue was closed: then this worker has left."""
        with self._lock:
            if self._studies and not self._closed:
                return self._studies.popleft()
            self._workers -= 1
            return None

    def give_back(self, study: Study) -> None:
        """Put one back that was not begun."""
        with self._lock:
            self._studies.appendleft(study)

    def postpone(self, study: Study) -> bool:
        """Put one back that could not be tried; False where that has happened too often."""
        with self._lock:
            self._postponed[study.study_key] += 1
            if self._postponed[study.study_key] >= _POSTPONEMENTS:
                return False
            self._studies.append(study)
            return True

    def enter(self) -> None:
        """Another worker takes from here."""
        with self._lock:
            self._workers += 1

    def leave(self) -> bool:
        """A worker would rather not go on; False where it is the last."""
        with self._lock:
            if self._workers <= 1:
                return False
            self._workers -= 1
            return True

    def close(self) -> int:
        """Hand out no more; returns how many are left, once."""
        with self._lock:
            left, self._closed = len(self._studies), True
            self._studies.clear()
            return left


class _Worker:
    """One association with one PACS, which pulls one study after the other."""

    def __init__(self, batch: _Batch, pacs: PacsSettings, conduct: Conduct, queue: _Queue, desk: Desk, number: int) -> None:
        self.pacs = pacs
        self._batch, self._conduct, self._queue, self._desk = batch, conduct, queue, desk
        self._requestor = Requestor(pacs)
        titles = pacs.receivers or tuple(receiver.ae_title for receiver in batch.settings.receivers)
        destination = titles[number % len(titles)]
        self._place = f"{pacs.source}, to {destination}" if pacs.retrieve == "move" else pacs.source
        self._carrier: Carrier = (
            Getter(pacs, desk, self._requestor) if pacs.retrieve == "get" else Mover(self._requestor, destination)
        )
        patience = Patience(pacs.manners.retries, conduct.backoff.delay, pacs.manners.settle_s, time.sleep)
        self._stage = PullStage(
            batch.vault,
            batch.studies,
            conduct.book,
            self._requestor,
            self._carrier,
            desk,
            patience,
            all(receiver.fsync == "instance" for receiver in batch.settings.receivers),
            batch.errors,
            conduct.paused,
        )

    def work(self) -> None:
        """Pull until nothing is left, or the PACS is drained or given up."""
        try:
            self._queue.enter()
            with self._conduct.slot():
                while (study := self._queue.take()) is not None:
                    if not self._one(study):
                        return
        except BaseException:
            self._batch.waiting(self._queue.close())
            raise
        finally:
            self._close()

    def _one(self, study: Study) -> bool:
        """Pull one study, when it may be; False where no other shall be begun."""
        if not self._conduct.admit(study.study_key, self._close):
            self._queue.give_back(study)
            self._batch.waiting(self._queue.close())
            return False
        try:
            self._hold_space()
            self._conduct.echo(self._requestor.echo)
        except ConfigurationError as error:
            self._queue.give_back(study)
            return self._failed(error)
        strangers = self._desk.strays[_STRANGER]
        outcome = attempt(
            self._stage, study.study_key, study.found_digest,
            ledger=self._batch.ledger, run=self._batch.run, errors=self._batch.errors,
            beside=lambda connection: self._conduct.book.settle(connection, study.study_key, study.source),
        )  # fmt: skip
        if outcome is None:  # another run has it; the PACS answers all the same
            self._conduct.succeeded()
            return True
        if outcome.status == "postponed":
            return self._postponed(study, outcome, unknown=self._desk.strays[_STRANGER] > strangers)
        self._conduct.succeeded()
        self._batch.ended(study.study_key, outcome)
        return True

    def _postponed(self, study: Study, outcome: Outcome, *, unknown: bool) -> bool:
        """Put a study back that could not be tried; `unknown`: a stranger was turned away at our door meanwhile."""
        code, place = outcome.reason_code, self._place
        if code in PASSING:
            if not self._queue.postpone(study):
                self._batch.give_up(study, outcome)
            return self._failed(ConfigurationError(code, place))
        self._queue.give_back(study)
        if code in OURS:
            place = str(self._batch.vault.root)
        elif code == "E-PULL-DESTINATION-UNKNOWN" and unknown:
            code = _STRANGER  # the PACS could not reach us, because we did not let it in
        return self._failed(ConfigurationError(code, place))

    def _failed(self, error: ConfigurationError) -> bool:
        """Note a failure of the connection; whether to go on. What no waiting will mend is raised."""
        self._close()
        if error.code not in PASSING:
            raise error
        if error.code == "E-PULL-BUSY" and self._queue.leave():
            self._conduct.succeeded()
            return False  # it has fewer associations for us than we are allowed: the others go on
        self._conduct.failed(error.code)
        return True

    def _hold_space(self) -> None:
        if shutil.disk_usage(self._batch.vault.root).free < RESERVE_BYTES:
            raise ConfigurationError("E-PULL-DISK-FULL", str(self._batch.vault.root))

    def _close(self) -> None:
        self._carrier.close()
        self._requestor.close()
