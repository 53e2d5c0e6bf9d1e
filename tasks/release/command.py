"""`safelight release`: freeze a version of a data set, verify it, export it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from tasks.console import DONE, INCOMPLETE, one_sentence, progress, say
from tasks.errors import ConfigurationError
from tasks.guard import ErrorLog, boundary, seal
from tasks.lake import Lake
from tasks.release.about import load_about
from tasks.release.export.formats import FORMATS, export, parse_formats, place
from tasks.release.freeze import Result, freeze
from tasks.release.frozen import RESERVED, check_name, folder, read, verify, versions
from tasks.release.making import Request
from tasks.release.rule import load_rule
from tasks.release.splits import parse_splits
from tasks.stage import Outcome


def release(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME | verify NAME | export NAME", help="The release, and what to do with it.", show_default=False
        ),
    ],
    lake: Annotated[str, typer.Option(help="The lake: a folder or an s3:// URL.", show_default=False)],
    version: Annotated[
        str | None, typer.Option(help="The version. Default: 1.0.0; to verify, all; to export, the newest.", show_default=False)
    ] = None,
    where: Annotated[str | None, typer.Option(help="SQL: a condition over `volumes`, or a query that gives volumes.")] = None,
    rule: Annotated[Path | None, typer.Option(help="A rule in YAML, as configs/releases/thin_chest_ct.yaml.")] = None,
    splits: Annotated[str, typer.Option(help="Names and shares, by person.")] = "train=0.7,validation=0.15,test=0.15",
    seed: Annotated[int, typer.Option(help="Another seed, other splits.")] = 0,
    stratify: Annotated[str, typer.Option(help="Attributes that every split gets its share of.")] = "sex,age_band,Manufacturer",
    merges: Annotated[Path | None, typer.Option(help="A table of patients that are one person: PatientID, same_as.")] = None,
    keep_splits_of: Annotated[str | None, typer.Option(help="A version whose patients stay in their splits.")] = None,
    about: Annotated[
        Path | None, typer.Option(help="Licence, creator, intended use: configs/releases/about_example.yaml.")
    ] = None,
    small_cells: Annotated[int, typer.Option(min=0, help="In the card, hide counts of fewer patients; 0 shows all.")] = 0,
    minimum_group: Annotated[int, typer.Option(min=0, help="In the card, name groups of fewer patients as missing.")] = 20,
    export_to: Annotated[str | None, typer.Option("--export", help=f"Formats: {', '.join(FORMATS)}.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder of the exports, outside of the lake.")] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Label volumes for exports, each named as its image in the lake.", file_okay=False)
    ] = None,
    link: Annotated[bool, typer.Option("--link", help="Export hard links instead of copies.")] = False,
    nnunet_id: Annotated[int, typer.Option(min=1, max=999, help="nnU-Net's number of the data set.")] = 501,
) -> None:
    """Freeze a version of a data set: which volumes, in which split, described and with checksums. It never changes.

    `safelight release verify NAME` reads every file again; `safelight release export NAME` writes it for training programs.

    Example: `safelight release chest --lake lake --where "Modality = 'CT'" --export monai --out exports`
    """
    with one_sentence():
        errors = ErrorLog.default()
        seal(errors)
        name, task = words[-1], words[0] if len(words) == 2 else ""
        if len(words) > 2 or (task and task not in RESERVED):
            raise ConfigurationError("E-RELEASE-NAME", "the words")
        check_name(name, version)
        formats = parse_formats(export_to, out)
        code = DONE
        with boundary("release", errors):
            zone = Lake.open(lake)
            if task == "verify":
                code = _verify(zone, name, version)
            elif task == "export" and not formats:
                raise ConfigurationError("E-RELEASE-EXPORT", "no format")
            elif not task:
                asked = Request(
                    name, version or "1.0.0", parse_splits(splits), where, load_rule(rule), seed, _listed(stratify), merges,
                    keep_splits_of, load_about(about), small_cells, minimum_group,
                )  # fmt: skip
                _say_frozen(freeze(zone, asked, lambda total: _counted("release", total)), asked)
                version = asked.version
            for each in formats:
                _export(zone, name, version, each, out or Path(), labels=labels, link=link, number=nnunet_id)
        raise typer.Exit(code)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _say_frozen(made: Result, asked: Request) -> None:
    counts = ", ".join(f"{split} {made.by_split.get(split, 0)}" for split in asked.shares)
    left = ", ".join(f"{n} {code}" for code, n in made.left.items())
    was = "is there already, with the same content" if made.known else "frozen"
    say(
        f"release {asked.name} {asked.version}: {was} · {made.patients} persons, {made.studies} studies, {made.volumes} volumes ({counts})"
        + (f" · left out {left}" if left else "")
    )
    for note in made.notes:
        say(f"  {note}")
    say(f"Look here: {folder(asked.name, asked.version)}/card.md in the lake")


def _verify(lake: Lake, name: str, version: str | None) -> int:
    """Verify one version, or all; gives the exit code."""
    wanted = [version] if version is not None else versions(lake, name)
    if not wanted:
        raise ConfigurationError("E-RELEASE-MISSING", name)
    well = True
    for each in wanted:
        found = verify(lake, name, each, lambda total: _counted("verify", total))
        well = well and not found.changed and not found.missing
        say(f"release {name} {each}: {found.intact} files intact, {len(found.changed)} changed, {len(found.missing)} missing")
        for path in (*found.changed, *found.missing)[:20]:
            say(f"  {'changed' if path in found.changed else 'missing'} {path}")
    return DONE if well else INCOMPLETE


def _export(
    lake: Lake, name: str, version: str | None, each: str, out: Path, *, labels: Path | None, link: bool, number: int
) -> None:
    known = versions(lake, name)
    frozen = read(lake, name, version or (known[-1] if known else ""))
    with _counted(f"export {each}", len(frozen.volumes)) as advance:
        counts = export(lake, frozen, each, out, labels=labels, link=link, number=number, on_case=advance)
    said = ", ".join(f"{what} {n}" for what, n in sorted(counts.items()) if n) or "nothing"
    say(f"export {each}: {name} {frozen.version}, {said} · {place(frozen, each, out)}")


@contextmanager
def _counted(title: str, total: int) -> Iterator[Callable[[], None]]:
    """A progress bar whose function to call takes nothing."""
    with progress(title, total) as advance:
        yield lambda: advance("", Outcome("done"))
