"""What is looked at before a night begins: whatever would stop it later is one sentence now, and no work has been begun."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tasks.errors import ConfigurationError
from tasks.ledger import Ledger
from tasks.pacs.settings import PacsSettings
from tasks.settings import Settings
from tasks.site import Site

#: What is looked at, and the look itself: it says what is fine, or raises ConfigurationError.
Look = tuple[str, Callable[[], str]]

_PACS = "PACS"
#: What keeps one PACS from being asked, and none of the others.
_AWAY = ("E-PULL-UNREACHABLE", "E-PULL-BUSY")


def check(site: Site) -> None:
    """Look at everything that a night needs, beyond what `open_site` has seen. Of several PACSs one must answer.

    Raises:
        ConfigurationError: for the first thing that would stop the night.
    """
    away = []
    for what, look in looks(site):
        try:
            look()
        except ConfigurationError as error:
            if error.code not in _AWAY or not what.startswith(_PACS):
                raise
            away.append(error)
    if away and len(away) == len(site.settings.pacs):
        raise away[0]


def looks(site: Site) -> Iterator[Look]:
    """What a site's configuration names: the PACS, the profile, the model, the plan with its threshold, the tables to import."""
    settings = site.settings
    for pacs in settings.pacs:
        yield f"{_PACS} {pacs.source}", lambda pacs=pacs: _echo(pacs, site.ledger)  # type: ignore[misc]
    yield "de-identification", lambda: _profile(site)
    yield "models", lambda: _models(site)
    if settings.evaluation is not None:
        plan = settings.evaluation.plan
        yield "plan", lambda: _plan(plan, settings)
    for entry in settings.imports:
        yield f"import of {entry.kind}", lambda file=entry.file: _readable(file)  # type: ignore[misc]


def _profile(site: Site) -> str:
    from tasks.deid.stage import DeidentifyStage

    stage = site.stage("deidentify")
    if isinstance(stage, DeidentifyStage):
        stage.require()
    return f"profile {stage.configuration()['profile']}"


def _models(site: Site) -> str:
    """Those that can read, and those that cannot; raise where none can."""
    from tasks.inference.batch import stages

    usable, unusable = stages(site.lake, site.settings.inference)
    if not usable:
        raise unusable[0].error
    said = [stage.label().partition(":")[2] for _, stage in usable]
    return ", ".join([*said, *(f"without {gone.model.rpartition('/')[2]}: {gone.error.code}" for gone in unusable)])


def _echo(pacs: PacsSettings, ledger: Ledger) -> str:
    from tasks.pacs.asking.find import echo
    from tasks.pacs.book import Book

    order = Book(ledger).condition(pacs.source).order
    if order != "run":
        return f"{pacs.source} is not asked, by order: {order}"
    echo(pacs)
    return f"{pacs.ae_title} at {pacs.host}:{pacs.port} answers C-ECHO"


def _plan(path: Path, settings: Settings) -> str:
    from tasks.evaluation.plan import load_plan
    from tasks.evaluation.threshold import operating_point

    plan = load_plan(path)
    point = operating_point(plan, settings.inference.named(plan.model_name))
    return f"{plan.name} ({path.name}), positive from {point.threshold:g}"


def _readable(file: Path) -> str:
    if not os.access(file, os.R_OK):
        raise ConfigurationError("E-CONFIG", f"imports: {file} cannot be read")
    return f"{file} is there"
