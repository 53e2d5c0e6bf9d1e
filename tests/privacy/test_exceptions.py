"""An exception with an identifier in its message, thrown inside each stage, stays inside the vault."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.night import NOT_ENDED, SOME_FAILED
from tasks.stage import STUDY_STAGES
from tests.nights import ROOT, MakeWard, Ward
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
#: to it, so that one night shows them all; whatever is done for the cohort fails in the night that is its turn.
SABOTAGE = """
import os, sys
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
            elif os.environ["SABOTAGED"] != stage:
                return work(*arguments, **named)
            try:
                raise KeyError(SECRET + stage)
            except KeyError as cause:
                raise ValueError("cannot read " + SECRET + stage) from cause
        setattr(owner, name, fail)
    for stage, (place, name) in STAGES.items():
        sabotage(stage, place, name, OF_STUDIES)
"""


#: A night after the other in one process; in each another stage fails. It prints their exit codes.
NIGHTS = """
import os, sys
from flows.nightly import _exit_code, nightly
for stage in sys.argv[2:]:
    os.environ["SABOTAGED"] = stage
    print(stage, _exit_code(nightly(sys.argv[1], return_state=True)))
"""


@pytest.fixture(scope="module")
def site(module_ward: MakeWard, clinic: Path) -> Ward:
    """One site for all: what failed in one night is done in the next."""
    return module_ward("sabotaged", over=clinic, workers=1)


def sabotaged(site: Ward, folder: Path, stages: dict[str, tuple[str, str]], *, of_studies: bool) -> Ward:
    """The site with stages that fail."""
    folder = folder / "sabotage"
    folder.mkdir()
    said = f"FOLDER, SECRET, STAGES, OF_STUDIES = {str(folder)!r}, {SECRET!r}, {stages!r}, {of_studies!r}\n"
    (folder / "sitecustomize.py").write_text(said + SABOTAGE)
    path = os.pathsep.join(filter(None, (str(folder), site.environment.get("PYTHONPATH"))))
    return replace(site, environment=site.environment | {"PYTHONPATH": path})


def assert_is_in_the_error_log_alone(site: Ward, stages: dict[str, tuple[str, str]]) -> None:
    """What the exceptions of these stages say is in the error log, and nowhere else."""
    for stage in stages:
        assert Scanner([SECRET + stage]).search(site.vault / "errors"), f"the sabotage of {stage} did not work"
    for place in (site.lake, Path(site.environment["PREFECT_HOME"]), site.log):
        assert Scanner([SECRET]).search(place) == {}, place


@pytest.mark.slow
def test_what_an_exception_says_inside_a_stage_of_studies_is_in_the_error_log_and_nowhere_else(
    site: Ward, tmp_path: Path
) -> None:
    assert sabotaged(site, tmp_path, STUDIES, of_studies=True).night() == SOME_FAILED
    assert_is_in_the_error_log_alone(site, STUDIES)
    failed = [row for row in site.ledger().results().values() if row.status == "failed"]
    assert sorted(row.stage.split(":")[0] for row in failed) == sorted(STUDIES)
    assert {row.reason_code for row in failed} == {"E-STAGE-UNEXPECTED"}


@pytest.mark.slow
def test_what_an_exception_says_in_work_for_the_cohort_is_in_the_error_log_and_nowhere_else(site: Ward, tmp_path: Path) -> None:
    broken = sabotaged(site, tmp_path, COHORT, of_studies=False)
    with site.log.open("ab") as log:
        done = subprocess.run(
            [sys.executable, "-c", NIGHTS, str(site.config), *COHORT], env=broken.environment, cwd=ROOT,
            stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, text=True, check=True,
        )  # fmt: skip
    assert SECRET not in done.stdout
    said = [line.split() for line in done.stdout.splitlines() if line.partition(" ")[0] in COHORT]
    assert said == [[stage, str(NOT_ENDED)] for stage in COHORT], "no night can have ended well"
    assert_is_in_the_error_log_alone(site, COHORT)
    assert site.log.read_text().count("E-STAGE-UNEXPECTED") >= len(COHORT)


def test_every_stage_of_the_night_is_sabotaged() -> None:
    assert set(STUDIES) == set(STUDY_STAGES)
