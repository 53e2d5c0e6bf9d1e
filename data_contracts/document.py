"""Writes `docs/tables/`: one page a table, from its contract. `python -m data_contracts.document DIR` (default: docs/tables)."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

import data_contracts
from data_contracts.contract import Contract


def contracts() -> list[Contract]:
    """Every table's contract: the module-level `CONTRACT` of each module of this package, by name."""
    found = []
    for module in pkgutil.iter_modules(data_contracts.__path__):
        declared = getattr(importlib.import_module(f"data_contracts.{module.name}"), "CONTRACT", None)
        if isinstance(declared, Contract):
            found.append(declared)
    return sorted(found, key=lambda contract: contract.name)


def page(contract: Contract) -> str:
    """A table's documentation as Markdown."""
    lines = [
        f"# `{contract.name}`", "", contract.meaning, "", f"Key: {', '.join(f'`{name}`' for name in contract.key)}", "",
        "| column | type | unit | rules | meaning |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for column in contract.columns:
        rules = "; ".join(column.rules()).replace("|", "\\|")
        lines.append(f"| `{column.name}` | {column.type} | {column.unit} | {rules} | {column.meaning} |")
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """File name → content of every page, with an index."""
    made = {f"{contract.name}.md": page(contract) for contract in contracts()}
    index = ["# The lake's tables", "", "Generated from `data_contracts/` by `python -m data_contracts.document`.", ""]
    index += [f"- [`{contract.name}`]({contract.name}.md): {contract.meaning}" for contract in contracts()]
    return {"README.md": "\n".join(index) + "\n", **made}


def main(folder: Path) -> None:
    """Write all pages into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in pages().items():
        (folder / name).write_text(content, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/tables"))
