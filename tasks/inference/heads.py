"""From a network's numbers to what a model says: scores, boxes, or labels, on the input's voxels."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from tasks.errors import SafelightError
from tasks.inference.adapters.opening import Network
from tasks.inference.manifest import Classification, Detection, Manifest, Segmentation, Tiling
from tasks.inference.preprocess import Prepared
from tasks.inference.protocol import Box, Found, Labels
from tasks.inference.tiling import Maps, slabs

#: Voxels that touch by a face, an edge or a corner belong together.
_TOUCHING = np.ones((3, 3, 3), np.bool_)


def read(network: Network, prepared: Prepared, manifest: Manifest, *, whole: bool = False) -> Found:
    """What a model says of an input.

    Args:
        network: the model's.
        prepared: the input.
        manifest: its head and findings.
        whole: show the network the whole input, though the manifest tiles it.

    Raises:
        SafelightError: E-INFER-OUTPUT where the network's answer is not of the head's form; E-INFER-SCORE where a score is not from 0 to 1.
    """
    tiling = None if whole else manifest.input.tiling
    if isinstance(manifest.head, Classification):
        return _classified(network, prepared, manifest, manifest.head)
    if isinstance(manifest.head, Segmentation):
        return Found({}, labels=_segmented(network, prepared, manifest, manifest.head, tiling))
    boxes = (
        _own_boxes(network, prepared, manifest, manifest.head)
        if manifest.head.form == "boxes"
        else _boxes_of_maps(network, prepared, manifest, manifest.head, tiling)
    )
    return Found(
        {said.finding: max((b.score for b in boxes if b.finding == said.finding), default=0.0) for said in manifest.findings},
        boxes,
    )


def _classified(network: Network, prepared: Prepared, manifest: Manifest, head: Classification) -> Found:
    given = network(torch.from_numpy(prepared.voxels)[None, None])
    along = 1 if isinstance(given, torch.Tensor) and given.ndim > 1 else 0  # (1, n), (n), (1, n, 1, 1, 1) or a single number
    if not isinstance(given, torch.Tensor) or (given.ndim and given.shape[along] != given.numel()):
        raise SafelightError("E-INFER-OUTPUT", "no vector of numbers")  # a map's first voxel would look like a score
    if given.numel() <= max(said.channel for said in manifest.findings):
        raise SafelightError("E-INFER-OUTPUT", "fewer numbers than findings")
    numbers = given.reshape(-1).to(torch.float32)
    if head.activation == "sigmoid":
        numbers = numbers.sigmoid()
    elif head.activation == "softmax":
        numbers = numbers.softmax(0)
    return Found({said.finding: _score(float(numbers[said.channel])) for said in manifest.findings})


def _score(value: float) -> float:
    if not 0 <= value <= 1:  # NaN is neither
        raise SafelightError("E-INFER-SCORE", "a score that is not from 0 to 1")
    return value


def _segmented(network: Network, prepared: Prepared, manifest: Manifest, head: Segmentation, tiling: Tiling | None) -> Labels:
    """Labels, slab by slab, so that the maps of all channels are never there for more than a tile's height."""
    labels = np.zeros(prepared.voxels.shape, np.uint8)
    for slab in slabs(network, prepared.voxels, tiling, prepared.outside):
        there = labels[slab.start : slab.start + slab.maps.shape[1]]
        _enough(slab.maps, manifest)
        if head.activation == "sigmoid":
            if len(slab.maps) != 1:
                raise SafelightError("E-INFER-OUTPUT", "several maps where one is meant")
            there[...] = slab.maps[0] > 0
        else:
            named = np.zeros(len(slab.maps), np.uint8)
            for said in manifest.findings:
                named[said.channel] = said.channel
            there[...] = named[slab.maps.argmax(axis=0)]
    return labels


def _boxes_of_maps(
    network: Network, prepared: Prepared, manifest: Manifest, head: Detection, tiling: Tiling | None
) -> tuple[Box, ...]:
    """A box around each group of voxels whose map is at the threshold or above, with the highest value as its score."""
    maps = np.empty((len(manifest.findings), *prepared.voxels.shape), np.float32)
    for slab in slabs(network, prepared.voxels, tiling, prepared.outside):
        _enough(slab.maps, manifest)
        for number, said in enumerate(manifest.findings):
            maps[number, slab.start : slab.start + slab.maps.shape[1]] = slab.maps[said.channel]
    if head.activation == "sigmoid":
        maps = torch.from_numpy(maps).sigmoid().numpy()
    boxes: list[Box] = []
    for said, values in zip(manifest.findings, maps, strict=True):
        groups, n = ndimage.label(values >= head.threshold, _TOUCHING)
        if not n:
            continue
        numbers = np.arange(1, n + 1)
        sizes, tops = np.bincount(groups.ravel())[1:], ndimage.maximum(values, groups, numbers)
        places = ndimage.find_objects(groups)
        boxes += _best([
            _box(said.finding, float(top), [float(s.start) for s in place], [float(s.stop) for s in place])
            for size, top, place in zip(sizes, tops, places, strict=True) if size >= head.minimum_voxels
        ], head.maximum)  # fmt: skip
    return tuple(boxes)


def _own_boxes(network: Network, prepared: Prepared, manifest: Manifest, head: Detection) -> tuple[Box, ...]:
    given = network(torch.from_numpy(prepared.voxels)[None, None])
    try:
        edges, scores, channels = (np.asarray(each, np.float64) for each in given)
    except (TypeError, ValueError):
        raise SafelightError("E-INFER-OUTPUT", "no boxes, scores and labels") from None
    if edges.shape != (len(scores), 6) or scores.shape != channels.shape or scores.ndim != 1 or not np.isfinite(edges).all():
        raise SafelightError("E-INFER-OUTPUT", "boxes, scores and labels that do not belong together")
    boxes: list[Box] = []
    for said in manifest.findings:
        boxes += _best([
            _box(said.finding, _score(float(scores[n])), list(edges[n, :3]), list(edges[n, 3:]))
            for n in np.flatnonzero(channels == said.channel) if not scores[n] < head.threshold
        ], head.maximum)  # fmt: skip
    return tuple(boxes)


def _box(finding: str, score: float, start: list[float], stop: list[float]) -> Box:
    if any(not first < last for first, last in zip(start, stop, strict=True)):
        raise SafelightError("E-INFER-OUTPUT", "a box without extent")
    return Box(finding, _score(score), (start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _best(boxes: list[Box], most: int) -> list[Box]:
    return sorted(boxes, key=lambda box: (-box.score, box.start, box.stop))[:most]


def _enough(maps: Maps, manifest: Manifest) -> None:
    if len(maps) <= max(said.channel for said in manifest.findings) or len(maps) > 256:
        raise SafelightError("E-INFER-OUTPUT", "fewer maps than findings")
