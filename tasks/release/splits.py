"""Splits by person: seeded, stratified, the same for any order of rows, and kept from version to version.

Persons of a stratum come in the order of a seeded hash. Each goes where its stratum and the whole are furthest behind their shares,
which keeps both close to them (the quota method of apportionment, one person at a time). No random number is drawn.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tasks.errors import ConfigurationError

#: What a person is like, attribute by attribute.
Stratum = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who is in which split.

    Attributes:
        splits: person → split.
        small_strata: how many strata had too few persons for a part in every split, and were joined with their neighbours.
        small_persons: how many persons were in them.
        minimum: the fewest persons of a stratum that stands alone.
    """

    splits: Mapping[str, str]
    small_strata: int
    small_persons: int
    minimum: int


def parse_splits(text: str) -> dict[str, float]:
    """`train=0.7,validation=0.15,test=0.15` as name → share, in the order given.

    Raises:
        ConfigurationError: E-RELEASE-SPLITS where a name or share is not one, a name stands twice, or shares do not add up to 1.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.strip().partition("=")
        try:
            value = float(share)
        except ValueError:
            raise ConfigurationError("E-RELEASE-SPLITS", "a share is not a number") from None
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name) or name in found or not 0 < value <= 1:
            raise ConfigurationError(
                "E-RELEASE-SPLITS", "a name is not a lower-case word or stands twice, or a share is not in 0-1"
            )
        found[name] = value
    if not math.isclose(sum(found.values()), 1, abs_tol=1e-6):
        raise ConfigurationError("E-RELEASE-SPLITS", "the shares do not add up to 1")
    return found


def assign(strata: Mapping[str, Stratum], shares: Mapping[str, float], seed: int, kept: Mapping[str, str]) -> Assignment:
    """Give every person a split.

    Args:
        strata: person → what the person is like; all of one length.
        shares: split → share, adding up to 1.
        seed: another seed gives other splits.
        kept: person → the split it was in; it stays there, and the others are placed around it.
    """
    minimum = math.ceil(round(1 / min(shares.values()), 9))
    joined, small_strata, small_persons = _joined(strata, minimum)
    splits = {person: kept[person] for person in sorted(strata) if person in kept}
    whole = Counter(splits.values())
    parts: dict[Stratum, Counter[str]] = {}
    for person, split in splits.items():
        parts.setdefault(joined[person], Counter())[split] += 1
    for person in sorted(strata.keys() - splits.keys(), key=lambda each: (joined[each], _hash(seed, each))):
        part = parts.setdefault(joined[person], Counter())
        split = max(shares, key=lambda name: round(_behind(part, shares, name) + _behind(whole, shares, name), 9))
        splits[person] = split
        part[split] += 1
        whole[split] += 1
    return Assignment(splits, small_strata, small_persons, minimum)


def _behind(counted: Counter[str], shares: Mapping[str, float], name: str) -> float:
    """How many persons a split is behind its share once the next one is placed."""
    return shares[name] * (counted.total() + 1) - counted[name]


def _joined(strata: Mapping[str, Stratum], minimum: int) -> tuple[dict[str, Stratum], int, int]:
    """Strata of enough persons: a smaller one drops its last attribute, and is joined with those that are alike in the others."""
    joined = dict(strata)
    first = Counter(strata.values())
    small = [stratum for stratum, n in first.items() if n < minimum and stratum]
    for length in range(max(map(len, first), default=0), 0, -1):
        counted = Counter(joined.values())
        for person, stratum in joined.items():
            if len(stratum) == length and counted[stratum] < minimum:
                joined[person] = stratum[:-1]
    return joined, len(small), sum(first[stratum] for stratum in small)


def _hash(seed: int, person: str) -> str:
    return hashlib.sha256(f"{seed}\0{person}".encode()).hexdigest()
