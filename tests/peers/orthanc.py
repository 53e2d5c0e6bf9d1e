"""Orthanc, started for a test with a configuration of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.pacs.settings import PacsSettings
from tests.peers import programs
from tests.peers.archives import RECEIVER, running
from tests.tasks.pacs.hospital import free_port


def settings(**changes: Any) -> PacsSettings:
    """How an Orthanc is asked that listens on a port of its own."""
    return PacsSettings(**{"host": "127.0.0.1", "port": free_port(), "ae_title": "ORTHANC", **changes})


@contextmanager
def serving(folder: Path, pacs: PacsSettings, **changes: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Orthanc over `folder/storage`, empty at first, that knows our receiver; `changes` are of its configuration."""
    configuration = {
        "Name": "test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": [],
        "HttpServerEnabled": False,
        "RemoteAccessAllowed": False,
        "DicomServerEnabled": True,
        "DicomAet": pacs.ae_title,
        "DicomPort": pacs.port,
        "DicomCheckCalledAet": True,
        "DicomModalities": {"safelight": [RECEIVER.ae_title, "127.0.0.1", RECEIVER.port]},
        **changes,
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(configuration))
    with running([str(programs.find("Orthanc")), str(path)], pacs, folder / "orthanc.log") as process:
        yield process
