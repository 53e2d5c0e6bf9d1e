"""nnU-Net v2: the layout of a raw data set (its documentation/dataset_format.md), with our splits as its one fold."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks.errors import ConfigurationError
from tasks.release.about import NOT_STATED
from tasks.release.export.cases import Case, modality
from tasks.release.export.labels import values
from tasks.release.export.placing import Placer
from tasks.release.frozen import Frozen

#: The split whose images nnU-Net must not see while it learns, and the one it validates on.
_TEST, _VALIDATION = "test", "validation"


def export(frozen: Frozen, chosen: Sequence[Case], placer: Placer, number: int) -> None:
    """Write `DatasetNNN_Name/` with imagesTr, labelsTr, imagesTs, labelsTs, dataset.json and splits_final.json.

    With label volumes, only cases that have one are in imagesTr, as nnU-Net asks for; the others are counted as left out. Without
    any, all are, and nothing can be trained before labelsTr is filled. 4D, 2D and colour volumes are left out. nnU-Net reads
    splits_final.json from its folder of preprocessed data: copy it there.

    Args:
        number: of the data set, 1 to 999.

    Raises:
        ConfigurationError: E-RELEASE-MODALITIES where the cases have not one modality: nnU-Net's channels are the same in each case.
    """
    fit = [case for case in chosen if case.kind == "3d" and case.dtype != "rgb24"]
    channel = modality(fit)
    if channel is None:
        raise ConfigurationError("E-RELEASE-MODALITIES", f"{len(fit)} volumes")
    labelled = any(case.label is not None for case in fit)
    classes = values(placer.lake, fit)
    root = f"Dataset{number:03d}_{re.sub('[^A-Za-z0-9]', '', frozen.name.title())}"
    folds: dict[str, list[str]] = {"train": [], "val": []}
    if len(fit) < len(chosen):
        placer.counts["left out"] = len(chosen) - len(fit)
    for case in fit:
        part = "Ts" if case.split == _TEST else "Tr"
        if labelled and part == "Tr" and case.label is None:
            placer.counts["left out"] += 1
        else:
            placer.image(case, f"{root}/images{part}/{case.name}_0000.nii.gz")
            placer.label(case, f"{root}/labels{part}/{case.name}.nii.gz")
            if part == "Tr":
                folds["val" if case.split == _VALIDATION else "train"].append(case.name)
        placer.on_case()
    about = frozen.facts["about"]
    placer.write_json(f"{root}/dataset.json", {
        "channel_names": {"0": channel}, "labels": {"background" if each == 0 else f"label_{each}": each for each in classes},
        "numTraining": len(folds["train"]) + len(folds["val"]), "file_ending": ".nii.gz", "name": frozen.name, "release": frozen.version,
        "description": about.get("description", NOT_STATED), "reference": about.get("citation", NOT_STATED),
        "licence": about.get("licence", NOT_STATED), "converted_by": f"Safelight {frozen.facts['code_version']}",
    })  # fmt: skip
    placer.write_json(f"{root}/splits_final.json", [folds])
