"""One site's zones, ledger and workers, opened from its configuration: what every flow, task and command starts from."""

from __future__ import annotations

import atexit
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from tasks.errors import ConfigurationError
from tasks.executor import OnEnd, OnWait, Summary, run_by_ledger
from tasks.guard import ErrorLog, seal
from tasks.lake import Lake
from tasks.ledger import Ledger
from tasks.pools import Pool, make_pool
from tasks.settings import Settings, load
from tasks.stage import Stage
from tasks.vault import Vault

#: Less than this and the night is not begun: a disk that fills half-way costs more than a morning's look.
MINIMUM_FREE_BYTES = 1 << 30
#: A night has no more batches than this: each costs the orchestrator a tenth of a second a stage.
MOST_BATCHES = 200


@dataclass(frozen=True)
class Site:
    """A configured site. Make one with `open_site`; it lives as long as its process."""

    settings: Settings
    vault: Vault
    lake: Lake
    ledger: Ledger
    errors: ErrorLog

    @cached_property
    def pool(self) -> Pool:
        """The workers, started when first needed, stopped when the process ends."""
        executor = self.settings.executor
        pool = make_pool(executor.kind, executor.workers, self.errors, executor.dask_address)
        atexit.register(pool.close)
        return pool

    @cached_property
    def model_pool(self) -> Pool:
        """The workers that models read in, several studies under way in each; the others where the site has none of its own."""
        executor, inference = self.settings.executor, self.settings.inference
        if executor.kind != "processes":
            return self.pool
        from tasks.inference.batch import rank
        from tasks.threaded_pool import ThreadedPool

        processes = 1 if inference.device == "cuda" else max(1, executor.workers // inference.threads)
        pool = ThreadedPool(processes, inference.ahead + 1, self.errors, rank)
        atexit.register(pool.close)
        return pool

    def stage(self, name: str) -> Stage:
        """A study stage by its name (`deidentify`, `volumes`), as this site configures it."""
        return _BUILDERS[name](self)

    def work(self, name: str, run: str, keys: list[str], on_end: OnEnd | None = None, on_wait: OnWait | None = None) -> Summary:
        """Do one stage for those of `keys` that are due, in the name of the ledger's `run`; `on_wait` hears where a PACS lets it wait."""
        if name == "pull":
            from tasks.pacs.batch import pull_batch

            return pull_batch(self.settings, self.vault, self.ledger, run, keys, self.errors, on_end, on_wait)
        if name == "infer":
            from tasks.inference.batch import read_batch

            return read_batch(
                self.settings.inference, keys, lake=self.lake, ledger=self.ledger, run=run, pool=self.model_pool, errors=self.errors,
                max_attempts=self.settings.executor.max_attempts, zone=ZoneInfo(self.settings.timezone), on_end=on_end,
            )  # fmt: skip
        return run_by_ledger(
            self.stage(name), keys, ledger=self.ledger, run=run, pool=self.pool, errors=self.errors,
            max_attempts=self.settings.executor.max_attempts, on_end=on_end,
        )  # fmt: skip

    def batches(self) -> list[list[str]]:
        """All studies that the ledger knows, in the order of their keys, in batches of the configured size; of a larger one for a great many."""
        keys = list(self.ledger.studies())
        size = max(self.settings.executor.batch_size, len(keys) // MOST_BATCHES + 1)
        return [keys[start : start + size] for start in range(0, len(keys), size)]

    def reconcile(self) -> dict[str, int]:
        """Close dead runs, free what they held, and remove what they left half-written in the lake and the vault."""
        from tasks.pacs.receiving.arrival import sweep_arrivals
        from tasks.pacs.spool import sweep

        left = self.lake.sweep() + sweep(self.vault) + sweep_arrivals(self.vault.spool)
        return {**self.ledger.reconcile(), "leftovers": left}


@cache
def open_site(config: str) -> Site:
    """Open the site that a configuration file describes; the same process gets the same one again.

    Raises:
        ConfigurationError: for the first thing that would stop the work, before any of it is begun.
    """
    settings = load(config)
    vault = Vault.open(settings.vault)
    errors = ErrorLog(vault.errors)
    seal(errors)
    vault.site_key()
    lake = Lake.open(settings.lake)
    _check_space(vault.root)
    if lake.root is not None:
        _check_space(lake.root)
    return Site(settings, vault, lake, Ledger(settings.ledger_url()), errors)


def _check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < MINIMUM_FREE_BYTES:
        raise ConfigurationError("E-DISK-FULL", f"{folder}: {free >> 20} MiB free, {MINIMUM_FREE_BYTES >> 20} MiB needed")


def _deidentify(site: Site) -> Stage:
    from tasks.deid.stage import DeidentifyStage

    said = site.settings.deidentify
    return DeidentifyStage(site.vault, site.lake, said.profile, str(said.recipe or ""), said.audit_floor)


def _volumes(site: Site) -> Stage:
    from tasks.volumes.stage import VolumesStage

    return VolumesStage(site.lake, settings=site.settings.volumes)


_BUILDERS: dict[str, Callable[[Site], Stage]] = {"deidentify": _deidentify, "volumes": _volumes}
