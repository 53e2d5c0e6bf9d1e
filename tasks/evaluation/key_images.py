"""Key images of the studies that were read wrongly: one slice each, of the very volume that the model read.

A detection is shown where it is: the axial slice through the centre of the box with the highest score. Elsewhere it is the middle one, for a
score names no place. Images lie in the lake beside results.json.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data_contracts.deid_audit import CONTRACT as AUDIT
from data_contracts.deid_evidence import CONTRACT as EVIDENCE
from data_contracts.detections import CONTRACT as DETECTIONS
from data_contracts.volumes import CONTRACT as VOLUMES
from tasks.deid import rules
from tasks.errors import ConfigurationError, SafelightError
from tasks.evaluation.of_cases import FailedCase
from tasks.evaluation.plan import Plan
from tasks.inference.volume import Volume, read_volume
from tasks.lake import Lake
from tasks.review.planes import NAMES, Planes, center, middle
from tasks.volumes.preview import View, eight_bits, fitted, window_for

Row = Mapping[str, Any]
#: No side of an image has more pixels than this.
BOX = 384
FOLDER = "results/failures"
_NEEDED = (
    "StudyInstanceUID", "SeriesInstanceUID", "path", "sha256", "kind", "Modality", "units", "padding_range", "PhotometricInterpretation",
    "dtype", "n_columns", "n_rows", "n_slices", "column_spacing_mm", "row_spacing_mm",
)  # fmt: skip


def made_of(lake: Lake) -> list[pa.Table]:
    """What decides how the images look and whether there may be one: volumes by their SHA-256, boxes, and how studies were de-identified."""
    profiles = lake.table(AUDIT, ["StudyInstanceUID", "profile"]).group_by(["StudyInstanceUID", "profile"]).aggregate([])
    boxes = lake.table(
        DETECTIONS, ["volume_path", "model_name", "model_version", "finding", "detection_index", "voxel_start", "voxel_stop"]
    )
    flat = boxes.set_column(5, "voxel_start", _said(boxes["voxel_start"])).set_column(6, "voxel_stop", _said(boxes["voxel_stop"]))
    looks = lake.table(EVIDENCE, ["StudyInstanceUID", "SeriesInstanceUID", "source"])
    return [lake.table(VOLUMES, ["SeriesInstanceUID", "path", "sha256"]), flat, profiles, looks]


def with_images(
    lake: Lake, failed: Sequence[FailedCase], predictions: pa.Table, plan: Plan
) -> tuple[tuple[FailedCase, ...], dict[str, bytes]]:
    """The cases with the paths of their images, and the images: lake path → PNG, of the same bytes for the same volume.

    No image is made where a face may be in it (`faces_were_looked_for`), where the volume is not the published one, or where it is no
    single volume of one value a voxel; the case says why.

    Args:
        failed: cases of `tasks.evaluation.failures`.
        predictions: the rows that were evaluated.
    """
    wanted = {case.study for case in failed}
    read = _of(predictions, wanted)
    files = {row["path"]: row for row in _rows(lake, VOLUMES, wanted, _NEEDED) if row["path"]}
    heads = Faces(lake, wanted)
    boxes = _boxes(lake, wanted, plan)
    cases, images = [], {}
    for case in failed:
        path = _path_read(read.get(case.study, []), case)
        row = files.get(path or "")
        content, alternative, why = b"", "", "the lake has no volume of what was read"
        if row is not None:
            why = heads.reason(case.study, row["SeriesInstanceUID"])
            if not why:
                content, alternative, why = _image(lake, row, boxes.get(row["path"]), case)
        name = f"{FOLDER}/{case.study}.png" if content else ""
        if content:
            images[name] = content
        cases.append(case.model_copy(update={"image": name, "alternative": alternative, "no_image": why}))
    return tuple(cases), images


class Faces:
    """Whether faces were looked for when studies were de-identified, as the tables `deid_audit` and `deid_evidence` tell."""

    def __init__(self, lake: Lake, studies: set[str]) -> None:
        looked = _rows(lake, EVIDENCE, None, ("StudyInstanceUID", "SeriesInstanceUID", "source"))
        self._series = {row["SeriesInstanceUID"] for row in looked if row["source"] == "face"}
        looked_at = {row["StudyInstanceUID"] for row in looked if row["source"] == "face"}
        self._profiles: dict[str, set[str]] = {}
        searching = set()
        for row in _rows(lake, AUDIT, None, ("StudyInstanceUID", "profile")):
            if row["StudyInstanceUID"] in studies:
                self._profiles.setdefault(row["StudyInstanceUID"], set()).add(row["profile"])
            if row["StudyInstanceUID"] in looked_at:  # a profile that keeps faces never looks for one
                searching.add(row["profile"])
        self._searching = searching

    def reason(self, study: str, series: str) -> str:
        """Why no image of a series may be shown; empty where it may: its face was looked for, or its study's profile does so."""
        if series in self._series:
            return ""
        profiles = self._profiles.get(study, set())
        if not profiles:
            return "the lake does not say how the study was de-identified: it may show a face"
        if all(profile in self._searching or _searches(profile) for profile in profiles):
            return ""
        return "the de-identification profile keeps faces, or is not known not to"


def _searches(profile: str) -> bool:
    """Whether a shipped profile holds back or removes faces; no for a site's own, of which the lake has but the name."""
    try:
        return rules.load(profile).faces != "keep"
    except ConfigurationError:
        return False


def _said(places: pa.ChunkedArray) -> pa.Array:
    return pa.array([str(place) for place in places.to_pylist()], pa.string())


def _rows(lake: Lake, contract: Any, studies: set[str] | None, columns: Sequence[str]) -> list[dict[str, Any]]:
    table = lake.table(contract, list(columns))
    if studies is not None:
        table = table.filter(pc.is_in(table["StudyInstanceUID"], pa.array(sorted(studies), pa.string())))
    found: list[dict[str, Any]] = table.to_pylist()
    return found


def _of(predictions: pa.Table, studies: set[str]) -> dict[str, list[Row]]:
    table = predictions.filter(pc.is_in(predictions["StudyInstanceUID"], pa.array(sorted(studies), pa.string())))
    found: dict[str, list[Row]] = {}
    for row in table.select(["StudyInstanceUID", "volume_path", "finding", "score", "model_name", "model_version"]).to_pylist():
        found.setdefault(row["StudyInstanceUID"], []).append(row)
    return found


def _path_read(rows: Sequence[Row], case: FailedCase) -> str | None:
    """The volume whose score the case has; the first by its path where several have it."""
    paths = sorted(row["volume_path"] for row in rows if row["score"] == case.score and row["volume_path"])
    return paths[0] if paths else None


def _boxes(lake: Lake, studies: set[str], plan: Plan) -> dict[str, Row]:
    """Of each volume the box of the plan's model and finding with the highest score."""
    names = (
        "StudyInstanceUID",
        "volume_path",
        "model_name",
        "model_version",
        "finding",
        "detection_index",
        "voxel_start",
        "voxel_stop",
    )
    return {
        row["volume_path"]: row for row in _rows(lake, DETECTIONS, studies, names)
        if (row["model_name"], row["finding"], row["detection_index"]) == (plan.model_name, plan.finding, 0)
        and plan.model_version in ("", row["model_version"])
    }  # fmt: skip


def _image(lake: Lake, row: Row, box: Row | None, case: FailedCase) -> tuple[bytes, str, str]:
    """PNG, the words for it, and why there is none."""
    try:
        volume = _volume(lake, row)
    except SafelightError as error:
        return b"", "", f"{error.code}: the lake no longer has what was read"
    voxels = volume.voxels
    sizes = [row["n_columns"], row["n_rows"], row["n_slices"]][: voxels.ndim]
    if voxels.ndim not in (2, 3) or voxels.dtype.fields is not None or list(voxels.shape) != sizes:
        return b"", "", "it is no single volume of one value a voxel"
    if voxels.ndim == 2:
        spacing = (row["row_spacing_mm"] or 1.0, row["column_spacing_mm"] or 1.0)
        return _png(voxels.T, spacing, row, volume, [voxels]), _words(case, row, "the whole image"), ""
    where, what = middle(volume.grid), "the middle axial slice"
    if box is not None:
        where, what = (
            center(box["voxel_start"], box["voxel_stop"]),
            "the axial slice through the centre of the model's highest-scoring box",
        )
    planes = Planes.of(volume.grid)
    plane = planes.plane("axial", where)
    shown = planes.cut(voxels, plane)
    seen = [shown, *(planes.cut(voxels, planes.plane(name, middle(volume.grid))) for name in NAMES)]
    said = f"{what} (number {plane.index + 1} of {plane.depth}), the patient's right on the left"
    return _png(shown, plane.spacing_mm, row, volume, seen), _words(case, row, said), ""


def _volume(lake: Lake, row: Row) -> Volume:
    padding = row["padding_range"]
    if not lake.exists(row["path"]):
        raise SafelightError("E-INFER-STALE")
    with lake.local([row["path"]]) as files:
        return read_volume(files[row["path"]], (padding[0], padding[1]) if padding else None, row["sha256"])


def _png(pixels: NDArray[Any], spacing: tuple[float, float], row: Row, volume: Volume, seen: Sequence[NDArray[Any]]) -> bytes:
    """A plane through the window of its modality, with square pixels."""
    window = window_for(row["Modality"], row["units"] or "", seen, row["padding_range"])
    inverted = row["PhotometricInterpretation"] == "MONOCHROME1"
    image = eight_bits(pixels, window, volume.padding, inverted=inverted)
    out = BytesIO()
    fitted(image, View(pixels, spacing), BOX).save(out, "PNG", optimize=False, compress_level=9)
    return out.getvalue()


def _words(case: FailedCase, row: Row, what: str) -> str:
    kind = case.kind.replace("_", " ")
    return f"Key image of a {kind}: {what}; {row['Modality'] or 'modality not stated'}."
