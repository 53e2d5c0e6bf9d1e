"""The ledger: due work, claims, runs that die, and locks."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from tasks import ledger_statements as statements
from tasks import ledger_tables as tables
from tasks.errors import ConfigurationError, SafelightError
from tasks.ledger import Ledger, Study
from tasks.stage import Count, Outcome


@pytest.fixture
def ledger(tmp_path: Path):
    opened = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    opened.close()


def a_study(key: str = "2.25.1", digest: str = "d1") -> Study:
    return Study(key, "SL-AAAAAAAAAAAA", "PACS", "1.2.3", "0042", "", "A1", {"1.2.3.4": 3}, digest)


def test_a_study_is_due_until_it_is_done_under_the_present_fingerprint(ledger: Ledger) -> None:
    with ledger.run("test") as run:
        assert ledger.due("pull", {"k": "f1"}, max_attempts=3) == ["k"]
        assert ledger.claim("pull", "k", "f1", run)
        assert ledger.due("pull", {"k": "f1"}, max_attempts=3) == []
        ledger.finish("pull", "k", run, Outcome("done", "out", 2, (Count("pulled", "", "instance", 2),)))
    assert ledger.due("pull", {"k": "f1"}, max_attempts=3) == []
    assert ledger.due("pull", {"k": "f2"}, max_attempts=3) == ["k"]
    row = ledger.results("pull")["k", "pull"]
    assert (row.output, row.passed, row.tally) == ("out", 2, (Count("pulled", "", "instance", 2),))


def test_returning_to_an_earlier_configuration_makes_the_study_due_since_the_lake_holds_the_other(ledger: Ledger) -> None:
    with ledger.run("test") as run:
        for fingerprint in ("f1", "f2"):
            assert ledger.claim("pull", "k", fingerprint, run)
            ledger.finish("pull", "k", run, Outcome("done"))
    assert ledger.due("pull", {"k": "f1"}, max_attempts=3) == ["k"]


def test_a_study_is_set_aside_after_its_attempts_and_retry_takes_it_up_again(ledger: Ledger) -> None:
    with ledger.run("test") as run:
        for _ in range(3):
            assert ledger.due("pull", {"k": "f"}, max_attempts=3) == ["k"]
            assert ledger.claim("pull", "k", "f", run)
            ledger.finish("pull", "k", run, Outcome("failed", reason_code="E-WORKER-DIED"))
    assert ledger.due("pull", {"k": "f"}, max_attempts=3) == []
    assert ledger.retry("pull") == 1
    assert ledger.due("pull", {"k": "f"}, max_attempts=3) == ["k"]
    assert [event["event"] for event in ledger.events("k")] == ["failed"] * 3


def test_only_one_of_many_runs_gets_a_study(ledger: Ledger) -> None:
    with ledger.run("one") as one, ledger.run("two") as two:
        won: list[str] = []

        def take(run: str) -> None:
            won.extend(run for number in range(40) if ledger.claim("pull", f"k{number}", "f", run))

        threads = [threading.Thread(target=take, args=(run,)) for run in (one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 40


def test_a_result_is_refused_from_a_run_that_no_longer_holds_the_study(ledger: Ledger) -> None:
    with ledger.run("one") as one, ledger.run("two") as two:
        assert ledger.claim("pull", "k", "f", one)
        with pytest.raises(SafelightError, match="E-LEDGER-LOST"):
            ledger.finish("pull", "k", two, Outcome("done"))


def test_what_a_killed_run_held_is_due_again_at_once_and_its_attempts_are_not_used_up(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    code = textwrap.dedent(f"""
        import sys, time
        from tasks.ledger import Ledger
        ledger = Ledger({url!r})
        with ledger.run("night") as run:
            assert ledger.claim("pull", "k", "f", run)
            print("claimed", flush=True)
            time.sleep(600)
    """)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "claimed\n"
        ledger = Ledger(url)
        assert ledger.due("pull", {"k": "f"}, max_attempts=1) == []
        assert ledger.reconcile() == {"runs": 0, "studies": 0}
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert ledger.due("pull", {"k": "f"}, max_attempts=1) == ["k"]
    assert ledger.reconcile() == {"runs": 1, "studies": 1}
    assert ledger.due("pull", {"k": "f"}, max_attempts=1) == ["k"]
    assert [run.state for run in ledger.runs()] == ["crashed"]
    ledger.close()


def test_a_run_that_ends_gives_back_what_it_still_holds(ledger: Ledger) -> None:
    with ledger.run("night") as run:
        assert ledger.claim("pull", "k", "f", run)
    assert ledger.due("pull", {"k": "f"}, max_attempts=3) == ["k"]


def test_registering_a_study_again_renews_what_is_known_of_it(ledger: Ledger) -> None:
    assert ledger.register([a_study()]) == 1
    assert ledger.register([a_study(digest="d2")]) == 0
    assert ledger.study("2.25.1").found_digest == "d2"
    assert ledger.study("2.25.1").expected == {"1.2.3.4": 3}


def test_a_lock_is_waited_for(ledger: Ledger) -> None:
    order: list[str] = []

    def second() -> None:
        with ledger.lock("evaluate"):
            order.append("second")

    with ledger.lock("evaluate"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_ledger_that_cannot_be_opened_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="E-LEDGER-UNREACHABLE"):
        Ledger(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder' / 'ledger.db'}")


def test_the_ledger_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    Ledger(f"sqlite:///{tmp_path / 'ledger.db'}").close()
    assert (tmp_path / "ledger.db").stat().st_mode & 0o077 == 0


STUDY = Study("2.25.1", "SL-A", "PACS", "1.2.3", "P1", "", "A1", {"1.2.3.1": 2}, "digest")


def test_a_ledger_of_an_earlier_version_gets_the_columns_that_have_come_since(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with closing(Ledger(url)) as ledger:
        ledger.register([STUDY])
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as database:
        database.execute("ALTER TABLE studies DROP COLUMN selected")
        database.execute("ALTER TABLE conditions DROP COLUMN retry_at")
        database.execute("DROP TABLE retrievals")
        database.commit()
    with closing(Ledger(url)) as ledger:
        assert ledger.study("2.25.1") == STUDY
        assert not ledger.study("2.25.1").selected


def test_a_ledger_of_an_earlier_version_is_refused_in_one_sentence(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    Ledger(url).close()
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        database.execute("ALTER TABLE results DROP COLUMN fingerprint")
    database.close()
    with pytest.raises(ConfigurationError, match="E-LEDGER-VERSION"):
        Ledger(url)


def test_what_is_written_beside_a_row_is_written_with_it_or_not_at_all(ledger: Ledger) -> None:
    def also(connection: sa.Connection) -> None:
        connection.execute(sa.insert(tables.plans).values(source="A", cohort=str(next(numbers)), asked_at=0.0))

    def breaks(connection: sa.Connection) -> None:
        also(connection)
        raise OSError("no space")

    def written() -> int:
        with ledger.reading() as connection:
            return int(connection.scalar(sa.select(sa.func.count()).select_from(tables.plans)) or 0)

    numbers = count()
    with ledger.run("test") as run:
        assert ledger.claim("pull", "k", "f", run)
        with pytest.raises(OSError, match="no space"):
            ledger.finish("pull", "k", run, Outcome("done"), beside=breaks)
        assert (written(), ledger.results()["k", "pull"].status, ledger.events("k")) == (0, "running", [])
        ledger.release("pull", "k", run, beside=also)
        assert (written(), ledger.results()["k", "pull"].status) == (1, "interrupted")
        with pytest.raises(SafelightError, match="E-LEDGER-LOST"):
            ledger.finish("pull", "k", run, Outcome("done"), beside=also)
        assert written() == 2  # what a lost try cost is known all the same
        assert [event["event"] for event in ledger.events("k")] == ["interrupted"]


def test_a_prepared_statement_does_what_sqlalchemy_does_with_it(ledger: Ledger) -> None:
    row = {"study_key": "k", "stage": "pull", "fingerprint": "f", "inputs": "", "status": "running", "reason_code": "", "error_id": "",
           "attempts": 1, "owner": "r", "output": "", "passed": 0, "tally": "[]", "started_at": 1.5, "finished_at": None}  # fmt: skip
    clause = sa.insert(tables.results).values(statements.row_of(tables.results))
    with ledger.writing() as connection:
        connection.execute(clause, row)
        statements.Prepared(clause).on(connection, {**row, "study_key": "l"})
        both = connection.execute(sa.select(tables.results).order_by(tables.results.c.study_key)).mappings().all()
        assert [dict(each) for each in both] == [row, {**row, "study_key": "l"}]
        mine = {"key": "k", "of_stage": "pull"}
        assert connection.execute(statements.ROW, mine).all() == statements.Prepared(statements.ROW).on(connection, mine).all()
        with pytest.raises(sa.exc.DBAPIError):  # a parameter that is not given is no NULL
            statements.Prepared(statements.ROW).on(connection, {"key": "k"})
