"""What the numbers were made from."""

from __future__ import annotations

from tasks.report.blocks import Section, Table
from tasks.report.numbers import Said, text
from tasks.report.subject import Subject
from tasks.report.wording import versioned

_INTERVALS = {
    "wilson": "Wilson", "clopper_pearson": "Clopper and Pearson", "agresti_coull": "Agresti and Coull", "jeffreys": "Jeffreys", "wald": "Wald",
}  # fmt: skip


def section(report: Subject) -> Section:
    """Model, plan and tables with the SHA-256 of each, operating point, methods, the plan's history, who ran it, versions."""
    results, of = report.results, report.numbers
    made = results.provenance
    proportions = _INTERVALS.get(made.interval, made.interval)
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
        ("Intervals", text(of.of("percent", ("confidence",)), f"; of proportions by {proportions}" if made.interval else "")),
        ("Seed of random numbers", of.known("plain", "provenance", "seed")),
        ("Plan's history", _history(report)),
        ("Run by", made.role.value.replace("_", " ") if made.role else ""),
        ("Year of the evaluation", "" if made.year is None else of.of("plain", ("provenance", "year"))),
        ("Data", "synthetic" if results.synthetic else "not declared synthetic in the plan"),
        ("Software", f"Safelight {made.safelight_version}" + "".join(
            f", {name} {version}" for name, version in (("numpy", made.numpy_version), ("scipy", made.scipy_version)) if version
        )),
    )  # fmt: skip
    written = tuple((name, value or "not stated") for name, value in rows)
    table = Table("What the numbers were made from", ("Item", "Value"), written, (False, False), (1.0, 2.6))
    return Section("provenance", "What was evaluated", (table,))


def _history(report: Subject) -> Said:
    """Under how many plans the reference standard was opened, and whether this is the first of them."""
    found, of = report.results.plan_history, report.numbers
    if found.changed is None:
        return "no register was kept"
    opened = tuple(("plan_history", "openings", place) for place in range(len(found.openings)))
    which = "this is not the first of them" if found.changed else "this is the first"
    return text(
        "the reference standard was opened under ",
        of.of("how many", *opened),
        f" {'plan' if len(opened) == 1 else 'plans'}; {which}",
    )
