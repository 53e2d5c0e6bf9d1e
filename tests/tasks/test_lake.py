"""The lake: publication is all or nothing to those who go by manifests, and a function of its inputs, not of its history."""

from pathlib import Path

import fsspec
import pyarrow as pa
import pytest
from pyarrow import fs

from data_contracts.accountability import CONTRACT
from data_contracts.contract import ContractError
from tasks import lake as module
from tasks.errors import ConfigurationError
from tasks.lake import Lake
from tasks.stage import Count

ROW = {
    "StudyInstanceUID": "2.25.7", "PatientID": "SL-ABCDEFGHIJKL", "stage": "pull", "outcome": "pulled", "reason_code": "",
    "unit": "instance", "n": 3,
}  # fmt: skip


def publish(lake: Lake, names: list[str], fingerprint: str = "f") -> str:
    with lake.publication("deidentify", "2.25.7", fingerprint) as publication:
        for name in names:
            publication.write(name, name.encode())
        publication.write_table(CONTRACT, [ROW])
        return publication.commit(tally=[Count("released", "", "instance", 2)], passed=2).digest


def tree(lake: Lake) -> dict[str, bytes]:
    return {name: lake.read(name) for name in lake.files("")}


def test_nothing_is_visible_before_the_commit_and_nothing_is_left_without_one(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "lake")
    with lake.publication("deidentify", "2.25.7", "f") as publication:
        publication.write("dicom/a.dcm", b"a")
        assert lake.files("") == []
    lake.sweep()
    assert list((tmp_path / "lake").rglob("*")) == []


def test_publishing_twice_gives_the_same_bytes_and_the_same_digest(tmp_path: Path) -> None:
    one, two = Lake.open(tmp_path / "one"), Lake.open(tmp_path / "two")
    first = publish(one, ["dicom/a.dcm", "dicom/b.dcm"])
    publish(two, ["dicom/a.dcm"], "earlier")
    assert publish(two, ["dicom/b.dcm", "dicom/a.dcm"]) == first
    assert tree(one) == tree(two)


def test_what_an_earlier_publication_held_and_this_one_does_not_is_removed_with_its_folders(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "lake")
    publish(lake, ["dicom/p/a.dcm", "dicom/q/b.dcm"])
    publish(lake, ["dicom/p/a.dcm"])
    assert not (tmp_path / "lake" / "dicom" / "q").exists()
    manifest = lake.manifest("deidentify", "2.25.7")
    assert manifest is not None
    assert sorted(manifest.files) == ["dicom/p/a.dcm", "tables/accountability/2.25.7.parquet"]


def test_what_is_withdrawn_leaves_nothing_behind(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "lake")
    publish(lake, ["dicom/p/a.dcm"])
    lake.withdraw("deidentify", "2.25.7")
    lake.withdraw("deidentify", "2.25.7")
    assert list((tmp_path / "lake").rglob("*")) == []


def test_a_crash_while_stale_files_are_removed_leaves_none_behind_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake.open(tmp_path / "lake")
    publish(lake, ["dicom/p/a.dcm", "dicom/q/b.dcm", "dicom/q/c.dcm"])
    remove = Lake._remove

    def crash(self: Lake, path: str) -> None:
        if path.endswith("c.dcm"):
            raise KeyboardInterrupt
        remove(self, path)

    with monkeypatch.context() as broken:
        broken.setattr(Lake, "_remove", crash)
        with pytest.raises(KeyboardInterrupt):
            publish(lake, ["dicom/p/a.dcm"])
    publish(lake, ["dicom/p/a.dcm"])
    assert list(lake.files("dicom")) == ["dicom/p/a.dcm"]


def test_a_file_that_was_announced_and_not_written_stops_the_commit_before_anything_moves(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "lake")
    with lake.publication("volumes", "k", "f") as publication:
        publication.write("volumes/a.nii.gz", b"a")
        publication.path("volumes/b.nii.gz")
        with pytest.raises(FileNotFoundError):
            publication.commit()
    assert lake.files("") == []


def test_a_row_that_breaks_its_contract_never_reaches_the_lake(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "lake")
    with lake.publication("account", "k", "f") as publication, pytest.raises(ContractError, match="n: at least 0"):
        publication.write_table(CONTRACT, [ROW | {"n": -1}])


def test_scratch_of_a_dead_process_is_swept_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "lake")
    with lake.publication("volumes", "k", "f") as publication:
        dead = publication.scratch.parent / publication.scratch.name.replace("-", "-9", 1)
        dead.mkdir()
        assert lake.sweep() == 1
        assert publication.scratch.exists()
        assert not dead.exists()


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="E-LAKE-UNWRITABLE"):
        Lake.open(tmp_path / "file" / "lake")


def test_an_object_store_gets_the_same_objects_with_the_manifest_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local, remote = Lake.open(tmp_path / "lake"), Lake("memory://bucket/lake")
    store = fs.PyFileSystem(fs.FSSpecHandler(fsspec.filesystem("memory")))
    written: list[str] = []
    write = Lake._write

    def note(self: Lake, path: str, content: bytes) -> None:
        written.append(path)
        write(self, path, content)

    resolved = Lake._resolved.fget
    monkeypatch.setattr(Lake, "_resolved", property(lambda lake: (store, "/bucket/lake") if lake is remote else resolved(lake)))
    monkeypatch.setattr(Lake, "_write", note)
    publish(remote, ["dicom/a.dcm", "dicom/b.dcm"])
    publish(local, ["dicom/a.dcm", "dicom/b.dcm"])
    assert written[-1].startswith("manifests/")
    assert tree(remote) == tree(local)
    with remote.local(["dicom/a.dcm"]) as copies:
        assert copies["dicom/a.dcm"].read_bytes() == b"dicom/a.dcm"
    assert isinstance(remote.table(CONTRACT), pa.Table)


@pytest.mark.parametrize("then", ["publish", "withdraw"])
def test_files_of_a_publication_that_was_killed_are_known_and_go(
    then: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake.open(tmp_path / "lake")
    move = module._move
    placed: list[Path] = []

    def dying(source: Path, target: Path) -> None:
        if len(placed) == 3:
            raise KeyboardInterrupt
        placed.append(target)
        move(source, target)

    monkeypatch.setattr(module, "_move", dying)
    with pytest.raises(KeyboardInterrupt):
        publish(lake, ["dicom/p/a.dcm", "dicom/p/b.dcm", "dicom/p/c.dcm"])
    monkeypatch.undo()
    assert len(lake.files("dicom")) == 2
    if then == "publish":
        publish(lake, ["dicom/p/z.dcm"])
        assert lake.files("dicom") == ["dicom/p/z.dcm"]
    lake.withdraw("deidentify", "2.25.7")
    assert list((tmp_path / "lake").rglob("*")) == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/data/lake", "/data/lake"),
        ("s3://bucket/lake", "s3://bucket/lake"),
        ("s3://key:secret@bucket/lake/?region=eu-central-1&endpoint_override=store:9000", "s3://bucket/lake"),
    ],
)
def test_keys_and_options_of_a_url_are_not_shown(url: str, shown: str) -> None:
    assert Lake(url).shown == shown
