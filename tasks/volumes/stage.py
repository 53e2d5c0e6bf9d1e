"""The volumes stage: a released study becomes NIfTI files and rows of four tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from data_contracts import instances, series, studies, volumes
from tasks.lake import Lake
from tasks.stage import Outcome, tally
from tasks.volumes import tables
from tasks.volumes.folder import scan
from tasks.volumes.intake import Intake, take_in
from tasks.volumes.policy import VolumesSettings
from tasks.volumes.series import convert


@dataclass(frozen=True)
class VolumesStage:
    """Reads a study from the lake, or, where `folder` is given, from a plain folder of de-identified DICOM."""

    lake: Lake
    folder: Path | None = None
    settings: VolumesSettings = field(default_factory=VolumesSettings)
    name: ClassVar[str] = "volumes"
    upstream: ClassVar[str | None] = "deidentify"
    revision: ClassVar[int] = 4

    def label(self) -> str:
        """There is one of it."""
        return self.name

    def configuration(self) -> dict[str, Any]:
        """What is resampled."""
        return self.settings.model_dump()

    def run(self, study_key: str, inputs: str, fingerprint: str) -> Outcome:  # noqa: ARG002 - the fingerprint covers the inputs
        """Convert every series of a study, part by part, or hold parts back.

        Every instance has one end in the tally: `converted`, `partly` or `quarantined` (all have rows in the tables, with the reason),
        `duplicate` (its frames are copies of others', or it is another copy of a file), or `rejected` (it may not be used and has no row).
        `passed` counts volumes and images.
        """
        ends: list[tuple[str, str]] = []
        passed, headers = 0, []
        with self._intake(study_key) as intake, self.lake.publication(self.name, study_key, fingerprint) as publication:
            volume_rows, instance_rows, series_rows = [], [], []
            for key, members in intake.series.items():
                parts = list(convert(members, publication, self.settings, intake.refused.get(key, "")))
                of_instances = tables.instance_rows(members, parts)
                ends += [(row["status"], row["reason_code"]) for row in of_instances]
                passed += sum(made.written is not None for made in parts)
                of_volumes = [tables.volume_row(made) for made in parts]
                volume_rows += of_volumes
                instance_rows += of_instances
                series_rows.append(tables.series_row(members, of_volumes))
                headers += [instance.header for instance in members]
            if headers:
                publication.write_table(volumes.CONTRACT, volume_rows)
                publication.write_table(instances.CONTRACT, instance_rows)
                publication.write_table(series.CONTRACT, series_rows)
                publication.write_table(studies.CONTRACT, [tables.study_row(headers, series_rows)])
            counted = tally((outcome, reason, "instance") for outcome, reason in (*ends, *intake.ends))
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
