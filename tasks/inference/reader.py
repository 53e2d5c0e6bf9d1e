"""The reader of every model whose manifest says all: prepared, shown to its network, and put back on the volume's voxels."""

from __future__ import annotations

import importlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Self

import numpy as np

from tasks.errors import ConfigurationError
from tasks.inference.adapters.opening import Network, open_network
from tasks.inference.bundle import Bundle
from tasks.inference.execution import Execution, be_deterministic
from tasks.inference.heads import read
from tasks.inference.preprocess import Prepared, prepare, restore
from tasks.inference.protocol import Box, Found, PlacedBox, Reader, Reading
from tasks.inference.volume import Volume
from tasks.stage import digest

#: Models that a process keeps open at once: a night with several goes through them batch by batch.
_KEPT = 3

_lock = threading.Lock()
_readers: OrderedDict[str, Reader] = OrderedDict()


@dataclass(frozen=True, slots=True)
class ManifestReader:
    """Follows the manifest, and nothing else. See `tasks.inference.protocol.Reader`."""

    bundle: Bundle
    how: Execution
    network: Network

    @classmethod
    def open(cls, bundle: Bundle, how: Execution) -> Self:
        """Open the network."""
        return cls(bundle, how, open_network(bundle, how))

    def prepare(self, volume: Volume) -> Prepared:
        """The manifest's input."""
        return prepare(volume, self.bundle.manifest.input)

    def infer(self, prepared: Prepared) -> Found:
        """The network's answer."""
        be_deterministic(self.how)
        return read(self.network, prepared, self.bundle.manifest, whole="whole" in self.how.variant)

    def finish(self, found: Found, prepared: Prepared) -> Reading:
        """Boxes and labels on the volume's voxels."""
        labels = None if found.labels is None else restore(found.labels, prepared, labels=True)
        return Reading(found.scores, tuple(placed(box, prepared) for box in found.boxes), labels)


def open_reader(bundle: Bundle, how: Execution) -> Reader:
    """The reader of a bundle: the manifest's own, or the class that a package brings. Opened once a process, and kept while it is used.

    Raises:
        ConfigurationError: where the model cannot be run so.
    """
    key = digest({"manifest": bundle.manifest_sha256, "folder": str(bundle.folder), "how": repr(how)})
    with _lock:
        if key not in _readers:
            _readers[key] = _opened(bundle, how)
            while len(_readers) > _KEPT:
                _readers.popitem(last=False)
        _readers.move_to_end(key)
        return _readers[key]


def _opened(bundle: Bundle, how: Execution) -> Reader:
    named = bundle.manifest.weights.reader
    if named is None:
        return ManifestReader.open(bundle, how)
    module, _, attribute = named.partition(":")
    try:
        kind = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError):
        raise ConfigurationError("E-INFER-PACKAGE", f"{bundle.label}: {named} cannot be imported") from None
    opened: Reader = kind.open(bundle, how)
    return opened


def placed(box: Box, prepared: Prepared) -> PlacedBox:
    """A box of the input as whole voxels of the volume that it touches; the nearest voxel where it lies beyond."""
    corners = np.array([box.start[::-1], box.stop[::-1]], np.float64) - 0.5  # (x, y, z) in voxels, from edges to centres
    all_corners = np.array([[corners[a, 0], corners[b, 1], corners[c, 2], 1] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    edges = (prepared.source.indices_from(prepared.grid) @ all_corners.T)[:3] + 0.5
    shape = np.array(prepared.source.shape)
    start = np.clip(np.floor(edges.min(axis=1) + 1e-6), 0, shape - 1).astype(int)
    stop = np.clip(np.ceil(edges.max(axis=1) - 1e-6), start + 1, shape).astype(int)
    i, j, k = (int(n) for n in start)
    i_stop, j_stop, k_stop = (int(n) for n in stop)
    return PlacedBox(box.finding, box.score, (i, j, k), (i_stop, j_stop, k_stop))
