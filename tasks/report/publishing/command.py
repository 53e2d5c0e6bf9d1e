"""`safelight publish` puts a report into an archive; `safelight verify` holds what was published against itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer
from pydantic import ValidationError

from tasks.console import one_sentence, say
from tasks.errors import ConfigurationError, SafelightError
from tasks.evaluation.results import Results
from tasks.lake import Lake
from tasks.report.given import MonitoringOption, VerdictOption, material_of
from tasks.report.publishing.archive import Archive
from tasks.report.publishing.index import DATA, PAGE, refresh
from tasks.report.publishing.verify import Held, verify, verify_archive
from tasks.report.render import files

_RESULTS = "results/results.json"


def publish(
    to: Annotated[
        str, typer.Option(help="The archive: a folder or an s3:// URL. It is begun where there is none.", show_default=False)
    ],
    results: Annotated[
        Path | None, typer.Argument(help="The results.json that `safelight evaluate` wrote.", show_default=False)
    ] = None,
    lake: Annotated[
        str | None, typer.Option(help="Publish this lake's latest results instead: a folder or an s3:// URL.", show_default=False)
    ] = None,
    monitoring: MonitoringOption = None,
    verdict: VerdictOption = None,
) -> None:
    """Publish the validation report of an evaluation: checked, with a manifest, never over another one, and listed on the archive's page.

    Example: `safelight publish out/results.json --to reports`
    """
    with one_sentence():
        content = _content(results, lake)
        try:
            found = Results.model_validate_json(content)
        except ValidationError:
            raise ConfigurationError("E-REPORT-INPUT", str(results) if lake is None else Lake(_absolute(lake)).shown) from None
        made = files(found, content, material_of(found, None if lake is None else Lake(_absolute(lake)), monitoring, verdict))
        try:
            archive = Archive.open(to)
            place, new = archive.publish(made, datetime.now(UTC).year)
            index = refresh(archive)
        except (OSError, pa.ArrowException):
            raise ConfigurationError("E-REPORT-DESTINATION", Lake(_absolute(to)).shown) from None
        damaged = [each for each in index.reports if each.problem]
        say(
            f"publish: report {place.number} {'published' if new else 'is there already, with the same content'}, {len(made)} files"
        )
        there = archive.lake.shown if "://" in to else to.rstrip("/")
        say(f"  {there}/{place.path}/report.html")
        say(f"  {there}/{PAGE} ({len(index.reports)} in all)")
        for each in damaged:
            say(f"  BAD  {each.path}: {each.problem}")
        if damaged:
            raise SafelightError("E-REPORT-DAMAGED", f"{len(damaged)} of {len(index.reports)}")


def _content(results: Path | None, lake: str | None) -> bytes:
    if (results is None) == (lake is None):
        raise ConfigurationError("E-REPORT-SOURCE")
    try:
        return results.read_bytes() if results is not None else Lake(_absolute(lake or "")).read(_RESULTS)
    except (OSError, pa.ArrowException):
        raise ConfigurationError("E-REPORT-INPUT", str(results) if lake is None else Lake(_absolute(lake)).shown) from None


def verify_folder(
    folder: Annotated[
        str,
        typer.Argument(metavar="DIR", help="A report's folder or a whole archive: a folder or an s3:// URL.", show_default=False),
    ],
) -> None:
    """Verify a report, or all of an archive: every file is there, the results hold, and every document says what they say.

    Example: `safelight verify out/report`
    """
    with one_sentence():
        there = Archive(Lake(_absolute(folder)))
        try:
            is_archive = there.read(DATA) is not None
            held = verify_archive(there) if is_archive else verify({path: there.lake.read(path) for path in there.lake.files("")})
        except (OSError, pa.ArrowException):
            raise ConfigurationError("E-REPORT-DESTINATION", there.lake.shown) from None
        _say(held)


def _say(held: list[Held]) -> None:
    for each in held:
        say(f"{'ok  ' if each.ok else 'BAD '} {each.what}: {each.said}")
    bad = sum(not each.ok for each in held)
    say(f"verify: {len(held) - bad} ok, {bad} bad")
    if bad:
        raise SafelightError("E-REPORT-UNPROVEN", f"{bad} of {len(held)}")


def _absolute(url: str) -> str:
    return url if "://" in url else str(Path(url).expanduser().absolute())
