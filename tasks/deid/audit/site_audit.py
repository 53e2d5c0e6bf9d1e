"""Audits a profile on a site's own series: draws them, tries each one, counts. Identified data never leave the vault."""

from __future__ import annotations

import random
import secrets
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tasks.deid.audit.findings import Findings, count
from tasks.deid.audit.sample import Drawn, Stratum, draw
from tasks.deid.audit.trial import Bench, Trial
from tasks.deid.stage import DeidentifyStage
from tasks.errors import ConfigurationError
from tasks.guard import ErrorLog
from tasks.processes import ProcessId
from tasks.vault import Vault, private_folder

DEFAULT_SERIES = 5
DEFAULT_SEED = 20261124


def sample(vault: Vault, *, most: int = DEFAULT_SERIES, seed: int = DEFAULT_SEED) -> Drawn:
    """Draw the series to audit.

    Raises:
        ConfigurationError: E-AUDIT-EMPTY where the spool has none that can be read.
    """
    drawn = draw(vault, most=most, seed=seed)
    if not drawn.series:
        raise ConfigurationError("E-AUDIT-EMPTY", str(vault.spool))
    return drawn


def audit(
    drawn: Drawn, stage: DeidentifyStage, errors: ErrorLog, *, most: int, seed: int, advance: Callable[[], None] | None = None
) -> Findings:
    """Try every series that was drawn.

    Args:
        stage: the site's own, with its vault, lake and profile; only its settings are used, it is never run on them.
        most: how many series a stratum were drawn at most, for the record.
        seed: of the markers and their places.
        advance: called after each series.
    """
    trials: dict[Stratum, list[Trial]] = defaultdict(list)
    with scratch(stage.vault) as folder:
        bench = Bench.set_up(folder, stage, errors)
        for stratum, series in drawn.series.items():
            for number, place in enumerate(series):
                name = f"{seed} {stratum.modality} {stratum.manufacturer} {number}"
                instance = random.Random(name).choice(sorted(place.glob("*.dcm")))  # noqa: S311 - a draw that can be repeated
                trials[stratum].append(bench.try_series(instance, name))
                if advance is not None:
                    advance()
    rows, tried, leaks = count(trials)
    said = stage.configuration()
    return Findings(
        profile=str(said["profile"]), edition=str(said["edition"]), content=str(said["content"]), revision=stage.revision,
        version=version("safelight"), made=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", seed=seed, most=most, found=drawn.found,
        unreadable=drawn.unreadable, rows=rows, series=tried, leaks=leaks,
    )  # fmt: skip


@contextmanager
def scratch(vault: Vault) -> Iterator[Path]:
    """A private folder inside the vault, gone afterwards; what killed processes of this host left is removed first."""
    root = private_folder(vault.root / "audits" / "scratch")
    for entry in root.iterdir():
        owner = ProcessId.parse(entry.name.rsplit("-", 1)[0])
        if owner is not None and not owner.is_alive():
            shutil.rmtree(entry, ignore_errors=True)
    folder = private_folder(root / f"{ProcessId.current()}-{secrets.token_hex(6)}")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
