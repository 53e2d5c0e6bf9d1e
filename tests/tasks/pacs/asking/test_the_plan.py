"""The plan: over several PACSs, by a list, since the last night; what is not pulled is counted, and a doubt is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from tasks.errors import ConfigurationError, SafelightError
from tasks.pacs.asking.find import register
from tasks.pacs.asking.plan import Plan, make_plan, record, refused
from tasks.pacs.book import Book
from tasks.pacs.embedded.node import PacsNode
from tasks.pacs.settings import CohortSettings, MannersSettings
from tests.tasks.pacs.asking.nodes import Changed, Cutting, Telling
from tests.tasks.pacs.hospital import ROOT, Site, fill, free_port, instance, save, serving

NIGHT = datetime(2024, 3, 20, 20, 0, tzinfo=UTC)


def numbers(plan: Plan) -> list[int]:
    """The made-up hospital's numbers of the studies that are pulled."""
    return sorted(int(study.study_instance_uid.rsplit(".", 1)[1]) for study in plan.pulled)


def listed(tmp_path: Path, keyword: str, *rows: str, issuers: tuple[str, ...] = ()) -> CohortSettings:
    path = tmp_path / "list.csv"
    header = f"{keyword},IssuerOfPatientID" if issuers else keyword
    lines = [f"{row},{issuer}" for row, issuer in zip(rows, issuers, strict=True)] if issuers else list(rows)
    path.write_text("\n".join([header, *lines]), "utf-8")
    return CohortSettings(listed=path)


def many(hospital: Path, n: int, **same: Any) -> None:
    """Studies of one instance, on one day unless `same` says otherwise, a minute apart."""
    for number in range(1, n + 1):
        changes = {"StudyTime": f"{number // 60:02d}{number % 60:02d}07", **same}
        save(instance(number, **changes), hospital, str(number))


# ---- windows, over the network ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [PacsNode, Cutting, Telling])
def test_a_day_with_more_studies_than_the_pacs_shows_is_found_whole(site: Site, hospital: Path, kind: type[PacsNode]) -> None:
    many(hospital, 150)
    with serving(hospital, site, kind) as node:
        plan = make_plan([site.pacs(node.port)], CohortSettings(study_date_from="20240301"))
    assert numbers(plan) == list(range(1, 151))
    assert not refused(plan.studies)
    assert not plan.is_doubtful
    assert bool(plan.blind) is (kind is not PacsNode)


@pytest.mark.parametrize("time", ["", "120000"])
def test_what_cannot_be_split_is_a_doubt_and_the_others_are_planned(site: Site, hospital: Path, time: str) -> None:
    many(hospital, 90, StudyTime=time)
    with serving(hospital, site, Cutting) as node:
        plan = make_plan([site.pacs(node.port)], CohortSettings())
    assert len(plan.pulled) == 60
    assert refused(plan.studies)["E-PULL-FIND-CUT"] > 0
    assert plan.is_doubtful


def test_a_study_with_more_series_than_the_pacs_shows_is_a_doubt(site: Site, hospital: Path) -> None:
    class CuttingSeries(Cutting):
        levels, limit = ("SERIES",), 5

    fill(hospital, study=1, series=8, per_series=1)
    fill(hospital, study=2, series=2, per_series=1)
    with serving(hospital, site, CuttingSeries) as node:
        plan = make_plan([site.pacs(node.port)], CohortSettings())
    assert numbers(plan) == [2]
    assert refused(plan.studies) == {"E-PULL-FIND-CUT": 1}


def test_without_a_count_of_the_study_a_long_answer_of_series_is_a_doubt(site: Site, hospital: Path) -> None:
    class Countless(Changed):
        def change(self, match: Dataset) -> Dataset | None:
            match.pop("NumberOfStudyRelatedInstances", None)
            return match

    fill(hospital, study=1, series=5, per_series=1)
    with serving(hospital, site, Countless) as node:
        assert make_plan([site.pacs(node.port, find_limit=5)], CohortSettings()).is_doubtful
        assert not make_plan([site.pacs(node.port, find_limit=6)], CohortSettings()).is_doubtful
        assert not make_plan([site.pacs(node.port, find_limit=0)], CohortSettings()).is_doubtful


def test_a_series_that_states_too_few_is_counted_where_the_study_states_more(site: Site, hospital: Path) -> None:
    class Low(Changed):
        def change(self, match: Dataset) -> Dataset | None:
            if "NumberOfSeriesRelatedInstances" in match:
                match.NumberOfSeriesRelatedInstances = 1
            return match

    fill(hospital)
    with serving(hospital, site, Low) as node:
        (study,) = make_plan([site.pacs(node.port)], CohortSettings()).pulled
    assert sorted(study.series.values()) == [3, 3]


def test_a_pacs_that_fails_at_one_study_leaves_the_others(site: Site, hospital: Path) -> None:
    class Failing(PacsNode):
        def on_find(self, event: Any) -> Any:
            if event.identifier.QueryRetrieveLevel == "SERIES" and event.identifier.StudyInstanceUID == f"{ROOT}.1":
                yield 0xC001, None
                return
            yield from super().on_find(event)

    many(hospital, 3)
    with serving(hospital, site, Failing) as node:
        plan = make_plan([site.pacs(node.port)], CohortSettings())
    assert numbers(plan) == [2, 3]
    assert refused(plan.studies) == {"E-PULL-FIND-FAILED": 1}


# ---- what a cohort asks for ---------------------------------------------------------------------------------------------


def test_descriptions_and_body_parts_narrow_the_cohort(site: Site, hospital: Path) -> None:
    rows = [("CT Thorax", "CHEST"), ("ct THORAX nativ", "HEAD"), ("CT Abdomen", "CHEST"), ("CT Thorax", "")]
    for number, (description, part) in enumerate(rows, start=1):
        save(instance(number, StudyDescription=description, BodyPartExamined=part), hospital, str(number))
    with serving(hospital, site) as node:
        pacs = [site.pacs(node.port)]
        assert numbers(make_plan(pacs, CohortSettings(study_descriptions=("*thorax*",)))) == [1, 2, 4]
        plan = make_plan(pacs, CohortSettings(study_descriptions=("*thorax*",), body_parts=("chest", "LUNG")))
    assert numbers(plan) == [1]
    assert plan.left == {("HOSPITAL", "body part"): 1, ("HOSPITAL", "study description"): 1}
    assert refused(plan.studies) == {"E-PULL-COHORT-UNKNOWN": 1}


def test_a_pacs_that_does_not_say_what_is_in_a_study_is_asked_for_its_series(site: Site, hospital: Path) -> None:
    class Short(Changed):
        def change(self, match: Dataset) -> Dataset | None:
            for keyword in ("ModalitiesInStudy", "StudyDescription"):
                match.pop(keyword, None)
            return match

    save(instance(1), hospital, "a")
    save(instance(2, Modality="MR"), hospital, "b")
    with serving(hospital, site, Short) as node:
        assert numbers(make_plan([site.pacs(node.port)], CohortSettings(modalities=("CT",)))) == [1]
        plan = make_plan([site.pacs(node.port)], CohortSettings(study_descriptions=("*",)))
    assert refused(plan.studies) == {"E-PULL-COHORT-UNKNOWN": 2}


# ---- selections ---------------------------------------------------------------------------------------------------------

RULE = """
name: lung
meaning: For a test.
rules:
  - {name: thick, action: leave, slice_thickness_mm: {minimum: 3}, unknown: take}
  - {name: lung, descriptions: ["*lung*"]}
"""


def test_only_chosen_series_are_planned_and_a_study_without_one_is_counted(site: Site, hospital: Path, tmp_path: Path) -> None:
    (tmp_path / "lung.yaml").write_text(RULE)
    save(instance(1, 1, SeriesDescription="Lung"), hospital, "a")
    save(instance(1, 2, SeriesDescription="Soft"), hospital, "b")
    save(instance(2, 1, SeriesDescription="Soft"), hospital, "c")
    with serving(hospital, site) as node:
        plan = make_plan([site.pacs(node.port)], CohortSettings(selection=str(tmp_path / "lung.yaml")))
    register(site.ledger, site.vault, plan.studies)
    assert site.ledger.study(site.key()).expected == {f"{ROOT}.1.1": 1}
    assert site.ledger.study(site.key()).selected
    assert list(site.ledger.studies()) == [site.key()]
    assert refused(plan.studies) == {"E-PULL-NOTHING-CHOSEN": 1}
    assert [(each.chosen, each.reason) for study in plan.studies for each in study.listed] == [
        (True, "lung"), (False, "no_rule"), (False, "no_rule"),
    ]  # fmt: skip
    assert not plan.is_doubtful


def test_what_the_series_level_does_not_hold_is_asked_at_image_level(site: Site, hospital: Path, tmp_path: Path) -> None:
    class Deep(Changed):
        def change(self, match: Dataset) -> Dataset | None:
            if match.QueryRetrieveLevel == "IMAGE":
                match.SliceThickness = "5" if match.SeriesInstanceUID == f"{ROOT}.1.2" else "1"
            return match

    (tmp_path / "lung.yaml").write_text(RULE)
    fill(hospital, SeriesDescription="Lung")
    cohort = CohortSettings(selection=str(tmp_path / "lung.yaml"))
    with serving(hospital, site, Deep) as node:
        (study,) = make_plan([site.pacs(node.port)], cohort).pulled
    assert study.series == {f"{ROOT}.1.1": 3}
    with serving(hospital, site) as node:
        (study,) = make_plan([site.pacs(node.port)], cohort).pulled
    assert study.series == {f"{ROOT}.1.1": 3, f"{ROOT}.1.2": 3}


# ---- lists --------------------------------------------------------------------------------------------------------------


def test_a_list_of_accession_numbers_finds_exactly_these(site: Site, hospital: Path, tmp_path: Path) -> None:
    for number, accession in enumerate(["007", "7", "A*", "AB", "A?", "0 1", "01"], start=1):
        save(instance(number, AccessionNumber=accession), hospital, str(number))
    cohort = listed(tmp_path, "AccessionNumber", "007", "A*", "A?", "0 1", "nowhere")
    with serving(hospital, site) as node:
        plan = make_plan([site.pacs(node.port)], cohort)
    assert numbers(plan) == [1, 3, 5, 6]
    assert refused(plan.studies) == {"E-PULL-LIST-NOT-FOUND": 1}
    assert [(row.value, code) for row, code in plan.unmatched] == [("nowhere", "E-PULL-LIST-NOT-FOUND")]
    assert plan.is_doubtful


@pytest.mark.parametrize("find_limit", [0, 2, 50])
def test_a_list_of_study_uids_finds_them_in_few_queries(site: Site, hospital: Path, tmp_path: Path, find_limit: int) -> None:
    many(hospital, 30)
    cohort = listed(tmp_path, "StudyInstanceUID", *(f"{ROOT}.{number}" for number in range(11, 41)))
    with serving(hospital, site) as node:
        plan = make_plan([site.pacs(node.port, find_limit=find_limit)], cohort)
    assert numbers(plan) == list(range(11, 31))
    assert refused(plan.studies) == {"E-PULL-LIST-NOT-FOUND": 10}


def test_a_pacs_that_takes_one_uid_at_a_time_is_asked_so(site: Site, hospital: Path, tmp_path: Path) -> None:
    class Single(PacsNode):
        def on_find(self, event: Any) -> Any:
            if event.identifier["StudyInstanceUID"].VM > 1:
                yield 0xA900, None
                return
            yield from super().on_find(event)

    many(hospital, 5)
    cohort = listed(tmp_path, "StudyInstanceUID", *(f"{ROOT}.{number}" for number in range(1, 6)))
    with serving(hospital, site, Single) as node:
        assert numbers(make_plan([site.pacs(node.port)], cohort)) == [1, 2, 3, 4, 5]


def test_the_issuer_decides_between_patients_of_one_number(site: Site, hospital: Path, tmp_path: Path) -> None:
    for number, (patient, issuer) in enumerate([("7", "A"), ("7", "B"), ("8", ""), ("9", "A"), ("07", "A")], start=1):
        save(instance(number, PatientID=patient, IssuerOfPatientID=issuer), hospital, str(number))
    cohort = listed(tmp_path, "PatientID", "7", "8", "9", issuers=("A", "A", ""))
    with serving(hospital, site) as node:
        plan = make_plan([site.pacs(node.port)], cohort)
        unclear = make_plan([site.pacs(node.port)], listed(tmp_path, "PatientID", "7"))
    assert numbers(plan) == [1, 4]
    assert refused(plan.studies) == {"E-PULL-LIST-ISSUER": 1}
    assert plan.left == {("HOSPITAL", "issuer of the PatientID"): 1}
    assert numbers(unclear) == []
    assert refused(unclear.studies) == {"E-PULL-LIST-AMBIGUOUS": 2}


def test_an_accession_number_of_two_patients_is_refused(site: Site, hospital: Path, tmp_path: Path) -> None:
    save(instance(1, PatientID="7", AccessionNumber="X"), hospital, "a")
    save(instance(2, PatientID="8", AccessionNumber="X"), hospital, "b")
    with serving(hospital, site) as node:
        plan = make_plan([site.pacs(node.port)], listed(tmp_path, "AccessionNumber", "X"))
    assert refused(plan.studies) == {"E-PULL-LIST-AMBIGUOUS": 2}


def test_a_patient_whose_number_is_not_ascii_is_found(site: Site, hospital: Path, tmp_path: Path) -> None:
    class Bytes(PacsNode):
        """Compares bytes of another character set."""

        def on_find(self, event: Any) -> Any:
            if str(event.identifier.get("PatientID") or "").isascii():
                yield from super().on_find(event)

    save(instance(1, PatientID="PAT-Größe"), hospital, "a")
    save(instance(2, PatientID="PAT-Grüße"), hospital, "b")
    for kind in (PacsNode, Bytes):
        with serving(hospital, site, kind) as node:
            assert numbers(make_plan([site.pacs(node.port)], listed(tmp_path, "PatientID", "PAT-Größe"))) == [1]


# ---- several PACSs ------------------------------------------------------------------------------------------------------


def test_a_study_that_two_have_belongs_to_the_first(site: Site, hospital: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    many(hospital, 2)
    for number in (2, 3):
        save(instance(number), other, str(number))
    with serving(hospital, site) as one, serving(other, site) as two:
        pacs = [site.pacs(one.port, name="ONE"), site.pacs(two.port, name="TWO")]
        plan = make_plan(pacs, CohortSettings())
        back = make_plan(pacs[::-1], CohortSettings())
    assert [(study.source, study.study_instance_uid[-1]) for study in plan.pulled] == [("ONE", "1"), ("ONE", "2"), ("TWO", "3")]
    assert [study.source for study in back.pulled] == ["ONE", "TWO", "TWO"]


def test_a_pacs_that_fails_does_not_lose_the_others_plan(site: Site, hospital: Path) -> None:
    many(hospital, 2)
    with serving(hospital, site) as node:
        pacs = [site.pacs(free_port(), name="AWAY"), site.pacs(node.port, name="HERE")]
        plan = make_plan(pacs, CohortSettings())
        assert numbers(plan) == [1, 2]
        assert plan.failed == {"AWAY": "E-PULL-UNREACHABLE"}
        assert plan.is_doubtful
        record(plan, Book(site.ledger))
        assert Book(site.ledger).refusals() == {"E-PULL-UNREACHABLE": 1}
        with pytest.raises(ConfigurationError, match="E-PULL-UNREACHABLE"):
            make_plan(pacs[:1], CohortSettings())


def test_a_request_without_an_answer_is_sent_again(site: Site, hospital: Path) -> None:
    class Nervous(PacsNode):
        calls = 0

        def on_find(self, event: Any) -> Any:
            self.calls += 1
            if self.calls == 3:
                event.assoc.abort()
                return
            yield from super().on_find(event)

    many(hospital, 3)
    with serving(hospital, site, Nervous) as node:
        pacs = site.pacs(node.port, manners=MannersSettings(backoff_s=0.01, retries=1))
        assert numbers(make_plan([pacs], CohortSettings())) == [1, 2, 3]
    with serving(hospital, site, Nervous) as node:
        pacs = site.pacs(node.port, manners=MannersSettings(backoff_s=0.01, retries=0))
        with pytest.raises(SafelightError, match="E-PULL-NO-ANSWER"):
            make_plan([pacs], CohortSettings())


# ---- what is new since last night ---------------------------------------------------------------------------------------


def test_the_second_night_asks_from_the_last_plan_on_with_days_for_the_late(site: Site, hospital: Path) -> None:
    days = ["20240301", "20240312", "20240313", "20240320", "20240321"]
    for number, day in enumerate(days, start=1):
        save(instance(number, StudyDate=day), hospital, str(number))
    cohort = CohortSettings(new_since_last_night=True, overlap_days=7, study_date_from="20240101")
    book = Book(site.ledger)
    with serving(hospital, site) as node:
        pacs = [site.pacs(node.port)]
        first = make_plan(pacs, cohort, book=book, now=NIGHT)
        assert numbers(first) == [1, 2, 3, 4, 5]
        again = make_plan(pacs, cohort, book=book, now=NIGHT)
        assert numbers(again) == [1, 2, 3, 4, 5]  # the first was shown only, and not entered
        record(first, book)
        second = make_plan(pacs, cohort, book=book, now=NIGHT + timedelta(days=1))
        assert numbers(second) == [3, 4, 5]
        other = make_plan(pacs, cohort.model_copy(update={"modalities": ("CT",)}), book=book, now=NIGHT)
        assert numbers(other) == [1, 2, 3, 4, 5]  # another cohort has a first night of its own


def test_a_plan_that_may_lack_something_is_asked_for_again(site: Site, hospital: Path) -> None:
    many(hospital, 90, StudyTime="120000")
    cohort = CohortSettings(new_since_last_night=True, overlap_days=0)
    book = Book(site.ledger)
    with serving(hospital, site, Cutting) as node:
        plan = make_plan([site.pacs(node.port)], cohort, book=book, now=NIGHT)
        record(plan, book)
        assert book.refusals()["E-PULL-FIND-CUT"] > 0
        assert len(make_plan([site.pacs(node.port)], cohort, book=book, now=NIGHT + timedelta(9)).pulled) == 60
    assert not book.last_planned("HOSPITAL", plan.cohort)
