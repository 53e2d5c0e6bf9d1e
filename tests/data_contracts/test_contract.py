"""Contracts: each kind of broken row is refused with the table, the column, the rule and the study's key, never the value."""

import math

import pyarrow as pa
import pytest

from data_contracts.contract import Column, Contract, ContractError
from data_contracts.document import contracts, page

TABLE = Contract("things", "A table for this test.", (
    Column("StudyInstanceUID", pa.string(), "The study."),
    Column("n", pa.int64(), "A count.", minimum=0, maximum=9),
    Column("x", pa.float64(), "A number.", unit="mm", nullable=True),
    Column("kind", pa.string(), "A kind.", allowed=("a", "b")),
    Column("code", pa.string(), "A code.", nullable=True, pattern="[A-Z]{2}"),
), key=("StudyInstanceUID", "n"))  # fmt: skip
GOOD = {"StudyInstanceUID": "2.25.1", "n": 1, "x": 0.5, "kind": "a", "code": "AB"}


@pytest.mark.parametrize(("change", "column", "rule"), [
    ({"n": -1}, "n", "at least 0"),
    ({"n": 10}, "n", "at most 9"),
    ({"n": None}, "n", "not null"),
    ({"n": "Doe"}, "n", "is not int64"),
    ({"x": math.nan}, "x", "finite"),
    ({"x": math.inf}, "x", "finite"),
    ({"kind": "Doe"}, "kind", "one of a, b"),
    ({"code": "AB Doe"}, "code", "matches"),
])  # fmt: skip
def test_a_row_that_breaks_a_rule_is_refused_by_name_and_without_its_value(change, column, rule) -> None:
    with pytest.raises(ContractError) as caught:
        TABLE.validate([GOOD, GOOD | {"StudyInstanceUID": "2.25.2"} | change])
    assert (caught.value.table, caught.value.column, caught.value.key) == ("things", column, "2.25.2")
    assert rule in str(caught.value)
    assert "Doe" not in str(caught.value)


def test_an_arrow_table_is_held_to_the_same_rules_as_rows() -> None:
    table = pa.table({name: [value] for name, value in (GOOD | {"n": 11}).items()})
    with pytest.raises(ContractError, match="at most 9"):
        TABLE.validate(table)


def test_missing_unknown_and_repeated_are_refused() -> None:
    with pytest.raises(ContractError, match="kind: is missing"):
        TABLE.validate([{name: value for name, value in GOOD.items() if name != "kind"}])
    with pytest.raises(ContractError, match="extra: is not a column"):
        TABLE.validate([GOOD | {"extra": 1}])
    with pytest.raises(ContractError, match="stands twice"):
        TABLE.validate([GOOD, GOOD])


def test_a_good_table_comes_back_with_its_schema_whatever_the_order_of_its_columns() -> None:
    table = TABLE.validate([dict(reversed(GOOD.items()))])
    assert table.schema.equals(TABLE.schema(), check_metadata=True)
    assert table.to_pylist() == [GOOD]
    assert TABLE.validate([]).num_rows == 0


def test_every_table_is_documented_from_its_declaration() -> None:
    assert {contract.name for contract in contracts()} >= {"accountability"}
    assert "| `n` | int64 |  | not null; at least 0; at most 9 | A count. |" in page(TABLE)
