"""Where results are sent, how they are marked, and what of them may be said in which mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from tasks.delivery.policy import Mode
from tasks.pacs.settings import TlsSettings
from tasks.section import AETitle, Port, Section


class NodeSettings(Section):
    """The DICOM node that takes results by C-STORE."""

    host: str
    port: Port
    ae_title: AETitle
    calling_ae_title: AETitle = "SAFELIGHT"
    acse_timeout_s: float = Field(default=15.0, gt=0)
    dimse_timeout_s: float = Field(default=60.0, gt=0)
    network_timeout_s: float = Field(default=60.0, gt=0)
    tls: TlsSettings | None = None


class ListenSettings(Section):
    """Where the PACS reaches us with what it has committed to (N-EVENT-REPORT on an association that it opens)."""

    host: str = "127.0.0.1"
    port: Port


class CommitmentSettings(Section):
    """Storage commitment (PS3.4 Annex J): the PACS says of each object that it keeps it."""

    #: `offered`: asked for where the PACS offers it; `required`: a PACS that does not is an error; `never`.
    ask: Literal["offered", "required", "never"] = "offered"
    #: Without it the PACS can answer only on the association on which it was asked.
    listen: ListenSettings | None = None
    #: How long an answer is waited for.
    wait_s: float = Field(default=60.0, gt=0, le=3600)


class ReturnsSettings(Section):
    """How results go back to the PACS as DICOM objects."""

    node: NodeSettings
    #: By the model's name; a file says it once, under `delivery.models`. A model that is not named is in triage, and nothing of it is sent.
    modes: dict[str, Mode] = Field(default_factory=dict)
    #: ContentQualification (0018,9004) of all objects.
    qualification: Literal["RESEARCH", "PRODUCT"] = "RESEARCH"
    #: What stands before the model's name in SeriesDescription.
    series_description: str = Field(default="Safelight", min_length=1, max_length=24, pattern=r"^[ -\[\]-~]+$")
    #: SeriesNumber of the reports; segmentations and presentation states have the two that follow.
    series_number: int = Field(default=9001, ge=1, le=999_990)
    #: Whether a report says of a study that a model did not read it, and why.
    unread: bool = False
    commitment: CommitmentSettings = CommitmentSettings()
    #: How often an association is tried again, and the pause before the first of these (doubled each time).
    retries: int = Field(default=2, ge=0, le=20)
    backoff_s: float = Field(default=2.0, gt=0)

    def mode(self, model: str) -> Mode:
        """A model's mode, by its name."""
        return self.modes.get(model, "triage")


@dataclass(frozen=True, slots=True)
class Sayable:
    """What of a result may leave as DICOM.

    Args:
        report: findings, scores and measurements, as a structured report.
        overlay: what is drawn over the images: segmentations and presentation states.
        reason_code: why nothing may, or not yet; empty where something may.
    """

    report: bool
    overlay: bool
    reason_code: str = ""


def sayable(mode: Mode, *, final: bool) -> Sayable:
    """What may be said of a study in a mode; `final`: whether its first read is."""
    if mode == "triage":
        return Sayable(report=False, overlay=False, reason_code="E-RETURN-TRIAGE")
    if mode == "second_reader":
        return Sayable(report=final, overlay=False, reason_code="" if final else "E-RETURN-NOT-FINAL")
    return Sayable(report=True, overlay=True)
