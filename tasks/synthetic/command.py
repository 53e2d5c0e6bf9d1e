"""The command `safelight synthesize`: a synthetic hospital's files in a folder, to try everything else on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tasks.console import one_sentence, progress, say
from tasks.errors import ConfigurationError
from tasks.stage import Outcome
from tasks.synthetic.cohort import DEFAULT_SEED, make_cohort


def synthesize(
    out: Annotated[Path, typer.Argument(help="Folder to write; it must be empty or not there yet.", file_okay=False)],
    patients: Annotated[int, typer.Option(min=1, max=10_000, help="How many patients; one in eight has two studies.")] = 96,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other people and other phantoms.")] = DEFAULT_SEED,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
) -> None:
    """Make a SYNTHETIC cohort: chest-CT-like phantoms with complete headers, labels, demographics and a list of all identifiers.

    Nobody in it exists. The same seed gives the same bytes.

    Example: `safelight synthesize hospital --patients 4` writes hospital/dicom, hospital/reference.csv, hospital/demographics.csv
    and hospital/identifiers.json.
    """
    with one_sentence():
        if out.exists() and any(out.iterdir()):
            raise ConfigurationError("E-SYNTHETIC-NOT-EMPTY", str(out))
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError:
            raise ConfigurationError("E-SYNTHETIC-UNWRITABLE", str(out)) from None
        with progress("making the synthetic cohort", patients) as advance:
            cohort = make_cohort(
                out, seed=seed, patients=patients, progress=lambda: advance("", Outcome("done")), workers=workers
            )
    instances = sum(study.instances for study in cohort.studies)
    say(f"synthesize: {patients} patients, {len(cohort.studies)} studies, {instances} instances, all SYNTHETIC")
    say(f"Look here: {out / 'README.txt'}")
