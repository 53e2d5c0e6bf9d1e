"""`safelight volumes` on the lake's own folder and on plain folders: all files have an end, nothing is done twice."""

import hashlib
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from typer import Typer
from typer.testing import CliRunner, Result

from data_contracts import instances
from data_contracts import volumes as volumes_table
from tasks.lake import Lake
from tasks.query import ask
from tasks.stage import fingerprint
from tasks.volumes.command import volumes
from tasks.volumes.folder import published_inputs, scan
from tasks.volumes.stage import VolumesStage
from tests.tasks.volumes.made import PATIENT, SERIES, STUDY, instance, positions, save

APP = Typer()
APP.command()(volumes)


@pytest.fixture(autouse=True)
def _private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("tasks.volumes.command.seal", lambda errors: None)  # it would silence this process for good
    scan.cache_clear()


def slices(n: int = 4):
    return [instance(position, number=number) for number, position in enumerate(positions(n, np.array([0, 0, 2.0])))]


def released(lake: Lake, folder: Path) -> str:
    """Publish the files of a folder as the stage `deidentify` does; returns the output digest."""
    with lake.publication("deidentify", STUDY, "f") as publication:
        for dataset in slices():
            path = publication.path(f"dicom/{PATIENT}/{STUDY}/{SERIES}/{dataset.SOPInstanceUID}.dcm")
            dataset.save_as(path, enforce_file_format=True)
        publication.write("tables/deid_audit/x.txt", b"not looked at")
        return publication.commit(passed=4).digest


def call(*arguments: object) -> Result:
    scan.cache_clear()
    return CliRunner().invoke(APP, [str(argument) for argument in arguments])


def content(lake: Lake, *folders: str) -> dict[str, str]:
    return {name: hashlib.sha256(lake.read(name)).hexdigest() for folder in folders for name in lake.files(folder)}


def test_the_lakes_own_folder_gives_what_the_night_gives_and_is_then_up_to_date(tmp_path: Path) -> None:
    night, by_hand = Lake.open(tmp_path / "night"), Lake.open(tmp_path / "hand")
    given = released(night, tmp_path)
    released(by_hand, tmp_path)
    outcome = VolumesStage(night).run(STUDY, given, fingerprint(VolumesStage(night), given))
    assert outcome.passed == 1
    done = call(tmp_path / "hand" / "dicom", "--lake", tmp_path / "hand", "--workers", 1)
    assert (done.exit_code, "converted 4 instance" in done.output) == (0, True), done.output
    assert content(night, "") == content(by_hand, "")
    paths = by_hand.table(instances.CONTRACT)["path"].to_pylist()
    assert all(by_hand.exists(path) for path in paths)
    again = call(tmp_path / "hand" / "dicom", "--lake", tmp_path / "hand", "--workers", 1)
    assert (again.exit_code, "1 unchanged" in again.output) == (0, True), again.output


def test_a_file_that_was_laid_into_the_lakes_folder_is_seen(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "lake")
    given = released(lake, tmp_path)
    assert published_inputs(tmp_path / "lake" / "dicom", lake) == {STUDY: given}
    (tmp_path / "lake" / "dicom" / "stray.txt").write_text("stray")
    assert published_inputs(tmp_path / "lake" / "dicom", lake) is None
    done = call(tmp_path / "lake", "--lake", tmp_path / "lake", "--workers", 1)
    assert (done.exit_code, "rejected 1 file (E-VOLUME-NOT-DICOM)" in done.output) == (1, True), done.output
    assert "converted 4 instance" in done.output


def test_a_damaged_file_of_the_lake_refuses_its_series_and_is_counted(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "lake")
    given = released(lake, tmp_path)
    (tmp_path / "lake" / lake.files("dicom")[-1]).write_bytes(b"no DICOM")
    outcome = VolumesStage(lake).run(STUDY, given, "f")
    assert [(count.outcome, count.reason_code, count.n) for count in outcome.tally] == [
        ("quarantined", "E-VOLUME-NOT-DICOM", 3), ("rejected", "E-VOLUME-NOT-DICOM", 1)
    ]  # fmt: skip


def test_an_instance_in_the_folder_of_another_study_is_not_used(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "lake")
    released(lake, tmp_path)
    stray = tmp_path / "lake" / lake.files("dicom")[-1]
    dataset = dcmread(stray)
    dataset.StudyInstanceUID = "2.25.999"
    dataset.save_as(stray)
    outcome = VolumesStage(lake).run(STUDY, "", "f")
    assert [(count.outcome, count.reason_code, count.n) for count in outcome.tally] == [
        ("quarantined", "E-VOLUME-FOREIGN-KEYS", 3), ("rejected", "E-VOLUME-FOREIGN-KEYS", 1)
    ]  # fmt: skip


def test_every_file_of_a_plain_folder_has_an_end_with_two_workers_too(tmp_path: Path) -> None:
    made = slices()
    for dataset in made[2:]:
        dataset.StudyInstanceUID = "1.2.3"
    made[3].PatientIdentityRemoved = "NO"
    save(tmp_path / "src" / "deep" / "er", made)
    (tmp_path / "src" / "notes.txt").write_text("nothing")
    for workers in (1, 2):
        done = call(tmp_path / "src", "--lake", tmp_path / f"lake{workers}", "--workers", workers)
        assert done.exit_code == 1
        for end in (
            "converted 2 instance",
            *(f"rejected 1 file (E-VOLUME-{name})" for name in ("NOT-DICOM", "FOREIGN-KEYS", "IDENTIFIED")),
        ):
            assert end in done.output, done.output
    one, two = (content(Lake.open(tmp_path / f"lake{workers}"), "") for workers in (1, 2))
    assert one == two


def test_a_slice_that_is_gone_withdraws_the_volume(tmp_path: Path) -> None:
    folder = save(tmp_path / "src", slices())
    call(folder, "--lake", tmp_path / "lake", "--workers", 1)
    lake = Lake.open(tmp_path / "lake")
    assert len(lake.files("volumes")) == 1
    (folder / "0002.dcm").unlink()
    done = call(folder, "--lake", tmp_path / "lake", "--workers", 1)
    assert "quarantined 3 instance (E-VOLUME-UNEVEN-SPACING)" in done.output
    assert lake.files("volumes") == []


@pytest.mark.filterwarnings("ignore:Arrow output on a DB-API result:UserWarning")  # DuckDB's advice to `tasks.query`, about speed
def test_the_examples_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake.open(tmp_path / "lake")
    released(lake, tmp_path)
    page = (Path(__file__).parents[3] / "docs" / "volumes.md").read_text("utf-8")
    lines = [line[4:] for line in page.splitlines() if line.startswith("    ")]
    commands = [line for line in lines if line.startswith("safelight ")]
    monkeypatch.chdir(tmp_path)
    scan.cache_clear()
    done = CliRunner().invoke(APP, shlex.split(commands[0])[2:])
    assert (done.exit_code, commands[0].split()[1]) == (0, "volumes"), done.output
    assert ask(Path("lake"), shlex.split(commands[1])[-1]).num_rows == 1
    names: dict[str, object] = {}
    exec("\n".join(line for line in lines if not line.startswith("safelight ")), names)
    assert names["volumes"].status.tolist() == ["converted"]
    expected = lake.table(volumes_table.CONTRACT)["affine"][0].as_py()
    assert names["x"] == pytest.approx(np.array(expected).reshape(4, 4)[0] @ [2, 3, 2, 1])


def test_a_source_that_is_not_there_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    done = call(tmp_path / "nowhere", "--lake", tmp_path / "lake")
    assert done.exit_code == 2
    assert not (tmp_path / "lake").exists()


def test_a_study_that_is_no_longer_released_loses_its_volumes(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "lake")
    given = released(lake, tmp_path)
    VolumesStage(lake).run(STUDY, given, "f")
    shutil.rmtree(tmp_path / "lake" / "manifests" / "deidentify")
    outcome = VolumesStage(lake).run(STUDY, "", "g")
    assert (outcome.passed, outcome.tally) == (0, ())
    assert lake.files("volumes") == []
    assert lake.files("tables/volumes") == []
