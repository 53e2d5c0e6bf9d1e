"""The ledger on a real PostgreSQL server does what it does on SQLite."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tasks.errors import ConfigurationError, SafelightError
from tasks.ledger import Ledger, Study
from tasks.pacs.book import Book
from tasks.pacs.manners.breaker import Breaker
from tasks.pacs.settings import MannersSettings
from tasks.stage import Count, Outcome
from tests.peers import programs
from tests.ports import free_port
from tests.tasks.test_ledger_slots import Once, free, visited

pytestmark = pytest.mark.peer("postgres")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a server of our own. PostgreSQL refuses to run as root, so root lets Debian's user `postgres` run it."""
    binaries = (programs.find("postgres") or Path()).parent
    folder = Path(tempfile.mkdtemp(prefix="safelight-postgres-"))
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres")
    port, data = free_port(), str(folder / "data")
    subprocess.run(
        [*as_user, str(binaries / "initdb"), "-D", data, "-U", "safelight", "-A", "trust"],
        check=True,
        capture_output=True,
    )
    command = [str(binaries / "postgres"), "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", str(folder)]
    process = subprocess.Popen([*as_user, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"postgresql+psycopg://safelight@127.0.0.1:{port}/postgres"
    try:
        _await(url)
        yield url
    finally:
        subprocess.run(
            [*as_user, str(binaries / "pg_ctl"), "-D", data, "-m", "fast", "stop"],
            check=True,
            capture_output=True,
        )
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _await(url: str) -> None:
    engine = sa.create_engine(url)
    for attempt in range(100):
        try:
            engine.connect().close()
            break
        except sa.exc.OperationalError:
            if attempt == 99:
                raise
            threading.Event().wait(0.1)
    engine.dispose()


@pytest.fixture
def ledger(server: str) -> Iterator[Ledger]:
    made = Ledger(server)
    with made._engine.begin() as connection:
        for table in ("studies", "results", "events", "runs", "retrievals", "conditions"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    yield made
    made.close()


def study(number: int, accession: str = "") -> Study:
    return Study(
        f"2.25.{number}", "SL-ABCDEFGHIJKL", "A", f"1.2.{number}", "MRN", "", accession, {"1.2.3": 4}, f"digest {number}"
    )


def test_studies_are_registered_and_renewed(ledger: Ledger) -> None:
    assert ledger.register([study(1), study(2)]) == 2
    assert ledger.register([study(2, "A2"), study(3)]) == 1
    assert ledger.study("2.25.2").accession_number == "A2"
    assert list(ledger.studies()) == ["2.25.1", "2.25.2", "2.25.3"]


def test_a_study_goes_through_due_claimed_failed_retried_and_done(ledger: Ledger) -> None:
    with ledger.run("night") as run:
        for _ in range(2):
            assert ledger.due("pull", {"k": "f"}, max_attempts=2) == ["k"]
            assert ledger.claim("pull", "k", "f", run)
            ledger.finish("pull", "k", run, Outcome("failed", reason_code="E-PULL-INCOMPLETE"))
        assert ledger.due("pull", {"k": "f"}, max_attempts=2) == []
        assert ledger.retry("pull") == 1
        assert ledger.claim("pull", "k", "f", run)
        ledger.finish("pull", "k", run, Outcome("done", output="o", passed=3, tally=(Count("pulled", "", "instance", 3),)))
        assert ledger.results()["k", "pull"].tally == (Count("pulled", "", "instance", 3),)
        assert not ledger.claim("pull", "k", "f", run)
        with pytest.raises(SafelightError, match="E-LEDGER-LOST"):
            ledger.finish("pull", "k", run, Outcome("done"))
    assert [event["event"] for event in ledger.events("k")] == ["failed", "failed", "done"]
    assert ledger.runs()[0].state == "finished"


def test_only_one_of_two_machines_gets_a_study(ledger: Ledger, server: str) -> None:
    other, won = Ledger(server), list[str]()
    with ledger.run("one") as one, other.run("two") as two:

        def take(machine: Ledger, run: str) -> None:
            won.extend(run for number in range(30) if machine.claim("pull", f"k{number}", "f", run))

        threads = [threading.Thread(target=take, args=each) for each in ((ledger, one), (other, two))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 30
    other.close()


def test_a_turn_is_waited_for_on_another_machine(ledger: Ledger, server: str) -> None:
    order, other, held = [], Ledger(server), threading.Event()

    def second() -> None:
        held.wait()
        with other.turn("evaluate"):
            order.append("second")

    waiting = threading.Thread(target=second)
    waiting.start()
    with ledger.turn("evaluate"):
        held.set()
        threading.Event().wait(0.5)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]
    assert ledger.turns()["evaluate"].event == "done"
    other.close()


def test_a_server_that_is_not_there_is_one_clear_error_without_the_password() -> None:
    with pytest.raises(ConfigurationError, match="E-LEDGER-UNREACHABLE") as caught:
        Ledger(f"postgresql+psycopg://safelight:secret@127.0.0.1:{free_port()}/none")
    assert "secret" not in str(caught.value)


def in_threads(work: Callable[[int], object], n: int) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_at_most_n_hold_a_slot_over_all_processes(ledger: Ledger, server: str, tmp_path: Path) -> None:
    assert max(visited(server, tmp_path / "marks")) == 3


def test_a_killed_process_gives_its_slot_back(ledger: Ledger, server: str) -> None:
    code = "import sys, time; from tasks.ledger import Ledger\nwith Ledger(sys.argv[1]).slots('pacs', 2) as n: print(n, flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code, server], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        assert free(ledger, 2) == {1}
        process.kill()
        process.wait()
    with ledger.slots("pacs", 1) as slot:  # the server hears of it a moment later
        assert slot == 0


def test_the_ledger_is_read_and_written_however_many_hold_a_slot_or_wait_for_one(ledger: Ledger) -> None:
    done, limit = list[int](), threading.Barrier(20)

    def work(number: int) -> None:
        with ledger.slots("pacs", 20) as slot:
            assert slot is not None
            limit.wait(60)  # twenty connections are held now: more than the ledger's pool has
            Book(ledger).end(Book(ledger).begin(f"k{number}", "A"))
            with ledger.slots("pacs", 20, stopped=Once()) as none:
                assert none is None
            done.append(slot)

    in_threads(work, 20)
    assert sorted(done) == list(range(20))
    assert len(Book(ledger).begun_since("A", 0)) == 20


def test_a_slot_is_given_back_at_once(ledger: Ledger) -> None:
    for _ in range(20):
        with ledger.slots("pacs", 1, stopped=Once()) as slot:
            assert slot == 0


def test_no_more_are_reserved_than_the_hour_allows_however_many_machines_ask(ledger: Ledger, server: str) -> None:
    machines = [Ledger(server) for _ in range(4)]
    reserved = list[bool]()

    def ask(number: int) -> None:
        book = Book(machines[number])
        reserved.extend(book.reserve(f"{number} {n}", "A", 7) for n in range(15))

    in_threads(ask, 4)
    assert (sum(reserved), len(Book(ledger).begun_since("A", 0))) == (7, 7)
    for machine in machines:
        machine.close()


def test_one_machine_of_many_tries_a_pacs_whose_breaker_is_half_open(ledger: Ledger, server: str) -> None:
    now = [1000.0]
    machines = [Ledger(server, clock=lambda: now[0]) for _ in range(4)]
    manners = MannersSettings(breaker_failures=8, breaker_s=30, backoff_s=0.001)
    breakers = [Breaker("A", Book(machine), manners) for machine in machines]
    in_threads(lambda number: [breakers[number].failed("E-PULL-UNREACHABLE") for _ in range(2)], 4)
    assert Book(ledger).condition("A").failures == 8
    assert breakers[0].before() is not None
    now[0] += 60
    waits = list[float | None]()
    in_threads(lambda number: waits.append(breakers[number].before()), 4)
    assert waits.count(None) == 1
    for machine in machines:
        machine.close()
