"""`safelight overlaps`: the table of overlaps from two folders of masks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from tasks.console import DONE, INCOMPLETE, one_sentence, progress, say
from tasks.errors import ConfigurationError
from tasks.evaluation.columns import csv_of
from tasks.evaluation.endpoints.overlaps import files, overlaps
from tasks.stage import Outcome


def overlaps_table(
    masks: Annotated[Path, typer.Argument(help="The folder of the model's masks: StudyInstanceUID.nii.gz.")],
    references: Annotated[Path, typer.Argument(help="The folder of the reference masks, alike named.")],
    out: Annotated[Path, typer.Option(help="The table to write, .csv.")],
    structure: Annotated[
        list[str], typer.Option(help="A structure and its number in the files: liver=1. May be given several times.")
    ],
    tolerance: Annotated[float, typer.Option(help="Of the surface Dice, in mm.")] = 1.0,
) -> None:
    """Compare masks with their references: Dice, distances of surfaces, volumes; a row a study and structure.

    Ends with 1 where a pair can't be compared; its rows say why.

    Example: `safelight overlaps masks references --structure lesion=1 --out overlaps.csv`
    """
    with one_sentence():
        named = dict(map(_structure, structure))
        studies = len(files(masks).keys() | files(references).keys())
        with progress("overlaps", studies) as advance:
            table = overlaps(masks, references, named, tolerance=tolerance, done=lambda key: advance(key, Outcome("done")))
        rows = table.to_pylist()
        try:
            out.write_bytes(csv_of(table.column_names, (row.values() for row in rows)))
        except OSError:
            raise ConfigurationError("E-EVAL-OUTPUT", str(out)) from None
        failed = Counter(row["reason_code"] for row in rows if row["reason_code"])
        said = "".join(f" · {n} not compared ({code})" for code, n in sorted(failed.items()))
        say(f"overlaps: {studies} studies, {len(named)} structures, {len(rows) - failed.total()} rows{said}")
        say(f"Look here: {out}")
        raise typer.Exit(INCOMPLETE if failed else DONE)


def _structure(said: str) -> tuple[str, int]:
    name, _, number = said.rpartition("=")
    if not name or not number.isdecimal():
        raise ConfigurationError("E-EVAL-MASKS", "a structure is written name=number")
    return name, int(number)
