"""The page of one case: what the model said, where, of which input, through which gates, and which model it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from tasks.gallery.facts import card, reason
from tasks.inference.bundle import Bundle
from tasks.inference.manifest import Finding
from tasks.review.cases import Case, Reading
from tasks.review.counts import coded
from tasks.review.index import PACKAGE, made_by
from tasks.review.measures import Check, band, checks, contradiction, service, statistics
from tasks.review.sights import Mark, Picture, Sights, caption
from tasks.review.words import number, span
from tasks.standalone import part, source_hash, template

_COLOURS = 6


@dataclass(frozen=True, slots=True)
class _Table:
    id: str
    title: str
    columns: tuple[str, ...]
    lines: tuple[_Row, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Row:
    cells: tuple[str, ...]
    mark: str = ""


def render(
    case: Case, bundle: Bundle, sights: Sights | None, *, why_none: str = "", with_reference: bool = False,
    place: int = 1, of: int = 1, up: str = "../index.html", before: str = "", after: str = "",
) -> bytes:  # fmt: skip
    """The page's bytes; the same input gives the same.

    Args:
        case: which.
        bundle: the model version.
        sights: its key images, or None.
        why_none: the code of the reason why there are none.
        with_reference: whether labels and outcomes are shown.
        place, of: the case's number in the list.
        up, before, after: relative addresses of the list and of the neighbours; empty where there is none.
    """
    manifest = bundle.manifest
    style = part(PACKAGE, "review.css")
    found = checks(case, manifest)
    pictures = _pictures(sights)
    text = template(PACKAGE, "case.html").render(
        title=f"Case {place}: {bundle.label}", style=Markup(style), style_hash=source_hash(style), script="",  # noqa: S704 - our own file
        model={"name": manifest.name, "version": manifest.version}, case=case, place=place, of=of, up=up, before=before, after=after,
        status="read" if case.is_read else f"not read, {case.reason_code}", outcome=case.outcome if with_reference else "",
        notices=_notices(case, found), has_reference=with_reference, findings=[_finding(each) for each in case.readings],
        finding_columns=[*_FINDING, *(["reference", "outcome"] if with_reference else [])], sources=_sources(manifest.findings),
        sights=pictures, has_marks=any(picture["marks"] for sight in pictures for picture in sight["pictures"]),
        window=sights.window if sights else "", left_out=sights.left_out if sights else "",
        no_picture=reason(why_none)[0] if why_none else "The study has no volume that could be shown.",
        tables=[table for table in _tables(case, bundle, found) if table.lines], made_by=made_by(),
    )  # fmt: skip
    return text.encode()


def _notices(case: Case, found: tuple[Check, ...]) -> list[tuple[str, str, str]]:
    told = []
    if not case.is_read:
        told.append((case.reason_code, *reason(case.reason_code)))
    if not case.is_current:
        told.append(("E-REVIEW-STALE", *reason("E-REVIEW-STALE")))
    elif other := contradiction(case, found):
        said = case.reason_code or "none"
        told.append((other, f"The gates, measured anew, give this reason, and the table `predictions` gives {said}.", ""))
    return told


# ---- findings -----------------------------------------------------------------------------------------------------------

_FINDING = ("finding", "code", "score or volume", "result", "operating points", "band", "needed")


def _finding(reading: Reading) -> dict[str, object]:
    said = reading.finding
    site = f"; {coded(said.site)}" if said.site else ""
    amount = number(reading.score) if reading.segment is None else f"{number(reading.segment['volume_ml'])} ml"
    return {
        "name": _words(said.finding), "code": coded(said.code) + site, "amount": amount,
        "verdict": {True: "positive", False: "negative", None: ""}[reading.positive],
        "points": [(f"{each.name}, from {number(each.threshold)}", each.source) for each in said.operating_points],
        "band": band(said, reading.score), "service": service(said),
        "label": {1: "present", 0: "absent", None: "no label"}[reading.label], "outcome": reading.outcome,
    }  # fmt: skip


def _sources(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    told = []
    for said in findings:
        told += [(f"{_words(said.finding)}, {each.name}", each.source) for each in said.operating_points]
        told += [(f"{_words(said.finding)}, band {each.name}", each.source) for each in said.bands]
        if said.service_level and said.service_level.source:
            told.append((f"{_words(said.finding)}, {service(said)}", said.service_level.source))
    return told


# ---- pictures -----------------------------------------------------------------------------------------------------------


def _pictures(sights: Sights | None) -> list[dict[str, Any]]:
    return [
        {"title": sight.title, "note": sight.note, "pictures": [_picture(each) for each in sight.pictures]}
        for sight in (sights.sights if sights else ())
    ]  # fmt: skip


def _picture(picture: Picture) -> dict[str, object]:
    plane = picture.plane
    (rows, columns), (down, across) = plane.shape, plane.spacing_mm
    left, right, top, bottom = (_DIRECTIONS[letter] for letter in plane.edges)
    said = "; ".join(mark.text for mark in picture.marks if mark.is_main)
    return {
        "name": plane.name, "content": picture.content, "edges": plane.edges, "scale": f"scale({across:.9g} {down:.9g})",
        "width": f"{columns * across:.9g}", "height": f"{rows * down:.9g}", "marks": [_mark(mark) for mark in picture.marks],
        "caption": f"{caption(plane)}; {number(columns * across)} × {number(rows * down)} mm",
        "alt": f"{caption(plane)}. {left} is on the left, {right} on the right, {top} up, {bottom} down." + (f" Marked: {said}." if said else ""),
    }  # fmt: skip


_DIRECTIONS = {"R": "Right", "L": "Left", "A": "Anterior", "P": "Posterior", "S": "Superior", "I": "Inferior"}


def _mark(mark: Mark) -> dict[str, object]:
    box = mark.rectangle
    path = f"M{box.left} {box.top}H{box.right}V{box.bottom}H{box.left}Z" if box is not None else mark.path
    return {"text": mark.text, "colour": mark.colour % _COLOURS, "is_main": mark.is_main, "path": path}


# ---- tables -------------------------------------------------------------------------------------------------------------


def _tables(case: Case, bundle: Bundle, found: tuple[Check, ...]) -> list[_Table]:
    return [
        _boxes(case),
        _segments(case),
        _gates(found),
        _input(case, bundle),
        _volume(case),
        _others(case),
        _model(case, bundle),
    ]


def _boxes(case: Case) -> _Table:
    lines = []
    for reading in case.readings:
        for box in reading.boxes:
            image = (
                f"{box['SOPInstanceUID']}, frame {box['frame_number'] or 1}" if box["SOPInstanceUID"] else "none: another grid"
            )
            lines.append(_Row((
                f"{_words(box['finding'])} {box['detection_index'] + 1}", number(box["score"]), number(max(box["extent_mm"])),
                _triple(box["extent_mm"]), _triple(box["center_lps_mm"]), f"{_triple(box['voxel_start'])} to {_triple(box['voxel_stop'])}", image,
            )))  # fmt: skip
    columns = (
        "box",
        "score",
        "longest edge, mm",
        "edges, mm",
        "centre L, P, S, mm",
        "voxels i, j, k",
        "image through its centre",
    )
    return _Table(
        "s-boxes",
        "Boxes",
        columns,
        tuple(lines),
        "The first voxel of a box, and the first beyond it; edges along the volume’s axes.",
    )


def _segments(case: Case) -> _Table:
    lines = [
        _Row((
            _words(reading.finding.finding), str(segment["label"]), number(segment["volume_ml"]), f"{segment['n_voxels']:,}",
            _triple(segment["center_lps_mm"] or ()), segment["path"],
        ))
        for reading in case.readings if (segment := reading.segment) is not None
    ]  # fmt: skip
    return _Table(
        "s-segments",
        "Structures",
        ("finding", "label", "volume, ml", "voxels", "centroid L, P, S, mm", "label map"),
        tuple(lines),
    )


def _gates(found: tuple[Check, ...]) -> _Table:
    marks = {"failed": "failed", "not asked": "quiet", "not reached": "quiet"}
    lines = tuple(
        _Row((check.name, check.measured, check.accepted or "anything", check.state, check.code if check.state == "failed" else ""),
             marks.get(check.state, ""))
        for check in found
    )  # fmt: skip
    note = "In the order in which the volume met them. The header’s are measured anew from the table `volumes`."
    return _Table("s-gates", "Gates", ("gate", "measured", "accepted", "result", "reason"), lines, note)


def _input(case: Case, bundle: Bundle) -> _Table:
    said = {True: "inside", False: "outside", None: ""}
    lines = tuple(
        _Row((each.name, number(each.value, 6), span(each.limits) if each.limits else "no range", said[each.is_inside]),
             "out" if each.is_inside is False else "")
        for each in statistics(case, bundle.manifest.profile) if each.value is not None
    )  # fmt: skip
    note = "Of the prepared input, beside the ranges of the training profile in the model’s manifest."
    return _Table("s-input", "Input", ("statistic", "value", "range", "result"), lines, note)


def _volume(case: Case) -> _Table:
    if case.volume is None:
        return _Table("s-volume", "Volume", (), ())
    shown = card(case.volume)
    lines = [_Row(("series", f"{shown.modality} {shown.body_part} {shown.plane}".strip()))]
    names = ("acquisition", "voxels", "values")
    lines += [_Row((name, text)) for name, (text, _) in zip(names[-len(shown.lines) :], shown.lines, strict=True)]
    lines += [_Row((flag.text, flag.title)) for flag in shown.flags]
    lines.append(_Row(("file", str(case.volume["path"]))))
    return _Table("s-volume", "Volume", ("what", "said"), tuple(lines))


def _others(case: Case) -> _Table:
    lines = tuple(_Row((path, code, reason(code)[0])) for _, path, code in case.others)
    return _Table("s-others", "Other volumes of the study", ("volume", "reason", "meaning"), lines)


def _model(case: Case, bundle: Bundle) -> _Table:
    names = ("weights_sha256", "manifest_sha256", "preprocessing_sha256", "code_sha256", "variant", "device")
    lines = [_Row(("name", bundle.manifest.name)), _Row(("version", bundle.manifest.version))]
    lines += [_Row((name, str(case.row[name]))) for name in names]
    lines.append(_Row(("intended use", bundle.manifest.intended_use)))
    return _Table("s-model", "Model", ("what", "said"), tuple(lines))


def _triple(values: Sequence[float]) -> str:
    return ", ".join(number(float(value)) for value in values)


def _words(finding: str) -> str:
    return finding.replace("_", " ")
