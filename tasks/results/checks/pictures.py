"""What is drawn lies where its images lie: frames of a segmentation, graphics of a presentation state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from tasks.results.checks.modules import CODE, Rules, broken
from tasks.results.geometry import TOLERANCE_MM

#: PS3.3 C.7.6.16.2.6: how a frame was made of which image.
_DERIVATION: Rules = {
    "DerivationCodeSequence": CODE,
    "SourceImageSequence": {"ReferencedSOPClassUID": 1, "ReferencedSOPInstanceUID": 1, "PurposeOfReferenceCodeSequence": CODE},
}


def problems(made: Dataset, images: Sequence[Dataset]) -> list[str]:
    """What of a segmentation or presentation state does not fit itself, or its images. Its modules are whole already."""
    by_uid = {str(image.SOPInstanceUID): image for image in images}
    return _segmentation(made, by_uid) if made.Modality == "SEG" else _presentation(made, by_uid)


def _segmentation(made: Dataset, images: dict[str, Dataset]) -> list[str]:
    found = []
    frames, shared = made.PerFrameFunctionalGroupsSequence, made.SharedFunctionalGroupsSequence[0]
    if int(made.NumberOfFrames) != len(frames):
        found.append("NumberOfFrames: not as many frames")
    bits = int(made.Rows) * int(made.Columns) * int(made.NumberOfFrames)
    if made.SegmentationType != "BINARY" or made.BitsAllocated != 1 or len(made.PixelData) != (bits + 15) // 16 * 2:
        found.append("PixelData: not a bit a pixel")
    if [int(item.SegmentNumber) for item in made.SegmentSequence] != list(range(1, len(made.SegmentSequence) + 1)):
        found.append("SegmentNumber: not 1 and so on")
    if any("FrameOfReferenceUID" in image and image.FrameOfReferenceUID != made.FrameOfReferenceUID for image in images.values()):
        found.append("FrameOfReferenceUID: not the images'")
    places = _places(images)
    unnamed, near = [], []
    for n, frame in enumerate(frames):
        identified = frame.get("SegmentIdentificationSequence") or shared.get("SegmentIdentificationSequence")
        number = identified[0].get("ReferencedSegmentNumber") if identified else None
        if number is None or not 1 <= int(number) <= len(made.SegmentSequence):
            found.append(f"frame {n}: of no segment")
        position = np.asarray(frame.PlanePositionSequence[0].ImagePositionPatient, float)
        found += [f"frame {n}: {each}" for each in _source(frame, position, images, places)]
        near.append(np.abs(np.stack(list(places.values())) - position).max(1).min() <= 1e-3)
        if not any(derivation.get("SourceImageSequence") for derivation in frame.get("DerivationImageSequence") or ()):
            unnamed.append(n)
    if all(near):  # on the images' own grid; on another, frames have no one image
        found += [f"frame {n}: names no source image" for n in unnamed]
    return found


def _places(images: dict[str, Dataset]) -> dict[tuple[str, int], NDArray[np.float64]]:
    """Where each image is, by its UID and 0, or each of its frames, by their numbers from 1."""
    found = {}
    for uid, image in images.items():
        if "ImagePositionPatient" in image:
            found[uid, 0] = np.asarray(image.ImagePositionPatient, float)
        for number, frame in enumerate(image.get("PerFrameFunctionalGroupsSequence") or (), start=1):
            found[uid, number] = np.asarray(frame.PlanePositionSequence[0].ImagePositionPatient, float)
    return found


def _source(
    frame: Dataset, position: NDArray[np.float64], images: dict[str, Dataset], places: dict[tuple[str, int], NDArray[np.float64]]
) -> list[str]:
    """Where a frame names its source image, that image must be where the frame is."""
    found = []
    for derivation in frame.get("DerivationImageSequence") or ():
        found += broken(derivation, _DERIVATION)
        for source in derivation.get("SourceImageSequence") or ():
            uid, number = str(source.get("ReferencedSOPInstanceUID", "")), int(source.get("ReferencedFrameNumber") or 0)
            if uid not in images or (uid, number) not in places:
                found.append("names no image of the study")
            elif np.linalg.norm(position - places[uid, number]) > TOLERANCE_MM:
                found.append("is not where its source image is")
    return found


def _presentation(made: Dataset, images: dict[str, Dataset]) -> list[str]:
    found = []
    layers = {str(layer.GraphicLayer) for layer in made.GraphicLayerSequence}
    listed = {
        str(image.ReferencedSOPInstanceUID)
        for series in made.ReferencedSeriesSequence
        for image in series.ReferencedImageSequence
    }
    for n, annotation in enumerate(made.GraphicAnnotationSequence):
        place = f"annotation {n}"
        if annotation.GraphicLayer not in layers:
            found.append(f"{place}: in no layer")
        if len(annotation.GraphicObjectSequence) != len(annotation.TextObjectSequence):
            found.append(f"{place}: not a text for each graphic")
        for reference in annotation.ReferencedImageSequence:
            image = images.get(str(reference.ReferencedSOPInstanceUID))
            if image is None or str(reference.ReferencedSOPInstanceUID) not in listed:
                found.append(f"{place}: names no image of the presentation state")
            elif int(image.get("NumberOfFrames") or 1) > 1 and "ReferencedFrameNumber" not in reference:
                found.append(f"{place}: names no frame")
            else:
                found += [f"{place}: {each}" for each in _drawn(annotation, image)]
    for keyword in ("RescaleIntercept", "RescaleSlope"):
        stated = {value for uid, image in images.items() if uid in listed for value in _rescale(image, keyword)}
        if stated - ({float(made[keyword].value)} if keyword in made else set()) or (stated and not made.get("RescaleType")):
            found.append(f"{keyword}: not the images'")
    windowed = any(
        "WindowCenter" in each for uid, image in images.items() if uid in listed for each in _layers(image, "FrameVOILUTSequence")
    )
    windows = made.get("SoftcopyVOILUTSequence") or ()
    if (windowed and not windows) or any("WindowCenter" not in item or "WindowWidth" not in item for item in windows):
        found.append("SoftcopyVOILUTSequence: not the images' window")
    for item in made.DisplayedAreaSelectionSequence:
        if not {"PresentationPixelSpacing", "PresentationPixelAspectRatio"} & {element.keyword for element in item}:
            found.append("DisplayedAreaSelectionSequence: neither spacing nor aspect ratio")
    return found


def _layers(image: Dataset, group: str) -> list[Dataset]:
    """An image, and the items of a functional group of its frames."""
    groups = [*(image.get("SharedFunctionalGroupsSequence") or ()), *(image.get("PerFrameFunctionalGroupsSequence") or ())]
    return [image, *(inner for item in groups for inner in item.get(group) or ())]


def _rescale(image: Dataset, keyword: str) -> set[float]:
    return {float(each[keyword].value) for each in _layers(image, "PixelValueTransformationSequence") if keyword in each}


def _drawn(annotation: Dataset, image: Dataset) -> list[str]:
    found, limits = [], (int(image.Columns), int(image.Rows))
    for graphic in annotation.GraphicObjectSequence:
        points = np.asarray(graphic.GraphicData, float).reshape(-1, 2)
        if graphic.GraphicAnnotationUnits != "PIXEL" or len(points) != int(graphic.NumberOfGraphicPoints):
            found.append("not as many points, or not in pixels")
        if points.min() < 0 or (points > limits).any():
            found.append("drawn beside the image")
    return found
