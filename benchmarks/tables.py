"""Made-up tables of any length for the evaluation: predictions, reference and cohort, and a plan of 40 subgroups over them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tasks.evaluation.plan import Plan

ATTRIBUTES, LEVELS = 8, 5


def plan(attributes: int = ATTRIBUTES) -> Plan:
    """Attributes of five levels each. With all eight, each case is in eight of 40 subgroups."""
    levels = [f"level {level}" for level in range(LEVELS)]
    return Plan.model_validate({
        "name": "benchmark", "title": "Benchmark", "intended_use": "None.", "finding": "nodule", "model": "m", "threshold": 0.5,
        "synthetic": True, "subgroups": [{"attribute": f"attribute_{n}", "levels": levels} for n in range(attributes)],
    })  # fmt: skip


def tables(rows: int, attributes: int = ATTRIBUTES) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Predictions, reference and cohort of `rows` studies, two a patient on average; every attribute makes some cases harder."""
    rng = np.random.default_rng(5)
    label = rng.random(rows) < 0.4
    levels = rng.integers(0, LEVELS, (attributes, rows))
    score = 1 / (1 + np.exp(-(label * (2.5 - levels.sum(axis=0) / (LEVELS * attributes)) + rng.normal(size=rows))))
    studies = pa.array([f"2.25.{number}" for number in range(rows)])
    patients = pa.array([f"SL-{number:012d}" for number in rng.integers(0, max(1, rows // 2), rows)])
    named = pa.array([f"level {level}" for level in range(LEVELS)])
    predictions = pa.table({
        "StudyInstanceUID": studies, "PatientID": patients, "model_name": pa.repeat("m", rows), "model_version": pa.repeat("1.0", rows),
        "finding": pa.repeat("nodule", rows), "score": score, "reason_code": pa.repeat("", rows),
        "weights_sha256": pa.repeat("ab" * 32, rows),
    })  # fmt: skip
    reference = pa.table({"StudyInstanceUID": studies, "finding": pa.repeat("nodule", rows), "label": label.astype(np.int64)})
    columns = {f"attribute_{n}": named.take(pa.array(values)) for n, values in enumerate(levels)}
    return predictions, reference, pa.table({"StudyInstanceUID": studies, "PatientID": patients, **columns})
