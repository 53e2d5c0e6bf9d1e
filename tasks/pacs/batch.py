"""A batch of studies pulled in this process, one after the other, with one receiver and one association."""

from __future__ import annotations

from tasks.errors import ConfigurationError
from tasks.executor import InlinePool, OnEnd, Summary, run_by_ledger
from tasks.guard import ErrorLog
from tasks.ledger import Ledger
from tasks.pacs.association import Requestor
from tasks.pacs.receiving.receiver import Receiver
from tasks.pacs.stage import PullStage
from tasks.settings import Settings
from tasks.stage import fingerprint
from tasks.vault import Vault


def pull_batch(
    settings: Settings, vault: Vault, ledger: Ledger, run: str, keys: list[str], errors: ErrorLog, on_end: OnEnd | None = None
) -> Summary:
    """Pull those of `keys` that are due, in the name of the ledger's `run`.

    Batches of other threads, processes and nights that use the same receiver port wait for their turn. Where nothing is due,
    no port is opened and the PACS is not asked.

    Raises:
        ConfigurationError: E-CONFIG (no PACS is configured), E-PULL-PORT-BUSY, E-PULL-BIND, and as `echo` where the PACS
            cannot be worked with: no study is counted as tried then.
    """
    if not settings.pacs:
        raise ConfigurationError("E-CONFIG", "pacs is missing")
    pacs, to = settings.pacs[0], settings.receivers[0]
    with ledger.lock(f"receiver-{to.port}"), Requestor(pacs) as requestor:
        receiver = Receiver(to)
        stage = PullStage(vault, ledger, requestor, receiver, errors)
        wanted = {key: fingerprint(stage, study.found_digest) for key, study in ledger.studies(keys).items()}
        if not ledger.due(stage.label(), wanted, max_attempts=settings.executor.max_attempts):
            keys = []
            return run_by_ledger(stage, keys, ledger=ledger, run=run, pool=InlinePool(), errors=errors)
        requestor.echo()
        with receiver:
            summary = run_by_ledger(
                stage, keys, ledger=ledger, run=run, pool=InlinePool(), errors=errors,
                max_attempts=settings.executor.max_attempts, on_end=on_end,
            )  # fmt: skip
    for code, n in receiver.strays.items():
        summary.units["refused", code, "instance"] += n
    return summary
