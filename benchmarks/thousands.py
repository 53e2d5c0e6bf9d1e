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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from benchmarks.pull import free_port

ROOT = "1.2.826.0.1.3680043.9.7133.42"


class Clock:
    """Seconds spent in some functions, all threads together; what one of them does inside another counts once."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._inside = threading.local()
        self._lock = threading.Lock()

    def watch(self, owner: Any, name: str, what: str) -> None:
        """Time a function from now on."""
        function = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            with self.running(what):
                return function(*arguments, **options)

        setattr(owner, name, timed)

    @contextmanager
    def running(self, what: str) -> Iterator[None]:
        """Time what is inside."""
        open_ = self._inside.__dict__.setdefault("open", [])
        began = time.perf_counter()
        open_.append(what)
        try:
            yield
        finally:
            open_.pop()
            if what not in open_:
                with self._lock:
                    self.seconds[what] += time.perf_counter() - began
                    self.calls[what] += 1


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
    """Put the clock on the database, the planner and its questions, and the tasks of the flow."""
    import sqlalchemy as sa

    from tasks.ledger import Ledger
    from tasks.pacs import association, batch
    from tasks.pacs.asking import plan as planner

    began: dict[int, float] = {}
    for owner, name in ((Ledger, "claim"), (Ledger, "finish"), (Ledger, "due"), (Ledger, "study"), (Ledger, "studies"),
                        (Ledger, "results"), (Ledger, "register")):  # fmt: skip
        clock.watch(owner, name, "ledger")
    from tasks.pacs.book import Book

    for name in ("begin", "end", "note", "condition", "conditions", "begun_since", "planned"):
        if hasattr(Book, name):
            clock.watch(Book, name, "ledger")
    clock.watch(association.Requestor, "find", "C-FIND")
    del sa, began, batch, planner


def measure(folder: Path, studies: int, instances: int, associations: int) -> None:
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
    }))  # fmt: skip
    with serving(folder / "hospital", port, receiver), server(PrefectSettings(port=free_port()), folder / "prefect") as environment:
        os.environ.update(environment)
        clock = Clock()
        watch(clock)
        began = time.perf_counter()
        state = _flow(clock, str(config))
        wall = time.perf_counter() - began
    _print(folder, clock, wall, studies, state)


def _flow(clock: Clock, config: str) -> str:
    """Run the flow, with the clock on what its tasks do."""
    import flows.pull
    from tasks.pacs import task
    from tasks.site import Site

    clock.watch(task, "plan_cohort", "plan")
    clock.watch(Site, "work", "pull")
    run: Callable[..., Any] = flows.pull.pull
    return str(run(config, return_state=True).message)


def _print(folder: Path, clock: Clock, wall: float, studies: int, said: str) -> None:
    find_in_plan = clock.seconds["C-FIND"]
    print(f"{studies} studies in {wall:.0f} s ({studies / wall:.1f}/s): {said}")
    for name, seconds in sorted(clock.seconds.items()):
        print(f"  {name:<8} {seconds:9.1f} s  {seconds / wall:6.1%} of the wall clock  {clock.calls[name]} calls")
    print(f"  plan outside of its C-FINDs at most {max(0.0, clock.seconds['plan'] - find_in_plan):.1f} s")
    for name in ("vault/ledger.db", "prefect/prefect.db"):
        size = sum(path.stat().st_size for path in folder.glob(f"{name}*"))
        print(f"  {name}: {size / 1e6:.1f} MB, {size / studies:.0f} bytes a study")


def main(given: Sequence[str] | None = None) -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=10_000, help="how many (default: %(default)s)")
    parser.add_argument("--instances", type=int, default=1, help="of each study (default: %(default)s)")
    parser.add_argument("--associations", type=int, default=2, help="at once (default: %(default)s)")
    said = parser.parse_args(given)
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), said.studies, said.instances, said.associations)


if __name__ == "__main__":
    main()
