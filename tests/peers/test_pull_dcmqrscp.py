"""Find and pull from DCMTK's dcmqrscp, over the network, as from any hospital's PACS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.settings import PacsSettings
from tests.peers import programs
from tests.peers.archives import PLAIN, load, pulled, running, study_set, unequal
from tests.tasks.pacs.hospital import free_port

pytestmark = pytest.mark.peer("dcmqrscp", "storescu")


@pytest.fixture
def dcmqrscp(tmp_path: Path) -> Iterator[PacsSettings]:
    """An empty dcmqrscp that knows our receiver."""
    pacs = PacsSettings(host="127.0.0.1", port=free_port(), ae_title="DCMTK", receiver_port=free_port())
    storage = tmp_path / "storage"
    storage.mkdir()
    path = tmp_path / "dcmqrscp.cfg"
    path.write_text(
        f"""NetworkTCPPort = {pacs.port}
MaxPDUSize = 16384
MaxAssociations = 16
HostTable BEGIN
safelight = ({pacs.calling_ae_title}, localhost, {pacs.receiver_port})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
DCMTK {storage} RW (200, 1024mb) ANY
AETable END
"""
    )
    with running([str(programs.find("dcmqrscp")), "-c", str(path)], pacs, tmp_path / "dcmqrscp.log"):
        yield pacs


def test_a_study_set_comes_out_of_dcmqrscp_as_it_went_in(dcmqrscp: PacsSettings, tmp_path: Path) -> None:
    files = study_set(tmp_path / "files", *PLAIN)
    load(files, dcmqrscp)
    studies, summary, arrived = pulled(tmp_path, dcmqrscp)
    assert sum(study.instances for study in studies) == len(files) == len(arrived)
    assert {(count.outcome, count.n) for count in summary.counts()} == {("pulled", len(files))}
    assert unequal(files, arrived) == []
