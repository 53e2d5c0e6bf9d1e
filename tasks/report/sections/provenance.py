"""What the numbers were made from."""

from __future__ import annotations

from tasks.report.blocks import Section, Table
from tasks.report.numbers import Said, text
from tasks.report.subject import Subject
from tasks.report.wording import versioned


def section(report: Subject) -> Section:
    """Model, plan and tables with the SHA-256 of each, operating point, versions."""
    results, of = report.results, report.numbers
    made = results.provenance
    rows: tuple[tuple[str, Said], ...] = (
        ("Model", f"{made.model_name} {versioned(made.model_version)}"),
        ("Weights (SHA-256)", made.weights_sha256),
        ("Evaluation plan", made.plan_name),
        ("Plan (SHA-256)", made.plan_sha256),
        ("Predictions (SHA-256)", made.predictions_sha256),
        ("Reference standard (SHA-256)", made.reference_sha256),
        ("Cohort (SHA-256)", made.cohort_sha256),
        ("Finding", results.finding),
        ("Operating point", text("score ≥ ", of.of("general", ("threshold",)))),
        ("Intervals", of.of("percent", ("confidence",))),
        ("Data", "synthetic" if results.synthetic else "not declared synthetic in the plan"),
        ("Safelight", made.safelight_version),
    )
    written = tuple((name, value or "not stated") for name, value in rows)
    table = Table("What the numbers were made from", ("Item", "Value"), written, (False, False), (1.0, 2.6))
    return Section("provenance", "What was evaluated", (table,))
