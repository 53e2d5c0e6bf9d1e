"""Which values of one text attribute are released as they are: whole values that a pattern knows, or values made of listed words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from tasks.declarations import shipped

_WORD = re.compile(r"[\s,;/\\()&=^_-]+")
_LONGEST = 64


@dataclass(frozen=True, slots=True)
class TextRule:
    """Which values of one text attribute are released; `otherwise` what the others become."""

    words: frozenset[str]
    pattern: re.Pattern[str] | None
    word_pattern: re.Pattern[str] | None
    otherwise: Literal["empty", "dummy"]
    most_digits: int

    def allows(self, value: str) -> bool:
        """Whether one value (not a multi-valued string) may be released as it is."""
        value = value.strip()
        if not value.isascii() or len(value) > _LONGEST:
            return False
        if self.pattern is not None and self.pattern.fullmatch(value):
            return True
        if sum(map(str.isdigit, value)) > self.most_digits:
            return False
        tokens = [token for token in _WORD.split(value) if token.strip(".*+")]
        return bool(tokens or not value) and all(self._allows_word(token) for token in tokens)

    def _allows_word(self, token: str) -> bool:
        if token.lower() in self.words:
            return True
        return self.word_pattern is not None and all(
            self.word_pattern.fullmatch(part) for part in re.split(r"[.*]+", token) if part
        )


def text_rule(rule: Mapping[str, Any], vocabulary: Mapping[str, list[Any]], most_digits: int) -> TextRule:
    """Compile one entry of a profile's `keep_text`.

    Raises:
        ValueError, KeyError, re.error: for what is not as such an entry must be.
    """

    def joined(patterns: list[str] | None) -> re.Pattern[str] | None:
        return re.compile("|".join(f"(?:{pattern})" for pattern in patterns)) if patterns else None

    otherwise = rule.get("otherwise", "empty")
    if otherwise not in ("empty", "dummy"):
        raise ValueError(f"{otherwise} is none of empty, dummy")
    return TextRule(
        words_of(rule.get("words", []), vocabulary),
        joined(rule.get("patterns")),
        joined(rule.get("word_patterns")),
        otherwise,
        most_digits,
    )


def words_of(lists: list[str], vocabulary: Mapping[str, list[Any]]) -> frozenset[str]:
    """The words of some lists of the vocabulary, in lower case; KeyError for a list that is not there."""
    return frozenset(str(word).lower() for name in lists for word in vocabulary[name])


@cache
def vocabulary() -> dict[str, list[Any]]:
    """The reviewed words of `configs/profiles/vocabulary/released_text.yaml`, by list."""
    loaded: dict[str, list[Any]] = shipped("profiles", "vocabulary", "released_text.yaml")
    return loaded


@cache
def vocabulary_content() -> bytes:
    """All vocabulary files, one after the other: what they say is part of a profile's digest."""
    folder = files("configs").joinpath("profiles", "vocabulary")
    return b"\0".join(entry.read_bytes() for entry in sorted(folder.iterdir(), key=lambda entry: entry.name) if entry.is_file())
