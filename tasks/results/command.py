"""`safelight return`: results go back to the PACS."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tasks.console import INCOMPLETE, counts_line, finish, one_sentence, progress, say
from tasks.errors import ConfigurationError
from tasks.guard import boundary
from tasks.results.batch import return_batch
from tasks.site import open_site


def return_results(config: Annotated[Path, typer.Option("--config", help="The site's configuration file.")]) -> None:
    """Send results that are due to the PACS as DICOM objects under the original identity, and keep de-identified copies in the lake.

    What is sent of a model is said by its mode under `delivery.models`: nothing in triage, a structured report once the first read is final,
    or reports, segmentations and presentation states.

    Example: safelight return --config site.yaml
    """
    with one_sentence():
        site = open_site(str(config.absolute()))
        returns = site.settings.returns
        if returns is None:
            raise ConfigurationError("E-RETURN-NOT-CONFIGURED", config.name)
        keys = list(site.ledger.studies())
        with boundary("return", site.errors), site.ledger.run("return") as run, progress("return", None) as advance:
            summary = return_batch(
                returns, keys, vault=site.vault, lake=site.lake, ledger=site.ledger, run=run, errors=site.errors,
                max_attempts=site.settings.executor.max_attempts, on_end=advance,
            )  # fmt: skip
        look = f"safelight status --config {config}; errors in {site.errors.folder}"
        if summary.studies["postponed"] and not summary.failures:
            say(counts_line(summary))
            say(f"Look here: {look}")
            raise typer.Exit(INCOMPLETE)
        finish(summary, look)
