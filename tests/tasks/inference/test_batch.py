"""Several models a night: the urgent first, each on its own, what is new before what is old, and no study lost or read twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from data_contracts.predictions import CONTRACT
from tasks.executor import Summary
from tasks.guard import ErrorLog
from tasks.inference.batch import rank, read_batch, stages
from tasks.inference.policy import InferenceSettings
from tasks.lake import Lake
from tasks.ledger import Ledger, Study
from tasks.ledger_history import said
from tasks.pools import InlinePool
from tasks.stage import Outcome
from tests.tasks.inference.made import PATIENT, bundle, manifest, publish, volume


class Clock:
    """A clock that goes on by a second whenever somebody looks."""

    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        self.now += 1
        return self.now


class Site:
    """A lake and a ledger, and nights in them."""

    def __init__(self, folder: Path) -> None:
        (folder / "errors").mkdir(mode=0o700)
        self.lake, self.errors = Lake.open(folder / "lake"), ErrorLog(folder / "errors")
        self.ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}", clock=Clock())
        self.order: list[tuple[str, str]] = []

    def convert(self, *numbers: int, **change: Any) -> None:
        """Studies are converted, and the ledger knows."""
        with self.ledger.run("test") as run:
            for number in numbers:
                key = publish(self.lake, number, volume(number, **change))
                published = self.lake.manifest("volumes", key)
                assert published is not None
                self.ledger.register([Study(key, PATIENT, "PACS", f"1.2.{number}", "P", "", "A", {}, "d")])
                assert self.ledger.claim("volumes", key, published.digest, run)
                self.ledger.finish("volumes", key, run, Outcome("done", output=published.digest, passed=1))

    def night(self, numbers: range, *models: dict[str, Any] | str, batch: int = 100) -> list[Summary]:
        """One run over all studies, in batches."""
        settings = InferenceSettings.model_validate({"models": list(models)})
        keys = [f"2.25.{number}" for number in numbers]
        with self.ledger.run("test") as run:
            return [
                read_batch(
                    settings, keys[start : start + batch], lake=self.lake, ledger=self.ledger, run=run, pool=InlinePool(), errors=self.errors,
                    max_attempts=2, on_end=lambda key, outcome: self.order.append((key, outcome.status)),
                )
                for start in range(0, len(keys), batch)
            ]  # fmt: skip

    def read(self, label: str) -> set[str]:
        return {key for (key, stage), row in self.ledger.results(label).items() if row.status == "done"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.ledger.close()


def urgent(folder: Path, minutes: int | None, **change: Any) -> str:
    finding = manifest()["findings"][0] | ({} if minutes is None else {"service_level": {"minutes": minutes}})
    return bundle(folder, findings=[finding], **change)


def test_every_model_reads_every_study_once_the_most_urgent_first(tmp_path: Path, site: Site) -> None:
    site.convert(1, 2, 3)
    models = [
        urgent(tmp_path / "late", None, name="late"),
        urgent(tmp_path / "soon", 5, name="soon"),
        urgent(tmp_path / "mid", 60, name="mid"),
    ]
    (summary,) = site.night(range(1, 4), *models)
    assert summary.studies["done"] == 9
    usable, unusable = stages(site.lake, InferenceSettings.model_validate({"models": models}))
    assert [stage.bundle.manifest.name for _, stage in usable] == ["soon", "mid", "late"]
    assert not unusable
    ranks = [rank((print, stage, "2.25.1", "input")) for _, stage in usable]  # what the executor submits
    assert ranks == [5, 60, float("inf")]
    rows = said(site.ledger, "infer:")
    assert [row["stage"].partition(":")[2] for row in rows] == ["soon@1.0.0"] * 3 + ["mid@1.0.0"] * 3 + ["late@1.0.0"] * 3
    (again,) = site.night(range(1, 4), *models)
    assert again.studies["done"] == 0
    assert len(said(site.ledger, "infer:")) == 9


def test_a_model_that_cannot_be_used_leaves_the_others_alone_and_is_counted(tmp_path: Path, site: Site) -> None:
    site.convert(1, 2)
    good, bad = bundle(tmp_path / "good"), bundle(tmp_path / "bad", name="bad", weights={"sha256": "0" * 64})
    (summary,) = site.night(range(1, 3), bad, good, "no_such_model")
    assert (summary.studies["done"], summary.studies["unusable"]) == (2, 2)
    assert site.read("infer:tiny@1.0.0") == {"2.25.1", "2.25.2"}
    assert {row["model_name"] for row in site.lake.table(CONTRACT).to_pylist()} == {"tiny"}


def test_a_version_with_other_content_than_the_lakes_does_not_read(tmp_path: Path, site: Site) -> None:
    site.convert(1)
    site.night(range(1, 2), bundle(tmp_path / "a"))
    site.convert(2)
    (summary,) = site.night(range(1, 3), bundle(tmp_path / "b", intended_use="Changed without a new version."))
    assert (summary.studies["done"], summary.studies["unusable"]) == (0, 1)
    (summary,) = site.night(range(1, 3), bundle(tmp_path / "c", intended_use="Changed without a new version.", version="1.0.1"))
    assert summary.studies["done"] == 2
    assert site.read("infer:tiny@1.0.0") == {"2.25.1"}  # the earlier version's rows stay


@pytest.mark.parametrize("batch", [100, 2])
def test_what_was_there_before_the_model_is_read_in_portions_the_newest_first(tmp_path: Path, site: Site, batch: int) -> None:
    model = {"model": bundle(tmp_path / "m"), "backfill": 2}
    site.convert(*range(5))
    site.night(range(5), model, batch=batch)
    assert site.read("infer:tiny@1.0.0") == {"2.25.4", "2.25.3"}
    site.convert(5, 6, 7)  # a new night's studies are read whatever the limit
    site.night(range(8), model, batch=batch)
    assert site.read("infer:tiny@1.0.0") == {f"2.25.{n}" for n in (7, 6, 5, 4, 3, 2, 1)}
    site.order.clear()
    site.night(range(8), model, batch=batch)
    assert site.read("infer:tiny@1.0.0") == {f"2.25.{n}" for n in range(8)}
    assert site.order == [("2.25.0", "done")]


def test_two_models_with_a_limit_keep_to_their_own(tmp_path: Path, site: Site) -> None:
    models = [{"model": bundle(tmp_path / name, name=name), "backfill": limit} for name, limit in (("one", 2), ("other", 3))]
    site.convert(*reversed(range(8)))  # the newest stand in the first batch
    site.night(range(8), *models, batch=2)
    assert site.read("infer:one@1.0.0") == {"2.25.0", "2.25.1"}
    assert site.read("infer:other@1.0.0") == {"2.25.0", "2.25.1", "2.25.2"}


def test_an_unknown_variant_of_one_model_leaves_the_others_alone(tmp_path: Path, site: Site) -> None:
    site.convert(1)
    odd = {"model": bundle(tmp_path / "odd", name="odd"), "variant": "faster"}
    (summary,) = site.night(range(1, 2), odd, bundle(tmp_path / "m"))
    assert (summary.studies["done"], summary.studies["unusable"]) == (1, 1)


def test_new_studies_come_before_old_ones(tmp_path: Path, site: Site) -> None:
    model = bundle(tmp_path / "m")
    site.convert(8)
    site.night(range(8, 9), model)
    site.order.clear()
    site.convert(9)
    newer = bundle(tmp_path / "n", version="1.0.1")
    site.night(range(8, 10), model)
    assert [key for key, _ in site.order] == ["2.25.9"]
    site.order.clear()
    site.convert(10)
    site.night(range(8, 11), newer)
    assert [key for key, _ in site.order] == ["2.25.10", "2.25.9", "2.25.8"]


def test_a_limit_of_none_reads_nothing_old(tmp_path: Path, site: Site) -> None:
    model = {"model": bundle(tmp_path / "m"), "backfill": 0}
    site.convert(1, 2)
    site.night(range(1, 3), model)
    assert site.read("infer:tiny@1.0.0") == set()


def test_batches_at_the_same_time_register_a_model_once(tmp_path: Path, site: Site) -> None:
    site.convert(*range(8))
    model = bundle(tmp_path / "m")
    settings = InferenceSettings.model_validate({"models": [model]})
    with site.ledger.run("test") as run, ThreadPoolExecutor(8) as threads:

        def one(number: int) -> Summary:
            return read_batch(
                settings, [f"2.25.{number}"], lake=site.lake, ledger=site.ledger, run=run, pool=InlinePool(), errors=site.errors, max_attempts=2
            )  # fmt: skip

        made = list(threads.map(one, range(8)))
    assert [(each.studies["done"], each.studies["unusable"]) for each in made] == [(1, 0)] * 8
    assert len(site.read("infer:tiny@1.0.0")) == 8


def test_which_version_read_a_study_when_and_with_what_result_is_one_query(tmp_path: Path, site: Site) -> None:
    site.convert(1)
    for version in ("1.0.0", "1.0.1"):
        site.night(range(1, 2), bundle(tmp_path / version, version=version))
    site.convert(1, Modality="MR")  # other images: read again, or rather refused
    site.night(range(1, 2), bundle(tmp_path / "again", version="1.0.1"))
    rows = said(site.ledger, "infer:tiny", "2.25.1")
    assert [row["stage"] for row in rows] == ["infer:tiny@1.0.0", "infer:tiny@1.0.1", "infer:tiny@1.0.1"]
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    told = [json.loads(row["said"]) for row in rows]
    assert told[0]["scores"] == told[1]["scores"]
    assert 0 <= told[0]["scores"]["nodule"] <= 1
    assert (told[2]["scores"], told[2]["reason_code"]) == ({}, "E-INFER-MODALITY")
    assert said(site.ledger, "infer:tiny@1.0.0") == rows[:1]
    assert said(site.ledger, "infer:", "2.25.404") == []
