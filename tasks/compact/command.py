"""`safelight compact`: what many nights appended to the lake's tables, in few large files beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from data_contracts.document import contracts
from tasks.console import DONE, one_sentence, progress, say
from tasks.errors import ConfigurationError


def compact(
    lake: Annotated[str, typer.Option(help="The lake: a folder or an s3:// URL.")] = "lake",
    table: Annotated[list[str] | None, typer.Option(help="Only this table; may be given several times.")] = None,
) -> None:
    """Make queries of a lake of many studies fast: few large files beside the parts that each study has.

    Example: `safelight compact --lake lake`
    """
    with one_sentence():
        from tasks.compact.writing import compact as compact_table
        from tasks.lake import Lake
        from tasks.stage import Outcome

        wanted = set(table or ())
        if unknown := wanted - {contract.name for contract in contracts()}:
            raise ConfigurationError("E-COMPACT-TABLE", ", ".join(sorted(unknown)))
        if "://" not in lake and not Path(lake).is_dir():
            raise ConfigurationError("E-COMPACT-LAKE", lake)
        zone = Lake.open(lake)
        chosen = [contract for contract in contracts() if not wanted or contract.name in wanted]
        made = {}
        with progress("compact", len(chosen)) as advance:
            for contract in chosen:
                made[contract.name] = compact_table(zone, contract)
                advance(contract.name, Outcome("done", output=""))
        there = {name: done for name, done in made.items() if done.parts}
        parts, read = sum(done.parts for done in there.values()), sum(done.read for done in there.values())
        files, rows = sum(done.chunks for done in there.values()), sum(done.rows for done in there.values())
        say(f"compact: {len(there)} tables, {rows} rows · {parts} parts, {read} of them new, in {files} files")
    raise typer.Exit(DONE)
