"""What the hospital calls a study: the way back from the lake's keys, for what is delivered within the vault."""

from __future__ import annotations

from collections.abc import Sequence

import pydicom
from pydicom.errors import InvalidDicomError

from tasks.delivery.policy import Identifier
from tasks.ledger import Study
from tasks.vault import Vault


def identity(study: Study, by: Sequence[Identifier], vault: Vault) -> dict[str, str]:
    """Identifiers of a study in the order asked for; a name is read from the spool, and empty where the study is not there any more."""
    known = {
        "AccessionNumber": study.accession_number, "PatientID": study.patient_id, "StudyInstanceUID": study.study_instance_uid,
    }  # fmt: skip
    return {name: known[name] if name in known else _name(vault, study.study_key) for name in by}


def _name(vault: Vault, study_key: str) -> str:
    """The PatientName of the study's first instance; empty where there is none that can be read."""
    first = min((vault.spool / study_key).glob("*/*.dcm"), default=None)
    if first is None:
        return ""
    try:
        return str(pydicom.dcmread(first, stop_before_pixels=True, specific_tags=["PatientName"]).get("PatientName", ""))
    except (InvalidDicomError, OSError):
        return ""  # the other identifiers are the ledger's
