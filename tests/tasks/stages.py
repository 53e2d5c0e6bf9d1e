"""Stages for tests of the executor: they travel to worker processes, so they live in a module."""

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tasks.stage import Outcome, tally


@dataclass(frozen=True)
class Counting:
    """Hands on one instance; raises, or kills its worker, for the keys it is told to."""

    raises_for: str = ""
    dies_for: str = ""
    hands_on: int = 1
    withdrawn: str = ""
    name: ClassVar[str] = "pull"
    upstream: ClassVar[str | None] = None
    revision: ClassVar[int] = 1

    def label(self) -> str:
        return self.name

    def configuration(self) -> dict[str, Any]:
        return {"raises_for": self.raises_for, "hands_on": self.hands_on}

    def withdraw(self, study_key: str) -> None:
        Path(self.withdrawn).write_text(study_key)

    def run(self, study_key: str, inputs: str, fingerprint: str) -> Outcome:
        if study_key == self.raises_for:
            raise ValueError(f"patient Doe^Jane in {study_key}")
        if study_key == self.dies_for:
            os.kill(os.getpid(), signal.SIGKILL)
        return Outcome("done", output=inputs + fingerprint[:4], passed=self.hands_on, tally=tally([("pulled", "", "instance")]))


@dataclass(frozen=True)
class Second(Counting):
    """Reads what `Counting` handed on."""

    name: ClassVar[str] = "deidentify"
    upstream: ClassVar[str | None] = "pull"


def loaded(package: str) -> bool:
    """Whether the process that is asked has imported a package."""
    return package in sys.modules
