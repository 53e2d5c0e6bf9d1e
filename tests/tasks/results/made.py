"""For tests: a study as the hospital has it, taken through the real stages into a lake, and read by models whose answers we wrote."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import yaml
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from data_contracts import detections, predictions, segments
from tasks.deid.stage import DeidentifyStage
from tasks.guard import ErrorLog
from tasks.inference.bundle import load
from tasks.inference.manifest import Manifest, parse
from tasks.lake import Lake
from tasks.ledger import Ledger, Study
from tasks.pseudonyms import Pseudonyms
from tasks.stage import Outcome
from tasks.vault import Vault
from tasks.volumes.stage import VolumesStage

ROOT = "1.2.826.0.1.3680043.9.7133.88"
STUDY = f"{ROOT}.1"
#: What must never be seen outside of the vault and the PACS.
SECRETS = ("Rönnblom", "Ottilie", "MRN-774411", "ACC-90210", "19480713", ROOT)
COLUMNS, ROWS, SLICES = 24, 20, 10
SPACING = (2.5, 2.0, 4.0)
#: An oblique stack: rows and columns lean by ten degrees.
_TILT = np.deg2rad(10)
ALONG_ROW = np.array([np.cos(_TILT), np.sin(_TILT), 0.0])
ALONG_COLUMN = np.array([-np.sin(_TILT), np.cos(_TILT), 0.0])
ORIGIN = np.array([-30.0, -20.0, 105.0])


def image(number: int, series: int = 1) -> Dataset:
    """A CT image of the study: slice `number` from 1, upwards."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.SpecificCharacterSet = "ISO_IR 100"
    made.SOPClassUID, made.SOPInstanceUID = CTImageStorage, f"{STUDY}.{series}.{number}"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.FrameOfReferenceUID = STUDY, f"{STUDY}.{series}", f"{STUDY}.99"
    made.PatientName, made.PatientID, made.PatientBirthDate, made.PatientSex = "Rönnblom^Ottilie", "MRN-774411", "19480713", "F"
    made.StudyDate = made.SeriesDate = made.AcquisitionDate = made.ContentDate = "20260315"
    made.StudyTime = made.SeriesTime = made.AcquisitionTime = made.ContentTime = "081500"
    made.AccessionNumber, made.StudyID, made.ReferringPhysicianName = "ACC-90210", "7", "Holm^Ake"
    made.Modality, made.BodyPartExamined, made.Manufacturer = "CT", "CHEST", "SYNTHETIC Alpha"
    made.ManufacturerModelName, made.StudyDescription, made.SeriesDescription = "One", "CT CHEST", "AX 4.0"
    made.SeriesNumber, made.InstanceNumber, made.AcquisitionNumber = series, number, 1
    made.ImageType, made.PatientPosition, made.PositionReferenceIndicator = ["ORIGINAL", "PRIMARY", "AXIAL"], "HFS", ""
    made.ImageOrientationPatient = [round(float(value), 8) for value in (*ALONG_ROW, *ALONG_COLUMN)]
    made.ImagePositionPatient = [round(float(value), 6) for value in ORIGIN + np.array([0, 0, SPACING[2] * (number - 1)])]
    made.PixelSpacing, made.SliceThickness = [SPACING[1], SPACING[0]], SPACING[2]
    made.Rows, made.Columns, made.SamplesPerPixel, made.PhotometricInterpretation = ROWS, COLUMNS, 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 1
    made.RescaleIntercept, made.RescaleSlope, made.RescaleType = 0, 1, "HU"
    made.WindowCenter, made.WindowWidth, made.KVP, made.ConvolutionKernel = -600, 1500, 120, "B30f"
    pixels = np.random.default_rng(number).integers(-900, 100, (ROWS, COLUMNS), np.int16)
    made.PixelData = pixels.tobytes()
    made.file_meta.MediaStorageSOPClassUID, made.file_meta.MediaStorageSOPInstanceUID = CTImageStorage, made.SOPInstanceUID
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


@dataclass
class Ward:
    """A vault, a lake and a ledger in which one study has come as far as its volumes."""

    vault: Vault
    lake: Lake
    ledger: Ledger
    key: str
    volume: dict[str, Any]

    @property
    def errors(self) -> ErrorLog:
        """The vault's error log."""
        return ErrorLog(self.vault.errors)

    def originals(self) -> list[Path]:
        """The study's files as the hospital has them."""
        return sorted((self.vault.spool / self.key).glob("*/*.dcm"))


def ward(root: Path) -> Ward:
    """The study in a spool, de-identified and converted by the real stages; no answer of a model yet."""
    vault, lake = Vault.open(root / "vault"), Lake.open(root / "lake")
    keys = Pseudonyms(vault.site_key())
    key = keys.study(STUDY)
    for number in range(1, SLICES + 1):
        made = image(number)
        folder = vault.spool / key / keys.uid(made.SeriesInstanceUID)
        folder.mkdir(parents=True, exist_ok=True)
        made.save_as(folder / f"{keys.uid(made.SOPInstanceUID)}.dcm", enforce_file_format=True)
    ledger = Ledger(vault.ledger_url)
    found = Study(
        key, keys.patient("", "MRN-774411"), "PACS", STUDY, "MRN-774411", "", "ACC-90210", {f"{STUDY}.1": SLICES}, "f" * 8
    )
    ledger.register([found])
    done(ledger, "pull", key, Outcome("done", output="p" * 64, passed=SLICES))
    released = DeidentifyStage(vault, lake, "safe_harbor").run(key, "p" * 64, "1" * 64)
    assert released.passed == SLICES, released
    done(ledger, "deidentify", key, released)
    converted = VolumesStage(lake).run(key, released.output, "2" * 64)
    assert converted.passed == 1, converted
    done(ledger, "volumes", key, converted)
    from data_contracts.volumes import CONTRACT

    rows = [row for row in lake.table(CONTRACT).to_pylist() if row["path"]]
    return Ward(vault, lake, ledger, key, rows[0])


def done(ledger: Ledger, label: str, key: str, outcome: Outcome, inputs: str = "") -> None:
    """Write a stage's end into the ledger."""
    with ledger.run("test") as run:
        assert ledger.claim(label, key, secrets.token_hex(32), run, inputs=inputs)
        ledger.finish(label, key, run, outcome)


def model(lake: Lake, kind: str, version: str = "1.0.0", name: str = "", **changes: Any) -> Manifest:
    """Register a manifest (without its network: answers are written by `read`) and return it."""
    said = load("demo_nodule").manifest.model_dump(mode="json", exclude_none=True)
    heads: dict[str, Any] = {
        "classification": {"kind": "classification", "activation": "sigmoid"},
        "detection": {"kind": "detection", "form": "map", "threshold": 0.3},
        "segmentation": {"kind": "segmentation", "activation": "softmax"},
    }
    nodule = {"scheme": "SCT", "value": "427359005", "meaning": "Solitary nodule of lung"}
    site = {"scheme": "SCT", "value": "39607008", "meaning": "Lung"}
    point = [{"name": "screening", "threshold": 0.5, "source": "test"}]
    bands = [
        {"name": "low", "lowest": 0.0, "probability": [0.0, 0.05], "source": "test"},
        {"name": "high", "lowest": 0.6, "probability": [0.2, 0.4], "source": "test"},
    ]
    nodules = {"finding": "nodule", "channel": 1, "code": nodule, "site": site, "score": "probability-like", "operating_points": point,
               "bands": bands}  # fmt: skip
    lung = {"finding": "lung", "channel": 2, "code": {"scheme": "SCT", "value": "39607008", "meaning": "Lung"}}
    empty = {"finding": "effusion", "channel": 3, "code": {"scheme": "SCT", "value": "60046008", "meaning": "Pleural effusion"}}
    if kind == "segmentation":
        said["findings"] = [{k: v for k, v in nodules.items() if k not in {"operating_points", "bands"}}, lung, empty]
    else:
        said["findings"] = [nodules]
    said["input"].pop("tiling", None)
    said |= {"name": name or f"{kind}_model", "version": version, "head": heads[kind]} | changes
    content = yaml.safe_dump(said, sort_keys=False).encode()
    label = f"{said['name']}@{version}"
    with lake.publication("models", label, sha256(content).hexdigest()) as publication:
        publication.write(f"models/{said['name']}/{version}/manifest.yaml", content)
        publication.commit(passed=1)
    return parse(content, label)


def read(
    ward: Ward, manifest: Manifest, *, score: float = 0.8, boxes: tuple[dict[str, Any], ...] = (),
    labels: NDArray[np.uint8] | None = None, reason: str = "",
) -> str:  # fmt: skip
    """Publish answers of a model, through the contracts, as the stage `infer` does, and write its row of the ledger; the label."""
    volume, label = ward.volume, f"infer:{manifest.name}@{manifest.version}"
    part = f"{manifest.name}/{manifest.version}/{ward.key}"
    about = {
        "StudyInstanceUID": ward.key, "PatientID": volume["PatientID"], "SeriesInstanceUID": volume["SeriesInstanceUID"],
        "volume_path": volume["path"], "model_name": manifest.name, "model_version": manifest.version,
    }  # fmt: skip
    blank = {column.name: None for column in predictions.CONTRACT.columns} | about | {
        "kind": manifest.head.kind, "status": "not_read" if reason else "read", "reason_code": reason,
        "weights_sha256": manifest.weights.sha256, "manifest_sha256": "b" * 64, "preprocessing_sha256": "c" * 64,
        "code_sha256": "d" * 64, "variant": "reference", "device": "cpu",
    }  # fmt: skip
    scored = None if reason or labels is not None else score
    rows = [blank | {"finding": each.finding, "score": scored} for each in manifest.findings]
    with ward.lake.publication(label, ward.key, "3" * 64) as publication:
        publication.write_table(predictions.CONTRACT, rows, part=part)
        drawn = [about | {"finding": "nodule", "detection_index": n} | box for n, box in enumerate(boxes)]
        publication.write_table(detections.CONTRACT, drawn, part=part)
        if labels is not None:
            path = f"segmentations/{volume['PatientID']}/{ward.key}/{manifest.name}/{manifest.version}/{volume['SeriesInstanceUID']}_0.nii.gz"
            nibabel.save(nibabel.Nifti1Image(labels, np.reshape(volume["affine"], (4, 4))), publication.path(path))
            digest = sha256(publication.path(path).read_bytes()).hexdigest()
            ml = float(np.prod(SPACING)) / 1000
            outlined = [
                about | {"finding": each.finding, "label": each.channel, "path": path, "sha256": digest,
                         "n_voxels": int((labels == each.channel).sum()), "volume_ml": ml * int((labels == each.channel).sum()),
                         "center_lps_mm": None}
                for each in manifest.findings
            ]  # fmt: skip
            publication.write_table(segments.CONTRACT, outlined, part=part)
        published = publication.commit(passed=0 if reason else 1)
    done(
        ward.ledger, label, ward.key, Outcome("done", output=published.digest, passed=0 if reason else 1), inputs=published.digest
    )
    return label


def box(score: float = 0.9, start: tuple[int, int, int] = (5, 4, 2), stop: tuple[int, int, int] = (11, 7, 5)) -> dict[str, Any]:
    """A row of `detections`, but for what `read` adds."""
    extent = [(b - a) * mm for a, b, mm in zip(start, stop, SPACING, strict=True)]
    return {
        "score": score, "voxel_start": list(start), "voxel_stop": list(stop), "extent_mm": extent, "center_lps_mm": [0.0, 0.0, 0.0],
        "SOPInstanceUID": None, "frame_number": None,
    }  # fmt: skip


def label_map() -> NDArray[np.uint8]:
    """(i, j, k) with two findings that touch, nothing of the third, and nothing in the first and last slices."""
    labels = np.zeros((COLUMNS, ROWS, SLICES), np.uint8)
    labels[2:20, 3:17, 2:8] = 2
    labels[6:9, 5:11, 4:6] = 1
    labels[19, 16, 7] = 1
    return labels
