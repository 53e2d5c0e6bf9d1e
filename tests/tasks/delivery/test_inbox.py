"""What the hospital drops into the inbox is taken in once, or set aside; nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.delivery import inbox
from tasks.delivery.inbox import Intake, take_in
from tasks.delivery.sayings import read
from tasks.delivery.statements import FirstRead, Statements
from tasks.errors import SafelightError
from tests.tasks.delivery.made import EVENING, UTC, World, obr, oru

FIELDS = ("OBR-18", "OBR-3")


def intake(world: World) -> Intake:
    return take_in(world.vault, Statements(world.ledger), UTC, FIELDS, settled_s=0)


def state(world: World, key: str) -> FirstRead:
    return Statements(world.ledger).first_reads([world.ledger.study(key)])[key]


def below(folder: Path) -> set[str]:
    return {path.name.partition("-")[2] for path in folder.iterdir()} if folder.exists() else set()


def test_a_table_of_finals(world: World) -> None:
    keys = [world.study(number) for number in (1, 2, 3, 4)]
    world.drop(
        "finals-0302.csv",
        "AccessionNumber;StudyInstanceUID;status;at\nACC-1;;;2026-03-02T20:05:00\n;1.2.826.0.1.999.2;F;2026-03-02T21:05:00+01:00\nACC-3;;P;\n",
    )
    assert intake(world) == Intake(taken=1, statements=3)
    assert [state(world, key).state for key in keys] == ["final", "final", "not_final", "not_final"]
    assert [state(world, key).since for key in keys[:2]] == [EVENING + 300, EVENING + 300]
    assert below(world.vault.root / "inbox" / "taken") == {"finals-0302.csv"}
    assert (world.vault.root / "inbox" / "taken").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("statuses", "expected"), [
    ("F", ("final", False)), ("P", ("not_final", False)), ("PF", ("final", False)), ("FC", ("final", True)), ("C", ("final", True)),
    ("FX", ("withdrawn", False)), ("FP", ("withdrawn", False)), ("FXF", ("final", False)), ("FCR", ("withdrawn", False)), ("X", ("not_final", False)),
])  # fmt: skip
def test_messages_in_any_order_of_arrival_count_in_the_order_of_their_times(
    world: World, statuses: str, expected: tuple[str, bool]
) -> None:
    key = world.study(1)
    sent = [
        oru(obr("ACC-1", status, at=f"2026030220{minute:02}00"), control=str(minute)) for minute, status in enumerate(statuses)
    ]
    for place, message in enumerate(reversed(sent)):
        world.drop(f"{place}.hl7", message)
        assert intake(world).taken == 1
    found = state(world, key)
    assert (found.state, found.corrected) == expected


def test_where_a_message_has_its_keys(world: World) -> None:
    keys = [world.study(number) for number in (1, 2, 3)]
    world.drop(
        "a.hl7",
        oru(obr("", "F", filler="ACC-1^RIS"))
        + oru(obr("", "F", uid="1.2.826.0.1.999.2"))
        + oru("OBR|1||||||||||||||||||||||F", "ZDS|1.2.826.0.1.999.3^100^Application^DICOM").replace("|F\r", "|||F\r"),
    )
    assert intake(world).statements == 3
    assert [state(world, key).state for key in keys] == ["final"] * 3


def test_several_orders_of_a_message_each_have_their_own(world: World) -> None:
    keys = [world.study(number) for number in (1, 2)]
    world.drop("a.hl7", oru(obr("ACC-1", "F", uid="1.2.826.0.1.999.1"), obr("ACC-2", "P", uid="1.2.826.0.1.999.2")))
    intake(world)
    assert [state(world, key).state for key in keys] == ["final", "not_final"]


def test_a_report_of_an_order_is_of_all_its_studies_but_of_one_patient_only(world: World) -> None:
    same = [world.study(number, patient="PAT-1", accession="ACC-1") for number in (1, 2)]
    world.drop("a.hl7", oru(obr("ACC-1", "F")))
    intake(world)
    assert [state(world, key).state for key in same] == ["final", "final"]
    other = world.study(3, patient="PAT-3", accession="ACC-1")  # the same number for another patient: who was meant?
    assert [state(world, key).state for key in (*same, other)] == ["ambiguous"] * 3
    world.drop("b.hl7", oru(obr("ACC-1", "F"), patient="PAT-3", control="2"))
    intake(world)
    assert [state(world, key).state for key in (*same, other)] == ["conflicting", "conflicting", "final"]


def test_a_final_that_comes_before_its_study_waits_for_it(world: World) -> None:
    world.drop("a.hl7", oru(obr("ACC-1", "F")))
    intake(world)
    assert state(world, world.study(1)).state == "final"


@pytest.mark.parametrize(("name", "content", "code"), [
    ("a.hl7", "MSH|^~\\&|A\rhello PLANTED\r", "E-DELIVER-HL7"),
    ("a.hl7", oru(), "E-DELIVER-HL7"),
    ("a.hl7", oru(obr("PLANTED", "F"), kind="ADT^A01"), "E-DELIVER-HL7-TYPE"),
    ("a.hl7", oru(obr("PLANTED", "")), "E-DELIVER-HL7"),
    ("a.hl7", oru(obr("PLANTED", "Q")), "E-DELIVER-HL7"),
    ("a.hl7", oru(obr("PLANTED", "FF")), "E-DELIVER-HL7"),
    ("a.hl7", oru(obr("", "F"), patient="PLANTED"), "E-DELIVER-HL7-KEY"),
    ("a.hl7", oru(obr("PLANTED", "F"), at="yesterday"), "E-DELIVER-HL7"),
    ("a.hl7", oru(obr("ACC-1", "F")) + oru(obr("PLANTED", "F"))[:-10], "E-DELIVER-HL7"),
    ("finals.csv", "Accession\nPLANTED\n", "E-DELIVER-COLUMN"),
    ("finals.csv", "AccessionNumber,Status\nPLANTED,P\n", "E-DELIVER-COLUMN"),
    ("finals.csv", "", "E-DELIVER-COLUMN"),
    ("finals.csv", "AccessionNumber\nACC-1\n\"PLANTED", "E-DELIVER-VALUE"),
    ("finals.csv", "AccessionNumber,status\nPLANTED,final\n", "E-DELIVER-VALUE"),
    ("finals.csv", "AccessionNumber,status\nPLANTED\n", "E-DELIVER-VALUE"),
    ("finals.csv", "AccessionNumber,at\nPLANTED,soon\n", "E-DELIVER-VALUE"),
    ("finals.csv", "AccessionNumber,status\n,F\n", "E-DELIVER-VALUE"),
    ("finals.csv", b"AccessionNumber\n\xff\n", "E-DELIVER-VALUE"),
    ("clinical.csv", "AccessionNumber,risk\nPLANTED,medium\n", "E-DELIVER-VALUE"),
    ("clinical.csv", "AccessionNumber,screening\nPLANTED,1\n", "E-DELIVER-VALUE"),
    ("clinical.csv", "AccessionNumber,age_years\nPLANTED,-3\n", "E-DELIVER-VALUE"),
    ("PLANTED.pdf", "x", "E-DELIVER-FILE"),
])  # fmt: skip
def test_what_is_broken_is_set_aside_whole_with_its_reason(world: World, name: str, content: str | bytes, code: str) -> None:
    key = world.study(1)
    dropped = world.drop(name, content).read_bytes()
    found = intake(world)
    assert (found.taken, dict(found.set_aside), found.statements) == (0, {code: 1}, 0)
    aside = sorted((world.vault.root / "inbox" / "set_aside").iterdir())
    assert [path.read_bytes() for path in aside[:1]] == [dropped]
    reason = aside[1].read_text()
    assert code in reason
    assert "PLANTED" not in reason
    assert state(world, key).state == "not_final"  # nothing of the file counts, not even what was right
    assert not [path for path in (world.vault.root / "inbox").iterdir() if path.is_file()]


def test_a_kill_between_noting_and_moving_counts_nothing_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    key = world.study(1)
    world.drop("finals.csv", "AccessionNumber\nACC-1\n")

    def killed(_path: Path, _target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(inbox, "_move", killed)
        with pytest.raises(KeyboardInterrupt):
            intake(world)
    assert intake(world) == Intake(taken=1, statements=0)
    assert state(world, key).state == "final"


def test_what_is_still_being_written_waits(world: World) -> None:
    world.drop("finals.csv.part", "AccessionNumber\n")
    world.drop("finals.csv", "AccessionNumber\nACC")
    statements = Statements(world.ledger)
    assert take_in(world.vault, statements, UTC, FIELDS, settled_s=60) == Intake(unsettled=2)
    world.drop("finals.csv", "AccessionNumber\nACC-1\n")
    assert take_in(world.vault, statements, UTC, FIELDS, settled_s=0) == Intake(taken=1, unsettled=1, statements=1)


def test_a_file_that_cannot_be_read_stays_and_is_told_and_stops_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    key = world.study(1)
    locked = world.drop("a.hl7", oru(obr("ACC-1", "P")))
    world.drop("finals.csv", "AccessionNumber\nACC-1\n")
    really = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path == locked:
            raise PermissionError
        return really(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    found = intake(world)
    assert (dict(found.set_aside), found.taken, locked.exists()) == ({"E-DELIVER-UNREADABLE": 1}, 1, True)
    assert state(world, key).state == "final"


def test_clinical_facts_add_up_and_the_latest_counts(world: World) -> None:
    key = world.study(1)
    world.drop("clinical-1.csv", "AccessionNumber,PatientID,age_years,risk,at\nACC-1,PAT-1,61,low,2026-03-01\n")
    world.drop(
        "clinical-2.csv",
        "AccessionNumber,PatientID,screening,risk,at\nACC-1,PAT-1,no,high,2026-03-02\nACC-1,PAT-9,yes,low,2026-03-03\n",
    )
    intake(world)
    assert Statements(world.ledger).clinical([world.ledger.study(key)])[key] == {
        "age_years": 61,
        "risk": "high",
        "screening": False,
    }


def test_a_statement_has_the_same_id_however_often_it_is_read() -> None:
    content = b"AccessionNumber\nA\nB\n"
    first, second = (read("finals.csv", content, UTC, FIELDS) for _ in range(2))
    assert [said.id for said in first] == [said.id for said in second]
    assert len({said.id for said in first}) == 2
    with pytest.raises(SafelightError, match="E-DELIVER-FILE"):
        read("other.csv", content, UTC, FIELDS)
