"""What one model version said of each study: rows of `predictions`, `detections` and `segments`, beside the volume and the reference."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts import detections, predictions, segments, series, volumes
from data_contracts.contract import Contract
from tasks.errors import ConfigurationError
from tasks.inference.bundle import Bundle
from tasks.inference.execution import Execution, variant_of
from tasks.inference.gates import GATES
from tasks.inference.manifest import Finding
from tasks.inference.stage import InferStage
from tasks.lake import Lake
from tasks.stage import fingerprint

Row = Mapping[str, Any]
Outcome = Literal["false_negative", "false_positive", "true_positive", "true_negative", ""]

#: In the order in which cases are listed where there is a reference.
OUTCOMES: tuple[Outcome, ...] = ("false_negative", "false_positive", "true_positive", "true_negative", "")
_OTHER = "E-INFER-OTHER-SERIES"
#: Of `volumes`, without the lists of their sources.
_SHOWN = [column.name for column in volumes.CONTRACT.columns if column.name not in {"source_instances", "source_frames"}]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was said of one finding in a study.

    Args:
        finding: the manifest's.
        row: of `predictions`.
        label: of the reference; None where it says nothing.
        segment: the row of `segments`, of a segmented finding that was read.
        boxes: rows of `detections`, the highest score first.
    """

    finding: Finding
    row: Row
    label: int | None = None
    segment: Row | None = None
    boxes: tuple[Row, ...] = ()

    @property
    def score(self) -> float | None:
        """From 0 to 1; None where the model did not read, and of a segmentation."""
        return None if self.row["score"] is None else float(self.row["score"])

    @property
    def positive(self) -> bool | None:
        """Whether the finding counts as there: the score is at the first operating point or above; a segmentation has a voxel."""
        if self.row["status"] != "read":
            return None
        if self.row["kind"] == "segmentation":
            return None if self.segment is None else bool(self.segment["n_voxels"])
        return None if self.score is None else self.score >= self.finding.operating_point.threshold

    @property
    def outcome(self) -> Outcome:
        """Beside the reference; empty where either says nothing."""
        if self.positive is None or self.label is None:
            return ""
        if self.positive:
            return "true_positive" if self.label else "false_positive"
        return "false_negative" if self.label else "true_negative"


@dataclass(frozen=True, slots=True)
class Case:
    """A study.

    Args:
        study, patient: keys of the lake.
        readings: one a finding, in the manifest's order: of the volume that was read, else of the one that came furthest.
        volume: its row of `volumes`, with `ContrastBolusAgent` of `series`; None where the study has none.
        others: volumes of the study that were not read, with the reason: SeriesInstanceUID, volume_path, reason code.
        is_current: whether the lake still has the volumes that were read, and the model is as it was.
    """

    study: str
    patient: str
    readings: tuple[Reading, ...]
    volume: Row | None
    others: tuple[tuple[str, str, str], ...]
    is_current: bool

    @property
    def row(self) -> Row:
        """What is the same for all findings: a row of `predictions`."""
        return self.readings[0].row

    @property
    def is_read(self) -> bool:
        """Whether the model read a volume of the study."""
        return bool(self.row["status"] == "read")

    @property
    def reason_code(self) -> str:
        """Why not; empty where it did."""
        return str(self.row["reason_code"])

    @property
    def is_positive(self) -> bool:
        """Whether any finding counts as there."""
        return any(reading.positive for reading in self.readings)

    @property
    def outcome(self) -> Outcome:
        """The gravest of its findings'."""
        return min((reading.outcome for reading in self.readings), key=OUTCOMES.index)

    @property
    def score(self) -> float:
        """The highest of its findings'; of a segmentation, its volume in ml; -1 where there is none."""
        told = [reading.score if reading.segment is None else reading.segment["volume_ml"] for reading in self.readings]
        return max((float(value) for value in told if value is not None), default=-1.0)


def collect(lake: Lake, bundle: Bundle, reference: Mapping[tuple[str, str], int] | None = None) -> list[Case]:
    """Every study that a model version was shown, by key.

    Args:
        lake: with its tables.
        bundle: the model version.
        reference: (StudyInstanceUID, finding) → label.

    Raises:
        ConfigurationError: E-REVIEW-EMPTY where the version has read nothing here; E-REVIEW-MANIFEST where rows were made under another
            manifest, whose ranges and operating points are not known.
    """
    manifest, labels = bundle.manifest, reference or {}
    said = _of_model(lake, predictions.CONTRACT, bundle)
    if not said:
        versions = sorted(_versions(lake, manifest.name))
        raise ConfigurationError("E-REVIEW-EMPTY", f"{bundle.label}; there is {', '.join(versions) or 'nothing of this model'}")
    if any(row["manifest_sha256"] != bundle.manifest_sha256 or manifest.finding(row["finding"]) is None for row in said):
        raise ConfigurationError("E-REVIEW-MANIFEST", bundle.label)
    boxes = _grouped(_of_model(lake, detections.CONTRACT, bundle), "StudyInstanceUID", "volume_path", "finding")
    outlined = {
        (row["StudyInstanceUID"], row["volume_path"], row["finding"]): row for row in _of_model(lake, segments.CONTRACT, bundle)
    }
    by_study = _grouped(said, "StudyInstanceUID")
    files = _volumes(lake, [study for (study,) in by_study])
    fresh, found = _Freshness(lake, bundle), []
    for (study,), rows in sorted(by_study.items()):
        path = _shown(rows)
        order = {each.finding: place for place, each in enumerate(manifest.findings)}
        mine = sorted((row for row in rows if row["volume_path"] == path), key=lambda row: order[row["finding"]])
        if [row["finding"] for row in mine] != [each.finding for each in manifest.findings]:
            raise ConfigurationError("E-REVIEW-MANIFEST", f"{bundle.label}: study {study} has not one row a finding")
        readings = []
        for row in mine:
            key = (study, path, row["finding"])
            drawn = tuple(sorted(boxes.get(key, ()), key=lambda box: int(box["detection_index"])))
            finding = manifest.findings[order[row["finding"]]]
            readings.append(Reading(finding, row, labels.get((study, finding.finding)), outlined.get(key), drawn))
        others = {
            (row["SeriesInstanceUID"], row["volume_path"], row["reason_code"]) for row in rows if row["volume_path"] != path
        }
        found.append(Case(
            study, mine[0]["PatientID"], tuple(readings), files.get((study, path)), tuple(sorted(others)), fresh.of(study, mine[0]),
        ))  # fmt: skip
    return found


def _shown(rows: Iterable[Row]) -> str | None:
    """Which volume stands for the study: the one that was read, else the one whose gate comes last, the first of these by its path."""

    def rank(row: Row) -> tuple[bool, int, str]:
        code = row["reason_code"]
        gate = -1 if code == _OTHER else GATES.index(code) if code in GATES else len(GATES)
        return row["status"] != "read", -gate, row["volume_path"] or ""

    path: str | None = min(rows, key=rank)["volume_path"]
    return path


class _Freshness:
    """Whether a study's reading is of the volumes that the lake has now: its publication has the fingerprint that it would have today."""

    def __init__(self, lake: Lake, bundle: Bundle) -> None:
        self._lake, self._label = lake, bundle.label
        self._model = str(bundle.folder)
        self._stages: dict[tuple[str, str], InferStage] = {}

    def of(self, study: str, row: Row) -> bool:
        """Args: row: of `predictions`, which says how the network was run."""
        how = row["variant"], row["device"]
        if how not in self._stages:
            self._stages[how] = InferStage(self._lake, self._model, Execution(row["device"], 1, variant_of(row["variant"])))
        stage = self._stages[how]
        volumes_there = self._lake.manifest("volumes", study)
        reading = self._lake.manifest(stage.label(), study)
        if volumes_there is None or reading is None:
            return False
        return reading.fingerprint == fingerprint(stage, volumes_there.digest)


def _of_model(lake: Lake, contract: Contract, bundle: Bundle) -> list[dict[str, Any]]:
    """Rows of a table that a model version made."""
    table = lake.table(contract)
    mine = pc.and_(pc.equal(table["model_name"], bundle.manifest.name), pc.equal(table["model_version"], bundle.manifest.version))
    found: list[dict[str, Any]] = table.filter(mine).to_pylist()
    return found


def _versions(lake: Lake, name: str) -> set[str]:
    table = lake.table(predictions.CONTRACT, ["model_name", "model_version"])
    return {f"{name}@{row['model_version']}" for row in table.to_pylist() if row["model_name"] == name}


def _volumes(lake: Lake, studies: list[str]) -> dict[tuple[str, str | None], Row]:
    """(StudyInstanceUID, path) → row of `volumes`, with what the table `series` says of contrast."""
    wanted = pa.array(studies, pa.string())
    agents = lake.table(series.CONTRACT, ["SeriesInstanceUID", "StudyInstanceUID", "ContrastBolusAgent"])
    agents = agents.filter(pc.is_in(agents["StudyInstanceUID"], wanted))
    given = {row["SeriesInstanceUID"]: row["ContrastBolusAgent"] or [] for row in agents.to_pylist()}
    table = lake.table(volumes.CONTRACT, _SHOWN)
    rows = table.filter(pc.is_in(table["StudyInstanceUID"], wanted)).to_pylist()
    return {
        (row["StudyInstanceUID"], row["path"]): row | {"ContrastBolusAgent": given.get(row["SeriesInstanceUID"])}
        for row in rows if row["path"] is not None
    }  # fmt: skip


def _grouped(rows: Iterable[dict[str, Any]], *names: str) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[tuple(row[name] for name in names)].append(row)
    return dict(found)
