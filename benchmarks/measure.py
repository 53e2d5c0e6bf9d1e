"""Measures a stage against its floor: turn about, so that what slows the machine slows both; then medians, and their ratio."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


def _nothing() -> None:
    """What there is to do before a turn unless something is said."""


@dataclass(frozen=True)
class Contender:
    """Something that is timed: `work`, after `before`, which is not timed (it clears away the last turn's output)."""

    name: str
    work: Callable[[], object]
    before: Callable[[], object] = _nothing


@dataclass(frozen=True)
class Timed:
    """A contender's turns, in seconds."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle turn."""
        return median(self.seconds)


def alternate(contenders: Sequence[Contender], repeat: int) -> list[Timed]:
    """Time the contenders A B C A B C …, `repeat` turns each, after one turn each that is not counted: workers of a night are warm."""
    turns: list[list[float]] = [[] for _ in contenders]
    for turn in range(repeat + 1):
        for contender, seconds in zip(contenders, turns, strict=True):
            contender.before()
            begun = time.perf_counter()
            contender.work()
            if turn:
                seconds.append(time.perf_counter() - begun)
    return [Timed(contender.name, tuple(seconds)) for contender, seconds in zip(contenders, turns, strict=True)]


def show(
    title: str, stage: Timed, others: Sequence[Timed], rates: Callable[[float], str] = lambda _: "", parts: Sequence[Timed] = ()
) -> None:
    """Print the stage, then what it is held against with the stage's ratio to it, then parts of it with their shares of it.

    Args:
        rates: what so many seconds are in the benchmark's own unit (`88 files/s`).
    """
    print(title)
    _line(stage, rates)
    for timed in others:
        _line(timed, rates, f"ratio {stage.median / timed.median:.1f}")
    for timed in parts:
        _line(timed, rates, f"{timed.median / stage.median:.0%} of the stage")


def _line(timed: Timed, rates: Callable[[float], str], said: str = "") -> None:
    """Median and slowest turn of one contender."""
    line = f"  {timed.name:<42} {timed.median:9.4f} s  slowest {max(timed.seconds):9.4f} s  {rates(timed.median):<27} {said}"
    print(line.rstrip(), flush=True)


def arguments(description: str | None, repeat: int) -> argparse.ArgumentParser:
    """A benchmark's command line, with `--repeat`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=repeat, help="turns of each contender (default: %(default)s)")
    return parser
