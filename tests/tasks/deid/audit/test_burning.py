"""Text is burned where it can be read, and counts as gone only when it is covered."""

from __future__ import annotations

import random

import numpy as np
import pytest
from pydicom.dataset import FileDataset
from pydicom.uid import RLELossless

from tasks.deid.audit import burning
from tasks.deid.audit.markers import Mint
from tests.tasks.deid.audit.making import COLUMNS, ROWS, noisy


def burned(dataset: FileDataset) -> list[burning.Burned]:
    dice = random.Random(5)
    return burning.burn(dataset, Mint(dice), dice)


@pytest.mark.parametrize(("bits", "signed", "channels"), [(16, 0, 1), (16, 1, 1), (8, 0, 1), (8, 0, 3)])
def test_a_text_is_left_until_it_is_covered(bits: int, signed: int, channels: int) -> None:
    dataset, untouched = noisy(), noisy()
    for each in (dataset, untouched):
        each.BitsAllocated, each.BitsStored, each.PixelRepresentation, each.SamplesPerPixel = (
            bits,
            min(bits, 12),
            signed,
            channels,
        )
        each.PlanarConfiguration = 0
        values = np.random.default_rng(1).integers(20, 90, ROWS * COLUMNS * channels)
        each.PixelData = values.astype({8: "u1", 16: "<i2" if signed else "<u2"}[bits]).tobytes()
    assert burning.can_burn(dataset)
    texts = burned(dataset)
    assert len(texts) == burning.LINES
    assert len(dataset.PixelData) == len(untouched.PixelData)
    kind = burning._array(dataset).dtype
    for text in texts:
        assert burning.is_left(text, dataset, dataset)
        assert not burning.is_left(text, untouched, dataset)
        assert text.at.size > 60 * channels
        for share, left in ((0.9, True), (0.97, False)):  # covered from one side
            covered = burning._array(dataset).copy()
            covered[text.at[: int(share * text.at.size)]] = 0
            released = noisy()
            released.update({element.tag: element for element in dataset})
            released.PixelData = covered.astype(kind).tobytes()
            assert burning.is_left(text, released, dataset) is left


def test_a_person_can_read_it() -> None:
    """The text differs from what is around it by at least three quarters of the frame's own range."""
    dataset = noisy()
    before = np.frombuffer(noisy().PixelData, "<u2").astype(int)
    for text in burned(dataset):
        assert abs(text.value - before[text.at].mean()) > 0.35 * (before.max() - before.min())


def test_what_cannot_be_compared_counts_as_left() -> None:
    dataset = noisy()
    texts = burned(dataset)
    smaller = noisy(Rows=ROWS // 2)
    assert all(burning.is_left(text, smaller, dataset) for text in texts)
    dataset.file_meta.TransferSyntaxUID = RLELossless
    assert all(burning.is_left(text, dataset, noisy()) for text in texts)
    assert not burning.can_burn(dataset)


def test_small_images_are_left_alone() -> None:
    assert not burning.can_burn(noisy(Rows=40))
