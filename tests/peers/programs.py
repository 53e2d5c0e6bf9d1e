"""Programs that are not ours: where they are, and which Debian package brings them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

PACKAGES = {
    "Orthanc": "orthanc", "dcmqrscp": "dcmtk", "storescu": "dcmtk",
    "storescp": "dcmtk", "movescu": "dcmtk", "openssl": "openssl", "dciodvfy": "dicom3tools", "pdftotext": "poppler-utils",
    "postgres": "postgresql", "chromium": "chromium", "npm": "npm",
    "soffice": "libreoffice-writer-nogui",
}  # fmt: skip


def find(name: str) -> Path | None:
    """The program's path, or None. Servers live where not everybody's path leads."""
    servers = ["/usr/sbin", "/usr/local/sbin", *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin")))]
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *servers]))
    return Path(found) if found else None


def required() -> bool:
    """Whether a missing program is a failure, as in CI, rather than a reason to skip."""
    return os.environ.get("SAFELIGHT_REQUIRE_PEERS") == "1"


def missing(name: str) -> str:
    """The sentence that says what to install."""
    return f"{name} is not installed: apt-get install {PACKAGES.get(name, '(unknown package)')}"
