"""A participant who has seen the key: the least change that answers every check. It shows that full marks can be had, and is what the
tests of the scorer break on purpose. It shares nothing with the code under test.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset, config, dcmread, uid

from tests.scoring.answers import ANYWHERE, Answers, Check
from tests.scoring.releasing import Participation
from tests.scoring.scorer import _PRIVATE


def release(source: Path, target: Path, answers: Answers) -> Participation:
    """Write the perfect release of every original below `source`."""
    target.mkdir()
    uids = {old: f"2.25.{int(hashlib.md5(old.encode(), usedforsecurity=False).hexdigest(), 16)}" for old in answers.uids}
    patients = {each: f"SUBJECT{number}" for number, each in enumerate(sorted(f"{a}\n{b}" for a, b in answers.patients))}
    by_instance: dict[str, list[Check]] = defaultdict(list)
    for check in answers.checks:
        by_instance[check.instance].append(check)
    with config.disable_value_validation():
        for path in sorted(source.rglob("*.dcm")):
            dataset = dcmread(path)
            name = f"{path.parent.name}-{path.name}"
            _apply(dataset, by_instance[str(dataset.SOPInstanceUID)], uids, patients)
            dataset.save_as(target / name, enforce_file_format=True)
    return Participation(target, uids, patients, {}, 0)


def _apply(dataset: Any, checks: list[Check], uids: dict[str, str], patients: dict[str, str]) -> None:
    needed = {check.place for check in checks if check.category == "tag retained"}
    kept = {check.place: check.expected for check in checks if check.category == "text retained"}
    filled = {check.place for check in checks if check.category in ("text not null", "patient id consistent")}
    for check in checks:
        if check.place == ANYWHERE or check.category == "pixels retained":
            continue
        if check.category == "pixels hidden":
            _hide(dataset, check)
        elif check.category == "text removed":
            _set(
                dataset,
                check.place,
                kept.get(check.place, "REMOVED" if check.place in filled else "" if check.place in needed else None),
            )
        elif check.category.startswith("date"):
            if any(each.place == check.place and each.category == "text removed" for each in checks):
                continue
            date = f"{check.expected[:4]}0101" if len(check.expected) > 6 else "000000"
            _set(dataset, check.place, date if check.place in filled or len(check.expected) > 6 else "")
        elif check.category.startswith("UID"):
            _set(dataset, check.place, uids[check.expected])
    for check in checks:
        if check.category == "patient id consistent":
            _set(dataset, check.place, patients[check.expected])
    dataset.remove_private_tags() if not any(place.startswith("(") for place in kept) else _only_safe(dataset, set(kept))
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    del dataset.file_meta.SourceApplicationEntityTitle
    for item in dataset.get("AcquisitionContextSequence", ()):
        item.TextValue = "REMOVED"


def _only_safe(dataset: Dataset, kept: set[str]) -> None:
    groups = {place[1:5] for place in kept if place.startswith("(")}
    for element in list(dataset):
        if element.tag.is_private and f"{element.tag.group:04X}" not in groups:
            del dataset[element.tag]


def _set(dataset: Any, place: str, value: str | None) -> None:
    """Set, empty ('') or delete (None) what stands at a place; a place in an item that is gone is nothing to do."""
    *outer, last = place.split(".")
    try:
        for step in outer:
            name, _, number = step.partition("[")
            dataset = dataset[name].value[int(number[:-1])]
        private = _PRIVATE.fullmatch(last)
        if private:
            block = dataset.private_block(int(private[1], 16), private[2])
            del dataset[block.get_tag(int(private[3], 16))]
        elif value is None:
            del dataset[last]
        else:
            dataset[last].value = value
    except KeyError:
        return


def _hide(dataset: Any, check: Check) -> None:
    number, _, box = check.place.partition(":")
    left, top, right, bottom = (int(each) for each in box.split(","))
    if dataset.file_meta.TransferSyntaxUID != uid.ExplicitVRLittleEndian:
        raise ValueError("text is burned into native frames alone")
    pixels = dataset.pixel_array.copy()
    frame = pixels[int(number)] if int(dataset.get("NumberOfFrames") or 1) > 1 else pixels
    frame[top:bottom, left:right] = 0
    dataset.PixelData = np.ascontiguousarray(pixels).tobytes()
