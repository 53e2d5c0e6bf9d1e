"""The volumes stage: a released study becomes NIfTI files and rows of four tables."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from data_contracts import instances, series, studies, volumes
from data_contracts.contract import PATIENT_PATTERN, UID_PATTERN
from tasks.errors import SafelightError
from tasks.lake import Lake
from tasks.stage import Outcome, tally
from tasks.volumes import tables
from tasks.volumes.folder import scan
from tasks.volumes.nifti import write
from tasks.volumes.series import Instance, convert, without_voxels


@dataclass(frozen=True)
class VolumesStage:
    """Reads a study from the lake, or from a plain folder of de-identified DICOM."""

    lake: Lake
    folder: Path | None = None
    name: ClassVar[str] = "volumes"
    upstream: ClassVar[str | None] = "deidentify"
    revision: ClassVar[int] = 1

    def label(self) -> str:
        """There is one of it."""
        return self.name

    def configuration(self) -> dict[str, Any]:
        """Nothing can be set."""
        return {}

    def run(self, study_key: str, inputs: str, fingerprint: str) -> Outcome:  # noqa: ARG002 - the fingerprint covers the inputs
        """Convert every series of a study or refuse it.

        Raises:
            SafelightError: E-VOLUME-IDENTIFIED, E-VOLUME-FOREIGN-KEYS, E-VOLUME-NOT-DICOM: then nothing of the study is written.
        """
        ends: list[tuple[str, str, str]] = []
        found = []
        with self._instances(study_key) as grouped, self.lake.publication(self.name, study_key, fingerprint) as publication:
            volume_rows, instance_rows = [], []
            for key, members in sorted(grouped.items()):
                made = convert(members)
                path = digest = None
                if made.stack is not None and made.voxels is not None:
                    path = f"volumes/{members[0].header.PatientID}/{study_key}/{key}_0.nii.gz"
                    target = publication.path(path)
                    write(target, made.voxels, made.stack.affine_ras)
                    digest = hashlib.sha256(target.read_bytes()).hexdigest()
                made = without_voxels(made)
                found.append(made)
                volume_rows.append(tables.volume_row(made, path, digest))
                instance_rows += tables.instance_rows(made)
                end = ("converted", "", "instance") if made.converted else ("refused", made.reason_code, "instance")
                ends += [end] * len(members)
            if found:
                publication.write_table(volumes.CONTRACT, volume_rows)
                publication.write_table(instances.CONTRACT, instance_rows)
                publication.write_table(series.CONTRACT, [tables.series_row(made) for made in found])
                publication.write_table(studies.CONTRACT, [tables.study_row(found)])
            counted = tally(ends)
            passed = sum(made.converted for made in found)
            manifest = publication.commit(tally=counted, passed=passed)
        return Outcome("done", output=manifest.digest, passed=passed, tally=counted)

    @contextmanager
    def _instances(self, study_key: str) -> Iterator[dict[str, list[Instance]]]:
        """The study's instances by series key."""
        if self.folder is not None:
            yield _by_series([(file, None) for file in scan(self.folder).studies[study_key]], study_key)
            return
        manifest = self.lake.manifest("deidentify", study_key)
        paths = [path for path in (manifest.files if manifest is not None else ()) if path.startswith("dicom/")]
        with self.lake.local(paths) as files:
            yield _by_series([(files[path], path) for path in paths], study_key)


def _by_series(files: list[tuple[Path, str | None]], study_key: str) -> dict[str, list[Instance]]:
    grouped: dict[str, list[Instance]] = defaultdict(list)
    for file, lake_path in files:
        try:
            header = dcmread(file, stop_before_pixels=True)
        except (InvalidDicomError, OSError, ValueError, KeyError):
            raise SafelightError("E-VOLUME-NOT-DICOM", study_key) from None
        _check_clean(header, study_key)
        grouped[str(header.SeriesInstanceUID)].append(Instance(header, file, lake_path))
    return grouped


def _check_clean(header: Any, study_key: str) -> None:
    """Hold that an instance says it is de-identified, and that its keys are of our making."""
    if header.get("PatientIdentityRemoved") != "YES":
        raise SafelightError("E-VOLUME-IDENTIFIED", study_key)
    uids = [str(header.get(keyword, "")) for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")]
    ours = re.fullmatch(PATIENT_PATTERN, str(header.get("PatientID", ""))) and all(re.fullmatch(UID_PATTERN, uid) for uid in uids)
    if not ours or uids[0] != study_key:
        raise SafelightError("E-VOLUME-FOREIGN-KEYS", study_key)
