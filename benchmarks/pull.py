"""Instances and megabytes a second of the stage `pull`, from the embedded PACS into the vault, against its floor.

    python -m benchmarks.pull [--patients 4] [--repeat 3]

An instance must cross the network, and it must be on disk for good before it is answered with success. The floor does that and nothing else:
the same files over a bare TCP connection on loopback, each written, forced to disk and then answered with one byte. Between the two stands
what DICOM costs in pynetdicom: the same C-MOVE to a receiver that throws away what comes.

The stage is a batch as the night does it: association, C-ECHO, then C-MOVE and C-FIND for each study, and the ledger. The PACS runs in this
process and shares its core with the receiver; so does whoever sends in the others.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from benchmarks.cohort import SIZES, add_arguments, archive
from benchmarks.measure import Contender, alternate, arguments, show
from tasks.guard import ErrorLog
from tasks.ledger import Ledger
from tasks.pacs.asking.find import FoundStudy, find, register
from tasks.pacs.association import Requestor
from tasks.pacs.batch import pull_batch
from tasks.pacs.embedded.node import PacsNode
from tasks.pacs.server import MAXIMUM_PDU, listen, storage_contexts
from tasks.pacs.settings import CohortSettings, PacsSettings, ReceiverSettings
from tasks.settings import Settings
from tasks.vault import Vault, private_folder, write_private


class Stage:
    """The pull of a whole archive into a vault that is made anew for each turn."""

    def __init__(self, folder: Path, node: PacsNode, receiver_port: int, instances: int) -> None:
        self._vault, self._instances = folder / "vault", instances
        self._pacs = _settings(node)
        receiver = ReceiverSettings(port=receiver_port)
        self._settings = Settings(
            site="benchmark", vault=self._vault, lake=str(folder / "lake"), pacs=self._pacs, receivers=receiver
        )

    def plan(self) -> None:
        """An empty vault, and all studies of the archive in its ledger."""
        shutil.rmtree(self._vault, ignore_errors=True)
        vault = Vault.open(self._vault)
        with closing(Ledger(vault.ledger_url)) as ledger:
            register(ledger, vault, find(self._pacs, CohortSettings()))

    def pull(self) -> None:
        """One batch with every study."""
        vault = Vault.open(self._vault)
        with closing(Ledger(vault.ledger_url)) as ledger, ledger.run("pull") as run:
            summary = pull_batch(self._settings, vault, ledger, run, list(ledger.studies()), ErrorLog(vault.errors))
        pulled = sum(end.n for end in summary.counts() if end.outcome == "pulled")
        if pulled != self._instances:
            raise SystemExit(f"{pulled} of {self._instances} instances were pulled: the figures would mean nothing")


def move(node: PacsNode, studies: Sequence[FoundStudy], instances: int) -> None:
    """C-MOVE of every study to a receiver that throws away what comes."""
    came = []

    def discard(_event: Any) -> int:
        came.append(1)
        return 0x0000

    entity = AE(ae_title="NOWHERE")
    entity.maximum_pdu_size = MAXIMUM_PDU
    with listen(entity, ("127.0.0.1", 0), storage_contexts(), [(evt.EVT_C_STORE, discard)]) as receiver:
        node.destinations["NOWHERE"] = ("127.0.0.1", receiver.port)
        with Requestor(_settings(node)) as requestor:
            for study in studies:
                identifier = Dataset()
                identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", study.study_instance_uid
                requestor.move(identifier, "NOWHERE", lambda: len(came))
    if len(came) != instances:
        raise SystemExit(f"{len(came)} of {instances} instances came: the figures would mean nothing")


def _settings(node: PacsNode) -> PacsSettings:
    return PacsSettings(host="127.0.0.1", port=node.port, ae_title=node.ae_title)


def receive(listener: socket.socket, target: Path) -> None:
    """Take files, each after its length in eight bytes, until the peer closes; answer each when it is on disk."""
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as stream:
        for number in count():
            head = stream.read(8)
            if not head:
                return
            write_private(target / f"{number}.dcm", stream.read(int.from_bytes(head, "big")))
            connection.sendall(b"\0")


def carry(files: Sequence[Path], target: Path) -> None:
    """Send every file over a bare TCP connection on loopback, one after the other, to a thread that writes it to disk."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        receiver = Thread(target=receive, args=(listener, target))
        receiver.start()
        with socket.create_connection(listener.getsockname()) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for file in files:
                content = file.read_bytes()
                connection.sendall(len(content).to_bytes(8, "big") + content)
                connection.recv(1)
        receiver.join()


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure(folder: Path, size: str, patients: int, slices: int | None, repeat: int) -> None:
    """One size of slices."""
    files = archive(folder / "hospital", patients, SIZES[size], slices)
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    out, port = folder / "out", free_port()

    def clear() -> None:
        shutil.rmtree(out, ignore_errors=True)
        private_folder(out)

    with PacsNode(folder / "hospital" / "dicom", "ARCHIVE", destinations={"SAFELIGHT": ("127.0.0.1", port)}) as node:
        stage = Stage(folder, node, port, len(files))
        studies = find(_settings(node), CohortSettings())
        timed = alternate(
            [
                Contender("stage", stage.pull, stage.plan),
                Contender("floor: bare TCP, to disk", lambda: carry(files, out), clear),
                Contender("C-MOVE alone, thrown away", lambda: move(node, studies, len(files))),
            ],
            repeat,
        )
    show(
        f"pull, {len(files)} instances of {size}, {megabytes:.0f} MB",
        timed[0],
        timed[1:],
        lambda seconds: f"{len(files) / seconds:.0f} instances/s, {megabytes / seconds:.0f} MB/s",
    )


def main(given: Sequence[str] | None = None) -> None:
    """Measure each size."""
    parser = arguments(__doc__, repeat=3)
    add_arguments(parser, patients=4)
    parser.add_argument("--sizes", nargs="*", choices=SIZES, default=list(SIZES), help="of a slice (default: both)")
    said = parser.parse_args(given)
    for size in said.sizes:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), size, said.patients, said.slices, said.repeat)


if __name__ == "__main__":
    main()
