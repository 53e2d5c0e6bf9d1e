"""The guard: what may hold an identifier stays in the vault; outside there is a code and an error id.

Every stage runs inside `guarded`. An exception's message and traceback (which may quote a patient's data) are written to the
private error log under an id; what leaves is an `Outcome` or a `SafelightError` raised `from None`, since a chained original
would still reach a log with its message. `seal` does the same for the loggers and warnings of the libraries that see headers.
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks.errors import SafelightError, catalogue
from tasks.stage import Outcome
from tasks.vault import private_folder, write_private

#: Libraries that put values of DICOM headers, addresses or SQL parameters into their log messages.
_TALKATIVE = (
    "pydicom",
    "pynetdicom",
    "highdicom",
    "deid",
    "sqlalchemy",
    "PIL",
    "nibabel",
    "matplotlib",
    "py.warnings",
    "distributed",
)


@dataclass(frozen=True, slots=True)
class ErrorLog:
    """A private folder (0700) with one file (0600) an error id."""

    folder: Path

    @classmethod
    def default(cls) -> ErrorLog:
        """For commands that open no vault: `$XDG_STATE_HOME/safelight/errors`, private to the user."""
        state = Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local" / "state"))
        return cls(private_folder(state / "safelight" / "errors"))

    def record(self, where: str, error: BaseException) -> str:
        """Write an exception with its traceback and chain; return its id."""
        error_id = f"{datetime.now(UTC):%Y%m%d}-{secrets.token_hex(5)}"
        detail = "".join(traceback.format_exception(error))
        write_private(self.folder / f"{error_id}.txt", f"{where}\n\n{detail}".encode("utf-8", "backslashreplace"))
        return error_id


def guarded(stage: str, key: str, errors: ErrorLog, work: Callable[[], Outcome]) -> Outcome:
    """Run one stage on one study; whatever it raises becomes a failed `Outcome` with a code and an error id.

    KeyboardInterrupt and SystemExit pass, stripped of their message.
    """
    try:
        return work()
    except SafelightError as error:
        return Outcome("failed", reason_code=error.code, error_id=errors.record(f"{stage} {key}", error))
    except (KeyboardInterrupt, SystemExit):
        raise KeyboardInterrupt from None
    except BaseException as error:  # noqa: BLE001 - the one place where everything must stop
        code = str(getattr(error, "code", ""))
        known = code if code in catalogue() else "E-STAGE-UNEXPECTED"
        return Outcome("failed", reason_code=known, error_id=errors.record(f"{stage} {key}", error))


@contextmanager
def boundary(where: str, errors: ErrorLog) -> Iterator[None]:
    """Let only safe errors through: for the bodies of Prefect tasks and flows, and for the command line.

    Raises:
        SafelightError: the same one, or E-STAGE-UNEXPECTED with the id of the entry in the private error log.
    """
    try:
        yield
    except SafelightError as error:
        error.__traceback__ = None
        raise error from None
    except Exception as error:  # noqa: BLE001
        safe = SafelightError("E-STAGE-UNEXPECTED", f"error id {errors.record(where, error)}")
        raise safe from None


class _PrivateHandler(logging.Handler):
    """Appends records to `library.log` in the private error log."""

    def __init__(self, errors: ErrorLog) -> None:
        super().__init__()
        self._path = errors.folder / "library.log"

    def emit(self, record: logging.LogRecord) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(f"{datetime.now(UTC).isoformat()} {record.levelname} {record.name} {record.getMessage()}\n")


def seal(errors: ErrorLog) -> None:
    """Send the log records and warnings of libraries that see identified data to the private error log, and nowhere else.

    Uncaught exceptions of this process, in any thread, are recorded there too, and end as one safe line on stderr.
    """
    handler = _PrivateHandler(errors)
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
    logging.captureWarnings(capture=True)
    warnings.simplefilter("default")

    def uncaught(kind: type[BaseException], error: BaseException, _trace: Any, where: str = "process") -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.stderr.write("Interrupted.\n")
            return
        sys.stderr.write(f"E-STAGE-UNEXPECTED: {kind.__name__}, error id {errors.record(where, error)} in {errors.folder}\n")

    sys.excepthook = uncaught
    import threading

    def thread_failed(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            uncaught(args.exc_type, args.exc_value, args.exc_traceback, "thread")

    threading.excepthook = thread_failed
