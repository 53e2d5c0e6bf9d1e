"""Synthetic identifiers that belong to nobody, each with the pattern by which it is recognised wherever it is left.

Names are made of syllables and are on no list of names. Telephone numbers, addresses of the net and of machines are from ranges that are
reserved for examples: 555-01xx (NANP), `example.org` (RFC 2606), 192.0.2.0/24 (RFC 5737). Social security numbers begin with 9, which none does.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "name", "id", "number", "ssn", "date", "datetime", "phone", "email", "url", "address", "ip", "uid", "serial", "age"
]

_ONSETS = ("qu", "vr", "zw", "kn", "thr", "bl", "gw", "sk", "pf", "dz", "ch", "str")
_NUCLEI = ("a", "e", "i", "o", "u", "ae", "ou", "ei")
_CODAS = ("x", "lth", "rnk", "mb", "zz", "ft", "nq", "vg")
_BETWEEN = r"[ ()./\-]{0,3}"


@dataclass(frozen=True, slots=True)
class Marker:
    """One synthetic identifier. `patterns` are matched against text without regard to case; one match means that it is left."""

    kind: Kind
    value: str
    patterns: tuple[re.Pattern[str], ...] = field(repr=False)

    def is_in(self, text: str) -> bool:
        """Whether the identifier, or a part of it that identifies by itself, stands in a text."""
        return any(pattern.search(text) for pattern in self.patterns)


class Mint:
    """Makes markers, none twice. The same seed gives the same ones."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._made: set[str] = set()

    def make(self, kind: Kind) -> Marker:
        """A marker as it stands in an attribute of its own: a name with a caret, a date as YYYYMMDD."""
        while True:
            marker: Marker = getattr(self, f"_{kind}")()
            mark = (
                marker.value[:6] if kind in ("date", "datetime") else marker.value
            )  # two dates of one month would be taken for each other
            if mark not in self._made:
                self._made.add(mark)
                return marker

    def spoken(self, kind: Kind) -> Marker:
        """A marker as people write it into free text: a name with a space, a date with points or dashes."""
        marker = self.make(kind)
        if kind == "name":
            return Marker(kind, " ".join(reversed(marker.value.split("^"))), marker.patterns)
        if kind == "date":
            y, m, d = marker.value[:4], marker.value[4:6], marker.value[6:]
            return Marker(
                kind, self._dice.choice((f"{d}.{m}.{y}", f"{y}-{m}-{d}", f"{m}/{d}/{y}", marker.value)), marker.patterns
            )
        return marker

    def _digits(self, n: int) -> str:
        return str(self._dice.randrange(10 ** (n - 1), 10**n))

    def _word(self) -> str:
        return "".join(f"{self._dice.choice(_ONSETS)}{self._dice.choice(_NUCLEI)}" for _ in range(2)) + self._dice.choice(_CODAS)

    def _name(self) -> Marker:
        family, given = self._word().capitalize(), self._word().capitalize()
        return Marker("name", f"{family}^{given}", (_literal(family), _literal(given)))

    def _id(self) -> Marker:
        value = f"QX{self._digits(7)}"
        return Marker("id", value, (_literal(value), _number(value[2:])))

    def _number(self) -> Marker:
        value = self._digits(9)
        return Marker("number", value, (_number(value),))

    def _ssn(self) -> Marker:
        value = f"9{self._digits(2)}-{self._digits(2)}-{self._digits(4)}"
        return Marker("ssn", value, (_spaced(value),))

    def _date(self) -> Marker:
        y, m, d = self._dice.randrange(1931, 2020), self._dice.randrange(1, 13), self._dice.randrange(2, 29)
        return Marker("date", f"{y}{m:02d}{d:02d}", _date_patterns(y, m, d))

    def _datetime(self) -> Marker:
        date = self._date()
        clock = "".join(f"{self._dice.randrange(limit):02d}" for limit in (24, 60, 60))
        return Marker("datetime", f"{date.value}{clock}", date.patterns)

    def _phone(self) -> Marker:
        value = f"+1 {self._dice.randrange(201, 990)} 555-01{self._dice.randrange(100):02d}"
        return Marker("phone", value, (_spaced(value[3:]),))

    def _email(self) -> Marker:
        value = f"{self._word()}.{self._word()}@example.org"
        return Marker("email", value, (_literal(value.partition("@")[0]), *map(_literal, value.partition("@")[0].split("."))))

    def _url(self) -> Marker:
        path = self._word()
        return Marker("url", f"https://{path}.example.org/{path}", (_literal(path),))

    def _address(self) -> Marker:
        street = self._word().capitalize()
        return Marker("address", f"{self._dice.randrange(2, 99)} {street} Lane", (_literal(street),))

    def _ip(self) -> Marker:
        value = f"192.0.2.{self._dice.randrange(100, 255)}"
        return Marker("ip", value, (re.compile(rf"(?<![\d.]){re.escape(value)}(?!\d)"),))

    def _uid(self) -> Marker:
        value = f"1.3.6.1.4.1.99999.{self._digits(4)}.{self._digits(9)}"
        return Marker("uid", value, (re.compile(rf"(?<!\d){re.escape(value)}(?!\d)"),))

    def _serial(self) -> Marker:
        value = f"{self._digits(3)}K{self._digits(5)}"
        return Marker("serial", value, (_literal(value),))

    def _age(self) -> Marker:
        years = self._dice.randrange(91, 116)
        return Marker("age", f"{years:03d}Y", (re.compile(rf"(?<!\d)0?{years}Y", re.IGNORECASE),))


def _literal(value: str) -> re.Pattern[str]:
    return re.compile(re.escape(value), re.IGNORECASE)


def _number(digits: str) -> re.Pattern[str]:
    """A number that is no part of a longer one."""
    return re.compile(rf"(?<!\d){digits}(?!\d)")


def _spaced(value: str) -> re.Pattern[str]:
    """A number's digits with whatever people write between them."""
    return re.compile(r"(?<!\d)" + _BETWEEN.join(each for each in value if each.isdigit()) + r"(?!\d)")


def _date_patterns(y: int, m: int, d: int) -> tuple[re.Pattern[str], ...]:
    """A date, compact with or without a time behind it, as year and month alone, and with separators in any order."""
    return (
        re.compile(rf"(?<![\d.]){y}{m:02d}(?:{d:02d}(?:\d\d){{0,3}})?(?!\d)"),
        re.compile(rf"(?<!\d){y}[-./]0?{m}[-./]0?{d}(?!\d)"),
        re.compile(rf"(?<!\d)(?:0?{d}[-./]0?{m}|0?{m}[-./]0?{d})[-./]{y}(?!\d)"),
    )
