"""The infer stage: one model version reads one volume of a study; every other volume, and every unread study, has a reason."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, ClassVar

import pyarrow.parquet as pq

from data_contracts.predictions import CONTRACT
from tasks.errors import SafelightError
from tasks.inference.bundle import Bundle, load
from tasks.inference.gates import Row, by_header, choose, content_share, furthest, plausible
from tasks.inference.preprocess import Volume, along_the_patient, prepare, read_volume
from tasks.inference.reader import score
from tasks.lake import Lake
from tasks.stage import Outcome, tally

_OTHER, _NO_VOLUME = "E-INFER-OTHER-SERIES", "E-INFER-NO-VOLUME"


@dataclass(frozen=True)
class InferStage:
    """Reads with a model: a name below `configs/models/`, or a path (with a slash) to a bundle's folder."""

    lake: Lake
    model: str
    name: ClassVar[str] = "infer"
    upstream: ClassVar[str | None] = "volumes"
    revision: ClassVar[int] = 1

    @cached_property
    def bundle(self) -> Bundle:
        """The model, opened once; raises ConfigurationError where it cannot be used."""
        return load(self.model)

    def label(self) -> str:
        """`infer:NAME@VERSION`: every version has its own results."""
        return f"{self.name}:{self.bundle.manifest.name}@{self.bundle.manifest.version}"

    def configuration(self) -> dict[str, Any]:
        """The hashes of the manifest, the weights and the way from volume to input."""
        return {
            "manifest": self.bundle.manifest_sha256,
            "weights": self.bundle.manifest.weights_sha256,
            "preprocessing": self.bundle.preprocessing_sha256,
        }

    def run(self, study_key: str, inputs: str, fingerprint: str) -> Outcome:  # noqa: ARG002 - the fingerprint covers the inputs
        """Read the study's best eligible volume; one row a volume, of which at most one is read.

        The tally counts the study once: `read`, or `not_read` with the reason of the volume that came furthest.

        Raises:
            SafelightError: E-INFER-STALE where the lake's files are not those that the stage `volumes` published; E-INFER-SCORE.
        """
        manifest = self.bundle.manifest
        volumes, patient = self._volumes(study_key)
        ends = [dict(self._blank(), reason_code=by_header(row, manifest)) for row in volumes]
        chosen = choose([row for row, end in zip(volumes, ends, strict=True) if not end["reason_code"]])
        for row, end in zip(volumes, ends, strict=True):
            end.update(SeriesInstanceUID=row["SeriesInstanceUID"], volume_path=row["path"])
            if row is chosen:
                with self._opened(study_key, row) as volume:
                    end.update(self._read(volume))
            elif not end["reason_code"]:
                end["reason_code"] = _OTHER
        if not ends:
            ends = [dict(self._blank(), reason_code=_NO_VOLUME)]
        reasons = [end["reason_code"] for end in ends if end["reason_code"] != _OTHER]
        read = "" in reasons
        counted = tally([("read", "", "study") if read else ("not_read", furthest(reasons), "study")])
        for end in ends:
            end |= {"status": "not_read" if end["reason_code"] else "read", "StudyInstanceUID": study_key, "PatientID": patient}
        with self.lake.publication(self.label(), study_key, fingerprint) as publication:
            publication.write_table(CONTRACT, ends, part=f"{manifest.name}/{manifest.version}/{study_key}")
            published = publication.commit(tally=counted, passed=int(read))
        return Outcome("done", output=published.digest, passed=int(read), tally=counted)

    def withdraw(self, study_key: str) -> None:
        """Take the study out of the lake."""
        self.lake.withdraw(self.label(), study_key)

    def _read(self, volume: Volume) -> dict[str, Any]:
        """The columns that reading a volume fills: the score, or why there is none, and what the input gate measured."""
        manifest = self.bundle.manifest
        if not along_the_patient(volume):
            return {"reason_code": "E-INFER-GEOMETRY"}
        share = content_share(volume, manifest.profile.content_hu)
        prepared = prepare(volume, manifest.input)
        statistics = {"input_mean": prepared.mean, "input_std": prepared.std, "input_content_share": share}
        measured = {name: value for name, value in statistics.items() if math.isfinite(value)}  # the others stay null
        if not plausible(prepared, share, manifest):
            return measured | {"reason_code": "E-INFER-INPUT"}
        return measured | {"score": score(self.bundle, prepared.voxels)}

    def _volumes(self, study_key: str) -> tuple[list[Row], str]:
        """The study's volumes of right angles, acquired or resampled, by path, and its patient."""
        path = f"tables/volumes/{study_key}.parquet"
        published = self.lake.manifest("volumes", study_key)
        if published is None or path not in published.files:
            raise SafelightError("E-INFER-STALE", f"study {study_key}: no table of volumes")
        content = self._checked(published.files[path], self.lake.read(path), study_key)
        rows = pq.read_table(io.BytesIO(content)).to_pylist()
        usable = (
            row
            for row in rows
            if row["path"] is not None and row["kind"] == "3d" and not row["is_sheared"] and row["n_slices"] > 1
        )
        return sorted(usable, key=lambda row: str(row["path"])), str(rows[0]["PatientID"])

    @contextmanager
    def _opened(self, study_key: str, row: Row) -> Iterator[Volume]:
        """A volume whose bytes are those that were published."""
        path, padding = row["path"], row["padding_range"]
        published = self.lake.manifest("volumes", study_key)
        if published is None or path not in published.files or not self.lake.exists(path):
            raise SafelightError("E-INFER-STALE", f"study {study_key}: no file of a volume")
        with self.lake.local([path]) as files:
            self._checked(published.files[path], files[path].read_bytes(), study_key)
            yield read_volume(files[path], (padding[0], padding[1]) if padding else None)

    @staticmethod
    def _checked(published_sha256: str, content: bytes, study_key: str) -> bytes:
        if sha256(content).hexdigest() != published_sha256:
            raise SafelightError("E-INFER-STALE", f"study {study_key}: not the published bytes")
        return content

    def _blank(self) -> dict[str, Any]:
        """A row before anything is known of the volume."""
        manifest = self.bundle.manifest
        unknown = ("SeriesInstanceUID", "volume_path", "score", "input_mean", "input_std", "input_content_share")
        return dict.fromkeys(unknown) | {
            "model_name": manifest.name,
            "model_version": manifest.version,
            "finding": manifest.output.finding,
            "weights_sha256": manifest.weights_sha256,
            "manifest_sha256": self.bundle.manifest_sha256,
            "preprocessing_sha256": self.bundle.preprocessing_sha256,
        }
