"""A package of OPC (ISO/IEC 29500-2, a ZIP archive): its parts by their content, whatever they are packed with."""

from __future__ import annotations

import zipfile
from hashlib import sha256

from lxml import etree

from tasks.report.publishing.reading import Sayings


def parts(archive: zipfile.ZipFile, found: Sayings) -> None:
    """Every part: properties by their names, all others by the SHA-256 of their bytes; and what the archive itself says."""
    found.say("comment of the archive", archive.comment.decode("utf-8", "replace"))
    for entry in archive.infolist():
        content = archive.read(entry)
        if entry.filename.startswith("docProps/") and entry.filename.endswith(".xml"):
            for element in etree.fromstring(content).iterchildren():
                found.say(f"property {etree.QName(element).localname}", "".join(map(str, element.itertext())))
        stamp = "-".join(map(str, entry.date_time))
        found.say(f"part {entry.filename}", f"{stamp} {entry.comment!r} {entry.extra!r} {sha256(content).hexdigest()}")
