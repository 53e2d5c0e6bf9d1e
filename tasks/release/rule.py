"""The rule of a release: data that people review, and its answer for one volume of the lake."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from tasks import written
from tasks.section import Section

#: A row of the table `volumes`.
Row = Mapping[str, Any]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class Range(Section):
    """Inclusive bounds."""

    minimum: float | None = None
    maximum: float | None = None

    def holds(self, value: float) -> bool:
        """Whether a value is within the bounds."""
        return (self.minimum is None or value >= self.minimum) and (self.maximum is None or value <= self.maximum)


class Rule(Section):
    """Which volumes a release takes. What is left out is not asked for; of what is named, all must be so; of a list, one.

    Patterns have `*` and `?`, and go by the whole text, whatever the case. Without any setting it is the default rule: voxels as
    acquired or resampled, in space, evenly spaced and not sheared.
    """

    name: Name = "default"
    meaning: str = "Every volume in space, as acquired or resampled, evenly spaced and not sheared."
    statuses: tuple[Literal["converted", "resampled"], ...] = ("converted", "resampled")
    kinds: tuple[Literal["3d", "4d", "2d"], ...] = ("3d", "4d")
    #: What becomes of volumes whose slice axis leans (`is_sheared`), and of those that are not evenly spaced.
    sheared: Literal["take", "leave"] = "leave"
    irregular: Literal["take", "leave"] = "leave"
    #: What becomes of volumes whose pixels were once compressed with loss.
    lossy: Literal["take", "leave"] = "take"
    modalities: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()
    manufacturers: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ()
    slice_thickness_mm: Range | None = None
    slice_spacing_mm: Range | None = None
    minimum_slices: int | None = Field(default=None, ge=1)
    #: What becomes of a volume that does not say what the rule asks for.
    unknown: Literal["take", "leave"] = "leave"
    #: All volumes of a study, or the one with the thinnest and then the most slices.
    per_study: Literal["all", "one"] = "all"

    def reason(self, row: Row) -> str:
        """Why a volume is left: the code of the first thing that is not as the rule asks; empty where all is."""
        if row["status"] == "quarantined" or row["path"] is None:
            return "E-RELEASE-QUARANTINED"
        for code, verdict in self._verdicts(row):
            if not (self.unknown == "take" if verdict is None else verdict):
                return code
        return ""

    def _verdicts(self, row: Row) -> Iterator[tuple[str, bool | None]]:
        """A code with whether the volume is as asked, None where it does not say."""
        yield "E-RELEASE-STATUS", row["status"] in self.statuses
        yield "E-RELEASE-KIND", row["kind"] in self.kinds if row["kind"] else None
        if row["kind"] != "2d":
            # what was resampled stands on an even grid, though its flags tell of the slices that it was computed from
            even = row["status"] == "resampled" or row["regularly_spaced_3d_volume"] is True
            yield "E-RELEASE-SHEARED", self.sheared == "take" or row["is_sheared"] is not True
            yield (
                "E-RELEASE-IRREGULAR",
                self.irregular == "take" or even or (self.sheared == "take" and row["is_sheared"] is True),
            )
        yield "E-RELEASE-LOSSY", self.lossy == "take" or row["lossy"] is not True
        for code, patterns, column in (
            ("E-RELEASE-MODALITY", self.modalities, "Modality"),
            ("E-RELEASE-BODY-PART", self.body_parts, "BodyPartExamined"),
            ("E-RELEASE-MANUFACTURER", self.manufacturers, "Manufacturer"),
            ("E-RELEASE-KERNEL", self.kernels, "ConvolutionKernel"),
        ):
            if patterns:
                yield code, _fits(patterns, row[column]) if row[column] else None
        for code, bounds, column in (
            ("E-RELEASE-THICKNESS", self.slice_thickness_mm, "SliceThickness"),
            ("E-RELEASE-SPACING", self.slice_spacing_mm, "slice_spacing_mm"),
        ):
            if bounds is not None:
                yield code, bounds.holds(row[column]) if row[column] is not None else None
        if self.minimum_slices is not None:
            yield "E-RELEASE-SLICES", row["n_slices"] >= self.minimum_slices if row["n_slices"] is not None else None


def load_rule(path: Path | None) -> Rule:
    """A rule from a YAML file; the default rule for none.

    Raises:
        ConfigurationError: E-RELEASE-RULE with what is wrong with the file.
    """
    if path is None:
        return Rule()
    said = written.mapping(written.read(path, "E-RELEASE-RULE"), path.name, "E-RELEASE-RULE")
    return written.checked(Rule, said, path.name, "E-RELEASE-RULE")


def reasons(rows: Sequence[Row], rule: Rule, chosen: Sequence[bool]) -> list[str]:
    """Why each volume is left out of a release; empty for those that are in it.

    Args:
        rows: rows of the table `volumes`.
        chosen: for each row, whether the selection by SQL has it.
    """
    ends = [rule.reason(row) if taken else "E-RELEASE-NOT-CHOSEN" for row, taken in zip(rows, chosen, strict=True)]
    if rule.per_study == "all":
        return ends
    best: dict[str, int] = {}
    for place in sorted((place for place, end in enumerate(ends) if not end), key=lambda place: _rank(rows[place])):
        best.setdefault(rows[place]["StudyInstanceUID"], place)
    kept = set(best.values())
    return ["E-RELEASE-OTHER-VOLUME" if not end and place not in kept else end for place, end in enumerate(ends)]


def _rank(row: Row) -> tuple[float, int, str]:
    thickness = max((row[name] for name in ("slice_spacing_mm", "SliceThickness") if row[name] is not None), default=float("inf"))
    return thickness, -(row["n_slices"] or 0), row["path"]


def _fits(patterns: tuple[str, ...], said: str) -> bool:
    text = re.sub(r"\s+", " ", said).strip().upper()
    return any(fnmatchcase(text, each.replace("[", "[[]").upper()) for each in patterns)
