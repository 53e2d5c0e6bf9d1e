"""Each mandatory item in turn is taken out of each object, and the checks see it; what they let pass is named here, and optional."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tasks.results.checks import problems
from tests.tasks.results.made import Ward
from tests.tasks.results.makes import answered, objects, reread, result

#: Type 3 of the modules, or rows that the templates leave free (PS3.3, PS3.16), by the end of the path.
OPTIONAL = (
    "CodingSchemeResponsibleOrganization", "TimezoneOffsetFromUTC", "StudyDescription", "FloatingPointValue", "GraphicLayerDescription",
    "PixelOriginInterpretation", "SpacingBetweenSlices", "DimensionDescriptionLabel", "DimensionOrganizationType",
    "SourceImageSequence", "SpatialLocationsPreserved", "AlgorithmSource", "PresentationLUTShape",
)  # fmt: skip
#: Whole branches that are free.
FREE = ("ContributingEquipmentSequence", "AnatomicRegionSequence")


def elements(item: Dataset, path: str = "") -> Iterator[tuple[Dataset, int, str]]:
    """Every element of an object, at any depth: its data set, its tag, its path."""
    for element in list(item):
        name = f"{path}{keyword_for_tag(element.tag)}"
        yield item, element.tag, name
        if isinstance(element.value, Sequence):
            images = [item for item in element.value if item.get("ValueType", "IMAGE") == "IMAGE"][2:]
            for n, inner in enumerate(element.value):
                if not any(inner is each for each in images):  # images repeat, and are alike
                    yield from elements(inner, f"{name}[{n}].")


@pytest.mark.parametrize(("kind", "name"), [
    ("classification", "report"), ("detection", "report"), ("segmentation", "report"), ("segmentation", "segmentation"),
    ("detection", "presentation"),
])  # fmt: skip
def test_whatever_is_taken_out_is_missed(ward: Ward, kind: str, name: str) -> None:
    found = objects(ward, result(ward, answered(ward, kind)))
    one = reread(found.objects[name])
    beside = [other for key, other in found.objects.items() if key != name]
    assert problems(one, found.images, beside) == []
    passed, tried = [], 0
    for item, tag, path in elements(one):
        kept = item[tag]
        del item[tag]
        tried += 1
        if not problems(one, found.images, beside):
            passed.append(path)
        item[tag] = kept
    assert problems(one, found.images, beside) == []
    free = [path for path in passed if any(each in path for each in FREE) or path.rsplit(".", 1)[-1].endswith(OPTIONAL)]
    rows = [path for path in passed if path not in free]
    # The concept of the image that a region is selected from may be left out (TID 1410, row of the SCOORD).
    assert [path for path in rows if not path.endswith(".ConceptNameCodeSequence")] == []
    assert len(rows) <= 1
    assert tried > 100


@pytest.mark.parametrize(("kind", "name"), [("detection", "report"), ("segmentation", "report"), ("classification", "report")])
def test_each_row_of_the_templates_that_is_taken_out_is_missed(ward: Ward, kind: str, name: str) -> None:
    """Whole content items: those of TID 1500, 1204, 1001, 1501, 1410, 1411, 300, 1419 and 4019 that we promise."""
    found = objects(ward, result(ward, answered(ward, kind)))
    one = reread(found.objects[name])
    beside = [other for key, other in found.objects.items() if key != name]
    passed = []
    for parent, row in list(_rows(one)):
        items = list(parent.ContentSequence)
        parent.ContentSequence = [item for item in items if item is not row]
        if not problems(one, found.images, beside):
            concept = row.ConceptNameCodeSequence[0].CodeValue if "ConceptNameCodeSequence" in row else row.ValueType
            passed.append(concept)
        parent.ContentSequence = items
    # The device's serial number; one of many source images; the operating point; the site; one group of several; what is evaluated; one NUM of 1501.
    assert set(passed) <= {"121016", "121112", "260753009", "111002", "363698007", "125007", "OUTCOME", "BAND", "121233"}


def _rows(parent: Dataset) -> Iterator[tuple[Dataset, Dataset]]:
    for row in parent.get("ContentSequence") or ():
        yield parent, row
        yield from _rows(row)


def test_references_that_lead_nowhere_are_seen(ward: Ward) -> None:
    found = objects(ward, result(ward, answered(ward, "segmentation")))
    seg, report = found.objects["segmentation"], found.objects["report"]
    assert problems(report, found.images, [seg]) == []
    assert "evidence: an object that is not in the study" in problems(report, found.images, [])
    assert problems(report, found.images[1:], [seg]) != []
    assert problems(seg, found.images[:5]) != []
    frame = seg.PerFrameFunctionalGroupsSequence[0]
    source = frame.DerivationImageSequence[0].SourceImageSequence[0]
    kept = source.ReferencedSOPInstanceUID
    source.ReferencedSOPInstanceUID = found.images[-1].SOPInstanceUID
    assert "frame 0: is not where its source image is" in problems(seg, found.images)
    source.ReferencedSOPInstanceUID = kept
    report.VerificationFlag = "VERIFIED"
    assert problems(report, found.images, [seg]) == ["root: verified or final, which only a person may say"]
    report.VerificationFlag = "UNVERIFIED"
    report.PatientID = "another"
    assert problems(report, found.images, [seg]) == ["PatientID: not that of the images"]


def test_a_graphic_beside_its_image_is_seen(ward: Ward) -> None:
    found = objects(ward, result(ward, answered(ward, "detection")))
    state = found.objects["presentation"]
    graphic = state.GraphicAnnotationSequence[0].GraphicObjectSequence[0]
    graphic.GraphicData = [value + 20 for value in graphic.GraphicData]
    assert "annotation 0: drawn beside the image" in problems(state, found.images)
