"""How many studies ended how: every one is counted once in each line, so that each line adds up to all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.inference.manifest import Code, Manifest
from tasks.review.cases import OUTCOMES, Case, Reading

#: Read, and neither positive nor negative: a segmentation without its row. The column is there where it is not empty.
NO_RESULT = "read, no result"
_BESIDE_REFERENCE = (
    *(outcome.replace("_", " ") for outcome in ("true_positive", "false_positive", "false_negative", "true_negative")),
    "read, no label", NO_RESULT, "not read, present", "not read, absent", "not read, no label",
)  # fmt: skip
_ALONE = ("positive", "negative", NO_RESULT, "not read")


@dataclass(frozen=True, slots=True)
class FindingCount:
    """One finding: how often it ended as each of the columns says."""

    name: str
    code: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of a review.

    Args:
        studies: all of them.
        read, not_read: of these.
        reasons: why not, with the catalogue's sentence and how many, the most first.
        columns: what is counted of each finding.
        findings: one a finding.
    """

    studies: int
    read: int
    not_read: int
    reasons: tuple[tuple[str, int], ...]
    columns: tuple[str, ...]
    findings: tuple[FindingCount, ...]


def count(cases: Sequence[Case], manifest: Manifest, *, with_reference: bool) -> Counts:
    """Count."""
    read = sum(case.is_read for case in cases)
    reasons = Counter(case.reason_code for case in cases if not case.is_read)
    columns = _BESIDE_REFERENCE if with_reference else _ALONE
    ends_of = [
        Counter(_end(case.readings[place], with_reference=with_reference) for case in cases)
        for place in range(len(manifest.findings))
    ]
    if not any(ends[NO_RESULT] for ends in ends_of):
        columns = tuple(name for name in columns if name != NO_RESULT)
    findings = []
    for said, ends in zip(manifest.findings, ends_of, strict=True):
        findings.append(FindingCount(said.finding.replace("_", " "), coded(said.code), tuple(ends[name] for name in columns)))
    return Counts(
        len(cases), read, len(cases) - read, tuple(sorted(reasons.items(), key=lambda each: (-each[1], each[0]))),
        columns, tuple(findings),
    )  # fmt: skip


def coded(code: Code) -> str:
    """`SCT 27925004, Nodule`."""
    return f"{code.scheme} {code.value}, {code.meaning}"


def _end(reading: Reading, *, with_reference: bool) -> str:
    if reading.positive is None:
        if reading.row["status"] == "read":
            return NO_RESULT
        if not with_reference:
            return "not read"
        return "not read, no label" if reading.label is None else f"not read, {'present' if reading.label else 'absent'}"
    if not with_reference:
        return "positive" if reading.positive else "negative"
    return reading.outcome.replace("_", " ") if reading.outcome in OUTCOMES[:-1] else "read, no label"
