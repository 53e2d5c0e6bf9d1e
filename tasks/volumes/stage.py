"""The volumes stage: a released study becomes NIfTI files and rows of four tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from data_contracts import instances, series, studies, volumes
from tasks.lake import Lake
from tasks.stage import Outcome, tally
from tasks.volumes import tables
from tasks.volumes.folder import scan
from tasks.volumes.intake import Intake, take_in
from tasks.volumes.nifti import write
from tasks.volumes.series import convert, without_voxels


@dataclass(frozen=True)
class VolumesStage:
    """Reads a study from the lake, or, where `folder` is given, from a plain folder of de-identified DICOM."""

    lake: Lake
    folder: Path | None = None
    name: ClassVar[str] = "volumes"
    upstream: ClassVar[str | None] = "deidentify"
    revision: ClassVar[int] = 2

    def label(self) -> str:
        """There is one of it."""
        return self.name

    def configuration(self) -> dict[str, Any]:
        """Nothing can be set."""
        return {}

    def run(self, study_key: str, inputs: str, fingerprint: str) -> Outcome:  # noqa: ARG002 - the fingerprint covers the inputs
        """Convert every series of a study or refuse it.

        Every instance has one end in the tally: `converted`, `quarantined` (it has rows in the tables, with the reason), `rejected` (it
        may not be used and has no row), or `duplicate` (another copy of a file). `passed` counts volumes.
        """
        ends: list[tuple[str, str, str]] = []
        found = []
        with self._intake(study_key) as intake, self.lake.publication(self.name, study_key, fingerprint) as publication:
            volume_rows, instance_rows = [], []
            for key, members in intake.series.items():
                made = convert(members, intake.refused.get(key, ""))
                path = digest = None
                if made.stack is not None and made.voxels is not None:
                    path = f"volumes/{members[0].header.PatientID}/{study_key}/{key}_0.nii.gz"
                    digest = write(publication.path(path), made.voxels, made.stack.affine_ras)
                made = without_voxels(made)
                found.append(made)
                volume_rows.append(tables.volume_row(made, path, digest))
                instance_rows += tables.instance_rows(made)
                ends += [("converted" if made.converted else "quarantined", made.reason_code, "instance")] * len(members)
            if found:
                publication.write_table(volumes.CONTRACT, volume_rows)
                publication.write_table(instances.CONTRACT, instance_rows)
                publication.write_table(series.CONTRACT, [tables.series_row(made) for made in found])
                publication.write_table(studies.CONTRACT, [tables.study_row(found)])
            counted = tally([*ends, *((outcome, reason, "instance") for outcome, reason in intake.ends)])
            passed = sum(made.converted for made in found)
            manifest = publication.commit(tally=counted, passed=passed)
        return Outcome("done", output=manifest.digest, passed=passed, tally=counted)

    def withdraw(self, study_key: str) -> None:
        """Take the study out of the lake."""
        self.lake.withdraw(self.label(), study_key)

    @contextmanager
    def _intake(self, study_key: str) -> Iterator[Intake]:
        if self.folder is not None:
            files = scan(self.folder, self.lake.root).studies.get(study_key, ())
            yield take_in([(file, None) for file in files], study_key)
            return
        manifest = self.lake.manifest("deidentify", study_key)
        paths = [path for path in (manifest.files if manifest is not None else ()) if path.startswith("dicom/")]
        with self.lake.local(paths) as local:
            yield take_in([(local[path], path) for path in paths], study_key)
