"""What the `deid` package's catalogue (CTP's rules by device) knows of an image: that its kind shows text, and where."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from types import ModuleType
from typing import Any

from pydicom import Dataset
from pydicom.dataset import FileDataset

from tasks.deid import package
from tasks.deid.burned_in.box import Box

#: What the catalogue's rules read; images that agree in these have one verdict.
FIELDS = (
    "BurnedInAnnotation", "Columns", "CommentsOnRadiationDose", "DateOfSecondaryCapture", "ImageType", "Manufacturer", "ManufacturerModelName",
    "Modality", "ProtocolName", "Rows", "SecondaryCaptureDeviceManufacturer",
    "SecondaryCaptureDeviceManufacturerModelName", "SecondaryCaptureDeviceSoftwareVersions", "SeriesDescription", "WindowWidth",
)  # fmt: skip
#: A blacklist rule that reads one of these is about screens of text; the others are about derived and secondary images in general.
_SCREENS = ("SeriesDescription", "REPORTDATA", "DEMOGRAPHICDATA", "INVALID")


@dataclass(frozen=True, slots=True)
class Known:
    """The catalogue's verdict: `screen`, the whole image is text; `suspect`, text is likely; `boxes`, where its kind has text."""

    screen: bool
    suspect: bool
    boxes: tuple[Box, ...]


#: Stands for the package's own cleaner of pixels, which nothing here calls: it would bring matplotlib, a second of every worker.
_CLEANER = ModuleType("deid.dicom.pixels.clean")
_CLEANER.DicomCleaner = _CLEANER.clean_pixel_data = None  # type: ignore[attr-defined]

_MOST_REMEMBERED = 4096
_verdicts: dict[tuple[str, ...], Known] = {}


def key(dataset: Dataset) -> tuple[str, ...]:
    """What the verdict depends on."""
    return tuple(str(dataset.get(name, "")) for name in FIELDS)


def ask(dataset: Dataset) -> Known:
    """The catalogue's verdict on an original header, asked once a process for all that agree in what it reads."""
    wanted = key(dataset)
    known = _verdicts.get(wanted)
    if known is None:
        if len(_verdicts) >= _MOST_REMEMBERED:
            _verdicts.clear()
        known = _verdicts[wanted] = _asked(dataset)
    return known


def _asked(dataset: Dataset) -> Known:
    """Catch-alls without a region prove nothing and are left out."""
    plain = FileDataset("", Dataset())  # the package asks for a dataset with a file
    for name in FIELDS:
        if name in dataset:
            plain[name] = dataset[name]
    found = _catalogue()(plain)["results"]
    black = [entry for entry in found if entry["group"] == "blacklist"]
    screen = any(word in entry["reason"] for entry in black for word in _SCREENS)
    boxes = {box for entry in found for box in _boxes(entry["coordinates"])}
    return Known(screen, bool(black), tuple(sorted(boxes)))


def _boxes(coordinates: list[Any]) -> Iterator[Box]:
    """The regions to blank: `[0, "left,top,right,bottom"]`; those with 1 say what to keep, and keep nothing here."""
    for keep, place in coordinates:
        for each in () if keep else ([place] if isinstance(place, str) else place):
            left, top, right, bottom = (int(float(number)) for number in each.split(","))
            yield Box(left, top, right, bottom)


@cache
def _catalogue() -> Callable[[Dataset], dict[str, Any]]:
    """The package's check with its own recipe."""
    sys.modules.setdefault(_CLEANER.__name__, _CLEANER)
    recipe = package.recipes()("dicom")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from deid.dicom import has_burned_pixels
    return partial(has_burned_pixels, deid=recipe)
