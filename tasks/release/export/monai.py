"""MONAI: a data list in the layout of the Medical Segmentation Decathlon (`monai.data.load_decathlon_datalist`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tasks.release.about import NOT_STATED
from tasks.release.export.cases import Case, modality
from tasks.release.export.labels import values
from tasks.release.export.placing import Placer
from tasks.release.frozen import Frozen

#: MONAI's name of the split that a model learns from; other splits keep theirs.
_KEYS = {"train": "training"}


def export(frozen: Frozen, chosen: Sequence[Case], placer: Placer) -> None:
    """Write `images/SPLIT/CASE.nii.gz`, `labels/SPLIT/CASE.nii.gz` where there is a label volume, and `dataset.json`.

    An entry has `image`, perhaps `label`, the case's facts under their column names, and each finding as a number.
    """
    classes = values(placer.lake, chosen)
    lists: dict[str, list[dict[str, Any]]] = {_KEYS.get(split, split): [] for split in frozen.facts["splits"]}
    for case in chosen:
        image, label = f"images/{case.split}/{case.name}.nii.gz", f"labels/{case.split}/{case.name}.nii.gz"
        placer.image(case, image)
        placer.label(case, label)
        entry = {"image": image} | ({"label": label} if case.label is not None else {})
        lists[_KEYS.get(case.split, case.split)].append(
            entry | {"PatientID": case.patient} | dict(case.facts) | dict(case.findings)
        )
        placer.on_case()
    about = frozen.facts["about"]
    placer.write_json("dataset.json", {
        "name": frozen.name, "release": frozen.version, "description": about.get("description", NOT_STATED),
        "reference": about.get("citation", NOT_STATED), "licence": about.get("licence", NOT_STATED), "tensorImageSize": "3D",
        "modality": {"0": modality(chosen) or "several"}, "labels": {str(each): "background" if each == 0 else f"label_{each}" for each in classes},
        "numTraining": len(lists.get("training", ())), "numTest": len(lists.get("test", ())), **lists,
    })  # fmt: skip
