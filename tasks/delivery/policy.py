"""What a site lets each model give back: a place in the worklist, findings after the first read, or fields for the report."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from tasks.delivery.fleischner import Attenuation
from tasks.section import Section

Mode = Literal["triage", "second_reader", "decision_support"]
#: How the hospital names a study.
Identifier = Literal["AccessionNumber", "PatientID", "StudyInstanceUID", "PatientName"]


class ModelDelivery(Section):
    """How one model's results go back."""

    #: `triage` orders a worklist and shows no finding; `second_reader` shows findings once the first read is final;
    #: `decision_support` shows them at once, as fields for the report.
    mode: Mode = "triage"
    #: The worklist that its studies stand in; its name must not tell what the model looks for. A second reader stands in none.
    worklist: str = Field(default="worklist", pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    #: Which findings are lung nodules for the Fleischner Society's recommendations, and of which attenuation.
    fleischner: dict[str, Attenuation | Literal["unknown"]] = Field(default_factory=dict)


class DeliverySettings(Section):
    """How results go back to the hospital. A model that is not named is delivered as triage, which shows the least."""

    models: dict[str, ModelDelivery] = Field(default_factory=dict)
    #: What identifies a study in what is delivered (in the vault).
    identify_by: tuple[Identifier, ...] = ("AccessionNumber", "PatientID", "StudyInstanceUID")
    #: Where studies stand that no model of the list has read: below all others, or above.
    unread: Literal["last", "first"] = "last"
    #: Studies that were complete longer ago are not delivered any more; how many is said.
    keep_hours: float = Field(default=168, gt=0)
    #: Where an HL7 result has the AccessionNumber: fields of OBR, the first that is not empty.
    accession: tuple[Annotated[str, Field(pattern=r"^OBR-[1-9]\d?$")], ...] = ("OBR-18", "OBR-3")

    @field_validator("identify_by", "accession")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) < len(value):
            raise ValueError("must name at least one, and none twice")
        return value
