"""The command `safelight review`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from tasks.console import DONE, INCOMPLETE, one_sentence, progress, say
from tasks.errors import ConfigurationError, SafelightError
from tasks.guard import ErrorLog, boundary, seal
from tasks.inference.bundle import Bundle
from tasks.inference.registry import find
from tasks.lake import Lake
from tasks.review import case_page, index, sights
from tasks.review import reference as references
from tasks.review.cases import Case, collect
from tasks.review.counts import Counts, count
from tasks.review.folder import Folder, folder
from tasks.stage import Outcome

Only = Literal["read", "not_read", "positive", "disagreement"]
_WORDS = {"read": "read", "not_read": "not read", "positive": "positive", "disagreement": "in disagreement with the reference"}


def review(
    lake: Annotated[str, typer.Option(help="The lake: a folder or an s3:// URL.", show_default=False)],
    model: Annotated[
        str, typer.Option(help="A model's NAME or NAME@VERSION, or a path with a slash to a bundle.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="The folder that is written; an earlier review there is replaced.")] = Path("review"),
    only: Annotated[Only | None, typer.Option(help="Only these cases.", show_default=False)] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many cases, the first of the list.", show_default=False)
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            help="Labels by the lake's keys: Parquet or CSV with StudyInstanceUID, finding and label.", show_default=False
        ),
    ] = None,
) -> None:
    """Show every study that a model read, or did not: key images, findings, scores, gates, and its input beside the training's.

    The folder stands alone: its pages load nothing but each other. Exit code 1: a case that has a volume has no pictures.

    Example: `safelight review --lake lake --model demo_nodule --out review`
    """
    with one_sentence():
        errors = ErrorLog.default()
        seal(errors)
        if only == "disagreement" and reference is None:
            raise ConfigurationError("E-REVIEW-CHOICE")
        with boundary("review", errors):
            labels = references.read(reference) if reference is not None else None
            # not opened to be written: a path that is mistyped stays as it is
            zone = Lake(lake if "://" in lake else str(Path(lake).expanduser().absolute()))
            bundle = find(zone, model)
            cases = collect(zone, bundle, labels)
            counts = count(cases, bundle.manifest, with_reference=labels is not None)
            shown = chosen(cases, only, limit, with_reference=labels is not None)
            with folder(out) as target, progress("review", len(shown)) as advance:
                missing: Counter[str] = Counter()
                for place in range(len(shown)):
                    missing[_case(zone, bundle, shown, place, target, with_reference=labels is not None)] += 1
                    advance(shown[place].study, Outcome("done"))
                _index(
                    bundle,
                    shown,
                    counts,
                    target,
                    selection(len(shown), counts.studies, only, limit),
                    with_reference=labels is not None,
                )
                del missing[""]
                target.finish({
                    "model": bundle.label, "manifest_sha256": bundle.manifest_sha256, "studies": counts.studies, "read": counts.read,
                    "not_read": dict(counts.reasons), "cases": len(shown), "without_pictures": dict(sorted(missing.items())),
                })  # fmt: skip
        without = ", ".join(f"{n} {code}" for code, n in sorted(missing.items()))
        say(
            f"review: {counts.studies} studies, {counts.read} read, {counts.not_read} not read; {len(shown)} cases"
            + (f", {missing.total()} without pictures ({without})" if missing else "")
            + f"; {target.size / 1e6:.1f} MB in {out}"
        )
        raise typer.Exit(INCOMPLETE if missing else DONE)


def chosen(cases: Sequence[Case], only: Only | None, limit: int | None, *, with_reference: bool) -> list[Case]:
    """The cases that are shown, in the list's order."""
    return index.in_order([case for case in cases if _wanted(case, only)], with_reference=with_reference)[:limit]


def _wanted(case: Case, only: Only | None) -> bool:
    if only == "positive":
        return case.is_positive
    if only == "disagreement":
        return any(each.outcome in {"false_positive", "false_negative"} for each in case.readings)
    return only is None or case.is_read == (only == "read")


def selection(shown: int, studies: int, only: Only | None, limit: int | None) -> str:
    """Which cases are shown, as a sentence."""
    words = [f"only those that are {_WORDS[only]}" if only is not None else "", f"at most {limit:,}" if limit else ""]
    told = ", ".join(filter(None, words))
    return f"{shown:,} of {studies:,} studies are shown" + (f" ({told})." if told else ".")


def _case(lake: Lake, bundle: Bundle, shown: Sequence[Case], place: int, target: Folder, *, with_reference: bool) -> str:
    """Write a case's page; give the code of the reason why it has no pictures though it has a volume, or nothing."""
    case = shown[place]
    seen, why = None, ""
    if case.row["volume_path"] is not None:
        try:
            seen = sights.of(lake, case, bundle.manifest)
        except SafelightError as error:
            why = error.code
    page = index.page_name(place // index.LINES + 1)
    before, after = (f"{shown[at].study}.html" if 0 <= at < len(shown) else "" for at in (place - 1, place + 1))
    target.write(index.case_name(case), case_page.render(
        case, bundle, seen, why_none=why, with_reference=with_reference, place=place + 1, of=len(shown), up=f"../{page}",
        before=before, after=after,
    ))  # fmt: skip
    return why


def _index(bundle: Bundle, shown: Sequence[Case], counts: Counts, target: Folder, said: str, *, with_reference: bool) -> None:
    pages = max(1, -(-len(shown) // index.LINES))
    for page in range(1, pages + 1):
        cases = shown[(page - 1) * index.LINES : page * index.LINES]
        target.write(index.page_name(page), index.render(
            cases, bundle, counts, page=page, pages=pages, selection=said, with_reference=with_reference,
        ))  # fmt: skip
