"""Small tables for the evaluation's tests: a made-up cohort whose thick slices are harder to read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tasks.evaluation.cases import THICK, THIN
from tasks.evaluation.plan import Plan


def plan(**changes: Any) -> Plan:
    """A plan for `tables`."""
    said = {
        "name": "test", "title": "Test", "intended_use": "None.", "finding": "nodule", "model": "m", "threshold": float(1 / (1 + np.exp(-1.0))),
        "subgroups": [{"attribute": "sex", "levels": ["F", "M"]}, {"attribute": "slice_thickness", "levels": [THIN, THICK]}],
        **changes,
    }  # fmt: skip
    return Plan.model_validate(said)


def study(number: int) -> str:
    """A key such as the lake's."""
    return f"2.25.{1000 + number}"


def patient(number: int) -> str:
    """A key such as the lake's."""
    return "SL-" + "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[(number >> (5 * place)) & 31] for place in range(12))


def columns(n: int = 300, seed: int = 5) -> dict[str, np.ndarray]:
    """Arrays of shape (n,): study, patient, label, score, sex, SliceThickness."""
    rng = np.random.default_rng(seed)
    owner = rng.integers(0, max(1, n // 2), n)
    label = rng.random(n) < 0.4
    thickness = np.where(rng.random(n) < 0.4, 5.0, 2.5)
    return {
        "study": np.array([study(i) for i in range(n)], dtype=object),
        "patient": np.array([patient(int(i)) for i in owner], dtype=object),
        "label": label.astype(np.int64),
        "score": 1 / (1 + np.exp(-(label * np.where(thickness > 3, 0.4, 2.4) + rng.normal(size=n)))),
        "sex": np.where(owner % 2 == 0, "F", "M").astype(object),
        "SliceThickness": thickness,
    }


def tables(n: int = 300, seed: int = 5) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Predictions, reference and cohort of `n` studies."""
    made = columns(n, seed)
    keys = {"StudyInstanceUID": made["study"], "PatientID": made["patient"]}
    predictions = pa.table({
        **keys, "model_name": ["m"] * n, "model_version": ["1.0"] * n, "finding": ["nodule"] * n,
        "score": made["score"], "reason_code": pa.array([""] * n, pa.string()), "weights_sha256": ["ab" * 32] * n,
    })  # fmt: skip
    reference = pa.table({"StudyInstanceUID": made["study"], "finding": ["nodule"] * n, "label": made["label"]})
    cohort = pa.table({**keys, "sex": made["sex"], "SliceThickness": made["SliceThickness"]})
    return predictions, reference, cohort


def changed(table: pa.Table, column: str, rows: dict[int, Any], kind: pa.DataType | None = None) -> pa.Table:
    """The table with some values of one column replaced."""
    values = table[column].to_pylist()
    for row, value in rows.items():
        values[row] = value
    return table.set_column(table.column_names.index(column), column, pa.array(values, kind or table[column].type))
