"""For tests: the objects of a result, made without a PACS."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from tasks.inference.manifest import Manifest
from tasks.pseudonyms import Pseudonyms
from tasks.results.copies import encoded, lake_headers
from tasks.results.identity import Identity
from tasks.results.objects import Made, make
from tasks.results.occasion import Occasion
from tasks.results.passport import passport
from tasks.results.policy import Mode, ReturnsSettings, sayable
from tasks.results.reading import Said, take
from tests.tasks.results import made
from tests.tasks.results.made import Ward

READ_AT = 1_790_000_000.0


def settings(port: int = 1, **changes: Any) -> ReturnsSettings:
    """Settings of a site that shows everything of our models."""
    modes = {f"{kind}_model": "decision_support" for kind in ("classification", "detection", "segmentation")}
    node = {
        "host": "127.0.0.1",
        "port": port,
        "ae_title": "ARCHIVE",
        "acse_timeout_s": 5,
        "dimse_timeout_s": 5,
        "network_timeout_s": 5,
    }
    said: dict[str, Any] = {"node": node, "modes": modes, "retries": 0, "backoff_s": 0.01, "commitment": {"ask": "never"}}
    return ReturnsSettings.model_validate(said | changes)


def answered(ward: Ward, kind: str, **changes: Any) -> Manifest:
    """A model of a kind that has read the study: two boxes, one of them below the operating point, or a label map."""
    manifest = made.model(ward.lake, kind, **changes)
    boxes = (made.box(), made.box(0.2)) if kind == "detection" else ()
    made.read(
        ward, manifest, score=0.9 if boxes else 0.8, boxes=boxes, labels=made.label_map() if kind == "segmentation" else None
    )
    return manifest


def result(ward: Ward, manifest: Manifest) -> Said:
    """What it said."""
    return take(ward.lake, manifest.name, manifest.version, ward.key)


def objects(ward: Ward, said: Said, *, in_lake: bool = False, mode: Mode = "decision_support", **more: Any) -> Made:
    """The objects under one identity."""
    keys = Pseudonyms(ward.vault.site_key())
    identity = Identity(keys, made.STUDY, said.model, in_lake)
    headers = lake_headers(ward.lake, ward.key, []) if in_lake else passport(ward.vault, ward.key, "p")
    occasion = Occasion(identity, settings(), said.digest, None if in_lake else READ_AT, "1.2.3")
    return make(said, headers, sayable(mode, final=True), occasion, more.get("predecessor"))


def reread(one: Dataset) -> Dataset:
    """An object as it is read from its file."""
    return dcmread(io.BytesIO(encoded(one)))


def frames_of(seg: Dataset) -> NDArray[np.uint8]:
    """The pixels of a binary segmentation, (frame, row, column), unpacked by hand: the first pixel is the lowest bit (PS3.5 8.1.1)."""
    bits = np.unpackbits(np.frombuffer(seg.PixelData, np.uint8), bitorder="little")
    n, rows, columns = int(seg.NumberOfFrames), int(seg.Rows), int(seg.Columns)
    return bits[: n * rows * columns].reshape(n, rows, columns)
