"""A test whose peer is missing is skipped with a reason that says what to install, and fails where peers are required."""

from __future__ import annotations

import pytest

from tests import conftest
from tests.peers import programs


class Marked:
    """As much of a test item as the hook looks at."""

    def iter_markers(self, name: str) -> list[pytest.Mark]:
        """One peer."""
        assert name == "peer"
        return [pytest.mark.peer("dciodvfy").mark]


def test_a_missing_peer_skips_with_a_visible_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find", lambda _: None)
    monkeypatch.delenv("SAFELIGHT_REQUIRE_PEERS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="dciodvfy is not installed: apt-get install dicom3tools"):
        conftest.pytest_runtest_setup(Marked())  # type: ignore[arg-type]


def test_a_missing_peer_fails_where_peers_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find", lambda _: None)
    monkeypatch.setenv("SAFELIGHT_REQUIRE_PEERS", "1")
    with pytest.raises(pytest.fail.Exception, match="SAFELIGHT_REQUIRE_PEERS=1"):
        conftest.pytest_runtest_setup(Marked())  # type: ignore[arg-type]


def test_a_peer_that_is_there_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find", lambda name: programs.Path("/usr/bin") / name)
    conftest.pytest_runtest_setup(Marked())  # type: ignore[arg-type]
