"""Does a faster way of running a network say the same as the reference? A report that is kept with the model, and asked for before use."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from data_contracts.volumes import CONTRACT
from tasks.errors import ConfigurationError
from tasks.inference.bundle import Bundle
from tasks.inference.execution import Execution
from tasks.inference.gates import Row, by_header
from tasks.inference.preprocess import Prepared, along_the_patient
from tasks.inference.protocol import Box, Found, Labels, Reader
from tasks.inference.volume import read_volume
from tasks.lake import Lake

_STAGE = "equivalence"
#: Boxes that share at least this much of their union are the same box.
_SAME_BOX = 0.5


@dataclass(frozen=True, slots=True)
class Limits:
    """What still counts as the same.

    Args:
        score: largest difference of a score.
        disagreement: largest share of an input's voxels whose label differs.
        dice: smallest Dice coefficient of a finding's labels; of two empty ones 1.
        decisions: how many findings may change sides at an operating point.
        boxes: how many boxes one way has and the other has not.
    """

    score: float = 0.01
    disagreement: float = 0.001
    dice: float = 0.99
    decisions: int = 0
    boxes: int = 0


LIMITS = Limits()


@dataclass(slots=True)
class Differences:
    """The worst of some inputs. Scores and boxes are of all findings together; Dice is of each segmented one."""

    n_inputs: int = 0
    score: float = 0.0
    disagreement: float = 0.0
    dice: dict[str, float] = field(default_factory=dict)
    decisions: int = 0
    boxes: int = 0

    def within(self, limits: Limits) -> bool:
        """Whether all are within the limits, over at least one input."""
        return (
            self.n_inputs > 0
            and self.score <= limits.score
            and self.disagreement <= limits.disagreement
            and min(self.dice.values(), default=1.0) >= limits.dice
            and self.decisions <= limits.decisions
            and self.boxes <= limits.boxes
        )


def comparable(lake: Lake, bundle: Bundle, most: int) -> list[Row]:
    """Volumes of the lake that the model may be shown, by the header: an arbitrary choice of at most so many, always the same."""
    rows = [row for row in lake.table(CONTRACT).to_pylist() if row["path"] and row["kind"] == "3d" and not row["is_sheared"]]
    shown = [row for row in rows if row["n_slices"] > 1 and not by_header(row, bundle.manifest)]
    return sorted(shown, key=lambda row: str(row["sha256"]))[:most]


def prepared(lake: Lake, reader: Reader, rows: Iterable[Row], after: Callable[[str], None]) -> Iterator[Prepared]:
    """Their inputs, one at a time; volumes that lie askew are passed over. `after` is told each study's key."""
    for row in rows:
        padding = row["padding_range"]
        with lake.local([row["path"]]) as files:
            volume = read_volume(files[row["path"]], (padding[0], padding[1]) if padding else None, row["sha256"])
        if along_the_patient(volume):
            yield reader.prepare(volume)
        after(row["StudyInstanceUID"])


def compare(reference: Reader, faster: Reader, inputs: Iterable[Prepared], bundle: Bundle) -> Differences:
    """Both ways on the same inputs, one after the other."""
    worst = Differences(
        dice={said.finding: 1.0 for said in bundle.manifest.findings if bundle.manifest.head.kind == "segmentation"}
    )
    for prepared in inputs:
        _add(worst, reference.infer(prepared), faster.infer(prepared), bundle)
    return worst


def _add(worst: Differences, one: Found, other: Found, bundle: Bundle) -> None:
    worst.n_inputs += 1
    for finding, score in one.scores.items():
        worst.score = max(worst.score, abs(score - other.scores[finding]))
        said = bundle.manifest.finding(finding)
        for point in said.operating_points if said is not None else ():
            worst.decisions += (score >= point.threshold) != (other.scores[finding] >= point.threshold)
    if one.labels is not None and other.labels is not None:
        worst.disagreement = max(worst.disagreement, float((one.labels != other.labels).mean()))
        for finding in worst.dice:
            worst.dice[finding] = min(worst.dice[finding], dice(one.labels, other.labels, bundle.manifest.label_of(finding)))
    worst.boxes += unmatched(one.boxes, other.boxes)


def dice(one: Labels, other: Labels, label: int) -> float:
    """Dice's coefficient of a label in two maps of one shape; 1 where neither has it."""
    a, b = one == label, other == label
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return 1.0 if not total else 2 * int(np.count_nonzero(a & b)) / total


def unmatched(some: Sequence[Box], others: Sequence[Box]) -> int:
    """Boxes of two sets that have no partner of the same finding in the other, each taking the one it shares most with."""
    left, n = list(others), 0
    for box in some:
        best = max(left, key=lambda other: _shared(box, other), default=None)
        if best is None or _shared(box, best) < _SAME_BOX:
            n += 1
        else:
            left.remove(best)
    return n + len(left)


def _shared(one: Box, other: Box) -> float:
    """Intersection over union; 0 for different findings."""
    if one.finding != other.finding:
        return 0.0
    (a, a_stop), (b, b_stop) = ((np.array(box.start), np.array(box.stop)) for box in (one, other))
    both = float(np.prod(np.maximum(np.minimum(a_stop, b_stop) - np.maximum(a, b), 0)))
    return both / (float(np.prod(a_stop - a)) + float(np.prod(b_stop - b)) - both)


def publish(
    lake: Lake, bundle: Bundle, how: Execution, found: Differences, limits: Limits, cases: Sequence[str]
) -> dict[str, Any]:
    """Keep a report with the model, as `models/<name>/<version>/equivalence/<variant>_<device>.json`; give what it says."""
    said: dict[str, Any] = {
        "model": bundle.label, "weights_sha256": bundle.manifest.weights.sha256, "manifest_sha256": bundle.manifest_sha256,
        "reference": "reference", "variant": how.variant_name, "device": how.device, "threads": how.threads,
        "differences": asdict(found), "limits": asdict(limits), "equivalent": found.within(limits), "volumes": sorted(cases),
    }  # fmt: skip
    with lake.publication(_STAGE, _key(bundle, how), bundle.manifest.weights.sha256) as publication:
        publication.write(_path(bundle, how), (json.dumps(said, indent=1, sort_keys=True) + "\n").encode())
        publication.commit(passed=int(found.within(limits)))
    return said


def require(lake: Lake, bundle: Bundle, how: Execution) -> None:
    """Let the reference through, and a faster way whose report says that it is equivalent.

    Raises:
        ConfigurationError: E-INFER-NOT-EQUIVALENT where there is no such report for these weights, this manifest and this device.
    """
    if not how.variant:
        return
    path = _path(bundle, how)
    said = json.loads(lake.read(path)) if lake.exists(path) else {}
    same = (said.get("weights_sha256"), said.get("manifest_sha256")) == (bundle.manifest.weights.sha256, bundle.manifest_sha256)
    if not (same and said["equivalent"]):
        raise ConfigurationError("E-INFER-NOT-EQUIVALENT", f"{bundle.label}, {how.variant_name} on {how.device}")


def _key(bundle: Bundle, how: Execution) -> str:
    return f"{bundle.label}_{how.variant_name}_{how.device}"


def _path(bundle: Bundle, how: Execution) -> str:
    return f"models/{bundle.manifest.name}/{bundle.manifest.version}/equivalence/{how.variant_name}_{how.device}.json"
