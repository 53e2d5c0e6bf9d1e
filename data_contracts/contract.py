"""What a table is: one declaration gives the Arrow schema, the validation of every row, and the documentation page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


class ContractError(ValueError):
    """A row that breaks its table's contract. Names the table, the column, the rule and the row's study key; never a value."""

    def __init__(self, table: str, column: str, rule: str, key: str) -> None:
        self.code = "E-CONTRACT"
        self.table, self.column, self.rule, self.key = table, column, rule, key
        super().__init__(table, column, rule, key)

    def __str__(self) -> str:
        return f"E-CONTRACT: table {self.table}, column {self.column}: {self.rule} (study {self.key or 'not given'})"


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Args:
        name: a DICOM keyword where there is one, snake_case otherwise.
        type: the Arrow type.
        meaning: one sentence for the documentation.
        unit: UCUM-like unit (`mm`, `a`, `[hnsf'U]` as `HU`), empty where there is none.
        nullable: whether a null is allowed; NaN never is.
        allowed: the only values allowed, or None for any.
        pattern: a regular expression (RE2) that a string must match as a whole.
        minimum, maximum: inclusive bounds for numbers.
    """

    name: str
    type: pa.DataType
    meaning: str
    unit: str = ""
    nullable: bool = False
    allowed: tuple[str, ...] | None = None
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None

    def rules(self) -> list[str]:
        """The column's rules in words."""
        said = [] if self.nullable else ["not null"]
        if self.allowed is not None:
            said.append("one of " + ", ".join(value or "(empty)" for value in self.allowed))
        if self.pattern is not None:
            said.append(f"matches {self.pattern}")
        if self.minimum is not None:
            said.append(f"at least {self.minimum:g}")
        if self.maximum is not None:
            said.append(f"at most {self.maximum:g}")
        return said


#: A pseudonymous UID of the lake: PS3.5 B.2's UUID-derived form.
UID_PATTERN = r"2\.25\.[0-9]{1,39}"
#: A pseudonymous PatientID of the lake.
PATIENT_PATTERN = r"SL-[A-Z2-7]{12}"


@dataclass(frozen=True, slots=True)
class Contract:
    """A table of the lake: its name, what a row is, its columns, and the columns that make a row unique."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    def schema(self) -> pa.Schema:
        """The Arrow schema; each field carries its meaning and unit as metadata."""
        return pa.schema([
            pa.field(column.name, column.type, column.nullable, {"meaning": column.meaning, "unit": column.unit})
            for column in self.columns
        ], metadata={"table": self.name, "meaning": self.meaning})  # fmt: skip

    def validate(self, rows: Sequence[Mapping[str, Any]] | pa.Table) -> pa.Table:
        """Rows as a table that keeps every rule, columns in the declared order.

        Raises:
            ContractError: the first broken rule: unknown or missing column, type, null, NaN or infinity, allowed values,
                pattern, bounds, or a repeated key.
        """
        table = rows if isinstance(rows, pa.Table) else self._from_rows(rows)
        names = {column.name for column in self.columns}
        for name in table.column_names:
            if name not in names:
                raise ContractError(self.name, name, "is not a column of this table", "")
        for column in self.columns:
            if column.name not in table.column_names:
                raise ContractError(self.name, column.name, "is missing", "")
        table = table.select([column.name for column in self.columns])
        try:
            table = table.cast(self.schema())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError):
            self._blame_type(table)
            raise ContractError(self.name, self.columns[0].name, "is not of its declared type, or null", "") from None
        for column in self.columns:
            self._check(column, table)
        self._check_key(table)
        return table.replace_schema_metadata(self.schema().metadata)

    def _from_rows(self, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
        for row in rows:
            for name in row.keys() ^ {column.name for column in self.columns}:
                rule = "is not a column of this table" if name in row else "is missing"
                raise ContractError(self.name, name, rule, str(row.get("StudyInstanceUID", "")))
        arrays = []
        for column in self.columns:
            values = [row[column.name] for row in rows]
            try:
                arrays.append(pa.array(values, column.type))
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, TypeError, ValueError):
                raise ContractError(self.name, column.name, f"is not {column.type}", self._culprit(rows, column)) from None
        return pa.table(arrays, names=[column.name for column in self.columns])

    def _culprit(self, rows: Sequence[Mapping[str, Any]], column: Column) -> str:
        for row in rows:
            try:
                pa.array([row[column.name]], column.type)
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, TypeError, ValueError):
                return str(row.get("StudyInstanceUID", ""))
        return ""

    def _blame_type(self, table: pa.Table) -> None:
        for column in self.columns:
            values = table[column.name]
            if not column.nullable and values.null_count:
                raise ContractError(self.name, column.name, "not null", self._study(table, pc.is_null(values)))
            try:
                values.cast(column.type)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                raise ContractError(self.name, column.name, f"is not {column.type}", "") from None

    def _check(self, column: Column, table: pa.Table) -> None:
        values = table[column.name]
        broken: list[tuple[str, Any]] = []
        if not column.nullable:
            broken.append(("not null", pc.is_null(values)))
        if pa.types.is_floating(column.type):
            broken.append(("is not a finite number", pc.invert(pc.is_finite(values))))
        if column.allowed is not None:
            broken.append(
                (f"one of {', '.join(column.allowed)}", pc.invert(pc.is_in(values, pa.array(column.allowed, column.type))))
            )
        if column.pattern is not None:
            broken.append((f"matches {column.pattern}", pc.invert(pc.match_substring_regex(values, f"^(?:{column.pattern})$"))))
        if column.minimum is not None:
            broken.append((f"at least {column.minimum:g}", pc.less(values, column.minimum)))
        if column.maximum is not None:
            broken.append((f"at most {column.maximum:g}", pc.greater(values, column.maximum)))
        for rule, mask in broken:
            wrong = mask if rule == "not null" else pc.and_(pc.fill_null(mask, False), pc.is_valid(values))
            if pc.any(wrong).as_py():
                raise ContractError(self.name, column.name, rule, self._study(table, wrong))

    def _check_key(self, table: pa.Table) -> None:
        if not table.num_rows:
            return
        counted = table.select(list(self.key)).group_by(list(self.key)).aggregate([([], "count_all")])
        repeated = counted.filter(pc.greater(counted["count_all"], 1))
        if repeated.num_rows:
            where = repeated["StudyInstanceUID"][0].as_py() if "StudyInstanceUID" in self.key else ""
            raise ContractError(self.name, " + ".join(self.key), "is the key and stands twice", str(where))

    @staticmethod
    def _study(table: pa.Table, mask: Any) -> str:
        if "StudyInstanceUID" not in table.column_names:
            return ""
        return str(table["StudyInstanceUID"].filter(mask)[0].as_py() or "")
