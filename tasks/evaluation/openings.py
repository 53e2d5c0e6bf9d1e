"""The register of openings: under which plan the reference standard was first opened, so that a plan changed afterwards is called so.

What counts as the plan is the hash of what it says and of the operating point, since a model's manifest may give that. The register is
the site's ledger, or a JSON file beside the results where there is no ledger.
"""

from __future__ import annotations

import json
from pathlib import Path

import sqlalchemy as sa

from tasks import ledger_tables as tables
from tasks.errors import ConfigurationError
from tasks.evaluation.plan import Plan
from tasks.evaluation.results import PlanHistory
from tasks.ledger import Ledger
from tasks.stage import digest


def mark(plan: Plan, threshold: float) -> str:
    """SHA-256 of the plan and its operating point."""
    return digest({"plan": plan.sha256, "threshold": threshold})


def subject(plan: Plan) -> str:
    """Whose reference standard is opened, and for what: a finding and a model (with its version, where the plan names one)."""
    return f"{plan.finding} {plan.model}"


def note_in_ledger(ledger: Ledger, plan: Plan, threshold: float) -> PlanHistory:
    """Note the opening in the ledger before the reference standard is read; the first one of each plan stays."""
    said, about = mark(plan, threshold), subject(plan)
    table = tables.openings
    with ledger.writing() as connection:
        row = {"subject": about, "mark": said, "opened_at": ledger.now()}
        connection.execute(ledger.insert(table).values(row).on_conflict_do_nothing())
        found = connection.scalars(
            sa.select(table.c.mark).where(table.c.subject == about).order_by(table.c.opened_at, table.c.mark)
        ).all()
    return _history(list(found), said)


def note_in_file(path: Path, plan: Plan, threshold: float) -> PlanHistory:
    """Note the opening in a JSON file: subject → marks, the first one first; it holds no times.

    Raises:
        ConfigurationError: E-EVAL-REGISTER where the file can't be read, written, or is no such register.
    """
    said, about = mark(plan, threshold), subject(plan)
    try:
        known = json.loads(path.read_text("utf-8")) if path.exists() else {}
        found = list(known.get(about, []))
        if not all(isinstance(each, str) for each in found):
            raise ValueError("not a list of hashes")
        if said not in found:
            found.append(said)
            scratch = path.with_name(f".{path.name}.part")
            scratch.write_text(json.dumps({**known, about: found}, indent=1, sort_keys=True) + "\n", "utf-8")
            scratch.replace(path)
    except (OSError, ValueError, AttributeError, TypeError):
        raise ConfigurationError("E-EVAL-REGISTER", str(path)) from None
    return _history(found, said)


def _history(found: list[str], said: str) -> PlanHistory:
    return PlanHistory(changed=found[0] != said, openings=tuple(found))
