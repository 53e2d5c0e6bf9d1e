"""`safelight pull` as a person runs it: a plan is shown, saved, reviewed and pulled as it stands; a list names the studies."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from tasks.ledger import Ledger
from tasks.pacs.book import Book
from tasks.pacs.command import pull
from tasks.pacs.embedded.node import PacsNode
from tasks.pacs.task import plan as plan_task
from tasks.site import open_site
from tests.tasks.pacs.asking.nodes import Cutting
from tests.tasks.pacs.hospital import MRN, ROOT, Site, fill, instance, save, serving

SECRETS = (MRN, ROOT, "ACC1", "Testperson", "Brustkorb")


@contextmanager
def configured(site: Site, hospital: Path, kind: type[PacsNode] = PacsNode, **cohort: Any) -> Iterator[Path]:
    """A configuration file for a site that pulls from a running PACS."""
    with serving(hospital, site, kind) as node:
        path = site.root / "site.yaml"
        path.write_text(yaml.safe_dump({
            "site": "test", "vault": str(site.vault.root), "lake": str(site.root / "lake"), "cohort": cohort,
            "pacs": {"host": "127.0.0.1", "port": node.port, "ae_title": "HOSPITAL"}, "receivers": {"port": site.receiver_port},
        }))  # fmt: skip
        open_site.cache_clear()
        yield path


def run(config: Path, *arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(pull)
    done = CliRunner().invoke(app, ["--config", str(config), *arguments])
    said = done.output + done.stderr
    assert not any(secret in said for secret in SECRETS)
    return done.exit_code, said


def plans(site: Site) -> list[Path]:
    return sorted((site.vault.root / "plans").glob("*.csv"))


def test_a_reviewed_plan_is_pulled_as_it_stands(site: Site, hospital: Path) -> None:
    fill(hospital, study=1, StudyDescription="Brustkorb")
    fill(hospital, study=2)
    with configured(site, hospital, new_since_last_night=True) as config:
        code, said = run(config, "--plan-only")
        assert code == 0
        assert "assumed" in said
        (path,) = plans(site)
        assert str(path) in said
        assert not site.ledger.studies()
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert len(rows) == 4
        rows[0]["chosen"] = "no"
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows[:2])
        code, said = run(config, "--plan", str(path))
    assert code == 0, said
    assert "1 studies, 1 series of the reviewed plan" in said
    assert "pulled 3 instance" in said
    assert list(site.ledger.studies()) == [site.key(1)]
    assert len(site.spooled()) == 3
    assert Book(site.ledger).refusals() == {}


def test_a_list_pulls_its_studies_and_no_others(site: Site, hospital: Path) -> None:
    for number in (1, 2, 3):
        fill(hospital, study=number, series=1, per_series=1)
    wanted = site.root / "list.csv"
    wanted.write_text("AccessionNumber\nACC2\nACC9\n")
    with configured(site, hospital) as config:
        code, said = run(config, "--listed", str(wanted))
    assert code == 1
    assert "pulled 1 instance" in said
    assert "1 rows of the list have no study: E-PULL-LIST-NOT-FOUND" in said
    assert list(site.ledger.studies()) == [site.key(2)]
    assert [path.name.endswith("-unmatched.csv") for path in plans(site)] == [True, False]
    assert Book(site.ledger).refusals() == {"E-PULL-LIST-NOT-FOUND": 1}


def test_a_doubt_ends_with_1_and_the_others_are_pulled(site: Site, hospital: Path) -> None:
    for number in range(1, 64):
        save(instance(number, StudyTime="120000"), hospital, str(number))
    with configured(site, hospital, Cutting) as config:
        assert run(config, "--plan-only")[0] == 1
        code, said = run(config)
    assert code == 1
    assert "pulled 60 instance" in said
    assert "E-PULL-FIND-CUT" in said
    assert "Not all that is wanted could be found" in said


def test_a_reviewed_plan_beside_a_list_is_refused(site: Site, hospital: Path) -> None:
    fill(hospital)
    with configured(site, hospital) as config:
        for other in (("--listed", "x.csv"), ("--plan-only",)):
            code, said = run(config, "--plan", "plan.csv", *other)
            assert code == 2
            assert said.startswith("E-PULL-PLAN-OPTIONS")
        code, said = run(config, "--plan", "nowhere.csv")
        assert (code, said.startswith("E-PULL-PLAN-FILE")) == (2, True)


@pytest.mark.parametrize("selection", [None, "thin_chest_ct"])
def test_the_nights_task_enters_the_plan(site: Site, hospital: Path, selection: str | None) -> None:
    fill(hospital)
    with configured(site, hospital, selection=selection, new_since_last_night=True) as config:
        assert plan_task.fn(str(config)) == {"new": 1 if selection is None else 0, "doubts": 0}
        cohort_known = Ledger(site.vault.ledger_url)
    assert len(plans(site)) == 1
    assert Book(cohort_known).refusals() == ({} if selection is None else {"E-PULL-NOTHING-CHOSEN": 1})
    assert bool(list((site.root / "lake").rglob("selection.parquet"))) is (selection is not None)
