"""What a stage is: it reads one study's inputs, writes one study's outputs, and says what it did, counted to the instance."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, Protocol

Status = Literal["done", "failed", "postponed"]

#: Stages that read one study at a time, in the order of the night. The others read the whole cohort after them.
STUDY_STAGES = ("pull", "deidentify", "volumes", "infer")
COHORT_STAGES = ("deliver", "return", "import", "evaluate", "publish")
NIGHT = (*STUDY_STAGES, *COHORT_STAGES)


@dataclass(frozen=True, slots=True, order=True)
class Count:
    """How many units of a study met one end in a stage. `outcome` is the stage's own word (`released`, `quarantined`, …)."""

    outcome: str
    reason_code: str
    unit: str
    n: int


def tally(ends: Iterable[tuple[str, str, str]]) -> tuple[Count, ...]:
    """Count (outcome, reason_code, unit) triples, one for each unit that met an end, into sorted `Count` rows."""
    counted = Counter(ends)
    return tuple(sorted(Count(outcome, reason, unit, n) for (outcome, reason, unit), n in counted.items()))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one stage did with one study.

    Args:
        status: `done` when every input is accounted for (quarantine and refusal are ends too), `failed` to be tried again,
            `postponed` where it could not be tried at all: it stays due, and no attempt is counted.
        output: digest of what was published; the next stage's input. Empty when there is nothing to hand on.
        passed: how many units the next stage will receive.
        tally: where every unit went.
        reason_code: why it failed or was postponed; empty when done.
        error_id: names the detailed entry in the vault's error log; empty when there is none.
        said: what the stage says of the study, as JSON, to be kept in the ledger's history for good; empty for most stages.
    """

    status: Status
    output: str = ""
    passed: int = 0
    tally: tuple[Count, ...] = ()
    reason_code: str = ""
    error_id: str = ""
    said: str = ""


class Identified(Protocol):
    """What the ledger knows a stage by."""

    revision: ClassVar[int]

    def label(self) -> str:
        """The ledger's name of this stage: `name`, or `infer:model@version` where several live side by side."""
        ...

    def configuration(self) -> dict[str, Any]:
        """All settings that change what the stage writes, as JSON-able data. No paths, no ports, no worker counts."""
        ...


class Stage(Identified, Protocol):
    """One step of the night for one study. Implementations are picklable dataclasses: they travel to worker processes.

    `revision` is raised by hand whenever the same input and configuration give another output than before.
    """

    name: ClassVar[str]
    upstream: ClassVar[str | None]

    def run(self, study_key: str, inputs: str, fingerprint: str) -> Outcome:
        """Do the work for one study; `inputs` is the upstream stage's output digest."""
        ...

    def withdraw(self, study_key: str) -> None:
        """Remove what was published for a study of which the stage before hands nothing on any more."""
        ...


def digest(value: object) -> str:
    """SHA-256 (hex) of a JSON-able value, independent of key order."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()).hexdigest()


def fingerprint(stage: Identified, inputs: str) -> str:
    """What a row was done under: stage, revision, configuration and inputs. Another fingerprint makes the study due again."""
    return digest({"stage": stage.label(), "revision": stage.revision, "configuration": stage.configuration(), "inputs": inputs})


def tally_to_json(counts: Iterable[Count]) -> str:
    """Counts as the ledger and manifests keep them."""
    return json.dumps([asdict(count) for count in counts], sort_keys=True, separators=(",", ":"))


def tally_from_json(text: str) -> tuple[Count, ...]:
    """The inverse of `tally_to_json`."""
    return tuple(Count(**entry) for entry in json.loads(text or "[]"))
