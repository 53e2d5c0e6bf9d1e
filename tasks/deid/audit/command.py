"""The command `safelight audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from tasks.console import DONE, INCOMPLETE, console, one_sentence, progress, say
from tasks.deid.audit.findings import Findings, save
from tasks.deid.audit.hiding import PLACES
from tasks.deid.audit.site_audit import DEFAULT_SEED, DEFAULT_SERIES, audit, sample
from tasks.deid.rules import load
from tasks.deid.stage import DeidentifyStage
from tasks.errors import ConfigurationError
from tasks.guard import ErrorLog, boundary, seal
from tasks.lake import Lake
from tasks.stage import Outcome
from tasks.vault import Vault


def audit_site(
    config: Annotated[
        Path | None,
        typer.Option("--config", "--site", help="The site's configuration.", show_default=False),
    ] = None,
    vault: Annotated[
        Path | None,
        typer.Option(help="Instead of a configuration: the vault that `safelight deidentify` fills.", show_default=False),
    ] = None,
    profile: Annotated[str, typer.Option(help="With --vault: a profile of configs/profiles, or a .yaml file.")] = "safe_harbor",
    series: Annotated[
        int, typer.Option(help="How many series of each modality and manufacturer.", min=1, max=10_000)
    ] = DEFAULT_SERIES,
    seed: Annotated[int, typer.Option(help="Another seed draws other series and hides other identifiers.", min=0)] = DEFAULT_SEED,
    floor: Annotated[
        float | None,
        typer.Option(help="The recall to reach; by default the configuration's audit_floor.", min=0, max=1, show_default=False),
    ] = None,
) -> None:
    """Hide synthetic identifiers in copies of the site's own series, de-identify the copies, and count what is left.

    The copies stay in the vault and are deleted. Exit code 1: recall lies under the floor, or without a floor, anything leaked.

    Example: `safelight audit --site site.yaml --series 20`
    """
    with one_sentence():
        stage, floor = _stage(config, vault, profile, floor)
        errors = ErrorLog(stage.vault.errors)
        seal(errors)
        with boundary("audit", errors):
            drawn = sample(stage.vault, most=series, seed=seed)
            tried = sum(map(len, drawn.series.values()))
            say(f"audit: {tried} of {drawn.found} series, of {len(drawn.series)} kinds")
            with progress("audit", tried) as advance:
                found = audit(drawn, stage, errors, most=series, seed=seed, advance=lambda: advance("", Outcome("done")))
            kept = save(stage.vault, found)
        console.print(table(found))
        for line in lines(found):
            say(line)
        under = found.under(floor) if floor is not None else []
        for line in under:
            say(f"Under the floor of {floor:.2%}: {line}")
        say(f"Look here: {kept}")
        failed = bool(under) if floor is not None else bool(found.leaked)
        raise typer.Exit(INCOMPLETE if failed else DONE)


def _stage(config: Path | None, vault: Path | None, profile: str, floor: float | None) -> tuple[DeidentifyStage, float | None]:
    """The site's own stage, and the floor that holds."""
    if (config is None) == (vault is None):
        raise ConfigurationError("E-AUDIT-WHERE")
    if vault is not None:
        load(profile)
        opened = Vault.open(vault, create=False)
        return DeidentifyStage(opened, Lake(str(opened.root / "audits" / "none")), profile), floor
    from tasks.site import open_site

    site = open_site(str(Path(str(config)).absolute()))
    stage = site.stage("deidentify")
    assert isinstance(stage, DeidentifyStage)  # noqa: S101 - that is what the name stands for
    return stage, site.settings.deidentify.audit_floor if floor is None else floor


def table(found: Findings) -> Table:
    """Findings for a terminal of 80 columns: kind of series, place, counts, recall, and what the rules did without the proof."""
    drawn = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for heading in ("series", "place"):
        drawn.add_column(heading)
    for heading in ("planted", "held", "LEAKED", "recall (95 % Wilson)", "by rules"):
        drawn.add_column(heading, justify="right", no_wrap=True)
    for stratum in found.strata():
        for place in (*dict.fromkeys(row.place for row in found.select(stratum)), None):
            rows = list(found.select(stratum, place))
            counts = [str(sum(getattr(row, name) for row in rows)) for name in ("planted", "held", "leaked")]
            recall, rules = found.recall(stratum, place), found.rules(stratum, place)
            kind = f"{stratum.modality} {stratum.manufacturer}"
            style = "bold" if place is None else None
            drawn.add_row(kind, place or "all", *counts, recall.said(), rules.bare(), style=style, end_section=place is None)
    return drawn


def lines(found: Findings) -> list[str]:
    """The sentences below the table: the headline, the series, what was held back or could not be tried, and where leaks were."""
    recall, tight = found.recall(), found.tight()
    said = [
        f"Leaked: {found.leaked} of {recall.of} planted identifiers; recall {recall.said()}",
        f"Series of which nothing leaked: {tight.n} of {tight.of}, {tight.said()}",
    ]
    if found.unreadable:
        said.append(f"Not audited: {found.unreadable} series whose first file cannot be read")
    for each in found.series:
        if each.held:
            codes = ", ".join(f"{n} {code}" for code, n in sorted(each.held.items()))
            said.append(
                f"Held back without any planted identifier: {codes} ({each.modality} of {each.manufacturer}, {each.tried} series)"
            )
        for place in PLACES:
            if n := each.untried.get(place, 0):
                said.append(
                    f"Nothing could be planted in {place}: {n} of {each.tried} series ({each.modality} of {each.manufacturer})"
                )
    for leak in found.leaks[:20]:
        said.append(f"  leaked: {leak.n} {leak.kind} in {leak.place} {leak.tag} {leak.keyword}".rstrip())
    if len(found.leaks) > 20:
        said.append(f"  … and in {len(found.leaks) - 20} more places")
    return said
