"""What a card of the gallery says: a row of the table `volumes` in words, with its flags and the numbers that it is sorted by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.errors import catalogue

Row = Mapping[str, Any]

#: Upper ends of the bands of slice thickness in mm, and how each is called.
_BANDS = ((1.0, "up to 1 mm"), (2.5, "1 to 2.5 mm"), (5.0, "2.5 to 5 mm"), (float("inf"), "over 5 mm"))
NOT_STATED = "not stated"
#: In the order in which they are shown.
BANDS = (*(name for _, name in _BANDS), NOT_STATED)
_PLANES = ("sagittal", "coronal", "axial")
#: Slices may be this share farther apart, or nearer, than they are thick.
_APART = 0.1
#: A stack that is turned by less has no word for it.
_STRAIGHT_DEG = 1.0


@dataclass(frozen=True, slots=True)
class Flag:
    """Something that is to be known of a volume. `kind` is what is filtered by, `text` what the badge says, `title` the whole sentence."""

    kind: str
    text: str
    title: str


@dataclass(frozen=True, slots=True)
class Card:
    """A volume, or a part of a series that was quarantined.

    Attributes:
        mark: what a reviewer's mark is kept under: it is of this content, not of whatever comes in its place.
        reason, remedy: the sentences of the reason's code, and what to do; empty where there is no code.
        plane: `axial`, `coronal` or `sagittal`; empty for projections.
        lines: facts in short forms, each with the whole of it.
        thickness: the band.
        sort: what is sorted by, as numbers; None where it is not known.
        picture_alt: what the picture shows.
    """

    study: str
    patient: str
    series: str
    index: int
    mark: str
    status: str
    code: str
    reason: str
    remedy: str
    modality: str
    body_part: str
    plane: str
    manufacturer: str
    lines: tuple[tuple[str, str], ...]
    thickness: str
    flags: tuple[Flag, ...]
    sort: Mapping[str, float | None]
    path: str | None
    preview_path: str | None
    picture_alt: str
    split: str

    @property
    def number(self) -> tuple[str, int]:
        """The table's key."""
        return self.series, self.index


def card(row: Row, split: str = "") -> Card:
    """A row in words.

    Args:
        row: by the names of the contract `volumes`; what is missing counts as null.
        split: of the release that it belongs to.
    """
    get = row.get
    code, status = get("reason_code") or "", get("status") or ""
    modality, body_part = get("Modality") or NOT_STATED, get("BodyPartExamined") or ""
    error, spacing = get("max_position_error_mm"), get("slice_spacing_mm")
    low, high = get("value_min"), get("value_max")
    shape, values = _shape(row), _values(row)
    lines = [_acquisition(row), *((shape, values) if get("path") else ((_held(row), ""),))]
    return Card(
        study=row["StudyInstanceUID"], patient=row["PatientID"], series=row["SeriesInstanceUID"], index=row["volume_index"],
        mark=f"{row['SeriesInstanceUID']}_{row['volume_index']}:{(get('sha256') or code)[:16]}",
        status=status, code=code, reason=reason(code)[0], remedy=reason(code)[1], modality=modality, body_part=body_part,
        plane=orientation(get("affine")),
        manufacturer=get("Manufacturer") or NOT_STATED,
        lines=tuple((text, whole or text) for text, whole in lines if text),
        thickness=_band(get("SliceThickness")), flags=tuple(flags(row)),
        sort={
            "certificate": error, "spacing": spacing, "slices": get("n_slices"),
            "range": None if low is None or high is None else high - low, "low": low, "high": high,
        },
        path=get("path"), preview_path=get("preview_path"),
        picture_alt=_seen(row) + (f", {shape[0]}" if shape[0] else ""),
        split=split,
    )  # fmt: skip


def flags(row: Row) -> Iterator[Flag]:
    """What is to be known of a volume or a part, the gravest first."""
    for test in (_grid, _thickness, _fourth, _pixels, _planes_differ):
        yield from test(row)


def _grid(row: Row) -> Iterator[Flag]:
    get = row.get
    if get("status") == "resampled":
        yield Flag(
            "resampled",
            "resampled",
            "These voxels stand on another grid than the images. " + reason(get("reason_code") or "")[0],
        )
    if get("is_sheared"):
        yield Flag("sheared", f"sheared {_number(get('shear_deg'))}°", "The slice axis leans from the normal, as by gantry tilt.")
    if gaps := get("missing_positions_mm"):
        where = ", ".join(_number(position) for position in gaps[:8]) + (" …" if len(gaps) > 8 else "")
        yield Flag("gaps", f"{len(gaps)} missing", f"Slices are missing at these positions along the normal, in mm: {where}.")
    if n := get("n_duplicates"):
        yield Flag(
            "duplicates", f"{n} duplicates", "Frames were left out because another has the same position and the same pixels."
        )


def _thickness(row: Row) -> Iterator[Flag]:
    spacing, thick = row.get("slice_spacing_mm"), row.get("SliceThickness")
    if not spacing or not thick or not row.get("path"):
        return
    if spacing > thick * (1 + _APART):
        yield Flag(
            "gap",
            f"gap {_number(spacing - thick)} mm",
            "Neighbouring slices are farther apart than they are thick, by at least a tenth.",
        )
    if spacing < thick * (1 - _APART):
        yield Flag(
            "overlap",
            f"overlap {_number(thick - spacing)} mm",
            "Neighbouring slices are nearer to each other than they are thick, by at least a tenth.",
        )


def _fourth(row: Row) -> Iterator[Flag]:
    get = row.get
    kind, n, axis = get("kind"), get("n_volumes") or 1, get("fourth_axis") or ""
    if kind == "4d":
        values = get("fourth_axis_values") or []
        ends = f" from {_number(min(values))} to {_number(max(values))}" if values else ""
        yield Flag(
            "4D", f"4D ×{n}", f"Several volumes at one place, told by {axis or 'their order'}{ends}. The picture is of the first."
        )
    if kind == "2d":
        yield Flag("2D", f"2D ×{n}" if n > 1 else "2D", "A projection, or an image without a place in the patient.")
        if get("path") and get("spacing_source") != "PixelSpacing":
            source = get("spacing_source")
            yield Flag(
                "spacing", "spacing of the detector" if source else "no spacing",
                f"The distance of pixels is {source}'s." if source else "No distance of pixels is known.",
            )  # fmt: skip
    if by := get("split_by"):
        yield Flag("split", "split by " + ", ".join(by), "The series holds several volumes, told apart by this.")


def _pixels(row: Row) -> Iterator[Flag]:
    get = row.get
    if get("lossy"):
        ratio = get("LossyImageCompressionRatio")
        yield Flag(
            "lossy",
            f"lossy {_number(ratio)}:1" if ratio else "lossy",
            "The pixels had been compressed with loss before they came here.",
        )
    if get("exact") is False and get("status") == "converted":
        yield Flag("not exact", "not exact", "Values are rounded to float32.")
    if get("value_min") is not None and get("value_min") == get("value_max"):
        yield Flag("constant", "constant", "Every voxel has the same value.")
    if get("high_bits_masked"):
        yield Flag(
            "masked", "bits masked", "Bits outside of the values, such as an overlay's, stood in the pixels and were left out."
        )
    if get("PhotometricInterpretation") == "MONOCHROME1":
        yield Flag("MONOCHROME1", "MONOCHROME1", "Low values are bright. The picture is inverted, the values are as stored.")
    if (lacking := get("suv_reason")) and get("path"):
        yield Flag("no SUV", "no SUV", f"The factor of the standardised uptake lacks {lacking}.")


def _planes_differ(row: Row) -> Iterator[Flag]:
    get = row.get
    if get("status") == "converted":
        return
    for column, text in (
        ("single_orientation", "orientations differ"), ("consistent_image_dimensions", "matrices differ"),
        ("consistent_pixel_spacing", "pixel spacings differ"), ("unique_slice_positions", "positions repeat"),
        ("uniform_slice_spacing", "uneven"),
    ):  # fmt: skip
        if get(column) is False:
            yield Flag(text, text, f"The column {column} is false.")


def _seen(row: Row) -> str:
    what = "Image" if row.get("kind") == "2d" else "Middle planes"
    return " ".join([what, "of", row.get("Modality") or "a volume", row.get("BodyPartExamined") or ""]).strip()


def reason(code: str) -> tuple[str, str]:
    """The catalogue's meaning and remedy, as sentences."""
    known = catalogue().get(code)
    if known is None:
        return ("This version has no sentence for this code." if code else ""), ""
    return f"{known.meaning}.", known.remedy


def _acquisition(row: Row) -> tuple[str, str]:
    get = row.get
    thickness, kilovolt, echo, b_value = (get(name) for name in ("SliceThickness", "KVP", "EchoTime", "DiffusionBValue"))
    maker = " ".join(word for word in (get("Manufacturer"), get("ManufacturerModelName")) if word)
    parts = (
        f"{_number(thickness)} mm thick" if thickness else "",
        get("ConvolutionKernel"),
        f"{_number(kilovolt)} kV" if kilovolt else "",
        f"TE {_number(echo)} ms" if echo is not None else "",
        f"b {_number(b_value)}" if b_value is not None else "",
        maker,
    )
    return " · ".join(part for part in parts if part), ""


def _held(row: Row) -> str:
    instances, frames = row.get("n_instances") or 0, row.get("n_frames") or 0
    return f"{instances} instance{'s' * (instances != 1)}" + (f" · {frames} frames" if frames not in {0, instances} else "")


def _shape(row: Row) -> tuple[str, str]:
    """`512×512×120 · 0.7×0.7×2.5 mm` in the order of the file's axes, and the same with all digits of the spacing."""
    get = row.get
    if not get("n_columns"):
        return "", ""
    flat, several = get("kind") == "2d", (get("n_volumes") or 1) > 1
    axes = ("column", "row") if flat else ("column", "row", "slice")
    counts = "×".join(map(str, [get(f"n_{axis}s") for axis in axes] + [get("n_volumes")] * several))
    steps = [step for axis in axes if (step := get(f"{axis}_spacing_mm")) is not None]
    if not steps:
        return counts, f"{counts} ({', '.join(axes)})"
    short = "×".join(f"{step:.2g}" if step < 0.1 else f"{round(step, 2):g}" for step in steps)
    return f"{counts} · {short} mm", f"{counts} voxels of {' × '.join(f'{step:.6g}' for step in steps)} mm ({', '.join(axes)})"


def orientation(affine: list[float] | None) -> str:
    """`axial`, `coronal` or `sagittal`, by the patient's axis next to the slices' normal, and by how far it is turned: `axial 12°`."""
    if affine is None:
        return ""
    matrix = np.reshape(affine, (4, 4))
    normal = np.cross(matrix[:3, 0], matrix[:3, 1])
    cosines = np.abs(normal) / np.linalg.norm(normal)
    axis = int(np.argmax(cosines))
    turned = float(np.degrees(np.arccos(min(1.0, cosines[axis]))))
    return _PLANES[axis] + (f" {turned:.0f}°" if turned >= _STRAIGHT_DEG else "")


def _values(row: Row) -> tuple[str, str]:
    """`int16 HU -1024 … 3071 · ±0.003 mm`, and what its parts are."""
    get = row.get
    units = get("units") or ""
    low, high, error = get("value_min"), get("value_max"), get("max_position_error_mm")
    words = [get("dtype") or "", units if units != "unspecified" else ""]
    if low is not None and high is not None:
        words.append(f"{_number(low)} … {_number(high)}")
    certificate = f"±{error:.3f} mm" if error is not None else "no certificate" if get("status") == "resampled" else ""
    text = " · ".join(part for part in (" ".join(filter(None, words)), certificate) if part)
    return text, f"type, unit, lowest and highest value{', certificate' * bool(certificate)}: {text}"


def _band(thickness: float | None) -> str:
    if thickness is None:
        return NOT_STATED
    return next(name for end, name in _BANDS if thickness <= end)


def _number(value: Any) -> str:
    """Four digits or all before the point, no exponent below ten millions, and a minus that is one."""
    if value is None:
        return "?"
    whole = 1e3 <= abs(value) < 1e7 or float(value).is_integer()
    return (f"{value:.0f}" if whole and abs(value) < 1e7 else f"{value:.4g}").replace("-", "−")
