"""C-FIND of a cohort: what is in it, what is counted, and what cannot be pulled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.errors import ConfigurationError
from tasks.ledger import Study
from tasks.pacs.asking.find import date_range, refused, register
from tasks.pacs.embedded.node import PacsNode
from tasks.pacs.settings import CohortSettings
from tasks.stage import digest
from tests.tasks.pacs.hospital import MRN, ROOT, Site, fill, instance, save, serving


def uids(found: list[Any]) -> list[str]:
    """The studies' numbers in the made-up hospital."""
    return [study.study_instance_uid.removeprefix(f"{ROOT}.") for study in found]


def test_the_plan_holds_series_and_instance_counts(site: Site, hospital: Path) -> None:
    fill(hospital, study=1, series=2, per_series=3)
    with serving(hospital, site) as node:
        (study,) = site.find(node.port)
    assert study.series == {f"{ROOT}.1.1": 3, f"{ROOT}.1.2": 3}
    assert (study.instances, study.source, study.patient_id, study.accession_number) == (6, "HOSPITAL", MRN, "ACC1")


def test_instances_are_counted_one_by_one_where_the_pacs_gives_no_number(site: Site, hospital: Path) -> None:
    class Silent(PacsNode):
        def on_find(self, event: Any) -> Iterator[Any]:
            for status, match in super().on_find(event):
                if match is not None and "NumberOfSeriesRelatedInstances" in match:
                    del match.NumberOfSeriesRelatedInstances
                yield status, match

    fill(hospital)
    with serving(hospital, site, Silent) as node:
        (study,) = site.find(node.port)
    assert study.series == {f"{ROOT}.1.1": 3, f"{ROOT}.1.2": 3}


def test_a_study_is_of_a_modality_if_one_of_its_series_is(site: Site, hospital: Path) -> None:
    save(instance(1, 1), hospital, "a")
    save(instance(1, 2, Modality="SR"), hospital, "b")
    save(instance(2, 1, Modality="MR"), hospital, "c")
    save(instance(3, 1, Modality="US"), hospital, "d")
    with serving(hospital, site) as node:
        assert uids(site.find(node.port, CohortSettings(modalities=("CT",)))) == ["1"]
        assert uids(site.find(node.port, CohortSettings(modalities=("CT", "SR", "MR")))) == ["1", "2"]
        assert uids(site.find(node.port)) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("20240101", "20241231", ["1", "2"]),
        ("20240315", "20240315", ["1"]),
        ("20240316", None, ["2", "3"]),
        (None, "20240315", ["1"]),
        (None, None, ["1", "2", "3"]),
        ("20260101", None, []),
    ],
)
def test_dates_are_inclusive_at_both_ends(
    site: Site, hospital: Path, first: str | None, last: str | None, expected: list[str]
) -> None:
    for study, day in ((1, "20240315"), (2, "20241231"), (3, "20250101")):
        save(instance(study, StudyDate=day), hospital, str(study))
    with serving(hospital, site) as node:
        assert uids(site.find(node.port, CohortSettings(study_date_from=first, study_date_to=last))) == expected


@pytest.mark.parametrize(
    ("first", "last", "key"),
    [("20240101", "20241231", "20240101-20241231"), ("20240101", None, "20240101-"), (None, "20240101", "-20240101"),
     ("20240229", "20240229", "20240229"), (None, None, "")],
)  # fmt: skip
def test_the_date_key_is_as_the_standard_has_it(first: str | None, last: str | None, key: str) -> None:
    assert date_range(CohortSettings(study_date_from=first, study_date_to=last)) == key


@pytest.mark.parametrize(("first", "last"), [("20240230", None), (None, "20241301"), ("20240202", "20240201")])
def test_dates_that_cannot_be_are_told_before_the_pacs_is_asked(first: str | None, last: str | None) -> None:
    with pytest.raises(ConfigurationError, match="E-PULL-DATES"):
        date_range(CohortSettings(study_date_from=first, study_date_to=last))


def test_a_pacs_that_overlooks_the_keys_does_not_widen_the_cohort(site: Site, hospital: Path) -> None:
    class Careless(PacsNode):
        def on_find(self, event: Any) -> Iterator[Any]:
            query = event.identifier
            if query.QueryRetrieveLevel == "STUDY":
                query.ModalitiesInStudy = query.StudyDate = None
            yield from super().on_find(SimpleNamespace(identifier=query, is_cancelled=False))

    save(instance(1), hospital, "a")
    save(instance(2, StudyDate="20230101"), hospital, "b")
    save(instance(3, Modality="MR"), hospital, "c")
    cohort = CohortSettings(modalities=("CT",), study_date_from="20240101")
    with serving(hospital, site, Careless) as node:
        assert uids(site.find(node.port, cohort)) == ["1"]


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.parametrize("uid", ["", "../../x"])
def test_a_study_without_a_valid_uid_is_counted_and_not_registered(site: Site, hospital: Path, uid: str) -> None:
    class Nameless(PacsNode):
        def on_find(self, event: Any) -> Iterator[Any]:
            for status, match in super().on_find(event):
                if match is not None and match.QueryRetrieveLevel == "STUDY" and match.StudyInstanceUID == f"{ROOT}.1":
                    match.StudyInstanceUID = uid
                yield status, match

    fill(hospital, study=1)
    fill(hospital, study=2)
    with serving(hospital, site, Nameless) as node:
        found = site.find(node.port)
    assert refused(found) == {"E-PULL-STUDY-UID": 1}
    assert list(site.ledger.studies()) == [site.key(2)]


def test_a_study_without_a_date_is_counted_where_dates_decide(site: Site, hospital: Path) -> None:
    class Dateless(PacsNode):
        def on_find(self, event: Any) -> Iterator[Any]:
            for status, match in super().on_find(event):
                if match is not None and match.QueryRetrieveLevel == "STUDY":
                    match.StudyDate = None
                yield status, match

    fill(hospital)
    with serving(hospital, site, Dateless) as node:
        assert refused(site.find(node.port, CohortSettings(study_date_from="20240101"))) == {"E-PULL-STUDY-DATE": 1}
        assert not refused(site.find(node.port))


def test_names_are_decoded_by_the_answers_own_character_set(site: Site, hospital: Path) -> None:
    class Western(PacsNode):
        def on_find(self, event: Any) -> Iterator[Any]:
            for status, match in super().on_find(event):
                if match is not None:
                    match.SpecificCharacterSet = "ISO_IR 100"
                yield status, match

    save(instance(PatientID="Größe-1"), hospital, "a")
    for kind in (PacsNode, Western):
        with serving(hospital, site, kind) as node:
            assert [study.patient_id for study in site.find(node.port)] == ["Größe-1"]


def test_registered_studies_carry_keys_counts_and_a_digest_that_changes_with_them(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site) as node:
        site.find(node.port)
        before = site.ledger.study(site.key())
    save(instance(1, 3), hospital, "more.dcm")
    with serving(hospital, site) as node:
        site.find(node.port)
    after = site.ledger.study(site.key())
    assert before.patient_key == site.keys.patient("", MRN)
    assert before.expected == {f"{ROOT}.1.1": 3, f"{ROOT}.1.2": 3}
    assert before.found_digest != after.found_digest


def test_what_the_pacs_leaves_out_does_not_erase_what_is_known(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site) as node:
        (found,) = site.find(node.port)
    known = site.ledger.study(site.key())
    site.ledger.register([Study(**{**{name: getattr(known, name) for name in Study.__slots__}, "issuer": "HOSP"})])
    assert register(site.ledger, site.vault, [found]) == 0
    assert site.ledger.study(site.key()).issuer == "HOSP"
    assert site.ledger.study(site.key()).patient_key == site.keys.patient("HOSP", MRN)


@pytest.mark.parametrize(
    "corrected", [{"PatientID": "MRN-OTHER"}, {"IssuerOfPatientID": "HOSP"}, {"AccessionNumber": "ACC-OTHER"}]
)
def test_a_study_whose_identity_was_corrected_is_due_again(site: Site, hospital: Path, corrected: dict[str, str]) -> None:
    save(instance(1, IssuerOfPatientID="OLD"), hospital, "a")
    with serving(hospital, site) as node:
        site.find(node.port)
        before = site.ledger.study(site.key())
        site.find(node.port)
        assert site.ledger.study(site.key()) == before
    save(instance(1, **{"IssuerOfPatientID": "OLD", **corrected}), hospital, "a")
    with serving(hospital, site) as node:
        site.find(node.port)
    after = site.ledger.study(site.key())
    assert after.found_digest != before.found_digest
    assert (after.patient_key != before.patient_key) is ("AccessionNumber" not in corrected)


def test_what_the_pacs_leaves_out_makes_nothing_due(site: Site, hospital: Path) -> None:
    save(instance(1, IssuerOfPatientID="HOSP"), hospital, "a")
    with serving(hospital, site) as node:
        (found,) = site.find(node.port)
    before = site.ledger.study(site.key())
    register(site.ledger, site.vault, [replace(found, issuer="", accession_number="", patient_id="")])
    assert site.ledger.study(site.key()) == before


def test_a_ledger_of_version_0_1_makes_nothing_due(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site) as node:
        (found,) = site.find(node.port)
    known = site.ledger.study(site.key())
    old = replace(known, found_digest=digest(sorted(known.expected.items())))
    site.ledger.register([old])
    register(site.ledger, site.vault, [found])
    assert site.ledger.study(site.key()) == old
    register(site.ledger, site.vault, [replace(found, patient_id="MRN-OTHER")])
    assert site.ledger.study(site.key()).found_digest != old.found_digest


def test_a_selection_that_comes_later_makes_the_study_due_though_it_names_the_same_series(site: Site, hospital: Path) -> None:
    fill(hospital)
    with serving(hospital, site) as node:
        (found,) = site.find(node.port)
    before = site.ledger.study(site.key()).found_digest
    register(site.ledger, site.vault, [replace(found, selected=True)])
    assert site.ledger.study(site.key()).found_digest != before
    register(site.ledger, site.vault, [found])
    assert site.ledger.study(site.key()).found_digest == before
