"""Every export is loaded by the library that it is made for, holds the release's voxels, and is made once."""

from __future__ import annotations

import json
import tarfile
import warnings
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from tasks.errors import ConfigurationError, SafelightError
from tasks.lake import Lake
from tasks.release.about import About
from tasks.release.export import webdataset as our_webdataset
from tasks.release.export.cases import cases
from tasks.release.export.formats import export, parse_formats
from tasks.release.export.placing import Placer
from tasks.release.frozen import Frozen, read
from tests.tasks.release.conftest import frozen
from tests.tasks.release.made import AFFINE, SHAPE, study

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


def exported(shared: tuple[Lake, Frozen], name: str, out: Path, **changes: Any) -> Counter[str]:
    options: dict[str, Any] = {"labels": None, "link": False, "number": 501, "on_case": lambda: None} | changes
    return export(*shared, name, out, **options)


@pytest.fixture
def labels(shared: tuple[Lake, Frozen], tmp_path: Path) -> Path:
    """Label volumes for all but one of the training images."""
    folder = tmp_path / "labels"
    folder.mkdir()
    for place, row in enumerate(sorted(shared[1].volumes, key=lambda row: row["split"] != "train")[1:]):
        voxels = np.zeros(SHAPE, np.uint8)
        voxels[0, 0, 0] = 1 + place % 2
        nibabel.save(nibabel.Nifti1Image(voxels, AFFINE), folder / Path(row["path"]).name)
    return folder


def below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_monai_loads_the_data_list_and_its_images(shared: tuple[Lake, Frozen], tmp_path: Path, labels: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from monai.data import load_decathlon_datalist
        from monai.transforms import LoadImaged
    lake, made = shared
    assert exported(shared, "monai", tmp_path, labels=labels) == {"copied": 21}
    listing = tmp_path / "chest-1.0.0" / "monai" / "dataset.json"
    loaded = {split: load_decathlon_datalist(listing, True, key) for split, key in
              (("train", "training"), ("validation", "validation"), ("test", "test"))}  # fmt: skip
    assert {split: len(entries) for split, entries in loaded.items()} == Counter(row["split"] for row in made.volumes)
    by_series = {row["SeriesInstanceUID"]: row for row in made.volumes}
    said = {row["StudyInstanceUID"]: row["label"] for row in made.labels}
    for entry in (entry for entries in loaded.values() for entry in entries):
        row = by_series[entry["SeriesInstanceUID"]]
        seen = LoadImaged(keys=["image", "label"], allow_missing_keys=True)(entry)
        here = nibabel.load(Path(lake.url) / row["path"])
        assert np.array_equal(seen["image"].numpy(), here.get_fdata())
        assert np.allclose(seen["image"].affine, here.affine)
        assert entry["PatientID"] == row["PatientID"]
        assert entry.get("nodule") == said.get(row["StudyInstanceUID"])
        assert ("label" in entry) == (labels / Path(row["path"]).name).exists()
    body = json.loads(listing.read_text("utf-8"))
    assert (body["numTraining"], body["labels"]) == (len(loaded["train"]), {"0": "background", "1": "label_1", "2": "label_2"})


def test_nnunets_own_functions_find_every_case_and_its_label(shared: tuple[Lake, Frozen], tmp_path: Path, labels: Path) -> None:
    pytest.importorskip("nnunetv2", reason="nnunetv2 is not installed: pip install 'safelight[nnunet]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity
        from nnunetv2.utilities.dataset_name_id_conversion import convert_dataset_name_to_id
        from nnunetv2.utilities.utils import get_filenames_of_train_images_and_targets
    exported(shared, "nnunet", tmp_path, labels=labels)
    root = tmp_path / "chest-1.0.0" / "nnunet" / "Dataset501_Chest"
    assert convert_dataset_name_to_id(root.name) == 501
    found = get_filenames_of_train_images_and_targets(str(root))
    said = json.loads((root / "dataset.json").read_text("utf-8"))
    assert len(found) == said["numTraining"]
    assert all(Path(path).is_file() for case in found.values() for path in (*case["images"], case["label"]))
    verify_dataset_integrity(str(root), num_processes=1)


def test_nnunets_layout_is_that_of_its_documentation(shared: tuple[Lake, Frozen], tmp_path: Path, labels: Path) -> None:
    counted = exported(shared, "nnunet", tmp_path, labels=labels, number=7)
    root = tmp_path / "chest-1.0.0" / "nnunet" / "Dataset007_Chest"
    splits = Counter(row["split"] for row in shared[1].volumes)
    assert counted == {"copied": 20, "left out": 1}
    names = {
        folder: {path.name for path in (root / folder).iterdir()} for folder in ("imagesTr", "labelsTr", "imagesTs", "labelsTs")
    }
    assert {name.replace("_0000.nii.gz", ".nii.gz") for name in names["imagesTr"]} == names["labelsTr"]
    assert len(names["imagesTs"]) == len(names["labelsTs"]) == splits["test"]
    said = json.loads((root / "dataset.json").read_text("utf-8"))
    assert (said["channel_names"], said["file_ending"]) == ({"0": "CT"}, ".nii.gz")
    assert said["labels"] == {"background": 0, "label_1": 1, "label_2": 2}
    assert said["numTraining"] == len(names["imagesTr"]) == splits["train"] + splits["validation"] - 1
    (fold,) = json.loads((root / "splits_final.json").read_text("utf-8"))
    assert {f"{case}_0000.nii.gz" for case in (*fold["train"], *fold["val"])} == names["imagesTr"]
    assert len(fold["val"]) == splits["validation"]


def test_without_label_volumes_nothing_is_left_out_of_nnunets_images(shared: tuple[Lake, Frozen], tmp_path: Path) -> None:
    assert exported(shared, "nnunet", tmp_path) == {"copied": 21}
    assert not list(tmp_path.rglob("labels*"))


def test_nnunet_takes_one_modality_and_3d_only(lake: Lake, tmp_path: Path) -> None:
    study(lake, 50, {"kind": "4d", "n_volumes": 2})
    frozen(lake)
    assert exported((lake, read(lake, "chest", "1.0.0")), "nnunet", tmp_path / "a") == {"copied": 21, "left out": 1}
    study(lake, 51, {"Modality": "MR"})
    frozen(lake, version="2.0.0")
    with pytest.raises(ConfigurationError, match="E-RELEASE-MODALITIES"):
        exported((lake, read(lake, "chest", "2.0.0")), "nnunet", tmp_path / "b")


def test_pybids_finds_every_image_with_its_facts_and_the_validator_every_name(lake: Lake, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from bids import BIDSLayout, BIDSLayoutIndexer
        from bids_validator import BIDSValidator
    study(lake, 50, {"Modality": "PT"}, {"Modality": "MR", "EchoTime": 30.0}, {"Modality": "MR", "volume_index": 1})
    frozen(lake, about=About(licence="CC0-1.0", creator="Example Hospital"))
    made = read(lake, "chest", "1.0.0")
    assert exported((lake, made), "bids", tmp_path) == {"copied": 24}
    root = tmp_path / "chest-1.0.0" / "bids"
    validator = BIDSValidator()
    ignored = ("/ct/", "/other/", "_MR.")
    for path in (
        f"/{path.relative_to(root).as_posix()}" for path in root.rglob("*") if path.is_file() and path.name != ".bidsignore"
    ):
        assert validator.is_bids(path) != any(part in path for part in ignored), path
    layout = BIDSLayout(root, indexer=BIDSLayoutIndexer(validate=False))
    images = layout.get(extension=".nii.gz")
    assert len(images) == 24
    assert len(layout.get_subjects()) == len({row["PatientID"] for row in made.volumes})
    series = {image.get_metadata()["SeriesInstanceUID"] for image in images}
    assert series == {row["SeriesInstanceUID"] for row in made.volumes}
    (slow,) = (image for image in images if image.get_metadata().get("EchoTime"))
    assert slow.get_metadata()["EchoTime"] == 0.03
    table = layout.get_collections("subject", "participants", merge=False)
    assert table is not None
    rows = [line.split("\t") for line in (root / "participants.tsv").read_text("utf-8").splitlines()]
    assert rows[0] == ["participant_id", "sex", "race", "ethnicity", "split"]
    assert {row[0]: row[4] for row in rows[1:]} == {f"sub-{row['PatientID'][3:]}": row["split"] for row in made.volumes}


def test_webdataset_streams_every_volume_of_a_split_once(shared: tuple[Lake, Frozen], tmp_path: Path, labels: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import webdataset
    made = shared[1]
    assert exported(shared, "webdataset", tmp_path, labels=labels) == {"copied": 21}
    for split in ("train", "validation", "test"):
        shards = sorted(str(path) for path in (tmp_path / "chest-1.0.0" / "webdataset").glob(f"chest-1.0.0-{split}-*.tar"))
        samples = list(webdataset.WebDataset(shards, shardshuffle=False, empty_check=False))
        rows = {row["SeriesInstanceUID"]: row for row in made.volumes if row["split"] == split}
        assert len(samples) == len(rows)
        for sample in samples:
            facts = json.loads(sample["json"])
            row = rows.pop(facts["SeriesInstanceUID"])
            assert sha256(sample["nii.gz"]).hexdigest() == row["sha256"]
            assert ("label.nii.gz" in sample) == (labels / Path(row["path"]).name).exists()
            assert facts["split"] == split


def test_shards_are_of_no_time_and_no_user_and_the_same_every_time(
    shared: tuple[Lake, Frozen], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported(shared, "webdataset", tmp_path / "a")
    monkeypatch.setattr("time.time", lambda: 1.0)
    exported(shared, "webdataset", tmp_path / "b")
    assert below(tmp_path / "a") == below(tmp_path / "b")
    for shard in (tmp_path / "a").rglob("*.tar"):
        with tarfile.open(shard) as archive:
            members = archive.getmembers()
        assert {(each.mtime, each.uid, each.gid, each.uname, each.gname, each.mode) for each in members} == {
            (0, 0, 0, "", "", 0o644)
        }
        keys = [each.name.partition(".")[0] for each in members]
        assert keys == sorted(keys)


def test_shards_are_closed_in_time_and_stale_ones_are_removed(shared: tuple[Lake, Frozen], tmp_path: Path) -> None:
    lake, made = shared
    chosen = cases(made, None)
    our_webdataset.export(made, chosen, Placer(lake, tmp_path), shard_bytes=2 * chosen[0].size + 100)
    many = json.loads((tmp_path / "shards.json").read_text("utf-8"))
    assert sum(entry["cases"] for entry in many.values()) == 21
    assert max(entry["cases"] for entry in many.values()) == 2
    our_webdataset.export(made, chosen, Placer(lake, tmp_path))
    assert sorted(path.name for path in tmp_path.glob("*.tar")) == [
        f"chest-1.0.0-{split}-000000.tar" for split in ("test", "train", "validation")
    ]


@pytest.mark.parametrize("name", ["monai", "nnunet", "bids", "webdataset"])
def test_an_export_goes_on_where_it_was_stopped_and_mends_what_is_damaged(
    shared: tuple[Lake, Frozen], tmp_path: Path, name: str
) -> None:
    exported(shared, name, tmp_path)
    whole = below(tmp_path)
    assert exported(shared, name, tmp_path) == {"kept": 21}
    first, second, *_ = sorted(
        path for path in (tmp_path / "chest-1.0.0" / name).rglob("*") if path.name.endswith((".nii.gz", ".tar"))
    )
    first.write_bytes(first.read_bytes()[:-1] + b"x")
    second.unlink()
    again = exported(shared, name, tmp_path)
    assert again["copied"] > 0
    assert again["copied"] + again["kept"] == 21
    assert below(tmp_path) == whole


def test_hard_links_are_the_lakes_own_files_and_copies_are_not(shared: tuple[Lake, Frozen], tmp_path: Path) -> None:
    lake, _ = shared
    numbers = {(Path(lake.url) / path).stat().st_ino for path in lake.files("volumes")}
    assert exported(shared, "monai", tmp_path / "linked", link=True) == {"linked": 21}
    assert exported(shared, "monai", tmp_path / "copied") == {"copied": 21}
    assert {path.stat().st_ino for path in (tmp_path / "linked").rglob("*.nii.gz")} <= numbers
    assert not {path.stat().st_ino for path in (tmp_path / "copied").rglob("*.nii.gz")} & numbers
    assert not [path for path in tmp_path.rglob("*") if path.is_symlink()]


@pytest.mark.parametrize("name", ["monai", "bids", "webdataset"])
def test_a_volume_that_is_no_longer_the_frozen_one_is_not_exported(lake: Lake, tmp_path: Path, name: str) -> None:
    frozen(lake)
    made = read(lake, "chest", "1.0.0")
    (Path(lake.url) / made.volumes[0]["path"]).write_bytes(b"other")
    with pytest.raises(SafelightError, match="E-RELEASE-VOLUME"):
        exported((lake, made), name, tmp_path / "out")
    assert b"other" not in b"".join(below(tmp_path / "out").values())


@pytest.mark.parametrize(
    ("voxels", "affine"),
    [
        (np.zeros((2, 2, 2), np.uint8), AFFINE), (np.zeros(SHAPE, np.uint8), AFFINE * 2), (np.full(SHAPE, 0.5, np.float32), AFFINE),
        (np.full(SHAPE, 2, np.uint8), AFFINE), (np.full(SHAPE, -1, np.int16), AFFINE), (None, None),
    ],
)  # fmt: skip
def test_a_label_that_does_not_fit_its_image_is_refused(
    shared: tuple[Lake, Frozen], tmp_path: Path, voxels: Any, affine: Any
) -> None:
    folder = tmp_path / "labels"
    folder.mkdir()
    file = folder / Path(shared[1].volumes[0]["path"]).name
    if voxels is None:
        file.write_bytes(b"no image")
    else:
        nibabel.save(nibabel.Nifti1Image(voxels, affine), file)
    with pytest.raises(SafelightError, match="E-RELEASE-LABELS"):
        exported(shared, "monai", tmp_path, labels=folder)


def test_an_export_is_never_in_the_lake(lake: Lake, tmp_path: Path) -> None:
    frozen(lake)
    made = read(lake, "chest", "1.0.0")
    (tmp_path / "alias").symlink_to(lake.url)
    for out in (Path(lake.url) / "exports", Path(lake.url), tmp_path / "alias" / "x"):
        with pytest.raises(ConfigurationError, match="E-RELEASE-EXPORT"):
            exported((lake, made), "monai", out)


def test_formats_are_known_and_come_with_a_folder(tmp_path: Path) -> None:
    assert parse_formats("bids, monai,bids", tmp_path) == ("bids", "monai")
    assert parse_formats(None, None) == ()
    for text, out in (("dicom", tmp_path), ("", tmp_path), ("bids", None), (None, tmp_path)):
        with pytest.raises(ConfigurationError, match="E-RELEASE-EXPORT"):
            parse_formats(text, out)


def test_what_an_earlier_run_with_other_options_left_is_not_trained_on(
    shared: tuple[Lake, Frozen], tmp_path: Path, labels: Path
) -> None:
    exported(shared, "nnunet", tmp_path)
    (tmp_path / "chest-1.0.0" / "nnunet" / "notes.nii.gz").write_bytes(b"somebody's own")
    assert exported(shared, "nnunet", tmp_path, labels=labels) == {"kept": 20, "left out": 1, "removed": 1}
    exported(shared, "nnunet", tmp_path / "new", labels=labels)
    mine, new = below(tmp_path / "chest-1.0.0"), below(tmp_path / "new" / "chest-1.0.0")
    assert mine.keys() - new.keys() == {"nnunet/notes.nii.gz"}
    assert mine.items() >= new.items()


def test_a_lake_that_is_no_local_folder_is_exported_by_copies(shared: tuple[Lake, Frozen], tmp_path: Path) -> None:
    lake, made = shared
    remote = Lake(f"file://{lake.url}")
    for name in ("monai", "webdataset"):
        assert exported((remote, made), name, tmp_path / "remote") == {"copied": 21}
        exported(shared, name, tmp_path / "local")
    assert below(tmp_path / "remote") == below(tmp_path / "local")
