"""Find and pull from DCMTK's dcmqrscp, over the network, as from any hospital's PACS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tasks.pacs.settings import PacsSettings
from tests.peers import programs
from tests.peers.archives import PLAIN, RECEIVER, load, pulled, running, study_set, unequal
from tests.tasks.pacs.hospital import free_port

#: An image in JPEG Lossless (Process 14, Selection Value 1).
LOSSLESS = "SC_rgb_jpeg_gdcm.dcm"

pytestmark = pytest.mark.peer("dcmqrscp", "storescu")


@contextmanager
def serving(tmp_path: Path, *options: str, **changes: Any) -> Iterator[PacsSettings]:
    """An empty dcmqrscp that knows our receiver."""
    pacs = PacsSettings(**{"host": "127.0.0.1", "port": free_port(), "ae_title": "DCMTK", **changes})
    storage = tmp_path / "storage"
    storage.mkdir()
    path = tmp_path / "dcmqrscp.cfg"
    path.write_text(
        f"""NetworkTCPPort = {pacs.port}
MaxPDUSize = 16384
MaxAssociations = 16
HostTable BEGIN
safelight = ({RECEIVER.ae_title}, localhost, {RECEIVER.port})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
DCMTK {storage} RW (200, 1024mb) ANY
AETable END
"""
    )
    with running([str(programs.find("dcmqrscp")), "-c", str(path), *options], pacs, tmp_path / "dcmqrscp.log"):
        yield pacs


def test_a_study_set_comes_out_of_dcmqrscp_as_it_went_in(tmp_path: Path) -> None:
    files = study_set(tmp_path / "files", *PLAIN)
    with serving(tmp_path) as pacs:
        load(files, pacs)
        studies, summary, arrived = pulled(tmp_path, pacs)
    assert sum(study.instances for study in studies) == len(files) == len(arrived)
    assert {(count.outcome, count.n) for count in summary.counts()} == {("pulled", len(files))}
    assert unequal(files, arrived) == []


def test_lossless_images_come_out_compressed_where_it_is_told_to_send_them(tmp_path: Path) -> None:
    files = [path for path in study_set(tmp_path / "files", LOSSLESS) if path.name == LOSSLESS]
    with serving(tmp_path, "+xs", "-xs") as pacs:
        load(files, pacs, "-xs")
        _, summary, arrived = pulled(tmp_path, pacs)
    assert summary.studies["done"] == 1
    assert unequal(files, arrived) == []


def test_images_that_it_cannot_send_leave_the_study_incomplete(tmp_path: Path) -> None:
    files = [path for path in study_set(tmp_path / "files", LOSSLESS) if path.name == LOSSLESS]
    with serving(tmp_path, "+xs") as pacs:
        load(files, pacs, "-xs")
        _, summary, arrived = pulled(tmp_path, pacs)
    assert {(count.outcome, count.reason_code, count.n) for count in summary.counts()} == {("failed", "E-PULL-INCOMPLETE", 1)}
    assert arrived == []


def test_by_c_get_a_study_set_comes_on_the_association_that_asks(tmp_path: Path) -> None:
    files = study_set(tmp_path / "files", *PLAIN)
    with serving(tmp_path, retrieve="get") as pacs:
        load(files, pacs)
        _, summary, arrived = pulled(tmp_path, pacs)
    assert {(count.outcome, count.n) for count in summary.counts()} == {("pulled", len(files))}
    assert unequal(files, arrived) == []
