"""What ten thousand small studies cost beside the PACS's own time: the planner, the ledger and Prefect, and how the ledger grows.

    python -m benchmarks.thousands [--studies 10000] [--instances 1]

A night's `pull` flow, for real: Prefect's server, plan, batches, C-MOVE from the embedded PACS (in a process of its own) of studies with one tiny
instance each. Of the wall clock, the share is printed of the time inside the ledger's database (all threads together), of the planner
outside of its C-FINDs, and of the flow outside of its tasks. It is one turn: the figures are shares of the same wall clock, and not ratios.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from benchmarks.pull import free_port

ROOT = "1.2.826.0.1.3680043.9.7133.42"


class Clock:
    """Seconds in some functions, all threads together: by the clock, and of a processor (`used`); and how long any thread was in one (`any`)."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.used: Counter[str] = Counter()
        self.any: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._inside = threading.local()
        self._running: Counter[str] = Counter()
        self._since: dict[str, float] = {}
        self._lock = threading.Lock()

    def watch(self, owner: Any, name: str, what: str) -> None:
        """Time a function from now on. Inside of another one that is watched it is timed as `what in other`; within itself not again."""
        function = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            stack: list[str] = self._inside.__dict__.setdefault("stack", [])
            if what in stack:
                return function(*arguments, **options)
            with self._running_as(what if not stack else f"{what} in {stack[0]}"):
                stack.append(what)
                try:
                    return function(*arguments, **options)
                finally:
                    stack.pop()

        setattr(owner, name, timed)

    @contextmanager
    def _running_as(self, label: str) -> Iterator[None]:
        began, worked = time.perf_counter(), time.thread_time()
        with self._lock:
            self._running[label] += 1
            if self._running[label] == 1:
                self._since[label] = began
        try:
            yield
        finally:
            ended, used = time.perf_counter(), time.thread_time() - worked
            with self._lock:
                self.seconds[label] += ended - began
                self.used[label] += used
                self.calls[label] += 1
                self._running[label] -= 1
                if not self._running[label]:
                    self.any[label] += ended - self._since[label]


def hospital(folder: Path, studies: int, instances: int) -> None:
    """Studies of tiny instances, over a hundred days."""
    folder.mkdir()
    for study in range(studies):
        for number in range(instances):
            made = Dataset()
            made.file_meta = FileMetaDataset()
            made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = CTImageStorage
            made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}.{study}.1.{number}"
            made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            made.StudyInstanceUID, made.SeriesInstanceUID = f"{ROOT}.{study}", f"{ROOT}.{study}.1"
            made.StudyDate = f"2026{1 + study % 10:02}{1 + study // 10 % 10:02}"
            made.StudyTime = f"{study % 24:02}{study % 60:02}00"
            made.Modality, made.PatientID, made.AccessionNumber = "CT", f"P{study}", f"A{study}"
            made.save_as(folder / f"{study}-{number}.dcm", enforce_file_format=True)


@contextmanager
def serving(folder: Path, port: int, receiver: int) -> Iterator[None]:
    """The embedded PACS in a process of its own."""
    command = [sys.executable, "-c", "from tasks.cli import main; main()", "pacs", "serve", str(folder), "--port", str(port)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [*command, "--destination", f"SAFELIGHT=127.0.0.1:{receiver}"], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        if process.stdout is None or "instances" not in process.stdout.readline():
            raise SystemExit("the PACS did not start")
        yield
    finally:
        process.terminate()
        process.communicate()


def watch(clock: Clock) -> None:
    """Put the clock on the ledger's database, the planner and its questions, and what the flow's tasks do."""
    from tasks.ledger import Ledger
    from tasks.pacs import association, task
    from tasks.pacs.book import Book
    from tasks.site import Site

    for name in ("claim", "finish", "release", "due", "study", "studies", "results", "register"):
        clock.watch(Ledger, name, "ledger")
    for name in ("begin", "end", "revise", "condition", "conditions", "begun_since", "last_ended", "planned", "last_planned"):
        clock.watch(Book, name, "ledger")
    clock.watch(association.Requestor, "find", "C-FIND")
    clock.watch(task, "ask", "plan")
    clock.watch(task, "enter", "enter")
    clock.watch(Site, "work", "pull")


def measure(folder: Path, studies: int, instances: int, associations: int, batch: int) -> None:
    """One night's pull."""
    from tasks.orchestrator import server
    from tasks.settings import PrefectSettings

    port, receiver = free_port(), free_port()
    hospital(folder / "hospital", studies, instances)
    pacs = {"host": "127.0.0.1", "port": port, "ae_title": "HOSPITAL", "manners": {"associations": associations}}
    config = folder / "site.yaml"
    config.write_text(yaml.safe_dump({
        "site": "benchmark", "vault": "vault", "lake": "lake", "pacs": pacs, "receivers": {"port": receiver},
        "prefect": {"port": free_port()}, "cohort": {"study_date_from": "20260101", "study_date_to": "20261231"},
        "executor": {"kind": "inline", "batch_size": batch},
    }))  # fmt: skip
    with (
        serving(folder / "hospital", port, receiver),
        server(PrefectSettings(port=free_port()), folder / "prefect") as environment,
    ):
        os.environ.update({**environment, "PREFECT_LOGGING_TO_API_ENABLED": "false"})
        from flows.pull import pull

        clock = Clock()
        watch(clock)
        began = time.perf_counter()
        state = pull(str(config), return_state=True).message
        wall = time.perf_counter() - began
    _print(folder, clock, wall, studies, state)


def _print(folder: Path, clock: Clock, wall: float, studies: int, said: str) -> None:
    print(f"{studies} studies in {wall:.0f} s ({studies / wall:.1f}/s): {said}")
    ledger = sum(used for label, used in clock.used.items() if label.startswith("ledger"))
    planner = clock.used["plan"] - clock.used["C-FIND in plan"] - clock.used["ledger in plan"]
    planner += clock.used["enter"] - clock.used["ledger in enter"]
    orchestration = wall - clock.any["plan"] - clock.any["enter"] - clock.any["pull"]
    for name, seconds in (("ledger (processor)", ledger), ("planner (processor)", planner), ("Prefect (clock)", orchestration)):
        print(f"  {name:<24} {seconds:8.1f} s  {seconds / wall:6.1%} of the wall clock")
    for label in ("plan", "C-FIND in plan", "enter", "pull", "ledger in pull", "ledger", "C-FIND"):
        print(
            f"    {label:<22} {clock.seconds[label]:8.1f} s by the clock, {clock.used[label]:8.1f} of a processor, {clock.calls[label]} times"
        )
    for name in ("vault/ledger.db", "prefect/prefect.db"):
        size = sum(path.stat().st_size for path in folder.glob(f"{name}*"))
        print(f"  {name}: {size / 1e6:.1f} MB, {size / studies:.0f} bytes a study")


def main(given: Sequence[str] | None = None) -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=10_000, help="how many (default: %(default)s)")
    parser.add_argument("--instances", type=int, default=1, help="of each study (default: %(default)s)")
    parser.add_argument("--associations", type=int, default=2, help="at once (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=8, help="studies a Prefect task (default: %(default)s)")
    said = parser.parse_args(given)
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), said.studies, said.instances, said.associations, said.batch)


if __name__ == "__main__":
    main()
