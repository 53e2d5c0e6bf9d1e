"""All objects of one result under one identity, in the order in which they are sent: what is referenced comes first."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from pydicom.dataset import Dataset

from tasks.errors import SafelightError
from tasks.results.geometry import slices
from tasks.results.headers import Headers
from tasks.results.occasion import Occasion
from tasks.results.policy import Sayable
from tasks.results.presentation import presentations
from tasks.results.reading import Row, Said
from tasks.results.report import Predecessor, report
from tasks.results.segmentation import segmentation

_MADE = ("SEG", "PR", "SR", "KO", "OT", "DOC")


@dataclass(frozen=True)
class Made:
    """The objects, by their kind, and the headers of the images that they are about."""

    objects: dict[str, Dataset]
    images: tuple[Dataset, ...]


def make(said: Said, headers: Headers, allowed: Sayable, occasion: Occasion, predecessor: Predecessor | None) -> Made:
    """Make what may be said of a result.

    Args:
        said: the results, in the lake's terms.
        headers: of the study's images by their SOPInstanceUIDs in the lake; their content is of the identity that is wanted.
        allowed: what may be said.
        occasion: UIDs, marks and times.
        predecessor: the report that is replaced.

    Raises:
        SafelightError: E-RETURN-SOURCES, E-RETURN-GEOMETRY.
    """
    with warnings.catch_warnings():
        # A name of one component is a name, and highdicom's doubts would quote it.
        warnings.filterwarnings("ignore", "The string .* is unlikely to represent the intended person name", UserWarning)
        return _made(said, headers, allowed, occasion, predecessor)


def _made(said: Said, headers: Headers, allowed: Sayable, occasion: Occasion, predecessor: Predecessor | None) -> Made:
    stack = slices(said.volume, headers) if said.volume is not None else None
    images = stack.sources if stack is not None else tuple(header for _, header in sorted(headers.items()) if is_source(header))
    if not images:
        raise SafelightError("E-RETURN-SOURCES", said.model)
    boxes = told(said)
    objects: dict[str, Dataset] = {}
    seg = segmentation(said, stack, occasion) if stack is not None and allowed.overlay else None
    if seg is not None:
        objects["segmentation"] = seg
    if allowed.report:
        objects["report"] = report(said, boxes, stack, images, seg, predecessor, occasion)
    drawn = presentations(said, boxes, stack, occasion) if stack is not None and allowed.overlay else []
    objects |= {"presentation" if n == 1 else f"presentation {n}": one for n, one in enumerate(drawn, start=1)}
    return Made(objects, images)


def told(said: Said) -> tuple[Row, ...]:
    """The boxes that are told: those whose score is at the finding's operating point, or above."""
    thresholds = {each.finding: each.operating_point.threshold for each in said.manifest.findings if each.operating_points}
    return tuple(row for row in said.detections if row["score"] >= thresholds.get(row["finding"], 0.0))


def is_source(header: Dataset) -> bool:
    """Whether a header is of an image that was taken, and not of what was made of images, by us among others."""
    return bool(header.get("Rows")) and header.get("Modality") not in _MADE
