"""Publishing: the gallery of a night's studies, or of the whole lake, as `reports/gallery.html`."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256

from tasks.gallery.members import rows
from tasks.gallery.page import render
from tasks.gallery.pictures import pictures
from tasks.lake import Lake, Manifest

STAGE = "gallery"
_KEY = "gallery"


def publish_gallery(lake: Lake, studies: Collection[str] | None = None) -> Manifest | None:
    """Make the gallery and publish it as `reports/gallery.html`.

    Args:
        studies: whose volumes are shown; None for all of the lake.

    Returns:
        what was published, or None where the same page lies there already.

    Raises:
        ConfigurationError: E-GALLERY-EMPTY, where there is nothing to show.
    """
    shown = rows(lake, studies)
    page = render(shown, pictures(lake, shown), base="..")
    fingerprint = sha256(page).hexdigest()
    earlier = lake.manifest(STAGE, _KEY)
    if earlier is not None and earlier.fingerprint == fingerprint and lake.intact(earlier):
        return None
    with lake.publication(STAGE, _KEY, fingerprint) as publication:
        publication.write("reports/gallery.html", page)
        return publication.commit(passed=1)
