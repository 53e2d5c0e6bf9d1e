"""A label map as a Segmentation object (PS3.3 A.51, binary): one segment a finding, one frame a slice that has voxels of it."""

from __future__ import annotations

import numpy as np
from highdicom import (
    AlgorithmIdentificationSequence,
    PixelMeasuresSequence,
    PlaneOrientationSequence,
    PlanePositionSequence,
)
from highdicom.seg import Segmentation, SegmentDescription
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from tasks.inference.manifest import Manifest
from tasks.results.codes import NEURAL_NETWORK, category, concept
from tasks.results.geometry import Slices
from tasks.results.occasion import MANUFACTURER, Occasion, settle
from tasks.results.reading import Said


def segmented(said: Said) -> dict[str, int]:
    """Segment numbers, from 1, of the findings that have voxels."""
    there = [row["finding"] for row in said.segments if row["n_voxels"]]
    return {finding: number for number, finding in enumerate(there, start=1)}


def segmentation(said: Said, slices: Slices, occasion: Occasion) -> Dataset | None:
    """The object, or None where no voxel is of any finding. Nothing is resampled: its frames have the label map's own pixels.

    Args:
        said: with a label map (i, j, k).
        slices: of the same volume.
        occasion: names and times.
    """
    numbers = segmented(said)
    if said.labels is None or not numbers:
        return None
    table = np.zeros(256, np.uint8)
    for row in said.segments:
        table[row["label"]] = numbers.get(row["finding"], 0)
    filled = [k for k in range(said.labels.shape[2]) if table[said.labels[:, :, k]].any()]
    frames: NDArray[np.uint8] = np.stack([table[said.labels[:, :, k].T] for k in filled])
    between_rows, between_columns, between_slices = slices.spacing()
    measures = PixelMeasuresSequence((between_rows, between_columns), between_slices, between_slices)
    images = [slices.images[k] for k in filled] if slices.aligned and slices.frames is None else list(slices.sources)
    made = Segmentation(
        source_images=images, pixel_array=frames, segmentation_type="BINARY",
        segment_descriptions=[_description(said.manifest, finding, number, occasion) for finding, number in numbers.items()],
        plane_positions=[PlanePositionSequence("PATIENT", slices.position(k)) for k in filled],
        plane_orientation=PlaneOrientationSequence("PATIENT", slices.orientation),
        pixel_measures=measures,
        content_label="SAFELIGHT", content_description=f"{said.model} {said.manifest.weights.sha256[:12]}"[:64],
        **occasion.naming("segmentation", 1, slices.images[0]),
    )  # fmt: skip
    if not slices.aligned:
        # highdicom takes the images' measures where their pixels are of the same size, whatever the distance of the slices.
        made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence = measures
    made.ContentCreatorName = ""  # nobody: type 2, which highdicom leaves out
    settle(made, occasion, slices.images[0])
    return made


def _description(manifest: Manifest, finding: str, number: int, occasion: Occasion) -> SegmentDescription:
    said = manifest.finding(finding)
    if said is None:
        raise KeyError(finding)
    algorithm = AlgorithmIdentificationSequence(
        manifest.name,
        NEURAL_NETWORK,
        manifest.version,
        source=MANUFACTURER,
        parameters={"weights_sha256": manifest.weights.sha256},
    )
    return SegmentDescription(
        number, said.code.meaning, category(said), concept(said.code), "AUTOMATIC", algorithm,
        tracking_uid=occasion.tracking("segment", finding), tracking_id=f"{manifest.name} {finding}",
        anatomic_regions=[concept(said.site)] if said.site is not None else None,
    )  # fmt: skip
