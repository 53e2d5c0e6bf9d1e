"""The scorer gives full marks to a perfect release, and each category sees what is broken on purpose. Nothing of the stage is run here."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import config, dcmread

from tests.scoring import archive, perfect
from tests.scoring.answers import CATEGORIES, Answers, Category
from tests.scoring.pictures import burn
from tests.scoring.releasing import Participation
from tests.scoring.scorer import Score, score


@pytest.fixture(autouse=True)
def lenient() -> Iterator[None]:
    with config.disable_value_validation():
        yield


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answers]:
    folder = tmp_path_factory.mktemp("originals") / "set"
    return folder, archive.make(folder, patients=2)


@pytest.fixture(scope="module")
def handed_in(source: tuple[Path, Answers]) -> Participation:
    folder, answers = source
    return perfect.release(folder, folder.parent / "perfect", answers)


def marked(answers: Answers, handed: Participation, folder: Path | None = None) -> Score:
    return score(answers, folder or handed.folder, handed.uids, handed.patients)


def test_the_key_has_every_category_and_modality_and_is_made_alike_each_time(
    source: tuple[Path, Answers], tmp_path: Path
) -> None:
    _, answers = source
    counted = answers.counted()
    assert all(counted[category] >= 10 for category in CATEGORIES), counted
    assert set(answers.instances.values()) == set(archive.MODALITIES)
    assert archive.make(tmp_path / "again", patients=2).checks == answers.checks


def test_a_perfect_release_has_full_marks(source: tuple[Path, Answers], handed_in: Participation) -> None:
    result = marked(source[1], handed_in)
    assert result.wrong == [], "\n".join(result.lines())
    assert (result.share, result.share_released, result.strangers) == (1.0, 1.0, 0)
    assert result.asked == len(source[1].checks)


def test_the_originals_themselves_fail_wherever_something_must_change(
    source: tuple[Path, Answers], handed_in: Participation
) -> None:
    folder, answers = source
    same = {old: old for old in answers.uids}
    result = score(answers, folder, same, {each: each.split("\n")[1] for each in handed_in.patients})
    wrong = {check.category for check in result.wrong}
    assert wrong == {"text removed", "date shifted or generalised", "UID changed", "pixels hidden"}
    for category in wrong:
        assert sum(check.category == category for check in result.wrong) == answers.counted()[category], category


def _unblank(dataset: Any) -> None:
    frame = dataset.pixel_array.copy()
    burn(frame, "ZWIEBELTURM", 4, 3, size=16, value=255)
    dataset.PixelData = np.ascontiguousarray(frame).tobytes()


def _scratch(dataset: Any) -> None:
    pixels = bytearray(dataset.PixelData)
    pixels[len(pixels) // 2 + len(pixels) // dataset.Rows // 2] ^= 1  # in the middle of the frame
    dataset.PixelData = bytes(pixels)


#: By category: the file that is broken, how, and how many checks must see it (of that category).
BREAKS: list[tuple[Category, str, Callable[[Any], object], int]] = [
    ("tag retained", "CT001", lambda dataset: dataset.__delitem__("ReferringPhysicianName"), 1),
    ("text retained", "CT001", lambda dataset: setattr(dataset, "KVP", "100"), 1),
    ("text retained", "CT001", lambda dataset: setattr(dataset, "ImagePositionPatient", ["-60.5", "-60.4", "2.5"]), 1),
    ("text retained", "CT001", lambda dataset: setattr(dataset, "StudyDescription", "CT CHEST"), 1),
    ("text retained", "CT001", lambda dataset: setattr(dataset, "PatientAge", ""), 1),
    ("text retained", "PT001", lambda dataset: dataset.__delitem__(0x70531000), 1),
    ("text removed", "CT001", lambda dataset: setattr(dataset, "PatientName", "ZWIEBELTURM^X"), 2),  # its place, and anywhere
    ("text removed", "CT001", lambda dataset: setattr(dataset, "WindowCenterWidthExplanation", "zwiebelturm"), 1),
    ("text removed", "CT001", lambda dataset: dataset.add_new(0x00111001, "OB", "Zwiebelturm".encode("utf-16-le")), 1),
    ("text removed", "CT001", lambda dataset: setattr(dataset.file_meta, "SourceApplicationEntityTitle", "ZWIEBELTURM"), 1),
    ("text not null", "PT001", lambda dataset: setattr(dataset.PatientOrientationCodeSequence[0], "CodeMeaning", ""), 1),
    ("text not null", "SR001", lambda dataset: setattr(dataset, "ContentTime", ""), 1),
    ("date shifted or generalised", "CT001", lambda dataset: setattr(dataset, "StudyDate", dataset.StudyDate[:4] + "0317"), 1),
    ("date shifted or generalised", "CT001", lambda dataset: setattr(dataset, "StudyDate", dataset.StudyDate[:4] + "9999"), 1),
    ("UID consistent", "CT002", lambda dataset: setattr(dataset, "FrameOfReferenceUID", "2.25.7"), 1),
    (
        "UID consistent",
        "CT002",
        lambda dataset: setattr(dataset.ReferencedImageSequence[0], "ReferencedSOPInstanceUID", "2.25.7"),
        1,
    ),
    ("UID changed", "CT002", lambda dataset: setattr(dataset, "FrameOfReferenceUID", "1.3.6.1.4.1.99999.55.100.0.1"), 1),
    ("patient id consistent", "CT001", lambda dataset: setattr(dataset, "PatientID", "SUBJECT9"), 1),
    ("pixels hidden", "SC001", _unblank, 1),
    ("pixels retained", "CT001", _scratch, 1),
    ("pixels retained", "SC001", _scratch, 1),
]


@pytest.mark.parametrize(
    ("category", "name", "break_it", "seen"), BREAKS, ids=[f"{n}-{each[0]}" for n, each in enumerate(BREAKS)]
)
def test_each_category_sees_its_break_and_no_other_does(
    category: Category, name: str, break_it: Callable[[Any], object], seen: int,
    source: tuple[Path, Answers], handed_in: Participation, tmp_path: Path,
) -> None:  # fmt: skip
    folder = tmp_path / "broken"
    folder.mkdir()
    [path] = handed_in.folder.glob(f"study10?-{name}.dcm")
    dataset = dcmread(path)
    break_it(dataset)
    dataset.save_as(folder / path.name, enforce_file_format=True)
    result = marked(source[1], handed_in, folder)
    wrong = [check.category for check in result.wrong]
    assert wrong.count(category) == seen, result.lines()
    allowed = {category} if category != "UID changed" else {category, "UID consistent", "text removed"}
    assert set(wrong) <= allowed, result.lines()
    assert any(category in line for line in result.lines() if line.startswith("wrong: "))


def test_every_category_has_a_break() -> None:
    assert {each[0] for each in BREAKS} == set(CATEGORIES)


def test_what_is_not_released_is_held_back_and_a_stranger_is_wrong(
    source: tuple[Path, Answers], handed_in: Participation, tmp_path: Path
) -> None:
    folder = tmp_path / "part"
    shutil.copytree(handed_in.folder, folder)
    (folder / "study100-CT001.dcm").unlink()
    dataset = dcmread(folder / "study100-CT002.dcm")
    dataset.SOPInstanceUID = "2.25.99"
    dataset.save_as(folder / "study100-CT002.dcm")
    result = marked(source[1], handed_in, folder)
    assert result.strangers == 1
    assert result.share < 1.0
    assert sum(result.instances.values()) - sum(result.released.values()) == 2
    assert result.asked - 1 + sum(result.held_back.values()) == len(source[1].checks)


def test_two_originals_with_one_new_uid_are_not_consistent(source: tuple[Path, Answers], handed_in: Participation) -> None:
    shared = dict(handed_in.uids)
    first, second = "1.3.6.1.4.1.99999.55.100.0.1", "1.3.6.1.4.1.99999.55.101.0.1"
    shared[second] = shared[first]
    result = score(source[1], handed_in.folder, shared, handed_in.patients)
    assert sum(check.category == "UID consistent" and check.expected == first for check in result.wrong) > 1


def test_an_empty_folder_scores_nothing(source: tuple[Path, Answers], handed_in: Participation, tmp_path: Path) -> None:
    result = marked(source[1], handed_in, tmp_path)
    assert (result.share, result.share_released, result.asked) == (0.0, 0.0, 0)


@pytest.mark.peer("dciodvfy")
def test_the_originals_are_valid_objects_of_their_kind(source: tuple[Path, Answers]) -> None:
    for modality in archive.MODALITIES:
        path = next(source[0].rglob(f"{modality}*.dcm"))
        done = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, check=False)
        told = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert re.findall(r"^Error.*", told, re.MULTILINE) == [], modality
