"""Returns what is due of a batch of studies: of each model the version that read the study last."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tasks.delivery.statements import Statements
from tasks.executor import OnEnd, Summary, attempt
from tasks.guard import ErrorLog
from tasks.lake import Lake
from tasks.ledger import Ledger, Result
from tasks.results.commitment import commitments
from tasks.results.policy import ReturnsSettings
from tasks.results.sender import Sender
from tasks.results.stage import AWAY, Reading, ReturnStage
from tasks.stage import digest, fingerprint
from tasks.vault import Vault

_INFER, _RETURN = "infer:", "return:"


@dataclass(frozen=True)
class Due:
    """A study's result that is there to be returned."""

    study_key: str
    model: str
    version: str
    inputs: str
    reading: Reading


def finals(ledger: Ledger, keys: Sequence[str]) -> Callable[[str], bool]:
    """Whether a study's first read is final, by what the hospital said (`tasks.delivery.inbox`)."""
    said = Statements(ledger).first_reads(list(ledger.studies(list(keys)).values()))
    return {key for key, read in said.items() if read.state == "final"}.__contains__


def return_batch(
    settings: ReturnsSettings,
    keys: Sequence[str],
    *,
    vault: Vault,
    lake: Lake,
    ledger: Ledger,
    run: str,
    errors: ErrorLog,
    max_attempts: int = 3,
    final: Callable[[str], bool] | None = None,
    on_end: OnEnd | None = None,
) -> Summary:
    """Return what is due.

    Args:
        settings: where to, in which mode of which model.
        keys: study keys.
        vault, lake, ledger, errors: of the site.
        run: the id of the ledger's run in whose name studies are claimed.
        max_attempts: after so many failures a result is set aside.
        final: whether a study's first read is final; as the ledger has it where nothing is given.
        on_end: called with (study key, outcome) as each ends.

    Returns:
        counts: `done`, `failed`, `postponed`. A PACS that is away ends the turn: what is left stays due.

    Raises:
        ConfigurationError: E-RETURN-PORT; E-RETURN-UNSUPPORTED where commitment is required and not offered.
    """
    summary = Summary("return")
    is_final = finals(ledger, keys) if final is None else final
    with (
        ledger.lock("return"),  # one association and one listener of the site's at a time
        Sender(settings.node, settings.retries, settings.backoff_s) as sender,
        commitments(settings.node, settings.commitment) as asked,
    ):
        by_model: dict[tuple[str, str], dict[str, Due]] = {}
        for each in readings(ledger, keys):
            by_model.setdefault((each.model, each.version), {})[each.study_key] = each
        for (model, version), found in sorted(by_model.items()):
            known = {key: each.reading for key, each in found.items()}
            stage = ReturnStage(vault, lake, settings, model, version, sender, asked, errors, known, is_final)
            wanted = {key: fingerprint(stage, each.inputs) for key, each in found.items()}
            for key in ledger.due(stage.label(), wanted, max_attempts=max_attempts):
                outcome = attempt(stage, key, found[key].inputs, ledger=ledger, run=run, errors=errors)
                if outcome is None:
                    continue
                summary.add(f"{key} {stage.label()}", outcome)
                if on_end is not None:
                    on_end(key, outcome)
                if outcome.reason_code in AWAY:
                    return summary
    _withdraw(lake, ledger, run, keys)
    return summary


def readings(ledger: Ledger, keys: Sequence[str]) -> Iterator[Due]:
    """Of each study and model the version whose reading ended last."""
    rows = ledger.results(None, list(keys))
    studies = ledger.studies(list(keys))
    latest: dict[tuple[str, str], Result] = {}
    for (key, label), row in rows.items():
        if label.startswith(_INFER) and row.status == "done" and key in studies:
            name = label.removeprefix(_INFER).partition("@")[0]
            before = latest.get((key, name))
            if before is None or (row.finished_at or 0.0, label) > (before.finished_at or 0.0, before.stage):
                latest[key, name] = row
    for (key, name), row in sorted(latest.items()):
        came = rows.get((key, "pull")) or rows.get((key, "deidentify"))
        pulled = came.output if came is not None else ""
        reading = Reading(studies[key].study_instance_uid, pulled, row.finished_at or 0.0)
        yield Due(key, name, row.stage.partition("@")[2], digest({"infer": row.output, "pulled": pulled}), reading)


def _withdraw(lake: Lake, ledger: Ledger, run: str, keys: Sequence[str]) -> None:
    """Take copies out of the lake whose reading is no more."""
    rows = ledger.results(None, list(keys))
    for key, label in rows:
        if (
            label.startswith(_RETURN)
            and (key, label.replace(_RETURN, _INFER, 1)) not in rows
            and ledger.claim(label, key, "", run)
        ):
            lake.withdraw(label, key)
            ledger.forget(label, key, run)
