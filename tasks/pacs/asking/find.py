"""The plan: which studies of the cohort the PACS has (C-FIND), with their counts, and their rows in the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from tasks.errors import ConfigurationError
from tasks.ledger import Ledger, Study
from tasks.pacs.association import Requestor, echo
from tasks.pacs.settings import CohortSettings, PacsSettings
from tasks.pacs.uids import is_uid
from tasks.pseudonyms import Pseudonyms
from tasks.stage import digest
from tasks.vault import Vault

__all__ = ["FoundStudy", "echo", "find", "image_identifier", "refused", "register", "series_identifier", "text"]


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study that the PACS has. Identified: never leaves the vault, and does not show itself.

    `series` maps each SeriesInstanceUID to its number of instances. `reason_code` says why a study cannot be pulled; else empty.
    """

    source: str
    study_instance_uid: str = field(repr=False)
    patient_id: str = field(repr=False)
    issuer: str = field(repr=False)
    accession_number: str = field(repr=False)
    series: Mapping[str, int] = field(repr=False)
    reason_code: str = ""

    @property
    def instances(self) -> int:
        """How many instances the PACS says it has."""
        return sum(self.series.values())


def find(pacs: PacsSettings, cohort: CohortSettings) -> list[FoundStudy]:
    """Ask the PACS for the cohort's studies, once for each modality, and for each study's series.

    A study is of a modality if one of its series is. A PACS that overlooks a key does not widen the cohort: modality and date
    are held here again. Studies that cannot be pulled are in the list with a `reason_code`.

    Raises:
        SafelightError: E-PULL-FIND-FAILED, E-PULL-NO-ANSWER; ConfigurationError: E-PULL-DATES, E-PULL-UNREACHABLE,
            E-PULL-AE-REJECTED, E-PULL-UNSUPPORTED.
    """
    dates = date_range(cohort)
    found: dict[str, FoundStudy] = {}
    nameless = []
    with Requestor(pacs) as requestor:
        for modality in cohort.modalities or ("",):
            for match in requestor.find(_study_identifier(modality, dates)):
                uid = text(match, "StudyInstanceUID")
                if uid in found:
                    continue
                study = _found(requestor, pacs.ae_title, match, cohort)
                if study is None:
                    continue
                if study.reason_code == "E-PULL-STUDY-UID":
                    nameless.append(study)
                else:
                    found[uid] = study
    return [*(found[uid] for uid in sorted(found)), *nameless]


def register(ledger: Ledger, vault: Vault, studies: Iterable[FoundStudy]) -> int:
    """Enter studies in the ledger, under their keys; those that cannot be pulled are left out. Returns how many were new.

    What the PACS leaves out of its answer (issuer, accession number) does not erase what the ledger knows.
    """
    pseudonyms = Pseudonyms(vault.site_key())
    pulled = {pseudonyms.study(study.study_instance_uid): study for study in studies if not study.reason_code}
    known = ledger.studies(list(pulled))
    rows = []
    for key, study in pulled.items():
        before = known.get(key)
        patient_id = study.patient_id or (before.patient_id if before else "")
        issuer = study.issuer or (before.issuer if before else "")
        rows.append(Study(
            study_key=key, patient_key=pseudonyms.patient(issuer, patient_id), source=study.source,
            study_instance_uid=study.study_instance_uid, patient_id=patient_id, issuer=issuer,
            accession_number=study.accession_number or (before.accession_number if before else ""),
            expected=dict(study.series), found_digest=digest(sorted(study.series.items())),
        ))  # fmt: skip
    return ledger.register(rows)


def refused(studies: Iterable[FoundStudy]) -> Counter[str]:
    """How many studies cannot be pulled, by reason code."""
    return Counter(study.reason_code for study in studies if study.reason_code)


def date_range(cohort: CohortSettings) -> str:
    """The matching key for StudyDate (PS3.4 C.2.2.2.5): `A-B`, `A-`, `-B`, a single day, or empty for any.

    Raises:
        ConfigurationError: E-PULL-DATES for a day that is not in the calendar, or a range that ends before it begins.
    """
    first, last = _day(cohort.study_date_from), _day(cohort.study_date_to)
    if first and last and first > last:
        raise ConfigurationError("E-PULL-DATES", "cohort.study_date_to lies before cohort.study_date_from")
    if first and first == last:
        return f"{first:%Y%m%d}"
    return "-".join(f"{day:%Y%m%d}" if day else "" for day in (first, last)) if first or last else ""


def series_identifier(study_instance_uid: str) -> Dataset:
    """What is asked at SERIES level."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "SERIES"
    identifier.StudyInstanceUID = study_instance_uid
    for keyword in ("SeriesInstanceUID", "Modality", "NumberOfSeriesRelatedInstances"):
        setattr(identifier, keyword, None)
    return identifier


def image_identifier(study_instance_uid: str, series_instance_uid: str) -> Dataset:
    """What is asked at IMAGE level."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "IMAGE"
    identifier.StudyInstanceUID = study_instance_uid
    identifier.SeriesInstanceUID = series_instance_uid
    identifier.SOPInstanceUID = None
    return identifier


def text(match: Dataset, keyword: str) -> str:
    """A value of an answer as text without padding; several values are joined by backslashes."""
    value = match.get(keyword)
    if value is None:
        return ""
    return ("\\".join(str(part) for part in value) if isinstance(value, MultiValue) else str(value)).strip(" \0")


def _study_identifier(modality: str, dates: str) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    identifier.ModalitiesInStudy = modality or None
    identifier.StudyDate = dates or None
    for keyword in ("StudyInstanceUID", "PatientID", "IssuerOfPatientID", "AccessionNumber", "NumberOfStudyRelatedInstances"):
        setattr(identifier, keyword, None)
    return identifier


def _found(requestor: Requestor, source: str, match: Dataset, cohort: CohortSettings) -> FoundStudy | None:
    """One study with its series, or None where it is not of the cohort."""
    uid = text(match, "StudyInstanceUID")
    identity = (uid, text(match, "PatientID"), text(match, "IssuerOfPatientID"), text(match, "AccessionNumber"))
    if not is_uid(uid):
        return FoundStudy(source, *identity, series={}, reason_code="E-PULL-STUDY-UID")
    inside = _inside(text(match, "StudyDate"), cohort)
    if inside is False:
        return None
    if inside is None:
        return FoundStudy(source, *identity, series={}, reason_code="E-PULL-STUDY-DATE")
    answers = requestor.find(series_identifier(uid))
    if cohort.modalities and not {text(answer, "Modality") for answer in answers} & set(cohort.modalities):
        return None
    series = {}
    for answer in answers:
        name = text(answer, "SeriesInstanceUID")
        if not is_uid(name):
            return FoundStudy(source, *identity, series={}, reason_code="E-PULL-SERIES-UID")
        stated = text(answer, "NumberOfSeriesRelatedInstances")
        series[name] = int(stated) if stated.isdigit() else len(requestor.find(image_identifier(uid, name)))
    return FoundStudy(source, *identity, series=series)


def _inside(study_date: str, cohort: CohortSettings) -> bool | None:
    """Whether a study's date is in the cohort's range; None where it cannot be told."""
    if cohort.study_date_from is None and cohort.study_date_to is None:
        return True
    plain = study_date.replace(".", "")  # the form of ACR-NEMA, which PS3.5 6.2 asks readers to understand
    try:
        when = f"{datetime.strptime(plain, '%Y%m%d'):%Y%m%d}"
    except ValueError:
        return None
    return (cohort.study_date_from or "") <= when <= (cohort.study_date_to or "99999999")


def _day(stated: str | None) -> date | None:
    if stated is None:
        return None
    try:
        return datetime.strptime(stated, "%Y%m%d").date()
    except ValueError:
        raise ConfigurationError("E-PULL-DATES", "cohort.study_date_from or study_date_to is not a day of the calendar") from None
