"""All that a plan asks of further tables: the fields of `Results` that they fill."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tasks.errors import ConfigurationError
from tasks.evaluation.cases import Assembled
from tasks.evaluation.endpoints.measured import Measured, agreement, repeated
from tasks.evaluation.endpoints.read import reader_study
from tasks.evaluation.endpoints.segmented import segmentation
from tasks.evaluation.plan import Plan


@dataclass(frozen=True)
class Tables:
    """Tables beside predictions, reference and cohort; None where one is not given.

    Args:
        overlaps: masks against reference masks (`tasks.evaluation.endpoints.segmented`).
        measurements: values with reference values, or repeated (`tasks.evaluation.endpoints.measured`).
        readings: scores of readers (`tasks.evaluation.endpoints.read`).
    """

    overlaps: pa.Table | None = None
    measurements: pa.Table | None = None
    readings: pa.Table | None = None

    def missing(self, plan: Plan) -> tuple[str, ...]:
        """What the plan asks for and has no table."""
        asked = (
            ("segmentation", plan.segmentation, self.overlaps), ("agreement", plan.agreement, self.measurements),
            ("repeatability", plan.repeatability, self.measurements), ("reader_study", plan.reader_study, self.readings),
        )  # fmt: skip
        return tuple(name for name, wanted, table in asked if wanted is not None and table is None)


def further(given: Tables, assembled: Assembled, plan: Plan, unseen: Set[tuple[str, str]]) -> dict[str, Any]:
    """The fields of `Results`; those for which there is no table are left out.

    Args:
        unseen: (attribute, level) that the table of performance does not show; ("", "") where it shows nothing, and then nothing is.

    Raises:
        ConfigurationError: E-EVAL-OVERLAPS, E-EVAL-MEASUREMENTS or E-EVAL-READINGS where a table is given that the plan does not ask for;
            E-EVAL-COLUMN.
        SafelightError: those of the tables' own modules.
    """
    measured = plan.agreement if plan.agreement is not None else plan.repeatability
    for table, wanted, code, section in (
        (given.overlaps, plan.segmentation, "E-EVAL-OVERLAPS", "segmentation"),
        (given.measurements, measured, "E-EVAL-MEASUREMENTS", "agreement or repeatability"),
        (given.readings, plan.reader_study, "E-EVAL-READINGS", "reader_study"),
    ):
        if table is not None and wanted is None:
            raise ConfigurationError(code, f"the plan has no `{section}`")
    made: dict[str, Any] = {}
    where = []
    if given.overlaps is not None and plan.segmentation is not None:
        made["segmentation"], counted = segmentation(given.overlaps, plan.segmentation, assembled, plan, unseen)
        where.append(counted)
    if given.measurements is not None:
        found = Measured.of(given.measurements, assembled)
        made["agreement"] = agreement(found, assembled, plan, unseen)
        made["repeatability"] = repeated(found, assembled, plan, unseen)
        where.append(found.given(plan))
    if given.readings is not None and plan.reader_study is not None:
        made["reader_study"], counted = reader_study(given.readings, plan.reader_study, assembled, plan, unseen)
        where.append(counted)
    # Where too few patients are there to show anything of the readings, nothing is shown of these tables either; they are checked all the same.
    return {} if ("", "") in unseen else made | {"given": tuple(where)}
