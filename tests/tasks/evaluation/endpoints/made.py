"""Tables of masks, measurements and readers for the made-up cohort."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tasks.evaluation.analysis import analyse
from tasks.evaluation.endpoints.further import Tables
from tasks.evaluation.results import Results
from tests.tasks.evaluation.cohorts import columns, plan, tables

ASKED: dict[str, Any] = {
    "segmentation": {"structures": ["liver", "lesion"]},
    "agreement": {"measurements": [{"name": "diameter", "unit": "mm"}]},
    "repeatability": {"measurements": [{"name": "diameter", "unit": "mm"}]},
    "reader_study": {"modalities": ["with", "without"]},
}


def overlaps(n: int = 300, seed: int = 1) -> pa.Table:
    """A row a study and structure; every tenth mask of the lesion is empty."""
    rng = np.random.default_rng(seed)
    made = []
    for structure in ("liver", "lesion"):
        reference = rng.uniform(1e5, 2e6, n)
        empty = (np.arange(n) % 10 == 0) & (structure == "lesion")
        distances = {name: np.where(empty, np.nan, rng.gamma(2.0, scale, n)) for name, scale in
                     (("mean_distance", 0.5), ("hausdorff", 6.0), ("hausdorff_95", 2.0))}  # fmt: skip
        made.append(pa.table({
            "StudyInstanceUID": columns(n)["study"], "structure": [structure] * n,
            "dice": np.where(empty, 0.0, rng.beta(18, 3, n)), "surface_dice": pa.array(np.where(empty, np.nan, rng.beta(9, 2, n)), from_pandas=True),
            **{name: pa.array(values, from_pandas=True) for name, values in distances.items()},
            "volume": np.where(empty, 0.0, reference * rng.normal(1.02, 0.05, n)), "reference_volume": reference,
            "reason_code": pa.nulls(n, pa.string()),
        }))  # fmt: skip
    return pa.concat_tables(made)


def measurements(n: int = 300, seed: int = 2) -> pa.Table:
    """Two lesions of every study, measured once each; their size goes with the patient."""
    rng = np.random.default_rng(seed)
    keys = np.unique(columns(n)["patient"], return_inverse=True)[1]
    made = []
    for target in ("a", "b"):
        truth = rng.uniform(8, 40, keys.max() + 1)[keys]
        made.append(pa.table({
            "StudyInstanceUID": columns(n)["study"], "measurement": ["diameter"] * n, "target": [target] * n,
            "value": 1.03 * truth + rng.normal(0, 1.0, n), "reference_value": truth + rng.normal(0, 0.8, n),
        }))  # fmt: skip
    return pa.concat_tables(made)


def readings(n: int = 300, readers: int = 4, seed: int = 3, cases: int = 300) -> pa.Table:
    """Each reader in both modalities; the model helps."""
    rng = np.random.default_rng(seed)
    found, made = columns(n), []
    for modality, aided in (("with", 1.9), ("without", 1.3)):
        for reader in range(readers):
            made.append(pa.table({
                "StudyInstanceUID": found["study"][:cases], "reader": [f"Dr. Name {reader}"] * cases, "modality": [modality] * cases,
                "score": np.round(aided * found["label"][:cases] + rng.normal(size=cases), 1),
            }))  # fmt: skip
    return pa.concat_tables(made)


def evaluated(*, given: Tables | None = None, n: int = 300, **changes: Any) -> Results:
    """The evaluation with all tables."""
    beside = given or Tables(overlaps(n), measurements(n), readings(n, cases=n))
    return analyse(*tables(n), plan(**{**ASKED, **changes}), beside=beside)
