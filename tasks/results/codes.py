"""Coded concepts of the objects: DICOM's and SNOMED CT's where there is one, a scheme of our own (99SAFELIGHT) for the rest."""

from __future__ import annotations

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept

from tasks.errors import catalogue
from tasks.inference.manifest import Band, Code, Finding

SCHEME = "99SAFELIGHT"
_MEANING = 64


def _dcm(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value, "DCM", meaning)


def _sct(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value, "SCT", meaning)


def own(value: str, meaning: str) -> CodedConcept:
    """A concept of our own scheme; its meaning is cut to what LO holds."""
    return CodedConcept(value[:16], SCHEME, meaning[:_MEANING])


PERCENT = CodedConcept("%", "UCUM", "Percent")
NO_UNITS = CodedConcept("1", "UCUM", "no units")
MILLIMETRE = CodedConcept("mm", "UCUM", "millimeter")
MILLILITRE = CodedConcept("mL", "UCUM", "milliliter")

#: PS3.16 Annex D: 0 is no certainty, 100 is certainty.
CERTAINTY = _dcm("111012", "Certainty of Finding")
SCORE = own("SCORE", "Uncalibrated score of the model")
VOLUME = _sct("118565006", "Volume")
LONG_AXIS = _sct("103339001", "Long Axis")
SHORT_AXIS = _sct("103340004", "Short Axis")
BOX_EDGE = own("BOX_EDGE", "Edge of the bounding box within the image")
NEURAL_NETWORK = _dcm("123110", "Artificial Intelligence")
BAND = own("BAND", "Band of calibrated probability")
NOT_READ = own("NOT_READ", "Not read by the model")
OUTCOME = own("OUTCOME", "Score at the operating point")
REACHED = own("REACHED", "At or above the operating point")
BELOW = own("BELOW", "Below the operating point")

_MORPHOLOGY = _sct("49755003", "Morphologically Abnormal Structure")
_ANATOMY = _sct("123037004", "Anatomical Structure")
_PROCEDURES = {
    "CT": _sct("77477000", "Computed tomography"),
    "MR": _sct("113091000", "Magnetic resonance imaging"),
    "PT": _sct("82918005", "Positron emission tomography"),
}
_ANY_PROCEDURE = _sct("363679005", "Imaging procedure")


def concept(code: Code) -> CodedConcept:
    """A manifest's code."""
    return CodedConcept(code.value, code.scheme, code.meaning)


def category(finding: Finding) -> CodedConcept:
    """What kind of thing a segment is (CID 7150): what is found at a site is abnormal, what is its own site is anatomy."""
    return _MORPHOLOGY if finding.site is not None else _ANATOMY


def procedure(modality: str) -> CodedConcept:
    """The procedure reported, by the images' modality."""
    return _PROCEDURES.get(modality, _ANY_PROCEDURE)


def reason(code: str) -> CodedConcept:
    """Why a model did not read, as a concept: the meaning of the reason's code. Its value is the code without its stage."""
    return own("_".join(code.split("-")[2:]), catalogue()[code].meaning)


def band(said: Band) -> CodedConcept:
    """A band of calibrated probability as a concept, such as `high: 20 % to 40 %`."""
    least, most = (f"{100 * share:g} %" for share in said.probability)
    return own(said.name.upper().replace(" ", "_"), f"{said.name[:30]}: {least} to {most}")


def schemes() -> list[CodingSchemeIdentificationItem]:
    """How our own scheme is declared in each object (PS3.3 C.12.1.1)."""
    return [CodingSchemeIdentificationItem(SCHEME, name="Safelight's own concepts", responsible_organization="Safelight")]
