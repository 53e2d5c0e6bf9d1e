"""What all tests share: `@pytest.mark.peer(name)` skips with a reason where a program is missing, and fails there in CI."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests import once
from tests.peers import programs
from tests.prefect_home import shared_folder

#: No test fails because the machine is slow.
settings.register_profile("safelight", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("safelight")

pytest_plugins = ["tests.nights"]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is there before the first test stays to the end: the collector of garbage need not look through it again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_unconfigure() -> None:
    """At the end all may go: extension modules complain of what is kept."""
    gc.unfreeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Hold a test back whose peer is missing."""
    for mark in item.iter_markers("peer"):
        for name in mark.args:
            if programs.find(name) is None:
                if programs.required():
                    pytest.fail(f"{programs.missing(name)} (SAFELIGHT_REQUIRE_PEERS=1)", pytrace=False)
                pytest.skip(programs.missing(name))


@pytest.fixture(scope="session", autouse=True)
def _shared_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where `tests.once` keeps what all processes of the session share."""
    once.folder.append(shared_folder(tmp_path_factory))


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Has lines written at the end of the run; what a test prints is lost in pytest-xdist's workers."""
    return lambda lines: record_property("told", lines)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests had to tell."""
    reports = [each for kind in terminalreporter.stats.values() for each in kind if isinstance(each, pytest.TestReport)]
    told = [value for report in reports if report.when == "call" for name, value in report.user_properties if name == "told"]
    if told:
        terminalreporter.section("what tests measured")
    for lines in told:
        terminalreporter.write_line(str(lines))
