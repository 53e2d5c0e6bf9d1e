"""Results into Orthanc: they arrive, what they name is there, Orthanc commits to them, and a second night sends nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from tasks.pacs.association import Requestor
from tasks.pacs.settings import PacsSettings
from tasks.results.checks import problems
from tests.peers import orthanc
from tests.peers.archives import load
from tests.ports import free_port
from tests.tasks.results import made
from tests.tasks.results.conftest import origin, ward, wards  # noqa: F401 - fixtures
from tests.tasks.results.made import Ward
from tests.tasks.results.makes import answered
from tests.tasks.results.test_return import returned, settings_for

pytestmark = pytest.mark.peer("Orthanc", "storescu")


def listed(pacs: PacsSettings, study: str) -> dict[str, tuple[str, str]]:
    """What a PACS has of a study by C-FIND: instance → series and modality."""
    found = {}
    with Requestor(pacs) as requestor:
        for series in requestor.find(_identifier("SERIES", StudyInstanceUID=study, SeriesInstanceUID="", Modality="")):
            asked = _identifier("IMAGE", StudyInstanceUID=study, SeriesInstanceUID=series.SeriesInstanceUID, SOPInstanceUID="")
            for image in requestor.find(asked):
                found[str(image.SOPInstanceUID)] = (str(series.SeriesInstanceUID), str(series.Modality))
    return found


def _identifier(level: str, **keys: str) -> Dataset:
    asked = Dataset()
    asked.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(asked, keyword, value)
    return asked


def named(document: Dataset) -> set[str]:
    """Every instance that a report names as its evidence."""
    return {
        str(each.ReferencedSOPInstanceUID)
        for study in document.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for each in series.ReferencedSOPSequence
    }


def test_results_arrive_and_are_committed_to(ward: Ward, tmp_path: Path) -> None:  # noqa: F811
    pacs, port = orthanc.settings(), free_port()
    for kind in ("detection", "segmentation"):
        answered(ward, kind)
    known = {"safelight": {"AET": "SAFELIGHT", "Host": "127.0.0.1", "Port": port, "AllowStorageCommitment": True}}
    folder = tmp_path / "orthanc"
    folder.mkdir()
    with orthanc.serving(folder, pacs, DicomModalities=known, StorageCompression=False):
        load(ward.originals(), pacs)
        commitment = {"ask": "required", "listen": {"port": port}, "wait_s": 30}
        settings = settings_for(pacs, commitment=commitment)
        first = returned(ward, settings)
        assert first.units == Counter({("committed", "", "object"): 4}), first
        there = listed(pacs, made.STUDY)
        assert Counter(modality for _, modality in there.values()) == {"CT": made.SLICES, "SR": 2, "PR": 1, "SEG": 1}
        again = returned(ward, settings)
        assert not again.units
        assert not again.studies["done"]
        assert listed(pacs, made.STUDY) == there
    files = [dcmread(path) for path in sorted((folder / "storage").glob("*/*/*")) if path.read_bytes()[128:132] == b"DICM"]
    by_uid = {str(each.SOPInstanceUID): each for each in files}
    assert set(by_uid) == set(there)
    images = [each for each in files if each.Modality == "CT"]
    for each in files:
        if each.Modality != "CT":
            assert problems(each, sorted(images, key=lambda one: one.InstanceNumber), [o for o in files if o is not each]) == []
            assert (each.PatientName, each.PatientID, each.AccessionNumber) == ("Rönnblom^Ottilie", "MRN-774411", "ACC-90210")
        if each.Modality == "SR":
            assert named(each) <= set(there)


def test_a_new_version_replaces_what_was_sent(ward: Ward, tmp_path: Path) -> None:  # noqa: F811
    pacs = orthanc.settings()
    answered(ward, "classification")
    with orthanc.serving(tmp_path, pacs):
        load(ward.originals(), pacs)
        returned(ward, settings_for(pacs))
        before = {uid for uid, (_, modality) in listed(pacs, made.STUDY).items() if modality == "SR"}
        answered(ward, "classification", version="1.1.0")
        again = returned(ward, settings_for(pacs))
        assert again.units == Counter({("stored", "", "object"): 1})
        after = {uid for uid, (_, modality) in listed(pacs, made.STUDY).items() if modality == "SR"}
        assert len(after) == 2
        assert before < after
    documents = [dcmread(path) for path in (tmp_path / "storage").glob("*/*/*") if path.read_bytes()[128:132] == b"DICM"]
    (newest,) = [each for each in documents if each.SOPInstanceUID in after - before]
    (study,) = newest.PredecessorDocumentsSequence
    assert {
        str(each.ReferencedSOPInstanceUID) for series in study.ReferencedSeriesSequence for each in series.ReferencedSOPSequence
    } == before


def test_what_the_pacs_did_not_keep_is_not_committed(ward: Ward, tmp_path: Path, wards: Callable[[str], Ward]) -> None:  # noqa: F811
    """Orthanc says of an object that it does not have that it does not keep it (failure reason 0x0112)."""
    from tasks.results.commitment import commitments
    from tasks.results.policy import CommitmentSettings

    pacs, port = orthanc.settings(), free_port()
    known = {"safelight": {"AET": "SAFELIGHT", "Host": "127.0.0.1", "Port": port, "AllowStorageCommitment": True}}
    settings = settings_for(pacs, commitment={"listen": {"port": port}, "wait_s": 30})
    with orthanc.serving(tmp_path, pacs, DicomModalities=known):
        load(ward.originals()[:1], pacs)
        there = dcmread(ward.originals()[0], stop_before_pixels=True)
        asked = [(str(there.SOPClassUID), str(there.SOPInstanceUID)), (str(there.SOPClassUID), "2.25.1")]
        assert isinstance(settings.commitment, CommitmentSettings)
        with commitments(settings.node, settings.commitment) as each:
            assert each.ask(asked, "2.25.77") == {str(there.SOPInstanceUID): None, "2.25.1": 0x0112}
