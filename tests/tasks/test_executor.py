"""The executor: the same work in this process, in worker processes and on Dask; due work only; a crash costs one study."""

import subprocess
from pathlib import Path

import pytest

from tasks import accountability
from tasks.executor import run_by_ledger
from tasks.guard import ErrorLog
from tasks.ledger import Ledger, Study, is_current
from tasks.night import command
from tasks.pools import InlinePool, Pool, WorkerPool, make_pool
from tests.tasks.stages import Counting, Second

KEYS = [f"2.25.{number}" for number in range(1, 7)]


@pytest.fixture
def errors(tmp_path: Path) -> ErrorLog:
    (tmp_path / "errors").mkdir()
    return ErrorLog(tmp_path / "errors")


@pytest.fixture
def ledger(tmp_path: Path):
    opened = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    opened.register(Study(key, "SL-AAAAAAAAAAAA", "PACS", key, "1", "", "", {"1": 1}, f"digest {key}") for key in KEYS)
    yield opened
    opened.close()


@pytest.fixture(params=["inline", "processes", "dask"])
def pool(request: pytest.FixtureRequest, errors: ErrorLog):
    if request.param != "dask":
        made: Pool = make_pool(request.param, 2, errors)
        yield made
        made.close()
        return
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster:
        made = make_pool("dask", 2, errors, cluster.scheduler_address)
        yield made
        made.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::UserWarning")
def test_every_pool_does_the_same_work_and_only_what_is_due(pool: Pool, ledger: Ledger, errors: ErrorLog) -> None:
    with ledger.run("test") as run:
        first = run_by_ledger(Counting(), KEYS, ledger=ledger, run=run, pool=pool, errors=errors)
        again = run_by_ledger(Counting(), KEYS, ledger=ledger, run=run, pool=pool, errors=errors)
        after = run_by_ledger(Second(), KEYS, ledger=ledger, run=run, pool=pool, errors=errors)
    assert first.studies["done"] == after.studies["done"] == len(KEYS)
    assert again.studies["done"] == 0
    outputs = {key: row.output for (key, _), row in ledger.results("pull").items()}
    assert all(output.startswith(f"digest {key}") for key, output in outputs.items())


def test_an_error_costs_one_study_and_its_text_stays_inside(ledger: Ledger, errors: ErrorLog) -> None:
    pool = WorkerPool(2, errors)
    with ledger.run("test") as run:
        summary = run_by_ledger(Counting(raises_for=KEYS[2]), KEYS, ledger=ledger, run=run, pool=pool, errors=errors)
    pool.close()
    assert (summary.studies["done"], summary.studies["failed"]) == (5, 1)
    assert "Doe" not in repr(ledger.results()) + repr(summary)
    assert "Doe^Jane" in next(errors.folder.glob("*.txt")).read_text()


def test_a_study_that_kills_its_worker_is_found_out_and_the_others_are_done(ledger: Ledger, errors: ErrorLog) -> None:
    pool = WorkerPool(2, errors)
    with ledger.run("test") as run:
        summary = run_by_ledger(Counting(dies_for=KEYS[3]), KEYS, ledger=ledger, run=run, pool=pool, errors=errors)
    pool.close()
    assert summary.failures[KEYS[3]].reason_code == "E-WORKER-DIED"
    assert summary.studies["done"] == len(KEYS) - 1


def test_a_stage_waits_for_the_one_before_it(ledger: Ledger, errors: ErrorLog) -> None:
    with ledger.run("test") as run:
        summary = run_by_ledger(Second(), KEYS, ledger=ledger, run=run, pool=InlinePool(), errors=errors)
    assert sum(summary.studies.values()) == 0


def test_studies_that_another_live_run_holds_are_counted_as_held(ledger: Ledger, errors: ErrorLog) -> None:
    with ledger.run("one") as one, ledger.run("two") as two:
        assert ledger.claim("pull", KEYS[0], "whatever", one)
        summary = run_by_ledger(Counting(), KEYS, ledger=ledger, run=two, pool=InlinePool(), errors=errors)
    assert (summary.studies["done"], summary.studies["held"]) == (5, 1)


def test_what_was_published_of_a_study_is_withdrawn_when_nothing_comes_of_it_any_more(
    ledger: Ledger, errors: ErrorLog, tmp_path: Path
) -> None:
    def both(hands_on: int) -> None:
        with ledger.run("test") as run:
            for stage in (Counting(hands_on=hands_on), Second(withdrawn=str(tmp_path / "withdrawn"))):
                run_by_ledger(stage, KEYS[:1], ledger=ledger, run=run, pool=InlinePool(), errors=errors)

    both(hands_on=1)
    assert set(ledger.results()) == {(KEYS[0], "pull"), (KEYS[0], "deidentify")}
    assert not (tmp_path / "withdrawn").exists()
    both(hands_on=0)
    assert set(ledger.results()) == {(KEYS[0], "pull")}
    assert (tmp_path / "withdrawn").read_text() == KEYS[0]
    assert [event["event"] for event in ledger.events(KEYS[0])][-1] == "withdrawn"
    both(hands_on=1)
    assert ledger.results()[KEYS[0], "deidentify"].status == "done"


def test_a_row_of_an_earlier_input_is_not_current(ledger: Ledger, errors: ErrorLog) -> None:
    with ledger.run("test") as run:
        for stage in (Counting(), Second(), Counting(hands_on=2)):
            run_by_ledger(stage, KEYS[:1], ledger=ledger, run=run, pool=InlinePool(), errors=errors)
    rows = {stage: row for (_, stage), row in ledger.results().items()}
    assert is_current(rows["pull"], None)
    assert not is_current(rows["deidentify"], rows["pull"])
    assert [row["outcome"] for row in accountability.rows(ledger) if row["stage"] == "deidentify"] == ["waiting"]


def test_the_workers_of_a_night_do_not_import_prefect_again(tmp_path: Path) -> None:
    start = command(Path("site.yaml"))
    asked = """
from pathlib import Path
from tasks.pools import WorkerPool
from tasks.guard import ErrorLog
from tasks.night import command
from tests.tasks.stages import loaded
pool = WorkerPool(1, ErrorLog(Path(sys.argv[1])))
print(loaded("prefect"), pool.submit(loaded, "prefect").result())
pool.close()
"""
    assert start[1] == "-c"
    code = f"import sys; {start[2].partition(';')[0]}\n{asked}"  # as the night begins, up to its first step
    done = subprocess.run([start[0], "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
