"""PACSs that are not ours, started for a test and stopped after it; and a study set that both tests pull from them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from tasks.errors import ConfigurationError
from tasks.executor import Summary
from tasks.guard import ErrorLog
from tasks.ledger import Ledger
from tasks.pacs.asking.find import FoundStudy, find, register
from tasks.pacs.association import echo
from tasks.pacs.batch import pull_batch
from tasks.pacs.settings import CohortSettings, PacsSettings, ReceiverSettings
from tasks.settings import Settings
from tasks.vault import Vault
from tests.tasks.pacs.hospital import fill, free_port

#: Where the PACSs are told that we are.
RECEIVER = ReceiverSettings(port=free_port())

#: Real files of pydicom's wheel in uncompressed transfer syntaxes; every PACS takes them.
PLAIN = ("CT_small.dcm", "MR_small.dcm", "test-SR.dcm", "rtplan.dcm")


def study_set(folder: Path, *names: str) -> list[Path]:
    """Real files, and a made-up study of two series with three instances each."""
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(Path(str(get_testdata_file(name, download=False))).read_bytes())
    fill(folder)
    return sorted(folder.iterdir())


@contextmanager
def running(command: list[str], pacs: PacsSettings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server process for as long as the context lasts, from the moment it answers C-ECHO."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=log.parent)
        try:
            for _ in range(200):
                assert process.poll() is None, log.read_text("utf-8", "replace")[-2000:]
                try:
                    echo(pacs)
                    break
                except ConfigurationError:
                    time.sleep(0.1)
            else:
                raise AssertionError(log.read_text("utf-8", "replace")[-2000:])
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def load(files: list[Path], pacs: PacsSettings, *options: str) -> None:
    """Put files into a PACS with DCMTK's storescu."""
    from tests.peers import programs

    command = [str(programs.find("storescu")), *options, "-aet", "LOADER", "-aec", pacs.ae_title, pacs.host, str(pacs.port)]
    subprocess.run([*command, *map(str, files)], check=True, capture_output=True, timeout=60)


def pulled(root: Path, pacs: PacsSettings) -> tuple[list[FoundStudy], Summary, list[Path]]:
    """Find all and pull it into a new vault; returns plan, counts and files."""
    vault = Vault.open(root / "vault")
    ledger = Ledger(vault.ledger_url)
    studies = find(pacs, CohortSettings())
    register(ledger, vault, studies)
    settings = Settings(site="test", vault=vault.root, lake=str(root / "lake"), pacs=pacs, receivers=RECEIVER)
    with ledger.run("pull") as run:
        summary = pull_batch(settings, vault, ledger, run, list(ledger.studies()), ErrorLog(vault.errors))
    ledger.close()
    return studies, summary, sorted(vault.spool.glob("*/*/*.dcm"))


def unequal(originals: list[Path], arrived: list[Path]) -> list[str]:
    """Names of originals whose data set did not arrive, element by element, as pydicom reads it. Group lengths are retired."""
    received = {dcmread(path).SOPInstanceUID: path for path in arrived}
    assert len(received) == len(arrived)
    wrong = []
    for path in originals:
        original = dcmread(path)
        arrival = received.get(original.SOPInstanceUID)
        if arrival is None or _plain(original) != _plain(dcmread(arrival)):
            wrong.append(path.name)
    return wrong


def _plain(dataset: Dataset) -> Dataset:
    kept = Dataset()
    for item in dataset:
        if item.tag.element != 0x0000 and item.tag != 0xFFFCFFFC:
            kept.add(item)
    return kept
