"""The hospital's tables are mapped to the lake's keys: every row has one end, and no identifier comes along."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts import cohort, reference
from data_contracts.contract import Contract
from tasks.deid.importing import ImportSummary, import_table, refresh_imports
from tasks.errors import ConfigurationError
from tasks.lake import Lake
from tasks.ledger import Ledger, Study
from tasks.pseudonyms import Pseudonyms
from tasks.vault import Vault
from tests.privacy.scanner import Scanner
from tests.tasks.deid.making import ct, encoded
from tests.tasks.deid.test_folder import slice_of, work

ROOT = "1.3.6.1.4.1.99999.88"
#: Patients of two hospitals; `0047110` was given twice. Number, PatientID, issuer, accession number, whether it is released.
STUDIES = (
    (1, "0047110", "BARBARA", "00815001", True),
    (2, "0047110", "BARBARA", "00815002", True),
    (3, "0047110", "LUKAS", "00815003", True),
    (4, "0047999", "LUKAS", "00815004", True),
    (5, "0047888", "LUKAS", "00815005", False),
    (6, "0047777", "LUKAS", "00815777", True),
    (7, "0047776", "BARBARA", "00815777", True),
)
IDENTIFIERS = [str(value) for row in STUDIES for value in row[1:4]] + [f"{ROOT}.{row[0]}" for row in STUDIES]


@pytest.fixture
def ledger(vault: Vault) -> Iterator[Ledger]:
    opened = Ledger(vault.ledger_url)
    yield opened
    opened.close()


def release(lake: Lake, study: Study, *, passed: int = 1) -> None:
    """Publish a study as the stage `deidentify` does, as far as an import looks at it."""
    with lake.publication("deidentify", study.study_key, f"{passed}") as publication:
        if passed:
            publication.write(f"dicom/{study.patient_key}/{study.study_key}/2.25.1/2.25.2.dcm", b"an image")
        publication.commit(passed=passed)


@pytest.fixture
def studies(vault: Vault, ledger: Ledger, lake: Lake) -> dict[int, Study]:
    """Seven studies that the ledger knows, six of them released; by their number."""
    pseudonyms = Pseudonyms(vault.site_key())
    known = {}
    for number, patient, issuer, accession, good in STUDIES:
        uid = f"{ROOT}.{number}"
        owner = pseudonyms.patient(issuer, patient)
        known[number] = Study(pseudonyms.study(uid), owner, "folder", uid, patient, issuer, accession, {}, "")
        release(lake, known[number], passed=int(good))
    ledger.register(known.values())
    return known


@pytest.fixture
def give(tmp_path: Path, vault: Vault, ledger: Ledger, lake: Lake, studies: dict[int, Study]) -> Callable[..., ImportSummary]:
    """Imports a CSV that is given as text."""

    def run(text: str, kind: str = "reference", key: str = "AccessionNumber", name: str = "labels.csv") -> ImportSummary:
        (tmp_path / name).write_text(text, "utf-8")
        return import_table(tmp_path / name, kind=kind, key=key, vault=vault, ledger=ledger, lake=lake)  # type: ignore[arg-type]

    return run


def ends(summary: ImportSummary) -> dict[str, int]:
    """The ends of the rows that are not zero; they add up to all rows, always."""
    counted = {name: n for name, n in asdict(summary).items() if name not in ("kind", "rows", "studies")}
    assert sum(counted.values()) == summary.rows
    return {name: n for name, n in counted.items() if n}


def published(lake: Lake, ledger: Ledger, contract: Contract = reference.CONTRACT) -> dict[int, dict[str, Any]]:
    """The lake's rows by the number of the study in `STUDIES`."""
    numbers = {study.study_key: int(study.study_instance_uid.rsplit(".", 1)[1]) for study in ledger.studies().values()}
    return {numbers[row["StudyInstanceUID"]]: row for row in lake.table(contract).to_pylist()}


def test_labels_by_accession_number(give: Callable[..., ImportSummary], lake: Lake, ledger: Ledger) -> None:
    summary = give("AccessionNumber,finding,label\n00815001,nodule,1\n00815004,nodule,0\n")
    assert (ends(summary), summary.studies) == ({"matched": 2}, 2)
    assert {number: row["label"] for number, row in published(lake, ledger).items()} == {1: 1, 4: 0}


def test_labels_by_study_instance_uid(give: Callable[..., ImportSummary], lake: Lake, ledger: Ledger) -> None:
    summary = give(f"StudyInstanceUID,finding,label\n{ROOT}.6,nodule,1\n{ROOT}.7,nodule,0\n", key="StudyInstanceUID")
    assert ends(summary) == {"matched": 2}
    assert {number: row["label"] for number, row in published(lake, ledger).items()} == {6: 1, 7: 0}


def test_demographics_by_patient_hold_for_all_studies_of_the_patient(
    give: Callable[..., ImportSummary], lake: Lake, ledger: Ledger, studies: dict[int, Study]
) -> None:
    ledger.register([replace(studies[3], patient_id="0047111")])
    summary = give("PatientID,sex,age_years\n0047110,female,93\n", "cohort", "PatientID")
    assert (ends(summary), summary.studies) == ({"matched": 1}, 2)
    rows = published(lake, ledger, cohort.CONTRACT)
    assert {number: (row["sex"], row["age_years"], row["age_band"]) for number, row in rows.items()} == {
        1: ("F", None, "90+"), 2: ("F", None, "90+"),
    }  # fmt: skip


def test_a_patient_id_of_two_issuers_is_used_for_neither(give: Callable[..., ImportSummary], lake: Lake, ledger: Ledger) -> None:
    summary = give("PatientID,sex\n0047110,F\n0047999,M\n", "cohort", "PatientID")
    assert ends(summary) == {"ambiguous": 1, "matched": 1}
    assert set(published(lake, ledger, cohort.CONTRACT)) == {4}


def test_an_accession_number_of_two_studies_is_used_for_neither(
    give: Callable[..., ImportSummary], lake: Lake, ledger: Ledger
) -> None:
    assert ends(give("AccessionNumber,finding,label\n00815777,nodule,1\n")) == {"ambiguous": 1}
    assert published(lake, ledger) == {}


def test_leading_zeros_count(give: Callable[..., ImportSummary]) -> None:
    assert ends(give("AccessionNumber,finding,label\n815001,nodule,1\n00815001,nodule,1\n")) == {"unmatched": 1, "matched": 1}


def test_every_row_has_one_end(give: Callable[..., ImportSummary]) -> None:
    summary = give("""AccessionNumber,finding,label
00815001,nodule,1
00815001,effusion,0
00815001,nodule,1
00815002,nodule,1
00815002,nodule,0
00815004,nodule,1
00815005,nodule,1
00815777,nodule,1
99999999,nodule,1
,nodule,1
,nodule,0
""")
    assert ends(summary) == {"matched": 3, "repeated": 1, "conflicting": 2, "waiting": 1, "ambiguous": 1, "unmatched": 3}
    assert summary.studies == 2
    assert "11 rows: 3 matched, 3 unmatched, 1 waiting, 1 ambiguous, 2 conflicting, 1 repeated · 2 studies" in summary.line()


def test_a_file_is_as_good_as_parquet(
    give: Callable[..., ImportSummary], tmp_path: Path, vault: Vault, ledger: Ledger, lake: Lake
) -> None:
    give("AccessionNumber,finding,label\n00815001,nodule,1\n")
    before = lake.read("tables/reference/reference.parquet")
    pq.write_table(pa.table({"AccessionNumber": ["00815001"], "finding": ["nodule"], "label": [1]}), tmp_path / "labels.parquet")
    arguments = {"kind": "reference", "key": "AccessionNumber", "vault": vault, "ledger": ledger, "lake": lake}
    assert ends(import_table(tmp_path / "labels.parquet", **arguments)) == {"matched": 1}  # type: ignore[arg-type]
    assert lake.read("tables/reference/reference.parquet") == before


def test_nothing_identified_reaches_the_lake(give: Callable[..., ImportSummary], lake: Lake) -> None:
    give(
        "AccessionNumber,PatientID,PatientName,PatientBirthDate,StudyDate,StudyInstanceUID,finding,label\n"
        f"00815001,0047110,Mustermann^Erika,19370412,20210317,{ROOT}.1,nodule,1\n"
    )
    give("PatientID,PatientName,age_years,race\n0047999,Mustermann^Erika,97,White\n", "cohort", "PatientID", "people.csv")
    assert len(lake.files("tables/reference")) == len(lake.files("tables/cohort")) == 1
    scanner = Scanner([*IDENTIFIERS, "Mustermann", "Erika", "19370412", "20210317", "labels.csv", "people.csv"])
    assert scanner.search(lake.root) == {}  # type: ignore[arg-type]


def test_the_copy_in_the_vault_is_private(give: Callable[..., ImportSummary], vault: Vault) -> None:
    give("AccessionNumber,finding,label\n00815001,nodule,1\n")
    [kept] = (vault.root / "imports").iterdir()
    assert kept.stat().st_mode & 0o077 == 0
    assert (vault.root / "imports").stat().st_mode & 0o077 == 0


def test_a_file_that_is_imported_again_takes_its_own_place(
    give: Callable[..., ImportSummary], lake: Lake, ledger: Ledger
) -> None:
    give("AccessionNumber,finding,label\n00815001,nodule,1\n00815002,nodule,1\n")
    give("AccessionNumber,finding,label\n00815001,nodule,0\n")
    assert {number: row["label"] for number, row in published(lake, ledger).items()} == {1: 0}


def test_a_file_that_is_imported_again_by_another_key_takes_its_own_place(
    give: Callable[..., ImportSummary], vault: Vault, lake: Lake, ledger: Ledger
) -> None:
    give(f"AccessionNumber,StudyInstanceUID,finding,label\n00815001,{ROOT}.1,nodule,1\n")
    summary = give(f"AccessionNumber,StudyInstanceUID,finding,label\n00815001,{ROOT}.1,nodule,0\n", key="StudyInstanceUID")
    assert ends(summary) == {"matched": 1}
    assert len(list((vault.root / "imports").iterdir())) == 1
    assert {number: row["label"] for number, row in published(lake, ledger).items()} == {1: 0}


def test_the_same_import_twice_changes_no_byte(give: Callable[..., ImportSummary], lake: Lake) -> None:
    text = "AccessionNumber,finding,label\n00815001,nodule,1\n"
    first = give(text)
    before = {path: lake.read(path) for path in lake.files("")}
    assert give(text) == first
    assert {path: lake.read(path) for path in lake.files("")} == before


def test_two_tables_add_up(give: Callable[..., ImportSummary], lake: Lake, ledger: Ledger) -> None:
    give("AccessionNumber,finding,label\n00815001,nodule,1\n")
    give("AccessionNumber,finding,label\n00815004,nodule,0\n00815001,nodule,1\n", name="more.csv")
    assert {number: row["label"] for number, row in published(lake, ledger).items()} == {1: 1, 4: 0}


def test_two_tables_may_each_tell_a_part(give: Callable[..., ImportSummary], lake: Lake, ledger: Ledger) -> None:
    give("AccessionNumber,sex,age_years\n00815001,F,57\n", "cohort", name="a.csv")
    summary = give("PatientID,race,sex\n0047999,Asian,M\n", "cohort", "PatientID", "b.csv")
    summary = give("AccessionNumber,race\n00815001,White\n", "cohort", name="c.csv")
    assert ends(summary) == {"matched": 1}
    row = published(lake, ledger, cohort.CONTRACT)[1]
    assert (row["sex"], row["age_years"], row["age_band"], row["race"]) == ("F", 57, "45-64", "White")


def test_two_tables_that_contradict_each_other_are_told_and_not_used(
    give: Callable[..., ImportSummary], vault: Vault, lake: Lake, ledger: Ledger
) -> None:
    give("AccessionNumber,finding,label\n00815001,nodule,1\n00815004,nodule,1\n")
    summary = give("AccessionNumber,finding,label\n00815001,nodule,0\n", name="other.csv")
    assert (ends(summary), summary.studies) == ({"conflicting": 1}, 0)
    assert set(published(lake, ledger)) == {4}
    again = refresh_imports(vault, ledger, lake)
    assert sorted(tuple(ends(each).items()) for each in again) == [
        (("conflicting", 1),), (("matched", 1), ("conflicting", 1)),
    ]  # fmt: skip


def test_what_is_waiting_is_published_once_it_is_released(
    give: Callable[..., ImportSummary], vault: Vault, lake: Lake, ledger: Ledger, studies: dict[int, Study]
) -> None:
    assert ends(give("AccessionNumber,finding,label\n00815005,nodule,1\n")) == {"waiting": 1}
    assert lake.files("tables/reference") == []
    release(lake, studies[5])
    [summary] = refresh_imports(vault, ledger, lake)
    assert ends(summary) == {"matched": 1}
    assert set(published(lake, ledger)) == {5}


def test_what_is_withdrawn_takes_its_labels_along(
    give: Callable[..., ImportSummary], vault: Vault, lake: Lake, ledger: Ledger, studies: dict[int, Study]
) -> None:
    give("AccessionNumber,finding,label\n00815001,nodule,1\n")
    release(lake, studies[1], passed=0)
    [summary] = refresh_imports(vault, ledger, lake)
    assert ends(summary) == {"waiting": 1}
    assert lake.files("tables/reference") == []


def test_rows_have_the_patient_key_of_the_images_even_where_the_pacs_does_not_tell_the_issuer(
    give: Callable[..., ImportSummary], lake: Lake, ledger: Ledger, studies: dict[int, Study]
) -> None:
    ledger.register([replace(studies[1], issuer="", patient_key="SL-AAAAAAAAAAAA")])
    give("AccessionNumber,finding,label\n00815001,nodule,1\n")
    [row] = lake.table(reference.CONTRACT).to_pylist()
    assert [path.split("/")[1] for path in lake.files("dicom") if row["StudyInstanceUID"] in path] == [row["PatientID"]]


def test_an_image_without_uids_does_not_make_its_study_ambiguous(
    tmp_path: Path, vault: Vault, lake: Lake, ledger: Ledger
) -> None:
    (tmp_path / "ward").mkdir()
    (tmp_path / "ward" / "1").write_bytes(encoded(ct(1)))
    (tmp_path / "ward" / "2").write_bytes(slice_of(2, SOPInstanceUID=""))
    work(tmp_path / "ward", vault, ledger, lake)
    (tmp_path / "labels.csv").write_text("AccessionNumber,finding,label\nACC8815522,nodule,1\n")
    summary = import_table(
        tmp_path / "labels.csv", kind="reference", key="AccessionNumber", vault=vault, ledger=ledger, lake=lake
    )
    assert ends(summary) == {"matched": 1}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("AccessionNumber,finding,label,zip\n00815001,nodule,1,80331\n", "E-IMPORT-COLUMN"),
        ("AccessionNumber,finding,label\n00815001,nodule,7\n", "E-IMPORT-VALUE"), ("PatientID,finding,label\n", "E-IMPORT-KEY"),
    ],
)  # fmt: skip
def test_a_table_that_is_refused_changes_nothing(
    text: str, code: str, give: Callable[..., ImportSummary], vault: Vault, lake: Lake
) -> None:
    give("AccessionNumber,finding,label\n00815001,nodule,1\n")
    before = {path: lake.read(path) for path in lake.files("")}, sorted((vault.root / "imports").iterdir())
    with pytest.raises(ConfigurationError) as refused:
        give(text)
    assert refused.value.code == code
    assert ({path: lake.read(path) for path in lake.files("")}, sorted((vault.root / "imports").iterdir())) == before


def test_a_table_that_is_not_there_is_one_sentence(tmp_path: Path, vault: Vault, ledger: Ledger, lake: Lake) -> None:
    with pytest.raises(ConfigurationError, match="E-IMPORT-FILE"):
        import_table(tmp_path / "no.csv", kind="cohort", key="PatientID", vault=vault, ledger=ledger, lake=lake)
