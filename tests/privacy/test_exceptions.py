"""An exception with an identifier in its message, thrown inside each stage, stays inside the vault."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.night import NOT_ENDED, SOME_FAILED
from tasks.stage import STUDY_STAGES
from tests.nights import MakeWard, Ward
from tests.privacy.scanner import Scanner

SECRET = "Quillfeather^Zephyrine"

#: Where each stage does its work: module, and the name in it that will raise.
STUDIES = {
    "pull": ("tasks.pacs.stage", "PullStage.run"),
    "deidentify": ("tasks.deid.stage", "DeidentifyStage.run"),
    "volumes": ("tasks.volumes.stage", "VolumesStage.run"),
    "infer": ("tasks.inference.stage", "InferStage.run"),
}
COHORT = {
    "plan": ("tasks.pacs.task", "ask"),
    "import": ("tasks.deid.task", "import_table"),
    "account": ("tasks.accountability", "publish"),
    "evaluate": ("tasks.evaluation.stage", "evaluate_lake"),
    "publish": ("tasks.report.stage", "publish_report"),
}

#: Every Python process of the night, workers too, imports this before anything else. A stage of studies fails at the first one that comes
#: to it, so that one night shows them all; whatever is done for the cohort always fails.
SABOTAGE = """
import sys
if "flows.nightly" in " ".join(sys.orig_argv) or "multiprocessing" in " ".join(sys.orig_argv):
    import functools, importlib, pathlib
    def sabotage(stage, place, name, of_studies):
        *owner, name = name.split(".")
        owner = getattr(importlib.import_module(place), owner[0]) if owner else importlib.import_module(place)
        work = getattr(owner, name)
        @functools.wraps(work)
        def fail(*arguments, **named):
            if of_studies:
                try:
                    pathlib.Path(FOLDER, stage).touch(exist_ok=False)
                except FileExistsError:
                    return work(*arguments, **named)
            try:
                raise KeyError(SECRET + stage)
            except KeyError as cause:
                raise ValueError("cannot read " + SECRET + stage) from cause
        setattr(owner, name, fail)
    for stage, (place, name) in STAGES.items():
        sabotage(stage, place, name, OF_STUDIES)
"""


@pytest.fixture(scope="module")
def site(module_ward: MakeWard, clinic: Path) -> Ward:
    """One site for all: what failed in one night is done in the next."""
    return module_ward("sabotaged", over=clinic, workers=1)


def sabotaged(site: Ward, folder: Path, stages: dict[str, tuple[str, str]], *, of_studies: bool) -> int:
    """A night in which stages fail; its exit code. What their exceptions say must be in the error log, and nowhere else."""
    folder = folder / "sabotage"
    folder.mkdir()
    said = f"FOLDER, SECRET, STAGES, OF_STUDIES = {str(folder)!r}, {SECRET!r}, {stages!r}, {of_studies!r}\n"
    (folder / "sitecustomize.py").write_text(said + SABOTAGE)
    path = os.pathsep.join(filter(None, (str(folder), site.environment.get("PYTHONPATH"))))
    code = replace(site, environment=site.environment | {"PYTHONPATH": path}).night()
    for stage in stages:
        assert Scanner([SECRET + stage]).search(site.vault / "errors"), f"the sabotage of {stage} did not work"
    for place in (site.lake, Path(site.environment["PREFECT_HOME"]), site.log):
        assert Scanner([SECRET]).search(place) == {}, place
    return code


@pytest.mark.slow
def test_what_an_exception_says_inside_a_stage_of_studies_is_in_the_error_log_and_nowhere_else(
    site: Ward, tmp_path: Path
) -> None:
    assert sabotaged(site, tmp_path, STUDIES, of_studies=True) == SOME_FAILED
    failed = [row for row in site.ledger().results().values() if row.status == "failed"]
    assert sorted(row.stage.split(":")[0] for row in failed) == sorted(STUDIES)
    assert {row.reason_code for row in failed} == {"E-STAGE-UNEXPECTED"}


@pytest.mark.slow
@pytest.mark.parametrize("stage", COHORT)
def test_what_an_exception_says_in_work_for_the_cohort_is_in_the_error_log_and_nowhere_else(
    stage: str, site: Ward, tmp_path: Path
) -> None:
    before = site.log.read_text() if site.log.exists() else ""
    assert sabotaged(site, tmp_path, {stage: COHORT[stage]}, of_studies=False) == NOT_ENDED, "the night cannot have ended well"
    assert "E-STAGE-UNEXPECTED" in site.log.read_text().removeprefix(before)


def test_every_stage_of_the_night_is_sabotaged() -> None:
    assert set(STUDIES) == set(STUDY_STAGES)
