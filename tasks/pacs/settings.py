"""What the configuration file says of the PACSs, of our receivers, of good manners, and of the cohort."""

from __future__ import annotations

from datetime import UTC
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from tasks.pacs.manners.hours import AllowedHours
from tasks.section import AETitle, Port, Section


class TlsSettings(Section):
    """TLS with certificates on both sides (PS3.15 B.12): ours with its key, and the authority that the peer's must come from. PEM."""

    certificate: Path
    key: Path
    authority: Path


class ReceiverSettings(Section):
    """A Storage SCP of ours: the PACS is told its AE title as the destination of C-MOVE, and connects to it."""

    ae_title: AETitle = "SAFELIGHT"
    host: str = "127.0.0.1"
    port: Port = 11113
    #: `direct` is our own loop over P-DATA, `pynetdicom` that library's.
    engine: Literal["direct", "pynetdicom"] = "direct"
    #: When a file is forced to disk: before each instance is answered, or before its study counts as pulled.
    fsync: Literal["instance", "study"] = "instance"
    #: Storage SOP classes that are taken, by UID; empty for all of the standard.
    sop_classes: tuple[str, ...] = ()
    #: Transfer syntaxes that are taken, by UID, the preferred first; empty for all, lossless ones first.
    transfer_syntaxes: tuple[str, ...] = ()
    #: Who may connect, by calling AE title; empty for any.
    allow_ae_titles: tuple[AETitle, ...] = ()
    #: Who may connect, by address or network (`10.1.2.0/24`); empty for the hosts of the configured PACSs, and this machine.
    allow_addresses: tuple[str, ...] = ()
    maximum_associations: int = Field(default=32, ge=1, le=1000)
    tls: TlsSettings | None = None

    @field_validator("allow_addresses")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            try:
                ip_network(each)
            except ValueError:
                raise ValueError("holds what is no address or network, such as 10.1.2.3 or 10.1.2.0/24") from None
        return value


class MannersSettings(Section):
    """How much of a PACS we use, and when; and what we do when it is slow, busy, or gone."""

    #: Associations for retrieval at once.
    associations: int = Field(default=2, ge=1, le=32)
    studies_per_hour: int | None = Field(default=None, ge=1)
    #: `20:00-06:00`, or with days `mon-fri 20:00-06:00`; several are added up; empty for always. In the site's time zone.
    allowed_hours: tuple[str, ...] = ()
    #: A PACS that takes so many times its usual time to answer is slow, and gets less work until it recovers.
    slow_factor: float = Field(default=4.0, ge=1.5)
    #: How often a request is sent again before its study fails, and the pause before the first of these (doubled each time).
    retries: int = Field(default=3, ge=0, le=20)
    backoff_s: float = Field(default=2.0, gt=0)
    #: A study that grows while it is pulled is looked at again after so long.
    settle_s: float = Field(default=10.0, ge=0)
    #: So many failures of the connection in a row open the breaker; it is tried again after so long, then twice as long, …
    breaker_failures: int = Field(default=3, ge=1)
    breaker_s: float = Field(default=30.0, gt=0)
    #: … and a PACS that has been away for so long ends the retrieval. What is due stays due.
    give_up_s: float = Field(default=1800.0, ge=0)

    @field_validator("allowed_hours")
    @classmethod
    def _windows(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        AllowedHours.parse(value, UTC)
        return value


class PacsSettings(Section):
    """A PACS that is asked."""

    host: str
    port: Port
    ae_title: AETitle
    #: What it is called in plans, states and tables; its AE title unless another name is given.
    name: str = ""
    calling_ae_title: AETitle = "SAFELIGHT"
    retrieve: Literal["move", "get"] = "move"
    #: AE titles of the receivers that this PACS sends to; empty for all of them, in turn.
    receivers: tuple[AETitle, ...] = ()
    #: An answer to a query with fewer matches is believed to be all; longer ones are proven by asking in parts. 0 for a PACS that never cuts.
    find_limit: int = Field(default=50, ge=0)
    acse_timeout_s: float = Field(default=15.0, gt=0)
    dimse_timeout_s: float = Field(default=60.0, gt=0)
    network_timeout_s: float = Field(default=60.0, gt=0)
    manners: MannersSettings = MannersSettings()
    tls: TlsSettings | None = None

    @property
    def source(self) -> str:
        """Its name in the ledger."""
        return self.name or self.ae_title


class CohortSettings(Section):
    """Which studies the night looks for. What is left out does not narrow the cohort."""

    modalities: tuple[str, ...] = ()
    study_date_from: str | None = Field(default=None, pattern=r"^\d{8}$")
    study_date_to: str | None = Field(default=None, pattern=r"^\d{8}$")
    #: Patterns with `*` and `?` for StudyDescription, one of which must fit, whatever the case.
    study_descriptions: tuple[str, ...] = ()
    #: One of them must be the BodyPartExamined of a series.
    body_parts: tuple[str, ...] = ()
    #: A CSV or Parquet table with AccessionNumber, StudyInstanceUID or PatientID (and IssuerOfPatientID): these studies and no others.
    listed: Path | None = None
    #: Only what is new since the last complete plan of this cohort, with so many days before it for late studies; not for lists.
    new_since_last_night: bool = False
    overlap_days: int = Field(default=7, ge=0)
    #: Which series of a study are pulled: a rule of `configs/selections/`, or a path to one (.yaml); all of them without one.
    selection: str | None = None
