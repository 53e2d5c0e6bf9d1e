"""What was sent of a study's results, in the vault: so that nothing is sent twice, and a result names the one that it replaces.

`vault/results/<study key>/<model>.json`, 0600: one entry a result that was begun, the oldest first.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from tasks.results.passport import folder_of
from tasks.results.report import Predecessor
from tasks.vault import Vault, private_folder, write_private

State = Literal["made", "stored", "committed"]


@dataclass
class Entry:
    """One result of a model for a study.

    Args:
        digest: of what it says.
        read_at: when the model read (seconds since the epoch): a later try makes the same objects.
        software: the version that made them.
        node: the PACS that its states are of.
        predecessor: the report that it replaces.
        report: its own report; None where it has none.
        states: how far each object has come, by its SOPInstanceUID.
    """

    digest: str
    read_at: float
    software: str
    node: str
    predecessor: Predecessor | None = None
    report: Predecessor | None = None
    states: dict[str, State] = field(default_factory=dict)

    @property
    def is_sent(self) -> bool:
        """Whether its report has reached the PACS."""
        return self.report is not None and self.states.get(self.report.sop_instance_uid, "made") != "made"


class Sent:
    """The entries of one model for one study."""

    def __init__(self, vault: Vault, study_key: str, model: str) -> None:
        self._path = folder_of(vault, study_key) / f"{model}.json"
        self.entries = _load(self._path)

    def begin(self, digest: str, read_at: float, software: str, node: str) -> Entry:
        """The entry of what is to be sent: the last one where it says the same, else a new one that replaces the last report sent.

        Another PACS has none of it yet, and gets the same objects.
        """
        if self.entries and self.entries[-1].digest == digest:
            last = self.entries[-1]
            if last.node != node:
                last.node, last.states = node, {}
            return last
        before = next((entry.report for entry in reversed(self.entries) if entry.is_sent), None)
        self.entries.append(Entry(digest, read_at, software, node, before))
        self.save()
        return self.entries[-1]

    def save(self) -> None:
        """Write the entries, all or none."""
        private_folder(self._path.parent)
        fresh = self._path.with_suffix(".new")
        write_private(fresh, json.dumps([asdict(entry) for entry in self.entries], indent=1, sort_keys=True).encode())
        fresh.replace(self._path)


def _load(path: Path) -> list[Entry]:
    if not path.exists():
        return []
    said = json.loads(path.read_bytes())
    return [
        Entry(
            each["digest"], each["read_at"], each["software"], each["node"], Predecessor(**each["predecessor"]) if each["predecessor"] else None,
            Predecessor(**each["report"]) if each["report"] else None, each["states"],
        )
        for each in said
    ]  # fmt: skip
