"""The receiver against DCMTK's storescp and against its floor: CT studies that Orthanc sends by C-MOVE, onto disk.

    python -m benchmarks.receive [--studies 3] [--slices 200] [--side 512] [--associations 1 3] [--repeat 5]

What is sent, by whom, and that one C-STORE waits for the answer to the one before, is the same for all. Orthanc is a process of its own, and
so are movescu, which asks it, and storescp; our receiver is in this one. The pixels are noise. With several associations, as many C-MOVE
requests are under way at once.

The floor takes the same bytes from a process of its own over as many bare TCP connections on loopback, writes each instance to a file, forces
it to disk, and answers with one byte. It makes no digest, and looks at nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from benchmarks.measure import Contender, alternate, arguments, show
from benchmarks.pull import free_port
from tasks.pacs.receiving.desk import Desk
from tasks.pacs.receiving.intake import Intake
from tasks.pacs.receiving.receiver import Receiver
from tasks.pacs.settings import ReceiverSettings
from tasks.pseudonyms import Pseudonyms
from tasks.vault import private_folder

_SERVERS = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
_ENTROPY = 20261124


@dataclass(frozen=True)
class Node:
    """A destination that Orthanc knows: its name there, its AE title, its port."""

    name: str
    port: int

    @property
    def ae_title(self) -> str:
        """The name in capitals."""
        return self.name.upper()


def program(name: str) -> str:
    """Where a program is; ends the benchmark where it is not."""
    found = shutil.which(name, path=_SERVERS)
    if found is None:
        raise SystemExit(f"{name} is not installed: apt-get install orthanc dcmtk")
    return found


def make_studies(folder: Path, studies: int, slices: int, side: int) -> dict[str, list[Path]]:
    """CT studies with noise for pixels: the files of each, by StudyInstanceUID."""
    noise = np.random.default_rng(_ENTROPY)
    made: dict[str, list[Path]] = {}
    for number in range(studies):
        study, series = (generate_uid(entropy_srcs=["receive", what, str(number)]) for what in ("study", "series"))
        made[study] = []
        for index in range(slices):
            image = Dataset()
            image.file_meta = FileMetaDataset()
            image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = CTImageStorage
            uid = generate_uid(entropy_srcs=["receive", str(number), str(index)])
            image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = uid
            image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            image.StudyInstanceUID, image.SeriesInstanceUID, image.InstanceNumber = study, series, index + 1
            image.PatientName, image.PatientID, image.StudyDate, image.Modality = (
                f"Noise^{number}",
                f"N{number}",
                "20260101",
                "CT",
            )
            image.Rows = image.Columns = side
            image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
            image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
            image.PixelData = noise.integers(0, 1 << 16, side * side, dtype=np.uint16).tobytes()
            path = folder / f"{number}-{index}.dcm"
            image.save_as(path, enforce_file_format=True)
            made[study].append(path)
    return made


@contextmanager
def orthanc(folder: Path, nodes: Sequence[Node]) -> Iterator[int]:
    """An Orthanc that knows these destinations; gives its port."""
    port = free_port()
    configuration = {
        "Name": "benchmark", "StorageDirectory": str(folder / "orthanc"), "IndexDirectory": str(folder / "orthanc"),
        "Plugins": [], "HttpServerEnabled": False, "RemoteAccessAllowed": False, "DicomServerEnabled": True,
        "DicomAet": "ORTHANC", "DicomPort": port, "DicomThreadsCount": 8, "ConcurrentJobs": 8, "SaveJobs": False,
        "DicomAlwaysAllowStore": True, "DicomAlwaysAllowMove": True, "DicomCheckModalityHost": False, "SynchronousCMove": True,
        "DicomModalities": {node.name: [node.ae_title, "127.0.0.1", node.port] for node in nodes},
    }  # fmt: skip
    path = folder / "orthanc.json"
    path.write_text(json.dumps(configuration), "utf-8")
    with server([program("Orthanc"), str(path)], port):
        yield port


@contextmanager
def server(command: list[str], port: int, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that listens on `port`, from when it does."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **environment}, start_new_session=True
    )
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        else:
            raise SystemExit(f"{Path(command[0]).name} does not answer")
        yield process
    finally:
        process.terminate()
        process.wait(30)


def load(files: Sequence[Path], port: int) -> None:
    """Put files into Orthanc."""
    command = [program("storescu"), "-aet", "LOADER", "-aec", "ORTHANC", "127.0.0.1", str(port), *map(str, files)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "TCP_NODELAY": "1"})


def move(studies: Sequence[str], node: Node, port: int, associations: int) -> None:
    """C-MOVE of every study to `node`, so many at once."""
    waiting = list(studies)
    failed: list[int] = []

    def work() -> None:
        while True:
            try:
                study = waiting.pop()
            except IndexError:
                return
            command = [
                program("movescu"), "-S", "-aet", "ASKER", "-aec", "ORTHANC", "-aem", node.ae_title, "-k", "QueryRetrieveLevel=STUDY",
                "-k", f"StudyInstanceUID={study}", "127.0.0.1", str(port),
            ]  # fmt: skip
            failed.append(subprocess.run(command, check=False, capture_output=True).returncode)

    threads = [threading.Thread(target=work) for _ in range(associations)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if any(failed):
        raise SystemExit(f"a C-MOVE to {node.ae_title} failed")


class Ours:
    """Our receiver, with an intake for each study."""

    def __init__(self, folder: Path, instances: int, **settings: Any) -> None:
        self.node = Node("safelight" + "".join(str(value) for value in settings.values()), free_port())
        self._settings = ReceiverSettings(ae_title=self.node.ae_title[:16], port=self.node.port, **settings)
        self.node = Node(self.node.name[:16], self.node.port)
        self._folder, self._instances = folder / self.node.name, instances
        self._desk: Desk | None = None

    def clear(self) -> None:
        """An empty spool."""
        shutil.rmtree(self._folder, ignore_errors=True)
        private_folder(self._folder)
        os.sync()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """As long as the benchmark runs."""
        private_folder(self._folder)
        self._desk = Desk(self._folder)
        with Receiver(self._settings, self._desk):
            yield

    def receive(self, studies: Sequence[str], port: int, associations: int) -> None:
        """All studies once, on disk for good."""
        assert self._desk is not None
        keys = Pseudonyms(b"k" * 32)
        with ExitStack() as stack:
            intakes = [
                stack.enter_context(self._desk.expecting(Intake(uid, self._folder / keys.study(uid), self._folder / "x", keys)))
                for uid in studies
            ]
            move(studies, self.node, port, associations)
            for intake in intakes:
                intake.flush()
        came = sum(len(intake.received) for intake in intakes)
        if came != self._instances or sum((intake.refused for intake in intakes), self._desk.strays):
            raise SystemExit(f"{came} of {self._instances} instances came: the figures would mean nothing")


class Storescp:
    """DCMTK's, a process for each association."""

    def __init__(self, folder: Path, name: str, instances: int, *options: str, **environment: str) -> None:
        self.node = Node(name, free_port())
        self._folder, self._instances, self._options, self._environment = folder / name, instances, options, environment

    def clear(self) -> None:
        """An empty folder."""
        for file in self._folder.iterdir():
            file.unlink()
        os.sync()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """As long as the benchmark runs."""
        private_folder(self._folder)
        command = [
            program("storescp"), "--fork", "-aet", self.node.ae_title, "-od", str(self._folder), *self._options, str(self.node.port)
        ]  # fmt: skip
        with server(command, self.node.port, **self._environment):
            yield

    def receive(self, studies: Sequence[str], port: int, associations: int) -> None:
        """All studies once."""
        move(studies, self.node, port, associations)
        came = sum(1 for _ in self._folder.iterdir())
        if came != self._instances:
            raise SystemExit(f"{came} of {self._instances} instances came to storescp: the figures would mean nothing")


def send(files: Sequence[Path], port: int) -> None:
    """The floor's sender: each file after its length in eight bytes; then one byte is waited for."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for file in files:
            content = file.read_bytes()
            connection.sendall(len(content).to_bytes(8, "big") + content)
            connection.recv(1)


def take(connection: socket.socket, target: Path, number: int, force: bool) -> None:
    """The floor's receiver, of one connection."""
    buffer = memoryview(bytearray(1 << 17))
    taken = 0
    with connection:
        while True:
            head = connection.recv(8, socket.MSG_WAITALL)
            if not head:
                return
            left = int.from_bytes(head, "big")
            descriptor = os.open(target / f"{number}-{taken}.dcm", os.O_WRONLY | os.O_CREAT, 0o600)
            while left:
                n = connection.recv_into(buffer, min(left, len(buffer)))
                os.write(descriptor, buffer[:n])
                left -= n
            if force:
                os.fdatasync(descriptor)
            os.close(descriptor)
            taken += 1
            connection.sendall(b"\0")


def carry(studies: Sequence[Sequence[Path]], target: Path, associations: int, force: bool) -> None:
    """The floor: so many connections at once, each with its share of the studies."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        senders, receivers = [], []
        for number in range(associations):
            files = [file for study in studies[number::associations] for file in study]
            senders.append(get_context("fork").Process(target=send, args=(files, port)))
            senders[-1].start()
        for number in range(associations):
            connection, _ = listener.accept()
            receivers.append(threading.Thread(target=take, args=(connection, target, number, force)))
            receivers[-1].start()
        for each in (*receivers, *senders):
            each.join()


def measure(folder: Path, said: Any) -> None:
    """Every contender, turn about, for each number of associations."""
    private_folder(folder / "files")
    studies = make_studies(folder / "files", said.studies, said.slices, said.side)
    uids, files = list(studies), [file for study in studies.values() for file in study]
    n, megabytes = len(files), sum(file.stat().st_size for file in files) / 1e6
    ours = {
        "stage": Ours(folder, n, engine="direct", fsync="instance"),
        "the same, fsync: study": Ours(folder, n, engine="direct", fsync="study"),
        "pynetdicom, fsync: instance": Ours(folder, n, engine="pynetdicom", fsync="instance"),
    }
    theirs = {
        "storescp": Storescp(folder, "storescp", n),
        "storescp, TCP_NODELAY": Storescp(folder, "nodelay", n, TCP_NODELAY="1"),
        "storescp, TCP_NODELAY, -pdu 131072": Storescp(folder, "greatpdu", n, "-pdu", "131072", TCP_NODELAY="1"),
    }
    out = folder / "floor"

    def clear() -> None:
        shutil.rmtree(out, ignore_errors=True)
        private_folder(out)
        os.sync()

    def bare(associations: int, force: bool) -> Callable[[], None]:
        return lambda: carry(list(studies.values()), out, associations, force)

    with ExitStack() as stack:
        port = stack.enter_context(orthanc(folder, [each.node for each in (*ours.values(), *theirs.values())]))
        for each in (*ours.values(), *theirs.values()):
            stack.enter_context(each.listening())
        load(files, port)
        for associations in said.associations:
            contenders = [
                Contender(name, partial(each.receive, uids, port, associations), each.clear)
                for name, each in (*ours.items(), *theirs.items())
            ]
            contenders.append(Contender("floor: bare TCP, forced to disk", bare(associations, True), clear))
            contenders.append(Contender("bare TCP, not forced", bare(associations, False), clear))
            if said.only:
                contenders = [each for each in contenders if any(word in each.name for word in said.only)]
            timed = alternate(contenders, said.repeat)
            show(
                f"receive, {n} instances, {megabytes:.0f} MB, {associations} association{'s' * (associations > 1)}",
                timed[0],
                timed[1:],
                lambda seconds: f"{n / seconds:.0f} instances/s, {megabytes / seconds:.0f} MB/s",
            )


def main(given: Sequence[str] | None = None) -> None:
    """Measure one association, and several."""
    parser = arguments(__doc__, repeat=5)
    parser.add_argument("--studies", type=int, default=3, help="so many (default: %(default)s)")
    parser.add_argument("--slices", type=int, default=200, help="of each study (default: %(default)s)")
    parser.add_argument("--side", type=int, default=512, help="of an image, in pixels (default: %(default)s)")
    parser.add_argument("--associations", nargs="*", type=int, default=[1, 3], help="at once (default: 1 3)")
    parser.add_argument("--only", nargs="*", help="contenders whose names hold one of these words")
    said = parser.parse_args(given)
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), said)


if __name__ == "__main__":
    main()
