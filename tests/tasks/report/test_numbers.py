"""Every number of a report knows its place in results.json, and what stands there says what the report says."""

from __future__ import annotations

import re
from functools import reduce

import pytest

from tasks.report.blocks import Items, Paragraph, Table
from tasks.report.numbers import Number, Numbers, Said, numbers_in, place_of, pointer, text
from tasks.report.wording import printable
from tests.tasks.report import made
from tests.tasks.report.made_faces import CASES, document


def everything_said(case: str) -> list[Said]:
    said: list[Said] = []
    for block in (block for section in document(case).sections for block in section.blocks):
        if isinstance(block, Paragraph):
            said.append(block.text)
        elif isinstance(block, Items):
            said.extend(block.items)
        elif isinstance(block, Table):
            said.extend(cell for row in block.rows for cell in row)
    return said


@pytest.mark.parametrize("case", [*CASES, "everything"])
def test_every_number_can_be_made_again_from_its_pointers(case: str) -> None:
    source = Numbers(printable(getattr(made, case)()))
    found = [number for said in everything_said(case) for number in numbers_in(said)]
    assert [number for number in found if source.again(number) != number.text] == []
    assert len(found) > 10


@pytest.mark.parametrize("case", [*CASES, "everything"])
def test_no_cell_of_numbers_is_written_by_hand(case: str) -> None:
    tables = [block for section in document(case).sections for block in section.blocks if isinstance(block, Table)]
    bare = [
        cell for table in tables if not table.caption.startswith(("Methods", "What the report covers")) for row in table.rows for cell in row[1:]
        if re.match(r"[−+]?\d", str(cell)) and not re.fullmatch(r"[0-9a-f]{64}|[0-9.]+", str(cell)) and not any(numbers_in(cell))
    ]  # fmt: skip
    assert bare == []


def test_pointers_are_those_of_the_json() -> None:
    results = made.realistic()
    dumped = results.model_dump(mode="json")
    source = Numbers(results)
    for said in everything_said("realistic"):
        for number in numbers_in(said):
            for at in number.at:
                found = reduce(lambda value, step: value[step], place_of(at), dumped)
                value = source.value(place_of(at))
                assert found == (value.model_dump(mode="json") if hasattr(value, "model_dump") else value)
                assert pointer(place_of(at)) == at


def test_a_number_from_another_place_is_noticed() -> None:
    source = Numbers(made.realistic())
    right = source.estimate("performance", 0, "auc")
    assert isinstance(right, Number)
    wrong = Number(right.text, right.form, ("/performance/1/auc",))
    assert source.again(right) == right.text
    assert source.again(wrong) != wrong.text


def test_texts_are_flat() -> None:
    number = Number("3", "sum", ("/minimum_cases",))
    said = text("a ", text("b ", number), " c")
    assert str(said) == "a b 3 c"
    assert list(numbers_in(said)) == [number]
