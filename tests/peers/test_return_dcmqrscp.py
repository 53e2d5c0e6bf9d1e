"""Results into DCMTK's dcmqrscp, which offers no storage commitment: they arrive, what they name is there, and a second night sends nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tasks.pacs.settings import PacsSettings
from tests.peers import programs
from tests.peers.archives import load, running
from tests.peers.test_return_orthanc import listed
from tests.ports import free_port
from tests.tasks.results import made
from tests.tasks.results.conftest import origin, ward  # noqa: F401 - fixtures
from tests.tasks.results.made import Ward
from tests.tasks.results.makes import answered
from tests.tasks.results.test_return import returned, settings_for

pytestmark = pytest.mark.peer("dcmqrscp", "storescu")


def test_results_arrive(ward: Ward, tmp_path: Path) -> None:  # noqa: F811
    pacs = PacsSettings(host="127.0.0.1", port=free_port(), ae_title="QRSCP")
    storage = tmp_path / "storage"
    storage.mkdir()
    configuration = tmp_path / "dcmqrscp.cfg"
    configuration.write_text(
        f"NetworkTCPPort = {pacs.port}\nMaxPDUSize = 16384\nMaxAssociations = 16\nHostTable BEGIN\nHostTable END\n"
        f"VendorTable BEGIN\nVendorTable END\nAETable BEGIN\n{pacs.ae_title} {storage} RW (200, 1024mb) ANY\nAETable END\n"
    )
    for kind in ("detection", "segmentation"):
        answered(ward, kind)
    command = [str(programs.find("dcmqrscp")), "-c", str(configuration)]
    with running(command, pacs, tmp_path / "log"):
        load(ward.originals(), pacs)
        settings = settings_for(pacs, commitment={"ask": "offered"})
        assert returned(ward, settings).units == Counter({("stored", "", "object"): 4})
        there = listed(pacs, made.STUDY)
        assert Counter(modality for _, modality in there.values()) == {"CT": made.SLICES, "SR": 2, "PR": 1, "SEG": 1}
        assert not returned(ward, settings).units
        assert listed(pacs, made.STUDY) == there
