"""For tests: a site with a ledger, a vault and a lake, whose studies stand wherever one wants, and models with any findings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from data_contracts import detections, instances, predictions, segments, series
from tasks.delivery.policy import DeliverySettings
from tasks.delivery.served import Served, served
from tasks.delivery.stage import Delivered, Desk
from tasks.lake import Lake
from tasks.ledger import Ledger, Study
from tasks.pseudonyms import Pseudonyms
from tasks.stage import Outcome, tally
from tasks.vault import Vault

#: 2026-03-02 20:00 UTC.
EVENING = 1_772_481_600.0
UTC = ZoneInfo("UTC")
ROOT = Path(__file__).parents[3]
CODES = {"nodule": ("SCT", "27925004", "Nodule"), "embolism": ("SCT", "59282003", "Pulmonary embolism")}
LUNG = {"scheme": "SCT", "value": "39607008", "meaning": "Lung structure"}
BANDS = [
    {"name": "low", "lowest": 0.0, "probability": [0.0, 0.1], "source": "test"},
    {"name": "middle", "lowest": 0.3, "probability": [0.1, 0.5], "source": "test"},
    {"name": "high", "lowest": 0.8, "probability": [0.6, 0.9], "source": "test"},
]


def finding(
    name: str = "nodule", *, threshold: float = 0.5, bands: Sequence[Any] = (), level: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A finding of a manifest."""
    scheme, value, meaning = CODES[name]
    return {
        "finding": name, "code": {"scheme": scheme, "value": value, "meaning": meaning}, "site": LUNG, "bands": list(bands),
        "operating_points": [{"name": "screening", "threshold": threshold, "source": "test"}], "service_level": level,
    }  # fmt: skip


def manifest(name: str, *findings: dict[str, Any], version: str = "1.0.0", head: str = "classification") -> bytes:
    """A manifest like the demo's, with these findings."""
    said = yaml.safe_load((ROOT / "configs" / "models" / "demo_nodule" / "manifest.yaml").read_text("utf-8"))
    heads = {
        "classification": {"kind": "classification"}, "detection": {"kind": "detection", "form": "boxes", "threshold": 0.1},
        "segmentation": {"kind": "segmentation"},
    }  # fmt: skip
    numbered = [{**each, "channel": place + (head == "segmentation")} for place, each in enumerate(findings)]
    if head == "segmentation":
        numbered = [{**each, "operating_points": []} for each in numbered]
    changed = {"name": name, "version": version, "head": heads[head], "findings": numbered, "intended_use": "For tests."}
    return yaml.safe_dump(said | changed, sort_keys=False).encode()


class World:
    """A site. Make one with `world`."""

    def __init__(self, folder: Path, run: str, ledger: Ledger, vault: Vault) -> None:
        self.folder, self.run, self.ledger, self.vault = folder, run, ledger, vault
        self.lake = Lake.open(folder / "lake")
        self.models: list[str] = []
        self.keys = Pseudonyms(vault.site_key())

    def at(self, seconds: float) -> None:
        """Let it be so many seconds after the evening."""
        _clock[0] = EVENING + seconds

    def model(self, content: bytes) -> str:
        """Put a model into the lake's registry, as the version that its name means; give its name."""
        said = yaml.safe_load(content)
        assert self.lake.root is not None
        path = self.lake.root / "models" / said["name"] / said["version"] / "manifest.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        (path.parents[1] / "current.json").write_text(json.dumps({"version": said["version"]}))
        if said["name"] not in self.models:
            self.models.append(said["name"])
        return str(said["name"])

    def served(self, **settings: Any) -> list[Served]:
        """The site's models."""
        return served(self.lake, self.models, DeliverySettings(**settings))

    def desk(self, **settings: Any) -> Desk:
        """The site's desk with these settings of `delivery`."""
        return Desk(self.lake, self.vault, self.ledger, tuple(self.served(**settings)), DeliverySettings(**settings), UTC)

    def deliver(self, **settings: Any) -> Delivered:
        """Deliver everything now."""
        return self.desk(**settings).deliver(settled_s=0)

    def study(self, number: int, *, patient: str = "", accession: str = "", volumes: int = 1) -> str:
        """A study that was pulled just now and came to its volumes, or to none."""
        uid = f"1.2.826.0.1.999.{number}"
        key, patient_id = self.keys.study(uid), patient or f"PAT-{number}"
        known = Study(
            key,
            self.keys.patient("", patient_id),
            "pacs",
            uid,
            patient_id,
            "",
            accession or f"ACC-{number}",
            {"1.2.3": 1},
            "found",
        )
        self.ledger.register([known])
        before = "found"
        for stage, passed in (("pull", 1), ("deidentify", 1), ("volumes", volumes)):
            held = [] if passed else [("quarantined", "E-VOLUME-MISSING-SLICES", "volume")]
            before = self.finish(stage, key, before, Outcome("done", f"{stage} of {number}", passed, tally(held)))
        return key

    def finish(self, stage: str, key: str, inputs: str, outcome: Outcome) -> str:
        """Note a stage's end."""
        assert self.ledger.claim(stage, key, f"{stage} of {inputs}", self.run, inputs=inputs)
        self.ledger.finish(stage, key, self.run, outcome)
        return outcome.output

    def read(
        self,
        key: str,
        model: str,
        scores: dict[str, float | None],
        *,
        reason: str = "",
        boxes: Sequence[dict[str, Any]] = (),
        volumes_ml: float | None = None,
    ) -> None:
        """Let a model have read a study just now; or not, for a reason."""
        one = next(each for each in self.served() if each.manifest.name == model)
        version, patient = one.manifest.version, self.ledger.study(key).patient_key
        unknown = {column.name: None for column in predictions.CONTRACT.columns if column.nullable}
        common = {
            "StudyInstanceUID": key, "PatientID": patient, "SeriesInstanceUID": "2.25.77", "volume_path": f"volumes/{key}/77_0.nii.gz",
            "model_name": model, "model_version": version,
        }  # fmt: skip
        rows = [
            unknown | common | {
                "finding": name, "kind": one.manifest.head.kind, "score": score, "status": "not_read" if reason else "read", "reason_code": reason,
                "weights_sha256": "0" * 64, "manifest_sha256": one.manifest_sha256, "preprocessing_sha256": "0" * 64, "code_sha256": "0" * 64,
                "variant": "reference", "device": "cpu",
            }
            for name, score in scores.items()
        ]  # fmt: skip
        drawn = [
            common | {
                "finding": "nodule", "detection_index": place, "score": 0.9, "voxel_start": [1, 2, 3], "voxel_stop": [9, 9, 9],
                "center_lps_mm": [-10.0, 20.0, 30.25], "extent_mm": [8.0, 6.0, 7.5], "SOPInstanceUID": "2.25.88", "frame_number": 1,
            } | box
            for place, box in enumerate(boxes)
        ]  # fmt: skip
        outlined = [
            common | {
                "finding": name, "label": 1, "path": f"segmentations/{key}.nii.gz", "sha256": "0" * 64, "n_voxels": 9, "volume_ml": volumes_ml,
                "center_lps_mm": None,
            }
            for name in scores
            if volumes_ml is not None
        ]  # fmt: skip
        counted = tally([("not_read", reason, "study") if reason else ("read", "", "study")])
        with self.lake.publication(one.label, key, "f" * 64) as publication:
            for contract, found in ((predictions.CONTRACT, rows), (detections.CONTRACT, drawn), (segments.CONTRACT, outlined)):
                publication.write_table(contract, found, part=f"{model}/{version}/{key}")
            published = publication.commit(tally=counted, passed=int(not reason))
        volumes = self.ledger.results("volumes", [key])[key, "volumes"]
        self.finish(
            one.label,
            key,
            volumes.output,
            Outcome("done", published.digest, int(not reason), counted, said=json.dumps({"reason_code": reason})),
        )

    def numbered(self, key: str) -> None:
        """Publish the numbers by which people find the study's images: series 4, image 112."""
        patient = self.ledger.study(key).patient_key
        tables = {
            series.CONTRACT: {
                "SeriesInstanceUID": "2.25.77",
                "SeriesNumber": 4,
                "n_instances": 1,
                "reason_codes": [],
                "mixed": [],
            },
            instances.CONTRACT: {"SeriesInstanceUID": "2.25.77", "SOPInstanceUID": "2.25.88", "InstanceNumber": 112},
        }
        with self.lake.publication("volumes", key, "f" * 64) as publication:
            for contract, said in tables.items():
                blank = {column.name: None if column.nullable else _blank(str(column.type)) for column in contract.columns}
                row = blank | {"StudyInstanceUID": key, "PatientID": patient} | said
                for column in contract.columns:
                    if column.allowed and not column.nullable and row[column.name] not in column.allowed:
                        row[column.name] = column.allowed[0]
                publication.write_table(contract, [row])
            publication.commit(passed=1)

    def drop(self, name: str, content: str | bytes) -> Path:
        """Put a file into the inbox."""
        path = self.vault.root / "inbox" / name
        path.parent.mkdir(exist_ok=True, mode=0o700)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def delivered(self, *below: str) -> dict[str, bytes]:
        """Every file that was delivered, in the vault and in the lake: path to bytes."""
        assert self.lake.root is not None
        roots = [
            *(self.vault.root / name for name in ("worklist", "panels", "fields")),
            self.lake.root / "worklist",
            self.lake.root / "tables" / "worklist",
        ]
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for root in roots
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }


def _blank(kind: str) -> Any:
    return "" if kind == "string" else [] if kind.startswith("list") else False if kind == "bool" else 1


def oru(
    *orders: str,
    control: str = "1",
    at: str = "20260302203000",
    patient: str = "",
    kind: str = "ORU^R01^ORU_R01",
    end: str = "\r",
) -> str:
    """A result message with these OBR segments."""
    segments = [
        rf"MSH|^~\&|RIS|HOSP|SAFELIGHT|HOSP|{at}||{kind}|{control}|P|2.5.1",
        f"PID|1||{patient}^^^HOSP^MR||DOE^JANE",
        *orders,
    ]
    return end.join(segments) + end


def obr(accession: str, status: str, *, at: str = "", uid: str = "", filler: str = "") -> str:
    """An order with the AccessionNumber in OBR-18 and its status in OBR-25; followed by an observation that names the study."""
    fields = [""] * 25
    fields[0], fields[2], fields[3], fields[17], fields[21], fields[24] = "1", filler, "CT^CT chest", accession, at, status
    text = "OBR|" + "|".join(fields)
    return text + (f"\rOBX|1|ST|113014^DICOM Study^DCM||{uid}||||||F" if uid else "")


_clock = [EVENING]


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """A site in a folder, in the evening."""
    _clock[0] = EVENING
    vault = Vault.open(folder / "vault")
    ledger = Ledger(vault.ledger_url, clock=lambda: _clock[0])
    with ledger.run("night") as run:
        yield World(folder, run, ledger, vault)
    ledger.close()
