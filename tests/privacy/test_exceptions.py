"""An exception with an identifier in its message, thrown inside each stage, stays inside the vault."""

import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.night import NOT_ENDED, SOME_FAILED
from tasks.stage import STUDY_STAGES
from tests.nights import MakeWard, Ward
from tests.privacy.scanner import Scanner

SECRET = "Quillfeather^Zephyrine"

#: Where each stage does its work: module, and the name in it that will raise.
INSIDE = {
    "plan": ("tasks.pacs.task", "ask"),
    "pull": ("tasks.pacs.stage", "PullStage.run"),
    "deidentify": ("tasks.deid.stage", "DeidentifyStage.run"),
    "volumes": ("tasks.volumes.stage", "VolumesStage.run"),
    "infer": ("tasks.inference.stage", "InferStage.run"),
    "import": ("tasks.deid.task", "import_table"),
    "account": ("tasks.accountability", "publish"),
    "evaluate": ("tasks.evaluation.stage", "evaluate_lake"),
    "publish": ("tasks.report.stage", "publish_report"),
}


@pytest.fixture(scope="module")
def site(module_ward: MakeWard, clinic: Path) -> Ward:
    """One site for all: what failed in one night is done in the next, where the stage after it fails."""
    return module_ward("sabotaged", over=clinic)


@pytest.mark.slow
@pytest.mark.parametrize("stage", INSIDE)
def test_what_an_exception_says_inside_a_stage_is_in_the_error_log_and_nowhere_else(
    stage: str, site: Ward, tmp_path: Path
) -> None:
    module, name = INSIDE[stage]
    secret = f"{SECRET}{stage.title()}"
    sabotage = tmp_path / "sabotage"
    sabotage.mkdir()
    # every Python process of the night, workers too, imports this before anything else
    (sabotage / "sitecustomize.py").write_text(
        textwrap.dedent(f"""
        import sys
        if "flows.nightly" in " ".join(sys.orig_argv) or "multiprocessing" in " ".join(sys.orig_argv):
            import importlib
            def fail(*arguments, **named):
                try:
                    raise KeyError({secret!r})
                except KeyError as cause:
                    raise ValueError("cannot read {secret}") from cause
            place = importlib.import_module({module!r})
            *owner, name = {name!r}.split(".")
            setattr(getattr(place, owner[0]) if owner else place, name, fail)
    """)
    )
    said_before = site.log.read_text() if site.log.exists() else ""
    sabotaged = replace(site, environment=site.environment | {"PYTHONPATH": str(sabotage)})
    assert sabotaged.night() == (SOME_FAILED if stage in STUDY_STAGES else NOT_ENDED), "the night cannot have ended well"
    scanner = Scanner([secret])
    assert scanner.search(site.vault / "errors"), "the sabotage did not work"
    for place in (site.lake, Path(site.environment["PREFECT_HOME"]), site.log):
        assert scanner.search(place) == {}, place
    assert "E-STAGE-UNEXPECTED" in site.log.read_text().removeprefix(said_before) or any(
        row.reason_code == "E-STAGE-UNEXPECTED" and row.stage.startswith(stage) for row in site.ledger().results().values()
    )
