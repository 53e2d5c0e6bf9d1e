"""Coded errors: each code that the source uses is declared, each declared one is used, and all are in the documentation."""

import re
from pathlib import Path

import pytest

from tasks.errors import SafelightError, catalogue

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"\bE-[A-Z]+(?:-[A-Z0-9]+)*\b")


def used() -> set[str]:
    sources = [path for folder in ("tasks", "flows", "data_contracts") for path in (ROOT / folder).rglob("*.py")]
    sources += (ROOT / "configs" / "profiles").rglob("*.yaml")
    return {code for path in sources for code in CODE.findall(path.read_text("utf-8"))} - {"E-CODE"}


def test_every_code_that_is_used_is_declared() -> None:
    assert used() - set(catalogue()) == set()


def test_every_code_that_is_declared_is_used() -> None:
    assert set(catalogue()) - used() == set()


def test_every_reason_says_what_to_do_next() -> None:
    for reason in catalogue().values():
        assert reason.remedy.endswith((".", "`")), reason.code
        assert not reason.meaning.endswith("."), reason.code


def test_an_undeclared_code_is_a_programming_error() -> None:
    with pytest.raises(KeyError):
        SafelightError("E-NO-SUCH-CODE")


def test_the_documentation_lists_every_code() -> None:
    assert set(catalogue()) <= set(CODE.findall((ROOT / "docs" / "reasons.md").read_text("utf-8")))
