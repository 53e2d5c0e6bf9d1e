"""A structured report (Enhanced SR, PS3.3 A.35.2): findings with names and dates in them, an observer, a measurement, references to images."""

from __future__ import annotations

from tests.scoring.answers import Sheet
from tests.scoring.headers import ROOT, Series


def sr(sheet: Sheet, series: Series, evidence: tuple[str, tuple[str, ...]]) -> None:
    """Fill a report; `evidence`: the SOP class and the original UIDs of the images it refers to (all of one series of its study)."""
    visit, who = series.visit, series.visit.person
    sop_class, images = evidence
    sheet.keep(CompletionFlag="COMPLETE", VerificationFlag="UNVERIFIED", ValueType="CONTAINER", ContinuityOfContent="SEPARATE")
    sheet.when(ContentDate=visit.date, ContentTime=visit.time, required=True)
    sheet.plain(PerformedProcedureCodeSequence=[], ReferencedPerformedProcedureStepSequence=[])
    _concept(sheet, "18748-4", "LN", "Diagnostic imaging report")
    proof = sheet.item("CurrentRequestedProcedureEvidenceSequence")
    proof.uid("StudyInstanceUID", visit.uid(0))
    listed = proof.item("ReferencedSeriesSequence")
    listed.uid("SeriesInstanceUID", images[0].rsplit(".", 1)[0])
    for image in images:
        entry = listed.item("ReferencedSOPSequence")
        entry.keep(ReferencedSOPClassUID=sop_class)
        entry.uid("ReferencedSOPInstanceUID", image)
    _observer(sheet, series)
    finding = _content(sheet, "TEXT", "121071", "DCM", "Finding")
    text = f"CHEST without contrast. {who.spoken}, seen {visit.spoken_date}, call {who.phone}"
    finding.described("TextValue", text, "CHEST without contrast", who.given, who.family, visit.spoken_date, who.phone)
    impression = _content(sheet, "TEXT", "121077", "DCM", "Conclusion")
    impression.gone("TextValue", f"{who.spoken} MRN {who.patient_id}", who.given, who.family, who.patient_id)
    _measurement(sheet)
    shown = _content(sheet, "IMAGE", "121322", "DCM", "Source image for image processing operation")
    reference = shown.item("ReferencedSOPSequence")
    reference.keep(ReferencedSOPClassUID=sop_class)
    reference.uid("ReferencedSOPInstanceUID", images[0])
    _study(sheet, visit.uid(0))


def _study(sheet: Sheet, uid: str) -> None:
    """The study's UID: Table E.3.4-1 has its item removed (X). It is the last one, so that the others keep their places."""
    item = sheet.item("ContentSequence")
    item.plain(RelationshipType="HAS OBS CONTEXT", ValueType="UIDREF")
    name = item.item("ConceptNameCodeSequence")
    name.plain(CodeValue="121018", CodingSchemeDesignator="DCM", CodeMeaning="Procedure Study Instance UID")
    item.uid("UID", uid, stays=False)


def _observer(sheet: Sheet, series: Series) -> None:
    visit, who = series.visit, series.visit.person
    person = _content(sheet, "PNAME", "121008", "DCM", "Person Observer Name", "HAS OBS CONTEXT")
    person.gone("PersonName", who.referrer, who.referrer.split("^")[0], "Aloisius")
    device = _content(sheet, "UIDREF", "121012", "DCM", "Device Observer UID", "HAS OBS CONTEXT")
    device.uid("UID", f"{ROOT}.7.7")
    begun = _content(sheet, "DATETIME", "111526", "DCM", "DateTime Started")
    begun.when(DateTime=f"{visit.date}{visit.time}")


def _measurement(sheet: Sheet) -> None:
    length = _content(sheet, "NUM", "410668003", "SCT", "Length")
    measured = length.item("MeasuredValueSequence")
    measured.keep(NumericValue="12.5")
    unit = measured.item("MeasurementUnitsCodeSequence")
    unit.keep(CodeValue="mm", CodingSchemeDesignator="UCUM")
    unit.filled(CodeMeaning="mm")


def _content(sheet: Sheet, kind: str, value: str, scheme: str, meaning: str, relation: str = "CONTAINS") -> Sheet:
    item = sheet.item("ContentSequence")
    item.keep(RelationshipType=relation, ValueType=kind)
    _concept(item, value, scheme, meaning)
    return item


def _concept(sheet: Sheet, value: str, scheme: str, meaning: str) -> None:
    name = sheet.item("ConceptNameCodeSequence")
    name.keep(CodeValue=value, CodingSchemeDesignator=scheme)
    name.filled(CodeMeaning=meaning)
