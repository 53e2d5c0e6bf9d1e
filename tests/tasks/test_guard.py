"""The guard: an identifier in an exception, a log record or a warning stays in the private error log."""

import logging
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tasks.errors import SafelightError
from tasks.guard import ErrorLog, boundary, guarded
from tasks.stage import Outcome

SECRET = "Doe^Jane"


def logged(errors: ErrorLog) -> str:
    return "\n".join(path.read_text() for path in errors.folder.iterdir())


@pytest.fixture
def errors(tmp_path: Path) -> ErrorLog:
    return ErrorLog(tmp_path)


def test_an_unforeseen_error_becomes_a_code_and_an_id_and_its_text_stays_in_the_error_log(errors: ErrorLog) -> None:
    def work() -> Outcome:
        try:
            raise KeyError(SECRET)
        except KeyError as cause:
            raise ValueError(f"cannot read {SECRET}") from cause

    outcome = guarded("deidentify", "2.25.1", errors, work)
    assert (outcome.status, outcome.reason_code) == ("failed", "E-STAGE-UNEXPECTED")
    assert SECRET not in repr(outcome)
    assert outcome.error_id
    assert logged(errors).count(SECRET) >= 2
    assert all(path.stat().st_mode & 0o077 == 0 for path in errors.folder.iterdir())


def test_a_coded_error_keeps_its_code(errors: ErrorLog) -> None:
    def work() -> Outcome:
        raise SafelightError("E-WORKER-DIED", "2.25.1")

    assert guarded("pull", "2.25.1", errors, work).reason_code == "E-WORKER-DIED"


def test_what_crosses_the_boundary_carries_no_original(errors: ErrorLog) -> None:
    with pytest.raises(SafelightError) as caught, boundary("night", errors):
        raise ValueError(SECRET)
    error: BaseException | None = caught.value
    assert error is not None
    assert error.__suppress_context__
    assert error.__cause__ is None
    assert SECRET not in str(error)


@pytest.mark.parametrize("exit_with", [KeyboardInterrupt, SystemExit])
def test_an_interruption_passes_without_its_message(errors: ErrorLog, exit_with: type[BaseException]) -> None:
    def work() -> Outcome:
        raise exit_with(SECRET)

    with pytest.raises(KeyboardInterrupt) as caught:
        guarded("pull", "2.25.1", errors, work)
    assert caught.value.args == ()


def test_a_sealed_process_says_nothing_of_what_its_libraries_and_threads_say(tmp_path: Path) -> None:
    code = textwrap.dedent(f"""
        import logging, threading, warnings
        from pathlib import Path
        from tasks.guard import ErrorLog, seal
        seal(ErrorLog(Path({str(tmp_path)!r})))
        logging.getLogger("pydicom").warning("value {SECRET}")
        logging.getLogger("pynetdicom.assoc").error("value {SECRET}")
        warnings.warn("value {SECRET}")
        def fail(): raise ValueError("{SECRET}")
        thread = threading.Thread(target=fail); thread.start(); thread.join()
        fail()
    """)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert SECRET not in done.stdout + done.stderr
    assert "error id" in done.stderr
    assert logged(ErrorLog(tmp_path)).count(SECRET) >= 5


def test_without_the_seal_the_same_record_would_have_been_seen() -> None:
    code = f"import logging; logging.getLogger('pydicom').warning('value {SECRET}')"
    assert SECRET in subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr
    assert logging.getLogger("pydicom")
