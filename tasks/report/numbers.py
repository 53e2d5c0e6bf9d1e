"""Numbers that know where they come from: each carries its places in `results.json`, as JSON Pointers (RFC 6901).

Whoever writes a number into a report asks for it by its place. What it says is then made of the value that stands there, and whoever
doubts it can make it again: `Numbers(results).again(number)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from tasks.evaluation.results import Estimate, PerThousand, Results
from tasks.report import wording

#: The way to a value: names of fields and places in lists, `("performance", 0, "counts", "tp")`.
Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Number:
    """A number as a report writes it.

    Args:
        text: `0.930 (0.880–0.960)`.
        form: how it was made of the values, a name in `FORMS`.
        at: where these stand in `results.json`, as JSON Pointers; that of an estimate stands for its interval, too.
        value: what it is worth in full precision, a share as a fraction of 1; None where the form says more than one number.
        lower, upper: of its interval; None where it has none, or where the bound is infinite.
    """

    text: str
    form: str
    at: tuple[str, ...]
    value: float | None = None
    lower: float | None = None
    upper: float | None = None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Reference:
    """A mention of a table, a figure or a section by its name: `Table 3`, `section 9`.

    Whoever writes a section does not know these numbers; `tasks.report.blocks.numbered` puts them in. Where the report has nothing of this
    name, nothing is said, nor the words around it.

    Args:
        name: that of the table or figure, or of the section.
        before: words that stand only together with it, such as ` (see `; so does `after`.
        label: as it is written; None before numbers are known, empty where there is no such thing.
        anchor: the link's target, known together with `label`.
    """

    name: str
    before: str = ""
    after: str = ""
    label: str | None = None
    anchor: str = ""

    def __str__(self) -> str:
        if self.label is None:
            raise ValueError(f"the reference to {self.name!r} has no number yet")
        return f"{self.before}{self.label}{self.after}" if self.label else ""


Part = str | Number | Reference


@dataclass(frozen=True, slots=True)
class Text:
    """Words, numbers and references in their order."""

    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return "".join(map(str, self.parts))


#: What a paragraph, an item of a list or a cell says.
Said = Part | Text


def text(*parts: Said) -> Text:
    """Words, numbers and references, one after the other."""
    return Text(tuple(part for each in parts for part in parts_of(each)))


def parts_of(said: Said) -> tuple[Part, ...]:
    """What it is put together of."""
    return said.parts if isinstance(said, Text) else (said,)


def joined(between: str, parts: list[Said]) -> Text:
    """As `str.join`."""
    return text(*(piece for place, part in enumerate(parts) for piece in ((between, part) if place else (part,))))


def numbers_in(said: Said) -> Iterator[Number]:
    """The numbers, in their order."""
    yield from (part for part in parts_of(said) if isinstance(part, Number))


def _share(part: int, *whole: int) -> str:
    return wording.share(part, sum(whole))


def _sum(*values: int) -> str:
    return wording.count(sum(values))


def _difference(value: Estimate) -> str:
    return wording.estimate(value, signed=True)


def _of_thousand(cell: str) -> Callable[[PerThousand], str]:
    return lambda value: wording.count(wording.of_thousand(value)[cell])


#: How values become what is written. `share` is the first value over the sum of the others; `less` the first without the second.
FORMS: Final[dict[str, Callable[..., str]]] = {
    "sum": _sum,
    "less": lambda whole, part: wording.count(whole - part),
    "share": _share,
    "estimate": wording.estimate,
    "difference": _difference,
    "decimal": wording.decimal,
    "signed": lambda value: wording.decimal(value, signed=True),
    "general": lambda value: f"{value:.4g}",
    "percent": wording.percent,
    "plain": str,
    "p": wording.p_value,
    "minutes": wording.minutes,
    "bounds": wording.bounds,
    "signed bounds": lambda value, lower, upper: wording.bounds(value, lower, upper, signed=True),
    "beside": wording.beside,
    "beside the margin": lambda value, margin: wording.beside(value, -margin),
    "the margin beside": lambda margin, value: wording.beside(-margin, value),
    "prevalence": wording.prevalence,
    "how many": lambda *values: wording.count(len(values)),
    **{f"{cell} of 1,000": _of_thousand(cell) for cell in wording.OF_THOUSAND},
}


#: Forms whose one value is what they are worth.
_AS_IT_STANDS: Final = frozenset(
    {"estimate", "difference", "decimal", "signed", "general", "percent", "plain", "p", "minutes", "prevalence"}
)  # fmt: skip
#: What other forms are worth, and their bounds. A form that is in neither says more than one number, or none that can be reckoned with.
WORTH: Final[dict[str, Callable[..., tuple[float | None, float | None, float | None]]]] = {
    "sum": lambda *values: (sum(values), None, None),
    "less": lambda whole, part: (whole - part, None, None),
    "share": lambda part, *whole: (part / sum(whole) if sum(whole) else None, None, None),
    "bounds": lambda value, lower, upper: (value, lower, upper),
    "signed bounds": lambda value, lower, upper: (value, lower, upper),
    "how many": lambda *values: (len(values), None, None),
}


def _worth(form: str, values: list[Any]) -> tuple[float | None, float | None, float | None]:
    """The value and its bounds."""
    if form in WORTH:
        return WORTH[form](*values)
    value = values[0] if form in _AS_IT_STANDS and len(values) == 1 else None
    if isinstance(value, Estimate):
        return value.estimate, value.lower, value.upper
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None, None, None


class Numbers:
    """The numbers of one `results.json`, by their places."""

    def __init__(self, results: Results) -> None:
        self.results = results

    def value(self, place: Place) -> Any:
        """What stands there. Raises LookupError or AttributeError where nothing does."""
        found: Any = self.results
        for step in place:
            found = found[step] if isinstance(step, int) else getattr(found, step)
        return found

    def of(self, form: str, *places: Place) -> Number:
        """A number in a form of `FORMS`, of the values at these places."""
        values = list(map(self.value, places))
        return Number(FORMS[form](*values), form, tuple(map(pointer, places)), *_worth(form, values))

    def count(self, *places: Place) -> Number:
        """A count, or the sum of several."""
        return self.of("sum", *places)

    def share(self, part: Place, *whole: Place) -> Number:
        """A count as a share of another, or of the sum of others."""
        return self.of("share", part, *whole)

    def estimate(self, *place: str | int) -> Said:
        """An estimate with its interval; words where there is none."""
        return self._estimate("estimate", place)

    def difference(self, *place: str | int) -> Said:
        """An estimate of a difference, with its sign."""
        return self._estimate("difference", place)

    def _estimate(self, form: str, place: Place) -> Said:
        value = self.value(place)
        if value is None:
            return wording.NOTHING
        return self.of(form, place) if value.estimate is not None else wording.estimate(value)

    def known(self, form: str, *place: str | int) -> Said:
        """A number that need not be there: a dash where it is not."""
        return wording.NOTHING if self.value(place) is None else self.of(form, place)

    def again(self, number: Number) -> str:
        """The number's text, made once more from the values that its pointers name.

        Raises:
            LookupError, AttributeError, ValueError: a pointer leads nowhere.
        """
        return FORMS[number.form](*(self.value(place_of(each)) for each in number.at))


def pointer(place: Place) -> str:
    """A JSON Pointer; no name of ours has a `~` or a `/` that would need to be written otherwise."""
    return "".join(f"/{step}" for step in place)


def place_of(written: str) -> Place:
    """What `pointer` was made of."""
    return tuple(int(step) if step.isdecimal() else step for step in written.split("/")[1:])
