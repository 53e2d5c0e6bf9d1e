"""Performance per subgroup, with intervals over patients: functions on numpy arrays, and the stage that runs them on a lake.

    from tasks.evaluation import auc, proportion

    auc(scores, labels, patients)

A name is imported from its module when it is first used, so that what needs one of them does not wait for all.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Name → the module of this package that has it.
_NAMES = {
    "aucs_p": "differences", "auc": "curves", "analyse": "analysis", "assemble": "cases", "benjamini_hochberg": "multiplicity",
    "bland_altman": "agreement", "calibration": "calibrate", "counts": "cells", "deming": "agreement", "detection": "lesions",
    "errors": "agreement", "froc": "lesions", "holm": "multiplicity", "lesion_sensitivity": "lesions", "likelihood_ratio": "likelihood",
    "load_plan": "plan", "Marks": "lesions", "match": "lesions", "net_benefit": "decision",
    "number_needed_to_predict": "likelihood", "overlap": "segmentation", "paired_auc": "paired", "paired_proportions": "paired",
    "partial_auc": "partial", "per_thousand": "likelihood", "Plan": "plan", "predictive_value": "likelihood", "proportion": "proportions",
    "proportions_p": "differences", "repeatability": "replicates", "roc": "curves", "square_and_add": "differences", "strata": "decision",
    "wafroc": "lesions", "wilson": "proportions",
}  # fmt: skip
__all__ = sorted(_NAMES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    """Import a name from its module."""
    if name not in _NAMES:
        raise AttributeError(f"tasks.evaluation has no {name}")
    return getattr(import_module(f"tasks.evaluation.{_NAMES[name]}"), name)
