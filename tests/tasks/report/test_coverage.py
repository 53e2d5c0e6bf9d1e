"""Each number of results.json is held by a check: it is changed by hand, place by place, and the report is refused.

What no check can hold is listed in `tasks.report.checks.coverage`; a new field without a check, and an entry of the list that is held after
all, fail here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from tasks.errors import SafelightError
from tasks.evaluation import results as schema
from tasks.evaluation.results import Results
from tasks.report.checks import check
from tasks.report.checks.coverage import AS_GIVEN
from tests.tasks.report import made

Path = tuple[str | int, ...]
#: Words of which the schema knows but a few.
SWAPPED = {
    "estimated": "not_estimable", "not_estimable": "estimated", "identity": "logit", "logit": "identity", "log": "logit", "auc": "sensitivity",
    "sensitivity": "specificity", "specificity": "auc", "finding": "excluded", "excluded": "finding", "false_negative": "false_positive",
    "false_positive": "false_negative", "square": "identity", "readers_and_cases": "cases", "cases": "readers", "readers": "cases",
    "overlaps": "readings", "measurements": "readings", "readings": "overlaps",
}  # fmt: skip


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from leaves(part, (*path, name))
    elif isinstance(value, (list, tuple)):
        for place, part in enumerate(value):
            yield from leaves(part, (*path, place))
    elif value is not None:
        yield path, value


def general(path: Path) -> str:
    return "".join(f"/{'*' if isinstance(step, int) else step}" for step in path)


def kinds() -> list[Results]:
    return [made.everything(single=True), made.everything(), made.realistic()]


@cache
def places() -> dict[str, list[tuple[int, Path, Any]]]:
    """General place → where it stands in which results, and with which value: at most three of each, in the middle of lists too."""
    found: dict[str, list[tuple[int, Path, Any]]] = {}
    for number, results in enumerate(kinds()):
        by_place: dict[str, list[tuple[int, Path, Any]]] = {}
        for path, value in leaves(results.model_dump()):
            by_place.setdefault(general(path), []).append((number, path, value))
        for place, there in by_place.items():
            found.setdefault(place, []).extend(there[:: max(1, len(there) // 2)][:2])
    return found


def others(value: Any) -> list[Any]:
    """The value changed by hand: never by rounding alone."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1]
    if isinstance(value, float):
        return [value * 0.97 + 0.0071, value - 0.0131]
    return [SWAPPED.get(value, "something else")]


def changed(results: Results, path: Path, value: Any) -> Results | None:
    """None where the schema itself refuses it."""
    body = results.model_dump()
    inside: Any = body
    for step in path[:-1]:
        if isinstance(inside[step], tuple):
            inside[step] = list(inside[step])
        inside = inside[step]
    inside[path[-1]] = value
    try:
        return Results.model_validate(body)
    except ValidationError:
        return None


def refused(number: int, path: Path, value: Any) -> bool | None:
    """Whether every change of this value is refused; None where the schema lets none of them through."""
    wrong = [other for other in (changed(kinds()[number], path, each) for each in others(value)) if other is not None]
    answers = []
    for each in wrong:
        try:
            check(each)
        except SafelightError as error:
            answers.append(error.code == "E-REPORT-MISMATCH")
        else:
            answers.append(False)
    return all(answers) if answers else None


def listed(place: str) -> bool:
    return any(fnmatch(place, pattern) for pattern in AS_GIVEN)


@pytest.mark.parametrize("results", range(3))
def test_what_is_changed_here_is_right_before(results: int) -> None:
    check(kinds()[results])


@pytest.mark.parametrize("part", sorted(Results.model_fields))
def test_every_number_that_is_changed_by_hand_is_found(part: str) -> None:
    mine = {place: there for place, there in places().items() if place.split("/")[1] == part and not listed(place)}
    missed = [place for place, there in mine.items() if not any(refused(*each) for each in there)]
    assert missed == []


def models(kind: type[BaseModel]) -> set[type[BaseModel]]:
    found = {kind}
    for field in kind.model_fields.values():
        for name in set(re.findall(r"[A-Z]\w+", repr(field.annotation))):
            other = getattr(schema, name, None)
            if isinstance(other, type) and issubclass(other, BaseModel) and other not in found:
                found |= models(other)
    return found


def test_every_field_of_the_schema_is_filled_or_listed() -> None:
    """A new field of results.json must be in the results that are changed here, and so have a check, or be in the list."""
    seen = {place.rsplit("/", 1)[1] if not place.endswith("*") else place.split("/")[-2] for place in places()}
    names = {name for kind in models(Results) for name in kind.model_fields}
    parents = {step for place in places() for step in place.split("/")}
    assert {name for name in names if name not in seen | parents and not listed(f"/{name}")} == set()
    assert Results in models(Results)
    assert len(models(Results)) > 20


def test_the_list_names_nothing_that_is_not_there() -> None:
    assert [pattern for pattern in AS_GIVEN if not any(fnmatch(place, pattern) for place in places())] == []


def test_nothing_in_the_list_is_a_number_that_is_held_after_all() -> None:
    held = []
    for place, there in places().items():
        if listed(place) and not isinstance(there[0][2], str) and all(refused(*each) is True for each in there):
            held.append(place)
    assert held == []
