"""The one configuration file: what it may say, and one clear sentence for what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar
from zoneinfo import ZoneInfo

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from tasks.delivery.policy import DeliverySettings
from tasks.errors import ConfigurationError
from tasks.inference.policy import InferenceSettings
from tasks.pacs.settings import CohortSettings, PacsSettings, ReceiverSettings, TlsSettings
from tasks.results.policy import NodeSettings, ReturnsSettings
from tasks.section import Port, Section
from tasks.volumes.policy import VolumesSettings


class DeidentifySettings(Section):
    """How studies are de-identified: a profile of `configs/profiles/`, or a path to one."""

    profile: str = "safe_harbor"
    #: A recipe of the site's own in the `deid` package's format: what it adds may only be stricter than the profile.
    recipe: Path | None = None
    #: The recall that `safelight audit` must have found with this profile before anything is released; none is asked for without it.
    audit_floor: float | None = Field(default=None, gt=0, lt=1)


class EvaluationSettings(Section):
    """How performance is measured: an evaluation plan. Reference and cohort are tables that `safelight import` made."""

    plan: Path


class ImportSettings(Section):
    """A table of the hospital's that every night maps to the lake's keys: labels or demographics."""

    file: Path
    kind: Literal["reference", "cohort"]
    key: Literal["AccessionNumber", "StudyInstanceUID", "PatientID"]


class ExecutorSettings(Section):
    """Where stages run."""

    kind: Literal["inline", "processes", "dask"] = "processes"
    workers: int = Field(default=2, ge=1, le=256)
    #: Studies a Prefect task; more, where there would be over 200 batches.
    batch_size: int = Field(default=8, ge=1, le=10_000)
    dask_address: str | None = None
    max_attempts: int = Field(default=3, ge=1, le=100)


class PrefectSettings(Section):
    """Prefect's server: an existing one by `api_url`, or one of our own that keeps its database in `home`."""

    api_url: str | None = None
    home: Path | None = None
    port: Port = 4210


class Settings(Section):
    """Everything that a night needs to know. Relative paths are relative to the file's folder."""

    site: str = Field(min_length=1)
    vault: Path
    lake: str
    ledger: str | None = None
    timezone: str = "UTC"
    #: One PACS, or several; where a study is in several, the first that has it is asked.
    pacs: tuple[PacsSettings, ...] = ()
    receivers: tuple[ReceiverSettings, ...] = (ReceiverSettings(),)
    cohort: CohortSettings = CohortSettings()
    deidentify: DeidentifySettings = DeidentifySettings()
    volumes: VolumesSettings = VolumesSettings()
    inference: InferenceSettings = InferenceSettings()
    delivery: DeliverySettings = DeliverySettings()
    #: Where results go as DICOM objects; nowhere without it.
    returns: ReturnsSettings | None = None
    imports: tuple[ImportSettings, ...] = ()
    evaluation: EvaluationSettings | None = None
    executor: ExecutorSettings = ExecutorSettings()
    prefect: PrefectSettings = PrefectSettings()

    @field_validator("pacs", "receivers", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return [value] if isinstance(value, dict | Section) else value

    @field_validator("pacs")
    @classmethod
    def _distinct_pacs(cls, value: tuple[PacsSettings, ...]) -> tuple[PacsSettings, ...]:
        if len({pacs.source for pacs in value}) < len(value):
            raise ValueError("names two PACSs alike: give each a name of its own")
        return value

    @field_validator("receivers")
    @classmethod
    def _distinct_receivers(cls, value: tuple[ReceiverSettings, ...]) -> tuple[ReceiverSettings, ...]:
        if not value or len({each.ae_title for each in value}) < len(value) or len({each.port for each in value}) < len(value):
            raise ValueError("must be at least one, each with an AE title and a port of its own")
        return value

    @model_validator(mode="after")
    def _known_receivers(self) -> Settings:
        known = {each.ae_title for each in self.receivers}
        if any(title not in known for pacs in self.pacs for title in pacs.receivers):
            raise ValueError("pacs.receivers names an AE title that none of the receivers has")
        return self

    @field_validator("returns")
    @classmethod
    def _one_mode(cls, value: ReturnsSettings | None) -> ReturnsSettings | None:
        if value is not None and value.modes:
            raise ValueError("has modes: delivery.models says what a model may show, in lists, panels and objects alike")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("is not a time zone of the IANA database, such as Europe/Berlin") from None
        return value

    def ledger_url(self) -> str:
        """Where the ledger is: as configured, or in the vault."""
        return self.ledger or f"sqlite:///{self.vault / 'ledger.db'}"


def load(path: Path | str) -> Settings:
    """Read and check a configuration file.

    Raises:
        ConfigurationError: E-CONFIG-MISSING, E-CONFIG-SYNTAX, or E-CONFIG with each field and what is wrong with it.
    """
    source = Path(path).expanduser().absolute()
    if not source.is_file():
        raise ConfigurationError("E-CONFIG-MISSING", str(source))
    try:
        content = yaml.safe_load(source.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source.name}, line {mark.line + 1}" if mark is not None else source.name
        raise ConfigurationError("E-CONFIG-SYNTAX", where) from None
    if not isinstance(content, dict):
        raise ConfigurationError("E-CONFIG-SYNTAX", f"{source.name}: the file must hold keys and values")
    try:
        settings = Settings.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError("E-CONFIG", f"{source.name}: {_sentences(error, content)}") from None
    return _anchored(settings, source.parent)


def _sentences(error: ValidationError, content: dict[str, Any]) -> str:
    said = []
    for problem in error.errors(include_input=False, include_url=False):
        place = [str(part) for part in problem["loc"]]
        if place and isinstance(content.get(place[0]), dict) and place[1:2] == ["0"]:
            del place[1]  # one PACS, or one receiver, that stands there without a list
        field = ".".join(place)
        meaning = {"missing": "is missing", "extra_forbidden": "is not a known setting"}.get(problem["type"], problem["msg"])
        said.append(f"{field} {meaning[0].lower()}{meaning[1:]}")
    return "; ".join(said)


def _anchored(settings: Settings, folder: Path) -> Settings:
    """The same settings with relative paths made absolute."""
    changed: dict[str, object] = {"vault": folder / settings.vault.expanduser()}
    if "://" not in settings.lake:
        changed["lake"] = str(folder / Path(settings.lake).expanduser())
    changed["imports"] = tuple(entry.model_copy(update={"file": folder / entry.file}) for entry in settings.imports)
    changed["pacs"] = tuple(_with_tls(pacs, folder) for pacs in settings.pacs)
    changed["receivers"] = tuple(_with_tls(receiver, folder) for receiver in settings.receivers)
    cohort: dict[str, object] = {}
    if settings.cohort.listed is not None:
        cohort["listed"] = folder / settings.cohort.listed.expanduser()
    if settings.cohort.selection is not None and settings.cohort.selection.endswith(".yaml"):
        cohort["selection"] = str(folder / settings.cohort.selection)
    changed["cohort"] = settings.cohort.model_copy(update=cohort)
    if settings.evaluation is not None:
        changed["evaluation"] = settings.evaluation.model_copy(update={"plan": folder / settings.evaluation.plan})
    if settings.prefect.home is not None:
        changed["prefect"] = settings.prefect.model_copy(update={"home": folder / settings.prefect.home})
    changed["deidentify"] = _with_paths(settings.deidentify, folder)
    models = tuple(
        each.model_copy(update={"model": str(folder / each.model)}) if "/" in each.model else each
        for each in settings.inference.models
    )
    if settings.returns is not None:
        modes = {name: each.mode for name, each in settings.delivery.models.items()}
        changed["returns"] = settings.returns.model_copy(
            update={"node": _with_tls(settings.returns.node, folder), "modes": modes}
        )
    changed["inference"] = settings.inference.model_copy(update={"models": models})
    return settings.model_copy(update=changed)


def _with_paths(settings: DeidentifySettings, folder: Path) -> DeidentifySettings:
    """The same settings with an absolute path of the profile, where it is a file, and of the recipe."""
    changed: dict[str, object] = {}
    if settings.profile.endswith(".yaml"):
        changed["profile"] = str(folder / settings.profile)
    if settings.recipe is not None:
        changed["recipe"] = folder / settings.recipe.expanduser()
    return settings.model_copy(update=changed)


_Each = TypeVar("_Each", PacsSettings, ReceiverSettings, NodeSettings)


def _with_tls(settings: _Each, folder: Path) -> _Each:
    """The same settings with absolute paths of certificates."""
    if settings.tls is None:
        return settings
    tls = TlsSettings(**{name: folder / path for name, path in settings.tls})
    return settings.model_copy(update={"tls": tls})
