"""Finding: what a PACS has of a cohort (C-FIND), and its rows in the ledger."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tasks.ledger import Ledger, Study
from tasks.pacs.asking.answers import image_identifier, series_identifier, text
from tasks.pacs.asking.cohort import date_range
from tasks.pacs.asking.found import FoundSeries, FoundStudy
from tasks.pacs.asking.plan import make_plan, refused
from tasks.pacs.association import echo
from tasks.pacs.settings import CohortSettings, PacsSettings
from tasks.pseudonyms import Pseudonyms
from tasks.stage import digest
from tasks.vault import Vault

__all__ = [
    "FoundSeries", "FoundStudy", "date_range", "echo", "find", "image_identifier", "refused", "register", "series_identifier", "text",
]  # fmt: skip


def find(pacs: PacsSettings, cohort: CohortSettings) -> list[FoundStudy]:
    """The studies of a cohort that one PACS has, with their series; `make_plan` is for several PACSs, and tells more.

    A PACS that overlooks a key does not widen the cohort: modality and date are held here again. Studies that cannot be pulled, and
    doubts, are in the list with a `reason_code`.

    Raises:
        SafelightError: E-PULL-FIND-FAILED, E-PULL-NO-ANSWER; ConfigurationError: E-PULL-DATES, E-PULL-UNREACHABLE,
            E-PULL-AE-REJECTED, E-PULL-UNSUPPORTED, and as `make_plan`.
    """
    return make_plan([pacs], cohort).studies


def register(ledger: Ledger, vault: Vault, studies: Iterable[FoundStudy], away: Collection[str] = ()) -> int:
    """Enter studies in the ledger, under their keys; those that cannot be pulled are left out. Returns how many were new.

    What the PACS leaves out of its answer (PatientID, issuer, accession number) does not erase what the ledger knows. A study whose
    series, counts, patient or accession number have changed, or of which only some series are wanted now, gets another digest, and so is due
    again. A study that is known from a PACS
    that is `away` just now stays what it is: another one's copy of it may be less, or another patient's by its numbering.
    """
    pseudonyms = Pseudonyms(vault.site_key())
    pulled = {pseudonyms.study(study.study_instance_uid): study for study in studies if not study.reason_code}
    known = ledger.studies(list(pulled))
    kept = {
        key for key, study in pulled.items() if key in known and known[key].source != study.source and known[key].source in away
    }
    return ledger.register([_row(pseudonyms, key, study, known.get(key)) for key, study in pulled.items() if key not in kept])


def _row(pseudonyms: Pseudonyms, key: str, study: FoundStudy, before: Study | None) -> Study:
    patient_id = study.patient_id or (before.patient_id if before else "")
    issuer = study.issuer or (before.issuer if before else "")
    accession_number = study.accession_number or (before.accession_number if before else "")
    series, identity = sorted(study.series.items()), (patient_id, issuer, accession_number)
    found = digest({"series": series, "only": study.selected, "identity": identity})
    if before is not None and not study.selected and before.found_digest == digest(series) and identity == (
        before.patient_id, before.issuer, before.accession_number,
    ):  # fmt: skip
        found = (
            before.found_digest
        )  # of a ledger from before identities were digested too: nothing has changed, so nothing is due
    return Study(
        study_key=key, patient_key=pseudonyms.patient(issuer, patient_id), source=study.source,
        study_instance_uid=study.study_instance_uid, patient_id=patient_id, issuer=issuer, accession_number=accession_number,
        expected=dict(study.series), found_digest=found, selected=study.selected,
    )  # fmt: skip
