"""Cleans free text token by token: only words of the field's vocabulary and reviewed patterns stay, and none that identifies the study.

PS3.15 section E.3.5 (Clean Descriptors Option) asks that identifying information is taken out of descriptions and the rest is kept. Here
a token stays only if it is shown to be harmless: on a list of `configs/profiles/vocabulary/descriptors.yaml`, or one of its patterns, and
not among the study's own identifiers. `CT CHEST W CONTRAST for John Doe` becomes `CT CHEST W CONTRAST`.

- A bare number stays only if it is a usual thickness that is no day and month (`5.0`), beside a word that counts (`ECHO 2`, `3 VIEWS`), or
  before its unit (`5 mm`), and never beside another number, so that no date, age or telephone number is left in pieces. A value keeps at
  most seven digits, and never more than four in a row.
- Where a word that negates would have to go, the whole value goes: half a sentence must not say the opposite.
- The result is ASCII, never longer than the input, and cleaning it again changes nothing.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tasks.declarations import shipped
from tasks.deid.identifiers import fold

MOST_DIGITS = 7
#: The lists of the vocabulary file that have a meaning of their own; all others are plain words.
_SPECIAL = frozenset({"phrases", "connectors", "negations", "foreign_negations", "counted", "counts", "units", "patterns"})
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_SHORT_NUMBER = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3})?")
_COUNT = re.compile(r"[0-9]{1,2}")
_PART = re.compile(r"[^\W_]+")
_MANY_DIGITS = re.compile(r"[0-9]{5}")
_SEPARATORS = " /,+-()_.:"
_LARGEST_MEMO = 65_536

#: Says whether a folded token identifies the study: a set of them, or a function.
Forbidden = Callable[[str], bool] | frozenset[str]


@dataclass(frozen=True)
class _Vocabulary:
    """The words that one selection of lists allows, and the expression that finds tokens and phrases."""

    plain: frozenset[str]
    connectors: frozenset[str]
    negations: frozenset[str]
    foreign_negations: frozenset[str]
    counted: frozenset[str]
    counts: frozenset[str]
    units: frozenset[str]
    phrases: frozenset[str]
    pattern: re.Pattern[str]
    token: re.Pattern[str]
    known: dict[str, bool] = field(repr=False)

    def allows(self, word: str) -> bool:
        """Whether a word or phrase in lower case may stay by itself."""
        answer = self.known.get(word)
        if answer is None:
            if len(self.known) >= _LARGEST_MEMO:
                self.known.clear()
            matches = self.pattern.fullmatch(word) is not None and not _MANY_DIGITS.search(word)
            answer = self.known[word] = word in self.plain or word in self.phrases or matches
        return answer


@dataclass(slots=True)
class _Token:
    """One word, number or phrase of a value, and whether it stays."""

    word: str
    start: int
    end: int
    forbidden: bool
    kept: bool = False


class Cleaner:
    """Cleans texts by one vocabulary.

    Args:
        vocabulary: the content of `descriptors.yaml`: lists of words by name, and the lists with a meaning of their own.

    Raises:
        ValueError: for a vocabulary that is not made of lists of ASCII strings, or lacks a list that has a meaning.
    """

    def __init__(self, vocabulary: Mapping[str, Any]) -> None:
        if missing := _SPECIAL - vocabulary.keys():
            raise ValueError(f"no list {', '.join(sorted(missing))}")
        for name, words in vocabulary.items():
            if not isinstance(words, list) or not all(isinstance(word, str) and word.isascii() and word for word in words):
                raise ValueError(f"{name} is no list of ASCII words")
            if name not in ("phrases", "patterns") and not all(map(str.isalnum, words)):
                raise ValueError(f"{name} has more than letters and digits in a word: such belong to phrases")
        self._lists = {name: tuple(words) for name, words in vocabulary.items()}
        self.digest = hashlib.sha256(repr(sorted(self._lists.items())).encode()).hexdigest()
        self._selections: dict[tuple[str, ...] | None, _Vocabulary] = {None: self._select(None)}
        self._memo: tuple[Forbidden | None, dict[tuple[str, tuple[str, ...] | None], str]] = (None, {})

    def clean(self, text: str, forbidden: Forbidden = frozenset(), lists: tuple[str, ...] | None = None) -> str:
        """What may stay of a text; each value of a multi-valued one (separated by backslashes) by itself, in its place.

        Args:
            text: the decoded text, of any length.
            forbidden: the study's own identifiers, folded as `tasks.deid.identifiers.fold` does. Results are remembered for as long
                as the same object is given, so it must be complete before the first call.
            lists: names of word lists that count; None for all of them. The lists with a meaning of their own always count.

        Returns:
            ASCII text that is not longer than the input; empty where nothing may stay.

        Raises:
            KeyError: for a list that the vocabulary does not have.
        """
        held, memo = self._memo
        if held is not forbidden:
            self._memo = (forbidden, memo := {})
        key = (text, lists)
        known = memo.get(key)
        if known is None:
            if len(memo) >= _LARGEST_MEMO:
                memo.clear()
            vocabulary = self._selections.get(lists)
            if vocabulary is None:
                vocabulary = self._selections[lists] = self._select(lists)
            is_forbidden = forbidden.__contains__ if isinstance(forbidden, frozenset) else forbidden
            known = memo[key] = "\\".join(_clean_value(value, is_forbidden, vocabulary) for value in text.split("\\"))
        return known

    def allows(self, text: str) -> bool:
        """Whether a text is clean as it stands, whoever the patient is."""
        return bool(text) and self.clean(text) == text

    def _select(self, lists: tuple[str, ...] | None) -> _Vocabulary:
        names = [name for name in self._lists if name not in _SPECIAL] if lists is None else lists

        def words(name: str) -> frozenset[str]:
            return frozenset(word.lower() for word in self._lists[name])

        negations = words("negations")
        phrases = sorted(words("phrases"), key=lambda phrase: (-len(phrase), phrase))
        # A space of a phrase also stands for an underscore or a hyphen. A phrase must not begin or end inside a word.
        spelled = "|".join(re.escape(phrase).replace(r"\ ", "[ _-]") for phrase in phrases)
        return _Vocabulary(
            plain=frozenset[str]().union(negations, *(words(name) for name in names)),
            connectors=words("connectors"),
            negations=negations,
            foreign_negations=words("foreign_negations"),
            counted=words("counted"),
            counts=words("counts"),
            units=words("units"),
            phrases=frozenset(phrases),
            pattern=re.compile("|".join(f"(?:{pattern})" for pattern in self._lists["patterns"])),
            token=re.compile(
                rf"(?<![^\W_])(?:{spelled})(?![^\W_])|[0-9]+(?:\.[0-9]+)?(?:x[0-9]+(?:\.[0-9]+)?)*[^\W_]*%?|[^\W_]+"
            ),
            known={},
        )


def _clean_value(value: str, forbidden: Callable[[str], bool], vocabulary: _Vocabulary) -> str:
    if not value.isascii():
        composed = unicodedata.normalize("NFC", value)
        value = composed if len(composed) <= len(value) else value
    while value:
        shorter = _once(value, forbidden, vocabulary)
        if shorter == value:
            break
        value = shorter  # what stood between two words is gone, so the rules about neighbours are asked again
    return value


def _once(value: str, forbidden: Callable[[str], bool], vocabulary: _Vocabulary) -> str:
    lowered = value.lower() if value.isascii() else "".join(low if len(low := sign.lower()) == 1 else sign for sign in value)
    tokens = [_token(match, forbidden, vocabulary) for match in vocabulary.token.finditer(lowered)]
    for token in tokens:
        negates = token.word in vocabulary.negations
        if token.word in vocabulary.foreign_negations or (negates and token.forbidden):
            return ""
        token.kept = not token.forbidden and vocabulary.allows(token.word)
    _keep_numbers(tokens, vocabulary)
    _keep_connectors(tokens, vocabulary)
    left = MOST_DIGITS
    for token in tokens:
        digits = sum(map(str.isdigit, token.word)) if token.kept else 0
        token.kept = token.kept and digits <= left
        left -= digits if token.kept else 0
    return _written(value, tokens)


def _token(match: re.Match[str], forbidden: Callable[[str], bool], vocabulary: _Vocabulary) -> _Token:
    """The token found, in lower case; a phrase in the vocabulary's spelling."""
    word = match[0]
    folded = word if word.isascii() else fold(word)
    if folded.isalnum():
        return _Token(word, *match.span(), forbidden(folded))
    identifies = forbidden(folded) or any(forbidden(part) for part in _PART.findall(folded))
    if word not in vocabulary.phrases and (spaced := re.sub("[_-]", " ", word)) in vocabulary.phrases:
        word = spaced
    return _Token(word, *match.span(), identifies)


def _keep_numbers(tokens: list[_Token], vocabulary: _Vocabulary) -> None:
    """Keep bare numbers that a pattern knows, or beside a word that counts or a unit, with their unit; of two side by side, neither."""
    bare = [_NUMBER.fullmatch(token.word) is not None for token in tokens]
    for i, token in enumerate(tokens):
        if not bare[i]:
            continue
        known, token.kept = token.kept, False
        before, after = tokens[i - 1] if i else None, tokens[i + 1] if i + 1 < len(tokens) else None
        beside_number = (before is not None and bare[i - 1]) or (after is not None and bare[i + 1])
        if token.forbidden or beside_number or not _SHORT_NUMBER.fullmatch(token.word):
            continue
        if after is not None and after.word in vocabulary.units and not after.forbidden:
            token.kept = after.kept = True
        elif known or (after is not None and after.kept and after.word in vocabulary.counts):
            token.kept = True
        elif before is not None and before.kept and before.word in vocabulary.counted:
            token.kept = _COUNT.fullmatch(token.word) is not None


def _keep_connectors(tokens: list[_Token], vocabulary: _Vocabulary) -> None:
    """Keep `of`, `for` and the like where the words on both sides stay; a value may begin with one."""
    for i in reversed(range(len(tokens) - 1)):
        token = tokens[i]
        if token.word in vocabulary.connectors and not token.forbidden:
            follows = tokens[i + 1].kept
            precedes = i == 0 or tokens[i - 1].kept or tokens[i - 1].word in vocabulary.connectors
            token.kept = token.kept or (follows and precedes)


def _written(value: str, tokens: list[_Token]) -> str:
    """The kept tokens with what stood between them; one separator where others were taken out."""
    written, previous = "", None
    for i, token in enumerate(tokens):
        if not token.kept:
            continue
        if previous is None:
            written += "(" if i == 0 and "(" in value[: token.start] else ""
        elif previous == i - 1:
            written += _separator(value[tokens[previous].end : token.start])
        else:
            before = value[tokens[i - 1].end : token.start]
            written += before if before in {"_", "-", "/"} else " "
        written += value[token.start : token.end]
        previous = i
    if previous is not None and previous == len(tokens) - 1:
        closing = value[tokens[previous].end :].strip()
        written += closing if closing in {")", ".", ")."} else ""
    if not _balanced(written):
        written = re.sub(" {2,}", " ", re.sub(r"[()]", " ", written)).strip()
    return written


def _separator(found: str) -> str:
    """What stood between two neighbours, reduced to plain signs and single spaces."""
    plain = "".join(sign if sign in _SEPARATORS else " " for sign in found)
    return re.sub(" {2,}", " ", plain) if plain else ""


def _balanced(text: str) -> bool:
    depth = 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            return False
    return depth == 0


@cache
def standard() -> Cleaner:
    """The cleaner with the vocabulary of `configs/profiles/vocabulary/descriptors.yaml`."""
    return Cleaner(shipped("profiles", "vocabulary", "descriptors.yaml"))


def folded(words: Iterable[str]) -> frozenset[str]:
    """Identifiers as `Cleaner.clean` wants them: the folded words and their parts."""
    whole = {fold(word) for word in words}
    return frozenset(whole | {part for word in whole for part in _PART.findall(word)}) - {""}
