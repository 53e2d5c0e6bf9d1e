"""The calibrated regions of an ultrasound image (PS3.3 C.8.5.5, Sequence of Ultrasound Regions). Consoles print outside of them."""

from __future__ import annotations

from pydicom import Dataset

from tasks.deid.burned_in.box import Box

_CORNERS = ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1")


def regions(dataset: Dataset) -> tuple[Box, ...]:
    """The regions inside the image; none where one of them can't be right, so that nothing is blanked on the word of a slip.

    The corners are pixels of the region (both ends included).
    """
    found = []
    for item in dataset.get("SequenceOfUltrasoundRegions") or ():
        corners = [item.get(name) for name in _CORNERS]
        if not all(isinstance(corner, int) for corner in corners):
            return ()
        left, top, right, bottom = (int(corner) for corner in corners)
        box = Box(left, top, right + 1, bottom + 1)
        if left > right or top > bottom or box.clipped(int(dataset.Rows), int(dataset.Columns)) != box:
            return ()
        found.append(box)
    return tuple(found)
