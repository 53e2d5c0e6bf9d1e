"""`index.html` and `index.json` of an archive: made of all its reports after each publication, so that none is ever lost.

The index is no truth of its own. Whoever publishes writes the report first, then the index of everything that lies there, and looks
again: where a report came meanwhile, the index is written once more. Whoever writes last has therefore seen all, without
a lock and without asking more of a store than that it lists what was written.
"""

from __future__ import annotations

from collections.abc import Sequence

from tasks.errors import SafelightError
from tasks.report.publishing import index_page
from tasks.report.publishing.archive import Archive, Place
from tasks.report.publishing.entries import Entry, Index, entry

PAGE, DATA = "index.html", "index.json"
_ROUNDS = 100


def refresh(archive: Archive) -> Index:
    """Bring the index to what lies in the archive; nothing is written where it is so already.

    Raises:
        SafelightError: E-REPORT-BUSY where others published faster than the index could be written.
    """
    known: dict[Place, Entry] = {}
    places = archive.places()
    for _ in range(_ROUNDS):
        index = made(archive, places, known)
        for path, content in files(index).items():
            if archive.read(path) != content:
                archive.put({path: content})
        before, places = places, archive.places()
        if places == before:
            return index
    raise SafelightError("E-REPORT-BUSY")


def made(archive: Archive, places: Sequence[Place], known: dict[Place, Entry] | None = None) -> Index:
    """The index of these reports. `known` keeps what was read for the next time."""
    known = {} if known is None else known
    for place in places:
        if place not in known:
            known[place] = entry(archive, place)
    return Index(reports=tuple(known[place] for place in places))


def files(index: Index) -> dict[str, bytes]:
    """The page and its machine-readable form, by name."""
    return {PAGE: index_page.render(index), DATA: index.to_json()}
