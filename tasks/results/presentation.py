"""Boxes as a grayscale softcopy presentation state (PS3.3 A.33.1): drawn over the images by whoever shows them, and never into their pixels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from highdicom.pr import GraphicAnnotation, GraphicLayer, GraphicObject, GrayscaleSoftcopyPresentationState, TextObject
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from tasks.results.geometry import Slices
from tasks.results.occasion import Occasion, settle
from tasks.results.reading import Said

Row = Mapping[str, Any]


def outline(box: Row) -> NDArray[np.float64]:
    """The closed outline of a box within an image: (5, 2) as (column, row), 0\\0 at the outer corner of the first pixel (PS3.3 C.10.5.1.2)."""
    (left, top, _), (right, bottom, _) = box["voxel_start"], box["voxel_stop"]
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom], [left, top]], np.float64)


def middle(box: Row) -> int:
    """The slice through the centre of a box; of two the lower."""
    return int(box["voxel_start"][2] + box["voxel_stop"][2] - 1) // 2


def reach(box: Row) -> range:
    """The slices that a box goes through."""
    return range(int(box["voxel_start"][2]), int(box["voxel_stop"][2]))


def presentations(said: Said, boxes: Sequence[Row], slices: Slices, occasion: Occasion) -> list[Dataset]:
    """The objects: one, or one for each rescaling where images differ in theirs (PET), since a presentation state has but one.

    Where they differ, a box is drawn on the image through its centre alone. None where there is nothing to draw, or no image under it.

    Args:
        said: whose boxes they are.
        boxes: rows of `detections` that are to be shown.
        slices: of the volume; one on another grid than its images has none to draw over.
        occasion: names and times.
    """
    if not boxes or not slices.aligned or int(slices.images[0].get("SamplesPerPixel", 1)) != 1:
        return []
    drawn = _by_slice(boxes, reach)
    groups = _by_rescaling(drawn, slices)
    if len(groups) > 1:
        drawn = _by_slice(boxes, lambda box: [middle(box)])
        groups = _by_rescaling(drawn, slices)
    return [
        _presentation(said, {k: drawn[k] for k in group}, slices, occasion, part) for part, group in enumerate(groups, start=1)
    ]


def _presentation(said: Said, drawn: Mapping[int, list[Row]], slices: Slices, occasion: Occasion, part: int) -> Dataset:
    layer = GraphicLayer("FINDINGS", 1, "Findings of the model")
    annotations, shown = [], {}
    for k, boxes in sorted(drawn.items()):
        image = slices.images[k]
        shown[str(image.SOPInstanceUID)] = image
        graphics = [
            GraphicObject(
                "POLYLINE", outline(box), "PIXEL", tracking_id=name(said, box), tracking_uid=occasion.tracking("box", *which(box))
            )
            for box in boxes
        ]
        texts = [
            TextObject(label(said, box), "PIXEL", anchor_point=_corner(box, slices), anchor_point_visible=True) for box in boxes
        ]
        frame = slices.frames[k] if slices.frames is not None else None
        annotations.append(GraphicAnnotation([image], layer, frame, graphic_objects=graphics, text_objects=texts))
    made = GrayscaleSoftcopyPresentationState(
        list(shown.values()), content_label="SAFELIGHT", content_description=f"Findings of {said.model}"[:64],
        graphic_annotations=annotations, graphic_layers=[layer], **occasion.naming("presentation", 2, slices.images[0], part),
    )  # fmt: skip
    settle(made, occasion, slices.images[0])
    made.Laterality = ""  # of no one side: type 2C of the series, which highdicom leaves out
    day, time = occasion.clock(slices.images[0])
    made.PresentationCreationDate, made.PresentationCreationTime = day, time
    return made


def which(box: Row) -> tuple[str, str]:
    """What tells a box from the others of its model and study."""
    return str(box["finding"]), str(box["detection_index"])


def name(said: Said, box: Row) -> str:
    """The tracking identifier of a box."""
    return f"{said.manifest.name} {box['finding']} {box['detection_index'] + 1}"


def label(said: Said, box: Row) -> str:
    """What is written beside a box: the finding and its score."""
    found = said.manifest.finding(box["finding"])
    return f"{found.code.meaning if found is not None else box['finding']} {box['score']:.2f}"


def _by_slice(boxes: Sequence[Row], where: Callable[[Row], Iterable[int]]) -> dict[int, list[Row]]:
    drawn: dict[int, list[Row]] = defaultdict(list)
    for box in boxes:
        for k in where(box):
            drawn[k].append(box)
    return drawn


def _by_rescaling(drawn: Iterable[int], slices: Slices) -> list[list[int]]:
    """Slices whose images have the same way from stored to modality values."""
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for k in sorted(drawn):
        image = slices.images[k]
        groups[tuple(str(image.get(keyword)) for keyword in ("RescaleSlope", "RescaleIntercept", "RescaleType"))].append(k)
    return list(groups.values())


def _corner(box: Row, slices: Slices) -> tuple[float, float]:
    """The upper right corner of a box, within the image."""
    return float(min(box["voxel_stop"][0], slices.shape[0])), float(box["voxel_start"][1])
