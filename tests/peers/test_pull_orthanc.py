"""Find and pull from Orthanc, over the network, as from any hospital's PACS."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from tasks.pacs.settings import PacsSettings
from tests.peers.archives import PLAIN, load, pulled, study_set, unequal
from tests.peers.orthanc import serving, settings
from tests.tasks.pacs.hospital import fill

pytestmark = pytest.mark.peer("Orthanc", "storescu")

#: Compressed ones, with storescu's option for each; Orthanc keeps and sends them as they are.
COMPRESSED = {"examples_jpeg2k.dcm": "-xv", "SC_rgb_small_odd_jpeg.dcm": "-xy"}


def transfer_syntax(path: Path) -> str:
    """How a file's data set is encoded."""
    return str(dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID)


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[PacsSettings]:
    """An empty Orthanc that knows our receiver."""
    pacs = settings()
    with serving(tmp_path, pacs):
        yield pacs


def test_a_study_set_comes_out_of_orthanc_as_it_went_in(orthanc: PacsSettings, tmp_path: Path) -> None:
    files = study_set(tmp_path / "files", *PLAIN)
    load(files, orthanc)
    studies, summary, arrived = pulled(tmp_path, orthanc)
    assert sum(study.instances for study in studies) == len(files) == len(arrived)
    assert {(count.outcome, count.n) for count in summary.counts()} == {("pulled", len(files))}
    assert unequal(files, arrived) == []


def test_compressed_images_come_out_compressed_and_unchanged(orthanc: PacsSettings, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    files = [path for path in study_set(folder, *COMPRESSED) if path.name in COMPRESSED]
    for path in files:
        load([path], orthanc, COMPRESSED[path.name])
    _, summary, arrived = pulled(tmp_path, orthanc)
    assert summary.studies["done"] == 2
    assert unequal(files, arrived) == []
    assert sorted(map(transfer_syntax, arrived)) == sorted(map(transfer_syntax, files))


def test_by_c_get_they_come_on_the_association_that_asks(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    files = study_set(folder, *PLAIN, *COMPRESSED)
    pacs = settings(retrieve="get")
    with serving(tmp_path, pacs):
        for path in files:
            load([path], pacs, *([COMPRESSED[path.name]] if path.name in COMPRESSED else []))
        _, summary, arrived = pulled(tmp_path, pacs)
    assert {(count.outcome, count.n) for count in summary.counts()} == {("pulled", len(files))}
    assert unequal(files, arrived) == []
    assert sorted(map(transfer_syntax, arrived)) == sorted(map(transfer_syntax, files))


def test_an_orthanc_that_is_killed_in_the_middle_is_waited_for_and_everything_arrives(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    for study in (1, 2, 3):
        fill(folder, study=study, series=1, per_series=80, Rows=256, Columns=256, PixelData=bytes(131072))
    files = sorted(folder.iterdir())
    pacs = settings(manners={"associations": 1, "backoff_s": 0.2, "breaker_s": 0.5, "give_up_s": 120})
    ended = []
    with serving(tmp_path, pacs) as process:
        load(files, pacs)
        thread = threading.Thread(target=lambda: ended.append(pulled(tmp_path, pacs)))
        thread.start()
        while len(list((tmp_path / "vault").rglob("*.dcm"))) < 100:
            time.sleep(0.01)
        process.kill()
        process.wait()
    half = len(list((tmp_path / "vault").rglob("*.dcm")))
    with serving(tmp_path, pacs):
        thread.join(200)
    _, summary, arrived = ended[0]
    assert half < len(files)
    assert {(count.outcome, count.n) for count in summary.counts()} == {("pulled", len(files))}
    assert unequal(files, arrived) == []
