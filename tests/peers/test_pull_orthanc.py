"""Find and pull from Orthanc, over the network, as from any hospital's PACS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from tasks.pacs.settings import PacsSettings
from tests.peers import programs
from tests.peers.archives import PLAIN, RECEIVER, load, pulled, running, study_set, unequal
from tests.tasks.pacs.hospital import free_port

pytestmark = pytest.mark.peer("Orthanc", "storescu")

#: Compressed ones, with storescu's option for each; Orthanc keeps and sends them as they are.
COMPRESSED = {"examples_jpeg2k.dcm": "-xv", "SC_rgb_small_odd_jpeg.dcm": "-xy"}


def transfer_syntax(path: Path) -> str:
    """How a file's data set is encoded."""
    return str(dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID)


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[PacsSettings]:
    """An empty Orthanc that knows our receiver."""
    pacs = PacsSettings(host="127.0.0.1", port=free_port(), ae_title="ORTHANC")
    configuration = {
        "Name": "test",
        "StorageDirectory": str(tmp_path / "storage"),
        "IndexDirectory": str(tmp_path / "storage"),
        "Plugins": [],
        "HttpServerEnabled": False,
        "RemoteAccessAllowed": False,
        "DicomServerEnabled": True,
        "DicomAet": "ORTHANC",
        "DicomPort": pacs.port,
        "DicomCheckCalledAet": True,
        "DicomModalities": {"safelight": ["SAFELIGHT", "127.0.0.1", RECEIVER.port]},
    }
    path = tmp_path / "orthanc.json"
    path.write_text(json.dumps(configuration))
    with running([str(programs.find("Orthanc")), str(path)], pacs, tmp_path / "orthanc.log"):
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
