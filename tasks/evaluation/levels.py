"""Subgroups: each attribute of the cases as a number a case, and the names that a table shows for these numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.evaluation.plan import NOT_DECLARED, NOT_STATED

#: Joins the names of two attributes, and of their levels, that are crossed.
CROSS = " × "
#: Up to so many levels, one look at all cases for each of them is faster than a sort.
_FEW = 16


@dataclass(frozen=True, slots=True)
class Levels:
    """One attribute of the cases.

    Args:
        names: every declared level, then `not stated` and `not declared in the plan` where there are such cases.
        codes: the place in `names` of each case's level; int16 of shape (cases,).
    """

    names: tuple[str, ...]
    codes: NDArray[np.int16]

    @property
    def declared(self) -> list[str]:
        """The levels that the plan declares."""
        return [name for name in self.names if name not in (NOT_STATED, NOT_DECLARED)]

    def inside(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Levels:
        """The attribute of some of the cases, with the levels that the plan did not declare only where there are still such cases."""
        return compact(self.names, self.codes[chosen])

    def places(self, order: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Of each level, where its cases stand in an order of the cases, ascending."""
        codes = self.codes[order]
        if len(self.names) <= _FEW:
            return [np.flatnonzero(codes == place) for place in range(len(self.names))]
        sorted_places = np.argsort(codes, kind="stable")
        return np.split(sorted_places, np.cumsum(np.bincount(codes, minlength=len(self.names)))[:-1])


def compact(names: Sequence[str], codes: NDArray[np.int16]) -> Levels:
    """Levels without those of the two undeclared ones that have no cases."""
    there = np.bincount(codes, minlength=len(names)) > 0
    kept = [place for place, name in enumerate(names) if there[place] or name not in (NOT_STATED, NOT_DECLARED)]
    numbers = np.full(len(names), -1, dtype=np.int16)
    numbers[kept] = np.arange(len(kept), dtype=np.int16)
    return Levels(tuple(names[place] for place in kept), numbers[codes])


def joined(first: Levels, second: Levels) -> Levels:
    """One attribute of two sets of cases, the first ones first."""
    names = [*first.declared, NOT_STATED, NOT_DECLARED]
    place = {name: number for number, name in enumerate(names)}
    codes = [np.array([place[name] for name in each.names], dtype=np.int16)[each.codes] for each in (first, second)]
    return compact(names, np.concatenate(codes))


def coded(column: pa.ChunkedArray | pa.Array, declared: Sequence[str], named: Callable[[Any], str | None]) -> NDArray[np.int16]:
    """A column as places in `[*declared, not stated, not declared in the plan]`; each different value is looked at once.

    Args:
        named: what the plan calls a value; None where it says nothing.
    """
    encoded = pc.dictionary_encode(column)
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    places = {level: place for place, level in enumerate(declared)}
    unstated, undeclared = len(declared), len(declared) + 1
    table = np.full(len(encoded.dictionary) + 1, unstated, dtype=np.int16)
    for place, value in enumerate(encoded.dictionary.to_pylist()):
        name = None if value is None else named(value)
        if name is not None:
            table[place] = places.get(name, undeclared)
    indices: NDArray[np.int64] = np.asarray(pc.fill_null(encoded.indices, len(encoded.dictionary)))
    return np.asarray(table[indices])


def crossed(first: Levels, second: Levels) -> Levels:
    """Every combination of two attributes' levels: declared ones with declared ones; a side that is not stated leaves the pair not stated."""
    names = [CROSS.join(pair) for pair in product(first.declared, second.declared)]
    table = np.empty((len(first.names), len(second.names)), dtype=np.int16)
    place = {name: number for number, name in enumerate(names)}
    for (row, one), (column, other) in product(enumerate(first.names), enumerate(second.names)):
        pair = (one, other)
        if NOT_STATED in pair:
            table[row, column] = len(names)
        elif NOT_DECLARED in pair:
            table[row, column] = len(names) + 1
        else:
            table[row, column] = place[CROSS.join(pair)]
    return compact([*names, NOT_STATED, NOT_DECLARED], table[first.codes, second.codes])
