"""A stricter profile takes back what an earlier one released: the images, and all that was made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tasks.deid.folder import take_in
from tasks.deid.stage import DeidentifyStage
from tasks.executor import run_by_ledger
from tasks.guard import ErrorLog
from tasks.lake import Lake
from tasks.ledger import Ledger
from tasks.pools import InlinePool
from tasks.vault import Vault
from tasks.volumes.stage import VolumesStage
from tests.tasks.deid.making import encoded, face


def test_volumes_and_tables_of_a_study_that_is_now_held_back_leave_the_lake(
    vault: Vault, lake: Lake, bent: Callable[..., str], tmp_path: Path
) -> None:
    source = tmp_path / "ward"
    source.mkdir()
    for number in range(12):
        dataset = face(number)
        dataset.ImagePositionPatient = [0, 0, 2.5 * number]
        (source / f"{number}.dcm").write_bytes(encoded(dataset))
    ledger, errors = Ledger(vault.ledger_url), ErrorLog(vault.errors)

    def night(profile: str) -> list[str]:
        with ledger.run("test") as run:
            keys = take_in(source, vault=vault, ledger=ledger, run=run).keys
            for stage in (DeidentifyStage(vault, lake, profile), VolumesStage(lake)):
                run_by_ledger(stage, keys, ledger=ledger, run=run, pool=InlinePool(), errors=errors)
        return [path for path in lake.files("") if not path.startswith("manifests/deidentify/")]

    released = night(bent(faces="keep"))
    assert any(path.startswith("volumes/") for path in released)
    assert night("safe_harbor") == []
    assert night(bent(faces="keep")) == released
    ledger.close()
