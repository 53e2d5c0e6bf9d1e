"""The lake's tables as an evaluation takes them, and what the rows of a version say of how they were made."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.cohort import CONTRACT as COHORT
from data_contracts.predictions import CONTRACT as PREDICTIONS
from data_contracts.reference import CONTRACT as REFERENCE
from tasks.changes.modifications import Ran
from tasks.errors import ConfigurationError
from tasks.evaluation.plan import Plan
from tasks.evaluation.stage import acquisition
from tasks.evaluation.threshold import operating_point
from tasks.inference.bundle import Bundle
from tasks.lake import Lake

_HASHES = ("weights_sha256", "manifest_sha256", "preprocessing_sha256")


@dataclass(frozen=True, slots=True)
class Tables:
    """Predictions (of all models, with the acquisition of the series that was read), reference standard and cohort of a lake."""

    predictions: pa.Table
    reference: pa.Table
    cohort: pa.Table

    @classmethod
    def of(cls, lake: Lake) -> Tables:
        """The lake's tables as they are now."""
        read = lake.table(PREDICTIONS).join(acquisition(lake), "SeriesInstanceUID", join_type="left outer")
        return cls(read, lake.table(REFERENCE), lake.table(COHORT))

    def of_version(self, bundle: Bundle, finding: str) -> pa.Table:
        """The predictions of one version for a finding."""
        read = self.predictions
        for name, value in (
            ("model_name", bundle.manifest.name),
            ("model_version", bundle.manifest.version),
            ("finding", finding),
        ):
            read = read.filter(pc.equal(read[name], value))
        return read

    def where(self, studies: pa.Array) -> Tables:
        """The rows of some studies."""
        return Tables(
            *(
                each.filter(pc.is_in(each["StudyInstanceUID"], studies))
                for each in (self.predictions, self.reference, self.cohort)
            )
        )


def ran(tables: Tables, bundle: Bundle, finding: str) -> Ran:
    """How a version's scores were made.

    Raises:
        ConfigurationError: E-CHANGE-READINGS where it has no scores in the lake, or some that other weights, another manifest or another
            preprocessing than the registered ones made.
    """
    if bundle.manifest.head.kind == "segmentation":
        raise ConfigurationError("E-CHANGE-READINGS", f"{bundle.label} outlines, and gives no score that could be evaluated")
    read = tables.of_version(bundle, finding)
    read = read.filter(pc.is_valid(read["score"]))
    if not read.num_rows:
        raise ConfigurationError(
            "E-CHANGE-READINGS",
            f"{bundle.label}, {finding}: `safelight infer --model {bundle.label}` lets it read the lake's volumes",
        )
    theirs = (bundle.manifest.weights.sha256, bundle.manifest_sha256, bundle.preprocessing_sha256)
    for name, wanted in zip(_HASHES, theirs, strict=True):
        other = read.num_rows - int(pc.sum(pc.equal(read[name], wanted)).as_py() or 0)
        if other:
            raise ConfigurationError(
                "E-CHANGE-READINGS", f"{bundle.label}: {other} of {read.num_rows} scores have another {name}"
            )
    return Ran(
        *(
            tuple(sorted(str(value) for value in pc.unique(read[name]).to_pylist()))
            for name in ("code_sha256", "variant", "device")
        )
    )


def threshold_of(evaluation: Plan, bundle: Bundle) -> float:
    """The score from which on a version's reading is positive: the plan's number, or its own manifest's."""
    return operating_point(evaluation.model_copy(update={"model": bundle.label}), f"{bundle.folder}/").threshold
