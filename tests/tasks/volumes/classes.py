# ruff: noqa: E501 - a table: one class a line
"""Every class of series that a PACS holds, as a phantom, and what is decided to become of it; docs/volumes.md has a row for each.

An expected part is `Part(status, reason, slices, volumes, split_by)`; parts are in the order of their `volume_index`.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from scipy.spatial.transform import Rotation

from tasks.volumes.policy import VolumesSettings
from tests.tasks.volumes.phantom import (
    UP,
    EnhancedMRImageStorage,
    enhanced,
    instance,
    mosaic,
    mr,
    pet,
    positions,
    projection,
    raised,
    stack,
)

_ROOT = "1.2.840.10008.5.1.4.1.1."
LEANING = np.array([0, 0.5, 2.0])
SAGITTAL = np.array([0, 1.0, 0, 0, 0, -1])


@dataclass(frozen=True)
class Part:
    """What is expected of a part."""

    status: str
    reason: str = ""
    slices: int | None = None
    volumes: int = 1
    split_by: tuple[str, ...] = ()
    duplicates: int = 0


@dataclass(frozen=True)
class Class:
    """A class of series.

    offsets: by how much each volume's values are raised, over all converted files; None where that is not asked.
    rounding: of the stored numbers, in values; a slope multiplies it.
    """

    make: Callable[[], list[Dataset]]
    parts: tuple[Part, ...]
    settings: VolumesSettings = field(default_factory=VolumesSettings)
    offsets: tuple[int, ...] | None = None
    rounding: float = 0.51


def converted(slices: int | None, volumes: int = 1, *split_by: str, duplicates: int = 0) -> Part:
    return Part("converted", "", slices, volumes, split_by, duplicates)


def held_back(reason: str, *split_by: str) -> Part:
    return Part("quarantined", f"E-VOLUME-{reason}", split_by=split_by)


def _shuffled() -> list[Dataset]:
    return [stack()[k] for k in (4, 0, 5, 2, 1, 3)]


def _without(slices: list[Dataset], *left_out: int) -> list[Dataset]:
    return [each for place, each in enumerate(slices) if place not in left_out]


def _changed(slices: list[Dataset], place: int, **change: Any) -> list[Dataset]:
    for keyword, value in change.items():
        if value is None:
            delattr(slices[place], keyword)
        else:
            setattr(slices[place], keyword, value)
    return slices


def _all(slices: list[Dataset], **change: Any) -> list[Dataset]:
    for place in range(len(slices)):
        _changed(slices, place, **change)
    return slices


def _moved(slices: list[Dataset], place: int, shift: tuple[float, float, float]) -> list[Dataset]:
    slices[place].ImagePositionPatient = [float(a) + b for a, b in zip(slices[place].ImagePositionPatient, shift, strict=True)]
    return slices


def _again(slices: list[Dataset], first: int, plus: int = 0, **change: Any) -> list[Dataset]:
    """The same slices once more under other keys."""
    copies = deepcopy(slices)
    for place, each in enumerate(copies):
        each.SOPInstanceUID = each.file_meta.MediaStorageSOPInstanceUID = f"2.25.{9000 + first + place}"
        each.InstanceNumber = first + place
        raised(each, plus)
        for keyword, value in change.items():
            setattr(each, keyword, value)
    return slices + copies


def _variable() -> list[Dataset]:
    return [instance(np.array([0, 0, z]), number=k) for k, z in enumerate([0, 1.5, 3, 6.1, 9.8, 15])]


def _shifted_reconstructions() -> list[Dataset]:
    other = [
        instance(place + np.array([0, 0, 1.0]), number=50 + k, ConvolutionKernel="B70f")
        for k, place in enumerate(positions(6, UP))
    ]
    return [*_all(stack(), ConvolutionKernel="B30f"), *other]


def _two_thicknesses() -> list[Dataset]:
    thin = [instance(np.array([0, 0, 2.0 * k]), number=k, SliceThickness=2.0) for k in range(5)]
    return thin + [instance(np.array([0, 0, 9.0 + 5 * k]), number=20 + k, SliceThickness=5.0) for k in range(4)]


def _spacing_midway() -> list[Dataset]:
    second = [
        instance(place + np.array([0, 0, 12.0]), number=50 + k, spacing=(0.8, 0.6)) for k, place in enumerate(positions(4, UP))
    ]
    return stack() + second


def _jittered(size: float) -> list[Dataset]:
    slices = []
    for number, place in enumerate(positions(6, UP)):
        turned = Rotation.from_rotvec([0, 0, size * (-1) ** number]).as_matrix()
        slices.append(instance(place, turned[:, :2].T.ravel(), number=number))
    return slices


def _rounded() -> list[Dataset]:
    slices = stack(step=np.array([0, 0, 0.625]))
    for each in slices:
        each.ImagePositionPatient = [round(float(part), 1) for part in each.ImagePositionPatient]
    return slices


def _planes() -> list[Dataset]:
    """A localizer of three planes with two slices each."""
    coronal = np.array([1.0, 0, 0, 0, 0, -1])
    return [
        *mr(2), *mr(2, first=10, orientation=coronal, step=np.array([0, 3.0, 0])),
        *mr(2, first=20, orientation=SAGITTAL, step=np.array([3.0, 0, 0])),
    ]  # fmt: skip


def _phases(**values: list[float]) -> list[Dataset]:
    """Three stacks at the same positions; a keyword's value for each."""
    [(keyword, each)] = values.items()
    return [one for k, value in enumerate(each) for one in mr(4, first=10 * k, plus=1000 * k, **{keyword: value})]


def _directions() -> list[Dataset]:
    found = mr(4, DiffusionBValue=0.0)
    for k, direction in enumerate(([1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0])):
        found += mr(4, first=10 * (k + 1), plus=1000 * (k + 1), DiffusionBValue=800.0, DiffusionGradientOrientation=direction)
    return found


def _cine_with_own_times() -> list[Dataset]:
    slices = []
    for phase in range(3):
        for place, each in enumerate(mr(4, first=10 * phase, plus=1000 * phase)):
            each.TriggerTime = 30.0 * phase + 1.7 * place
            slices.append(each)
    return slices


def _numbered_only() -> list[Dataset]:
    return [each for k in range(3) for each in mr(4, first=10 * k, plus=1000 * k)]


def _shuffled_numbers() -> list[Dataset]:
    """Stacks whose instance numbers run in no order that tells them apart."""
    slices = _numbered_only()
    for each, number in zip(slices, [1, 2, 3, 4, 8, 5, 11, 7, 6, 10, 9, 12], strict=True):
        each.InstanceNumber = number
    return slices


def _incomplete_phase() -> list[Dataset]:
    return _phases(TemporalPositionIdentifier=[1, 2, 3])[:-1]


def _dual_energy() -> list[Dataset]:
    return _again(_all(stack(), KVP="80"), 50, 1000, KVP="140")


def _within_the_plane() -> list[Dataset]:
    other = [instance(place + np.array([30.0, 0, 0]), number=50 + k) for k, place in enumerate(positions(6, UP))]
    return stack() + other


def _frames(order: tuple[int, ...] = (3, 0, 5, 1, 4, 2)) -> list[Dataset]:
    return [enhanced([stack()[k] for k in order])]


def _slope_a_frame() -> list[Dataset]:
    slices = mr()
    for k, each in enumerate(slices):
        each.RescaleSlope, each.RescaleIntercept = 1, k
        raised(each, -k)
    return [enhanced(slices, EnhancedMRImageStorage)]


def _stacks_in_one_object() -> list[Dataset]:
    one, two = _all(mr(4), StackID="1"), _all(mr(3, orientation=SAGITTAL, step=np.array([3.0, 0, 0])), StackID="2")
    return [enhanced([*two, *one], EnhancedMRImageStorage)]


def _times_in_one_object() -> list[Dataset]:
    slices = _phases(TemporalPositionIdentifier=[1, 2, 3])
    return [enhanced([slices[k] for k in (7, 0, 11, 4, 2, 9, 1, 5, 10, 3, 8, 6)], EnhancedMRImageStorage)]


def _diffusion_in_one_object() -> list[Dataset]:
    slices = [*mr(4, DiffusionBValue=0.0), *mr(4, plus=1000, DiffusionBValue=1000.0)]
    return [enhanced(slices[::-1], EnhancedMRImageStorage)]


def _echoes_in_one_object() -> list[Dataset]:
    return [enhanced([*mr(4, EchoTime=4.6), *mr(4, plus=1000, EchoTime=2.3)], EnhancedMRImageStorage)]


def _frames_not_described() -> list[Dataset]:
    [made] = _frames()
    del made.PerFrameFunctionalGroupsSequence[-1]
    return [made]


def _cine() -> list[Dataset]:
    made = projection(f"{_ROOT}12.1", "XA", NumberOfFrames=3, ImagerPixelSpacing=[0.3, 0.3])
    made.PixelData = made.PixelData * 3
    del made.RescaleSlope, made.RescaleIntercept
    return [made]


def _ultrasound(**change: Any) -> list[Dataset]:
    region = Dataset()
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.02, 0.03
    made = projection(f"{_ROOT}6.1", "US", SequenceOfUltrasoundRegions=[region])
    del made.RescaleSlope, made.RescaleIntercept
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PlanarConfiguration = 3, "RGB", 0
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    made.PixelData = bytes(range(90))
    for keyword, value in change.items():
        setattr(made, keyword, value)
    return [made]


def _report_inside() -> list[Dataset]:
    report = instance(np.zeros(3), number=99)
    report.file_meta.MediaStorageSOPClassUID = report.SOPClassUID = f"{_ROOT}88.11"
    for keyword in ("PixelData", "Rows", "Columns"):
        delattr(report, keyword)
    return [*stack(), report]


def _truncated(place: int = 2) -> list[Dataset]:
    slices = stack()
    slices[place].PixelData = slices[place].PixelData[:-8]
    return slices


def _filled(n: int) -> VolumesSettings:
    return VolumesSettings(fill_missing=n)


TILT = Part("resampled", "E-VOLUME-TILT")
CLASSES: dict[str, Class] = {
    # a stack of slices
    "slices in any order": Class(_shuffled, (converted(6),)),
    "slices against their instance numbers": Class(lambda: [instance(p, number=9 - k) for k, p in enumerate(positions(6, UP))], (converted(6),)),
    "no instance numbers": Class(lambda: _all(stack(), InstanceNumber=None), (converted(6),)),
    "slice locations that lie": Class(lambda: [instance(p, number=k, SliceLocation=-k) for k, p in enumerate(positions(6, UP))], (converted(6),)),
    "sagittal": Class(lambda: stack(orientation=SAGITTAL, step=np.array([-2.0, 0, 0])), (converted(6),)),
    "one slice": Class(lambda: stack(1), (converted(1),)),
    "one slice without thickness": Class(lambda: _all(stack(1), SliceThickness=None), (converted(1),)),
    "slices that overlap": Class(lambda: _all(stack(), SliceThickness=5.0), (converted(6),)),
    "orientation jitter of 1e-4": Class(lambda: _jittered(1e-4), (converted(6),)),
    "orientations that differ by degrees": Class(
        lambda: _jittered(0.05), (converted(3, 1, "ImageOrientationPatient"), converted(3, 1, "ImageOrientationPatient"))),
    "positions rounded to 0.1 mm": Class(_rounded, (converted(6),)),
    "a position that is off by 0.3 mm": Class(lambda: _moved(stack(), 2, (0.3, 0, 0)), (held_back("CERTIFICATE"),)),
    # gaps and tilt
    "a slice is missing": Class(lambda: _without(stack(), 3), (held_back("MISSING-SLICES"),)),
    "a slice is missing, one may be filled": Class(lambda: _without(stack(), 3), (Part("resampled", "E-VOLUME-MISSING-SLICES", 6),), _filled(1)),
    "two slices are missing, one may be filled": Class(lambda: _without(stack(8), 3, 4), (held_back("MISSING-SLICES"),), _filled(1)),
    "a very thin slice is missing": Class(lambda: _without(stack(40, step=np.array([0, 0, 0.05])), 20), (held_back("MISSING-SLICES"),)),
    "variable spacing": Class(_variable, (held_back("UNEVEN-SPACING"),)),
    "variable spacing, may be evened out": Class(_variable, (Part("resampled", "E-VOLUME-UNEVEN-SPACING"),), VolumesSettings(even_out=True)),
    "gantry tilt": Class(lambda: stack(step=LEANING), (converted(6), TILT)),
    "gantry tilt, no other grid": Class(lambda: stack(step=LEANING), (converted(6),), VolumesSettings(orthogonal=False)),
    "gantry tilt and a slice is missing": Class(lambda: _without(stack(step=LEANING), 3), (held_back("MISSING-SLICES"),), _filled(1)),
    # copies
    "the same slice under another key": Class(lambda: _again(stack(), 50)[:7], (converted(6, duplicates=1),)),
    "the whole series under other keys": Class(lambda: _again(stack(), 50), (converted(6, duplicates=6),)),
    "one position, other pixels": Class(lambda: _again(stack(), 50, 7)[:7], (held_back("DUPLICATE-POSITION"),)),
    "one slice taken again": Class(
        lambda: _again(_all(stack(), AcquisitionNumber=1), 50, 7, AcquisitionNumber=2)[:7],
        (converted(6, 1, "AcquisitionNumber"), converted(1, 1, "AcquisitionNumber"))),
    # several volumes
    "two kernels": Class(
        lambda: _again(_all(stack(), ConvolutionKernel="B30f"), 50, 1000, ConvolutionKernel="B70f"),
        (converted(6, 1, "ConvolutionKernel"), converted(6, 1, "ConvolutionKernel")), offsets=(-1024, -24)),
    "two kernels at positions between each other": Class(
        _shifted_reconstructions, (converted(6, 1, "ConvolutionKernel"), converted(6, 1, "ConvolutionKernel"))),
    "two slice thicknesses": Class(_two_thicknesses, (converted(5, 1, "SliceThickness"), converted(4, 1, "SliceThickness"))),
    "pixel spacing changes midway": Class(_spacing_midway, (converted(6, 1, "PixelSpacing"), converted(4, 1, "PixelSpacing"))),
    "another matrix inside": Class(
        lambda: [*stack(), instance(positions(7, UP)[6], number=77, columns=4)], (converted(6, 1, "Rows", "Columns"), converted(1, 1, "Rows", "Columns"))),
    "two acquisitions at the same positions": Class(
        lambda: _again(_all(stack(), AcquisitionNumber=1), 50, 1000, AcquisitionNumber=2),
        (converted(6, 1, "AcquisitionNumber"), converted(6, 1, "AcquisitionNumber")), offsets=(-1024, -24)),
    "an acquisition number for each slice": Class(lambda: [instance(p, number=k, AcquisitionNumber=k) for k, p in enumerate(positions(6, UP))], (converted(6),)),
    "two tube voltages": Class(_dual_energy, (converted(6, 1, "KVP"), converted(6, 1, "KVP")), offsets=(-1024, -24)),
    "two fields of view": Class(_within_the_plane, (converted(6, 1, "ImagePositionPatient"), converted(6, 1, "ImagePositionPatient"))),
    "two frames of reference": Class(
        lambda: [*_all(stack(), FrameOfReferenceUID="2.25.1"), *_all([instance(p + 3, number=50 + k) for k, p in enumerate(positions(4, UP))], FrameOfReferenceUID="2.25.2")],
        (converted(6, 1, "FrameOfReferenceUID"), converted(4, 1, "FrameOfReferenceUID"))),
    "two echoes": Class(lambda: [*mr(EchoTime=2.3), *mr(first=20, plus=1000, EchoTime=4.6)], (converted(6, 1, "EchoTime"), converted(6, 1, "EchoTime")), offsets=(0, 1000)),
    "an echo time for each slice": Class(lambda: [each for k in range(6) for each in [_changed(mr(), k, EchoTime=2.0 + k)[k]]], (converted(6),)),
    "magnitude and phase": Class(
        lambda: [*mr(ImageType=["ORIGINAL", "PRIMARY", "M"]), *mr(first=20, plus=1000, ImageType=["ORIGINAL", "PRIMARY", "P"])],
        (converted(6, 1, "ImageType"), converted(6, 1, "ImageType")), offsets=(0, 1000)),
    "b-values and directions": Class(_directions, (converted(4, 1, "DiffusionBValue"), converted(4, 3, "DiffusionBValue")), offsets=(0, 1000, 2000, 3000)),
    "times": Class(lambda: _phases(TemporalPositionIdentifier=[2, 1, 3]), (converted(4, 3),), offsets=(1000, 0, 2000)),
    "cardiac phases": Class(lambda: _phases(TriggerTime=[0.0, 30.5, 61.0]), (converted(4, 3),), offsets=(0, 1000, 2000)),
    "cardiac phases with times of each slice's own": Class(_cine_with_own_times, (converted(4, 3),), offsets=(0, 1000, 2000)),
    "times that only instance numbers tell": Class(_numbered_only, (converted(4, 3),), offsets=(0, 1000, 2000)),
    "times that nothing tells": Class(_shuffled_numbers, (held_back("DUPLICATE-POSITION"),)),
    "a time is not complete": Class(
        _incomplete_phase, tuple(converted(n, 1, "TemporalPositionIdentifier") for n in (4, 4, 3)), offsets=(0, 1000, 2000)),
    "one position over time": Class(lambda: [each for k in range(5) for each in mr(1, first=k, plus=100 * k, TriggerTime=20.0 * k)], (converted(1, 5),), offsets=(0, 100, 200, 300, 400)),
    # what does not belong into the stack
    "a three-plane localizer": Class(_planes, (converted(2, 1, "ImageOrientationPatient"),) * 3),
    "a CT localizer inside": Class(
        lambda: [*stack(), instance(np.zeros(3), SAGITTAL, number=77, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])],
        (converted(6), converted(None))),
    "a reformat inside": Class(
        lambda: [*stack(), instance(np.zeros(3), SAGITTAL, number=77, ImageType=["DERIVED", "SECONDARY", "MPR"])],
        (converted(6, 1, "ImageType"), converted(1, 1, "ImageType"))),
    "a slice that is marked as a localizer": Class(
        lambda: _changed(stack(), 2, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), (held_back("MISSING-SLICES"), converted(None))),
    "a maximum intensity projection inside": Class(
        lambda: [*mr(), *mr(1, first=77, ImageType=["DERIVED", "SECONDARY", "PROJECTION IMAGE"])], (converted(6), converted(None))),
    "a report inside": Class(_report_inside, (converted(6), held_back("SOP-CLASS"))),
    "a secondary capture inside": Class(
        lambda: [*stack(), _all(stack(1, first=77), SOPClassUID=f"{_ROOT}7")[0]], (converted(6), held_back("SOP-CLASS"))),
    # slices that cannot be used spoil the stack that they are of
    "a slice without position": Class(lambda: _changed(stack(), 2, ImagePositionPatient=None), (held_back("GEOMETRY"),)),
    "no positions": Class(lambda: _all(stack(), ImagePositionPatient=None), (held_back("GEOMETRY"),)),
    "only ImagerPixelSpacing": Class(lambda: _all(stack(), PixelSpacing=None, ImagerPixelSpacing=[0.8, 0.5]), (held_back("GEOMETRY"),)),
    "cosines that are not at right angles": Class(lambda: _changed(stack(), 2, ImageOrientationPatient=[1, 0, 0, 0.1, 1, 0]), (held_back("GEOMETRY"),)),
    "a spacing of zero": Class(lambda: _changed(stack(), 1, PixelSpacing=[0, 0.5]), (held_back("GEOMETRY"),)),
    "a slice that is cut off": Class(_truncated, (held_back("DECODE"),)),
    "a slice without pixels": Class(lambda: _changed(stack(), 0, PixelData=None), (held_back("DECODE"),)),
    "a slice with more bits than it has": Class(lambda: _changed(stack(), 0, BitsStored=17, HighBit=16), (held_back("BITS"), held_back("BITS"))),
    "colour among slices": Class(lambda: _changed(stack(), 0, PhotometricInterpretation="RGB"), (held_back("PHOTOMETRIC"), held_back("PHOTOMETRIC"))),
    "a table instead of a line": Class(lambda: _changed(stack(), 2, ModalityLUTSequence=[Dataset()]), (held_back("RESCALE"),)),
    "CT without a rescale": Class(lambda: _all(stack(), RescaleIntercept=None), (held_back("RESCALE"),)),
    "values that leave 32 bits": Class(lambda: _all(stack(), RescaleSlope=10_000_000), (held_back("RESCALE"),)),
    # multi-frame objects
    "enhanced CT with shuffled frames": Class(_frames, (converted(6),)),
    "enhanced CT with a frame missing": Class(lambda: _frames((3, 0, 5, 1, 4)), (held_back("MISSING-SLICES"),)),
    "enhanced MR with a rescale a frame": Class(_slope_a_frame, (converted(6),), offsets=(0,)),
    "enhanced MR with two stacks": Class(_stacks_in_one_object, (converted(3, 1, "StackID"), converted(4, 1, "StackID"))),
    "enhanced MR with times": Class(_times_in_one_object, (converted(4, 3),), offsets=(0, 1000, 2000)),
    "enhanced MR with b-values": Class(_diffusion_in_one_object, (converted(4, 1, "DiffusionBValue"),) * 2, offsets=(1000, 0)),
    "enhanced MR with echoes": Class(_echoes_in_one_object, (converted(4, 1, "EchoTime"),) * 2, offsets=(0, 1000)),
    "enhanced PET with a slope a frame": Class(lambda: [enhanced(pet()[::-1], f"{_ROOT}130")], (converted(6),), rounding=0.51 + 2.25 / 2),
    "frames that are not all described": Class(_frames_not_described, (held_back("FRAMES"),)),
    "several frames in a classic object": Class(lambda: _changed(stack(), 0, NumberOfFrames=2), (held_back("FRAMES"), held_back("FRAMES"))),
    "Siemens mosaic": Class(lambda: [mosaic(7)], (converted(7),), offsets=(0,)),
    "Siemens mosaic with descending slices": Class(lambda: [mosaic(7, normal=(0, 0, -1))], (converted(7),), offsets=(0,)),
    "Siemens mosaics over time": Class(lambda: [mosaic(5, 2, 1000), mosaic(5, 1), mosaic(5, 3, 2000)], (converted(5, 3),), offsets=(0, 1000, 2000)),
    "Siemens mosaic without the private header": Class(lambda: [mosaic(7, normal=None)], (held_back("MOSAIC"),)),
    # values
    "PET with a slope a slice": Class(pet, (converted(6),), rounding=0.51 + 2.25 / 2),
    # projections
    "CR": Class(lambda: [projection(f"{_ROOT}1", "CR", PixelSpacing=[0.2, 0.2])], (converted(None),)),
    "DX with ImagerPixelSpacing, MONOCHROME1": Class(lambda: [projection(f"{_ROOT}1.1", "DX", ImagerPixelSpacing=[0.14, 0.14], PhotometricInterpretation="MONOCHROME1")], (converted(None),)),
    "two mammograms": Class(lambda: [projection(f"{_ROOT}1.2", "MG", k, ImagerPixelSpacing=[0.07, 0.07]) for k in (1, 2)], (converted(None), converted(None))),
    "ultrasound in colour": Class(_ultrasound, (converted(None),)),
    "XA cine": Class(_cine, (Part("converted", volumes=3),)),
}  # fmt: skip


def table() -> str:
    """The classes and their outcomes as the documentation shows them."""
    lines = ["| series | outcome |", "|---|---|"]
    for name, case in CLASSES.items():
        lines.append(f"| {name} | {'; '.join(_said(part) for part in case.parts)} |")
    return "\n".join(lines) + "\n"


def _said(part: Part) -> str:
    if part.status == "quarantined":
        return f"quarantined, `{part.reason}`"
    if part.status == "resampled":
        return f"resampled, `{part.reason}`"
    size = "an image" if part.slices is None else f"{part.slices} slice" + "s" * (part.slices != 1)
    times = f" × {part.volumes}" if part.volumes > 1 else ""
    by = f" by {', '.join(part.split_by)}" if part.split_by else ""
    copies = f", {part.duplicates} left out as copies" if part.duplicates else ""
    return f"converted: {size}{times}{by}{copies}"


if __name__ == "__main__":
    print(table())
