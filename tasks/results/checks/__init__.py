"""Holds each object to its modules, its template, and the study that it is about, before it is sent; written without highdicom's help."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydicom.dataset import Dataset

from tasks.results.checks import modules, pictures, references, template


def problems(made: Dataset, images: Sequence[Dataset], beside: Iterable[Dataset] = ()) -> list[str]:
    """What is wrong with an object: places and rules, never values.

    Args:
        made: a report, a segmentation or a presentation state.
        images: headers of the images that it is about.
        beside: the other objects of the same result, which it may name.
    """
    kind = str(made.get("Modality", ""))
    found = modules.problems(made, kind)
    if not found:
        found += template.problems(made) if kind == "SR" else pictures.problems(made, images)
    return found + references.problems(made, images, tuple(beside))
