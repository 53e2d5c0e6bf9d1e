"""What counts of two networks: what both find, and what one of them is nearly certain of. The networks are stood in for by what they would say."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.deid.burned_in import letters, searching
from tasks.deid.burned_in.box import Box
from tasks.deid.burned_in.dim_text import finding
from tasks.deid.burned_in.mapping import Found

HERE, BESIDE, FAR, TALL = Box(20, 10, 120, 26), Box(30, 8, 140, 28), Box(20, 100, 120, 116), Box(20, 10, 160, 70)
FRAME = np.random.default_rng(0).normal(100, 10, (160, 200))


def seen(monkeypatch: pytest.MonkeyPatch, ours: list[Found], theirs: list[Found], threshold: float = 0.5) -> tuple[Box, ...]:
    monkeypatch.setattr(finding, "find", lambda _frame, least: tuple(each for each in ours if each.score >= least))
    monkeypatch.setattr(letters, "lines", lambda _frame, least, **_: tuple(each for each in theirs if each.score >= least))
    return searching.lines(FRAME, threshold)


def test_what_neither_is_certain_of_counts_where_both_find_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seen(monkeypatch, [Found(BESIDE, 0.6)], [Found(HERE, 0.6)]) == (HERE,)
    assert seen(monkeypatch, [Found(FAR, 0.6)], [Found(HERE, 0.6)]) == ()
    assert seen(monkeypatch, [Found(HERE, 0.6)], []) == ()
    assert seen(monkeypatch, [], [Found(HERE, 0.6)]) == ()


def test_each_counts_alone_where_it_is_nearly_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seen(monkeypatch, [Found(HERE, 0.997)], []) == (HERE,)
    assert seen(monkeypatch, [Found(HERE, 0.99)], []) == ()
    assert seen(monkeypatch, [], [Found(HERE, 0.85)]) == (HERE,)
    assert seen(monkeypatch, [], [Found(HERE, 0.75)]) == ()


def test_that_of_ppocr_never_counts_alone_for_large_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seen(monkeypatch, [], [Found(TALL, 0.99)]) == ()
    assert seen(monkeypatch, [Found(TALL, 0.6)], [Found(TALL, 0.99)]) == (TALL,)


def test_a_lower_threshold_asks_less_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seen(monkeypatch, [Found(HERE, 0.96)], [], threshold=0.3) == (HERE,)
    assert seen(monkeypatch, [], [Found(HERE, 0.62)], threshold=0.3) == (HERE,)
    assert seen(monkeypatch, [Found(HERE, 0.35)], [Found(HERE, 0.35)], threshold=0.3) == (HERE,)


def test_at_no_threshold_more_than_certainty_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seen(monkeypatch, [Found(HERE, 0.9995)], [], threshold=0.95) == (HERE,)
    assert seen(monkeypatch, [], [Found(HERE, 0.96)], threshold=0.95) == (HERE,)


def test_steps_of_a_shade_count_for_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    shade = np.rint(40 + 0.3 * np.indices((160, 200)).sum(0)).astype("u1")
    monkeypatch.setattr(finding, "find", lambda *_: (Found(HERE, 1.0),))
    monkeypatch.setattr(letters, "lines", lambda *_, **__: (Found(HERE, 1.0),))
    assert searching.lines(shade, 0.5) == ()
    assert searching.lines(FRAME, 0.5) == (HERE,)
