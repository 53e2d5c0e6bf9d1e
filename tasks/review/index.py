"""The pages that list the cases: what the model said of each study, and what its input was like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from markupsafe import Markup

from tasks.gallery.facts import reason
from tasks.inference.bundle import Bundle
from tasks.review.cases import OUTCOMES, Case, Reading
from tasks.review.counts import Counts
from tasks.review.measures import Statistic, band, service, statistics
from tasks.review.words import number, short, span
from tasks.standalone import part, source_hash, template

PACKAGE = "tasks.review"
#: Cases of one page of the index.
LINES = 1000


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    below: str
    numeric: bool


@dataclass(frozen=True, slots=True)
class _Finding:
    text: str
    sort: float | None
    verdict: str
    outcome: str
    initials: str
    band: str


@dataclass(frozen=True, slots=True)
class _Measured:
    text: str
    sort: float | None
    side: str


@dataclass(frozen=True, slots=True)
class _Line:
    link: str
    study: str
    short: str
    status: str
    stale: bool
    reason: str
    outcome: str
    findings: tuple[_Finding, ...]
    statistics: tuple[_Measured, ...]
    service: str
    has: str
    text: str


def made_by() -> str:
    """The foot of every page."""
    return f"Made by Safelight {version('safelight')} from the tables predictions, detections, segments and volumes. Keys are the lake’s own."


def page_name(page: int) -> str:
    """The file of a page, counted from 1."""
    return "index.html" if page == 1 else f"index-{page}.html"


def case_name(case: Case) -> str:
    """The file of a case."""
    return f"cases/{case.study}.html"


def render(
    cases: Sequence[Case], bundle: Bundle, counts: Counts, *, page: int = 1, pages: int = 1, selection: str = "", with_reference: bool = False,
) -> bytes:  # fmt: skip
    """One page's bytes; the same input gives the same.

    Args:
        cases: of this page, in the order in which they are listed.
        bundle: the model version.
        counts: of all studies.
        page, pages: which of how many.
        selection: which studies are shown of all.
        with_reference: whether outcomes are shown.
    """
    manifest = bundle.manifest
    has_service = any(said.service_level for said in manifest.findings)
    limits = statistics(cases[0], manifest.profile) if cases else ()
    style, script = part(PACKAGE, "review.css"), part(PACKAGE, "review.js")
    columns = [_Column("study", "", numeric=False), _Column("status", "", numeric=False)]
    columns += [_Column("outcome", "", numeric=False)] * with_reference
    columns += [_finding_column(said.finding, bundle) for said in manifest.findings]
    columns += [_Column(each.name, span(each.limits) if each.limits else "no range", numeric=True) for each in limits]
    columns += [_Column("result needed", "", numeric=False)] * has_service
    text = template(PACKAGE, "index.html").render(
        title=f"Case review: {bundle.label}", style=Markup(style), style_hash=source_hash(style), script=Markup(script),  # noqa: S704 - our own files
        script_hash=source_hash(script), counts=_told(counts), selection=selection, order=_ORDER[with_reference], columns=columns,
        model={"name": manifest.name, "version": manifest.version, "use": manifest.intended_use},
        lines=[_line(case, bundle, with_reference=with_reference) for case in cases],
        number=page, pages=pages, links=[(page_name(each), each == page) for each in range(1, pages + 1)],
        outcomes=[(name, name.replace("_", " ")) for name in OUTCOMES[:-1]] if with_reference else [],
        has_service=has_service, made_by=made_by(),
    )  # fmt: skip
    return text.encode()


#: Without and with a reference.
_ORDER = (
    "Those that were read come first, the highest score (of segmentations the largest volume) before others.",
    "False negatives come first, then false positives, true positives, true negatives, studies without a label, and those that were not read; "
    "within each the highest score comes first.",
)  # fmt: skip


def in_order(cases: Sequence[Case], *, with_reference: bool) -> list[Case]:
    """Cases as the index lists them."""
    return sorted(
        cases,
        key=lambda case: (not case.is_read, OUTCOMES.index(case.outcome) if with_reference else 0, -case.score, case.study),
    )


def _told(counts: Counts) -> dict[str, object]:
    return {
        "studies": counts.studies, "read": counts.read, "not_read": counts.not_read,
        "reasons": [(code, reason(code)[0], n) for code, n in counts.reasons],
        "columns": counts.columns, "findings": counts.findings, "rule": _RULE,
    }  # fmt: skip


_RULE = (
    "A finding is positive where its score is at its first operating point or above; a segmented one where a voxel is of it. "
    "Every line adds up to all studies."
)


def _finding_column(name: str, bundle: Bundle) -> _Column:
    said = bundle.manifest.finding(name)
    points = said.operating_points if said else ()
    below = f"{points[0].name}: from {number(points[0].threshold)}" if points else "volume, ml"
    return _Column(name.replace("_", " "), below, numeric=True)


def _line(case: Case, bundle: Bundle, *, with_reference: bool) -> _Line:
    measured = [_measured(each) for each in statistics(case, bundle.manifest.profile)]
    outcome = case.outcome if with_reference else ""
    has = ["read" if case.is_read else "not_read"]
    has += ["positive"] * case.is_positive + ["outside"] * any(each.side for each in measured) + ["stale"] * (not case.is_current)
    has += sorted({reading.outcome for reading in case.readings if with_reference and reading.outcome})
    services = dict.fromkeys(service(said) for said in bundle.manifest.findings)
    return _Line(
        case_name(case), case.study, short(case.study), "read" if case.is_read else case.reason_code, not case.is_current,
        case.reason_code, outcome, tuple(_finding(each, with_reference=with_reference) for each in case.readings),
        tuple(measured), ", ".join(filter(None, services)), " ".join(has), f"{case.study} {case.patient}",
    )  # fmt: skip


def _finding(reading: Reading, *, with_reference: bool) -> _Finding:
    amount = reading.score if reading.segment is None else float(reading.segment["volume_ml"])
    verdict = {True: "positive", False: "negative", None: ""}[reading.positive]
    outcome = reading.outcome if with_reference else ""
    return _Finding(
        number(amount) + (" ml" if reading.segment is not None else ""), amount, verdict, outcome,
        "".join(word[0] for word in outcome.split("_") if word).upper(), band(reading.finding, reading.score),
    )  # fmt: skip


def _measured(each: Statistic) -> _Measured:
    side = ""
    if each.is_inside is False and each.value is not None and each.limits is not None:
        side = "below" if each.value < each.limits[0] else "above"
    return _Measured(number(each.value), each.value, side)
