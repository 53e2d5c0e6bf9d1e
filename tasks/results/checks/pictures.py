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
    places = {uid: np.asarray(each.ImagePositionPatient, float) for uid, each in images.items() if "ImagePositionPatient" in each}
    for n, frame in enumerate(frames):
        identified = frame.get("SegmentIdentificationSequence") or shared.get("SegmentIdentificationSequence")
        number = identified[0].get("ReferencedSegmentNumber") if identified else None
        if number is None or not 1 <= int(number) <= len(made.SegmentSequence):
            found.append(f"frame {n}: of no segment")
        found += [f"frame {n}: {each}" for each in _source(frame, images, places)]
    if any("FrameOfReferenceUID" in image and image.FrameOfReferenceUID != made.FrameOfReferenceUID for image in images.values()):
        found.append("FrameOfReferenceUID: not the images'")
    return found


def _source(frame: Dataset, images: dict[str, Dataset], places: dict[str, NDArray[np.float64]]) -> list[str]:
    """Where a frame names its source image, that image must be where the frame is."""
    found = []
    position = np.asarray(frame.PlanePositionSequence[0].ImagePositionPatient, float)
    derivations = frame.get("DerivationImageSequence") or ()
    for derivation in derivations:
        found += broken(derivation, _DERIVATION)
        for source in derivation.get("SourceImageSequence") or ():
            uid = str(source.get("ReferencedSOPInstanceUID", ""))
            if uid not in images:
                found.append("names no image of the study")
            elif uid in places and np.linalg.norm(position - places[uid]) > TOLERANCE_MM:
                found.append("is not where its source image is")
    near = bool(places) and np.abs(np.stack(list(places.values())) - position).max(1).min() <= 1e-3
    if near and not any(derivation.get("SourceImageSequence") for derivation in derivations):
        found.append("names no source image")
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
        stated = {float(image[keyword].value) for uid, image in images.items() if uid in listed and keyword in image}
        if stated - ({float(made[keyword].value)} if keyword in made else set()) or (stated and not made.get("RescaleType")):
            found.append(f"{keyword}: not the images'")
    windowed = any("WindowCenter" in image for uid, image in images.items() if uid in listed)
    windows = made.get("SoftcopyVOILUTSequence") or ()
    if (windowed and not windows) or any("WindowCenter" not in item or "WindowWidth" not in item for item in windows):
        found.append("SoftcopyVOILUTSequence: not the images' window")
    for item in made.DisplayedAreaSelectionSequence:
        if not {"PresentationPixelSpacing", "PresentationPixelAspectRatio"} & {element.keyword for element in item}:
            found.append("DisplayedAreaSelectionSequence: neither spacing nor aspect ratio")
    return found


def _drawn(annotation: Dataset, image: Dataset) -> list[str]:
    found, limits = [], (int(image.Columns), int(image.Rows))
    for graphic in annotation.GraphicObjectSequence:
        points = np.asarray(graphic.GraphicData, float).reshape(-1, 2)
        if graphic.GraphicAnnotationUnits != "PIXEL" or len(points) != int(graphic.NumberOfGraphicPoints):
            found.append("not as many points, or not in pixels")
        if points.min() < 0 or (points > limits).any():
            found.append("drawn beside the image")
    return found
