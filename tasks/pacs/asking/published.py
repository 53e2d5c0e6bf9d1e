"""What a selection chose and what it left, as the lake's table `selection`: keys, counts and names of rules, nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from data_contracts.selection import CONTRACT
from tasks.lake import Lake
from tasks.pacs.asking.estimate import known_modality
from tasks.pacs.asking.plan import Plan
from tasks.pseudonyms import Pseudonyms
from tasks.stage import digest
from tasks.vault import Vault

#: The rule of a series that a person has chosen, or left.
REVIEWED = "reviewed"
_STAGE, _KEY = "find", "selection"


def publish_selection(plan: Plan, vault: Vault, lake: Lake) -> int:
    """Write the rows of a plan's studies anew; those of studies that it does not name stay. Returns how many rows there are.

    A plan without a selection takes its studies out of the table: all of their series are pulled. In a reviewed plan a person has
    decided: its rows have `reviewed` for the rule and the selection, and the hash of the plan's file.
    """
    keys = Pseudonyms(vault.site_key())
    earlier = lake.manifest(_STAGE, _KEY)
    if plan.selection is None and not plan.reviewed and earlier is None:
        return 0
    fresh = list(_rows(plan, keys))
    planned = {keys.study(study.study_instance_uid) for study in plan.studies if study.study_instance_uid and study.listed}
    kept = [row for row in lake.table(CONTRACT).to_pylist() if row["StudyInstanceUID"] not in planned]
    rows = sorted([*kept, *fresh], key=lambda row: (row["StudyInstanceUID"], row["SeriesInstanceUID"]))
    fingerprint = digest(rows)
    if earlier is None or earlier.fingerprint != fingerprint or not lake.intact(earlier):
        with lake.publication(_STAGE, _KEY, fingerprint) as publication:
            publication.write_table(CONTRACT, rows)
            publication.commit()
    return len(rows)


def _rows(plan: Plan, keys: Pseudonyms) -> Iterator[dict[str, Any]]:
    if plan.selection is not None:
        name, sha256 = plan.selection.written.name, plan.selection.sha256
    elif plan.reviewed:
        name, sha256 = REVIEWED, plan.reviewed
    else:
        return
    for study in plan.studies:
        for series in study.listed:
            yield {
                "StudyInstanceUID": keys.study(study.study_instance_uid),
                "SeriesInstanceUID": keys.uid(series.series_instance_uid),
                "Modality": known_modality(series.modality),
                "n_instances": series.instances,
                "chosen": series.chosen,
                "rule": REVIEWED if plan.reviewed else series.reason,
                "assumed": " ".join(series.assumed),
                "reason_code": study.reason_code,
                "selection": name,
                "selection_sha256": sha256,
            }
