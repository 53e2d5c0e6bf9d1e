"""The infer stage: one model version reads one volume of a study; every other volume, and every unread study, has a reason."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, ClassVar

import pyarrow.parquet as pq

from data_contracts import detections, predictions, segments
from tasks.errors import SafelightError
from tasks.inference import rows as tables
from tasks.inference.bundle import Bundle
from tasks.inference.execution import REFERENCE, Execution
from tasks.inference.gates import Row, by_header, choose, content_share, furthest, needs_series, plausible
from tasks.inference.preprocess import Prepared, along_the_patient
from tasks.inference.protocol import Reader, Reading
from tasks.inference.provenance import code_sha256
from tasks.inference.registry import find
from tasks.inference.volume import Volume, read_volume
from tasks.lake import Lake, Publication
from tasks.stage import Outcome, tally
from tasks.volumes.nifti import write

_OTHER, _NO_VOLUME = "E-INFER-OTHER-SERIES", "E-INFER-NO-VOLUME"

#: One study of a process is with its model at a time; the others prepare, finish and publish meanwhile.
_turn = threading.Lock()


@dataclass(frozen=True)
class InferStage:
    """Reads with a model.

    Args:
        lake: that holds the volumes.
        model: `name`, `name@version`, or a path (with a slash) to a bundle's folder.
        how: where and how its network is run.
    """

    lake: Lake
    model: str
    how: Execution = REFERENCE
    name: ClassVar[str] = "infer"
    upstream: ClassVar[str | None] = "volumes"
    revision: ClassVar[int] = 2

    @cached_property
    def bundle(self) -> Bundle:
        """The model, opened once; raises ConfigurationError where it cannot be used."""
        return find(self.lake, self.model)

    def label(self) -> str:
        """`infer:NAME@VERSION`: every version has its own results."""
        return f"{self.name}:{self.bundle.label}"

    def configuration(self) -> dict[str, Any]:
        """The hashes of the manifest, the weights and the way from volume to input, and how the network is run."""
        return {
            "manifest": self.bundle.manifest_sha256,
            "weights": self.bundle.manifest.weights.sha256,
            "preprocessing": self.bundle.preprocessing_sha256,
            "variant": self.how.variant_name,
            "device": self.how.device,
        }

    def run(self, study_key: str, inputs: str, fingerprint: str) -> Outcome:  # noqa: ARG002 - the fingerprint covers the inputs
        """Read the study's best eligible volume; rows for every volume, of which at most one is read.

        The tally counts the study once: `read`, or `not_read` with the reason of the volume that came furthest.

        Raises:
            SafelightError: E-INFER-STALE where the lake's files are not those that the stage `volumes` published; E-INFER-SCORE;
                E-INFER-OUTPUT.
        """
        manifest = self.bundle.manifest
        volumes, patient = self._volumes(study_key)
        reasons = [by_header(row, manifest) for row in volumes]
        chosen = choose([row for row, reason in zip(volumes, reasons, strict=True) if not reason])
        with self.lake.publication(self.label(), study_key, fingerprint) as publication:
            ends: list[dict[str, Any]] = []
            for row, reason in zip(volumes, reasons, strict=True):
                blank = [
                    end | {"volume_path": row["path"], "SeriesInstanceUID": row["SeriesInstanceUID"]} for end in self._unread()
                ]
                if row is chosen:
                    ends += self._read(row, blank, publication)
                else:
                    ends += [end | {"reason_code": reason or _OTHER} for end in blank]
            if not ends:
                ends = [end | {"reason_code": _NO_VOLUME} for end in self._unread()]
            told = [end["reason_code"] for end in ends if end["reason_code"] != _OTHER]
            read = "" in told
            counted = tally([("read", "", "study") if read else ("not_read", furthest(told), "study")])
            for end in ends:
                end |= {
                    "status": "not_read" if end["reason_code"] else "read",
                    "StudyInstanceUID": study_key,
                    "PatientID": patient,
                }
            publication.write_table(predictions.CONTRACT, ends, part=self._part(study_key))
            published = publication.commit(tally=counted, passed=int(read))
        scores = {end["finding"]: end["score"] for end in ends if end["status"] == "read"}
        said = {"reason_code": counted[0].reason_code, "scores": scores} | {
            name: ends[0][name]
            for name in ("weights_sha256", "manifest_sha256", "preprocessing_sha256", "code_sha256", "variant")
        }
        return Outcome("done", output=published.digest, passed=int(read), tally=counted, said=json.dumps(said, sort_keys=True))

    def withdraw(self, study_key: str) -> None:
        """Take the study out of the lake."""
        self.lake.withdraw(self.label(), study_key)

    def _reader(self) -> Reader:
        from tasks.inference.reader import open_reader  # torch, which only the process that reads needs

        return open_reader(self.bundle, self.how)

    def _unread(self) -> list[dict[str, Any]]:
        return tables.unread(self.bundle, self.how, code_sha256())

    def _part(self, study_key: str) -> str:
        return f"{self.bundle.manifest.name}/{self.bundle.manifest.version}/{study_key}"

    def _read(self, row: Row, blank: list[dict[str, Any]], publication: Publication) -> list[dict[str, Any]]:
        """The rows of the chosen volume: the scores, or why there are none, and what the input gate measured."""
        manifest, reader = self.bundle.manifest, self._reader()
        with self._opened(row) as volume:
            if not along_the_patient(volume):
                return [end | {"reason_code": "E-INFER-GEOMETRY"} for end in blank]
            share = content_share(volume, manifest.profile.content_range)
            prepared = reader.prepare(volume)
        del volume
        measured = prepared.statistics.columns() | {"input_content_share": share}
        if not plausible(prepared.statistics, share, manifest.profile):
            return [end | measured | {"reason_code": "E-INFER-INPUT"} for end in blank]
        with _turn:
            found = reader.infer(prepared)
        reading = reader.finish(found, prepared)
        self._publish(reading, row, prepared, publication)
        return [end | measured | {"score": reading.scores.get(end["finding"])} for end in blank]

    def _publish(self, reading: Reading, row: Row, prepared: Prepared, publication: Publication) -> None:
        """Boxes and label maps."""
        part = self._part(row["StudyInstanceUID"])
        if reading.boxes:
            found = tables.boxes(reading, row, prepared.source, self.bundle)
            publication.write_table(detections.CONTRACT, found, part=part)
        if reading.labels is not None:
            name, version = self.bundle.manifest.name, self.bundle.manifest.version
            folder = f"segmentations/{row['PatientID']}/{row['StudyInstanceUID']}/{name}/{version}"
            path = f"{folder}/{row['SeriesInstanceUID']}_{row['volume_index']}.nii.gz"
            planes = (reading.labels[:, :, k].T[None] for k in range(reading.labels.shape[2]))
            digest = write(publication.path(path), planes, reading.labels.shape, reading.labels.dtype, prepared.source.affine_ras)
            publication.hashed(path, digest)
            made = tables.segments(reading.labels, row, prepared.source, self.bundle, path, digest)
            publication.write_table(segments.CONTRACT, made, part=part)

    def _volumes(self, study_key: str) -> tuple[list[Row], str]:
        """The study's volumes of right angles, acquired or resampled, by path, and its patient."""
        rows = self._table("volumes", study_key)
        usable = [
            row
            for row in rows
            if row["path"] is not None and row["kind"] == "3d" and not row["is_sheared"] and row["n_slices"] > 1
        ]
        if needs_series(self.bundle.manifest.accepted):
            agents = {row["SeriesInstanceUID"]: row["ContrastBolusAgent"] for row in self._table("series", study_key)}
            usable = [row | {"ContrastBolusAgent": agents.get(row["SeriesInstanceUID"]) or []} for row in usable]
        return sorted(usable, key=lambda row: str(row["path"])), str(rows[0]["PatientID"])

    def _table(self, name: str, study_key: str) -> list[dict[str, Any]]:
        path = f"tables/{name}/{study_key}.parquet"
        published = self.lake.manifest("volumes", study_key)
        if published is None or path not in published.files:
            raise SafelightError("E-INFER-STALE", f"study {study_key}: no table of {name}")
        content = self.lake.read(path)
        if sha256(content).hexdigest() != published.files[path]:
            raise SafelightError("E-INFER-STALE", f"study {study_key}: not the published bytes")
        found: list[dict[str, Any]] = pq.read_table(io.BytesIO(content)).to_pylist()
        return found

    @contextmanager
    def _opened(self, row: Row) -> Iterator[Volume]:
        """A volume whose bytes are those that were published."""
        path, padding, study_key = row["path"], row["padding_range"], row["StudyInstanceUID"]
        published = self.lake.manifest("volumes", study_key)
        if published is None or path not in published.files or not self.lake.exists(path):
            raise SafelightError("E-INFER-STALE", f"study {study_key}: no file of a volume")
        with self.lake.local([path]) as files:
            yield read_volume(files[path], (padding[0], padding[1]) if padding else None, published.files[path])
