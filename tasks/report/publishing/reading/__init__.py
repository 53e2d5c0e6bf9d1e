"""What a face says, place by place, read from its bytes as any other program would: to tell where two files of one kind differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import PurePosixPath
from typing import Final

#: Suffix → the module that reads it. What is in no module is read line by line.
_READERS: Final = {
    ".html": "markup", ".docx": "word", ".xlsx": "sheets", ".pdf": "pages", ".csv": "values", ".png": "pictures",
}  # fmt: skip


class Sayings(dict[str, str]):
    """Place → what stands there, in the order of reading; a place that comes again is counted."""

    def say(self, place: str, said: str) -> None:
        """Add what stands at a place."""
        name, again = place, 1
        while name in self:
            again += 1
            name = f"{place} ({again})"
        self[name] = said


def read(path: str, content: bytes) -> Sayings:
    """What a file says, by its kind.

    Raises:
        ValueError: it is not what its name says.
    """
    module = import_module(f"{__name__}.{_READERS.get(PurePosixPath(path).suffix, 'plain')}")
    try:
        return module.read(content)  # type: ignore[no-any-return]
    except Exception as error:  # noqa: BLE001 - each library has its own exceptions for a file that is not of its kind
        raise ValueError(f"{path} cannot be read: {type(error).__name__}") from None


def differences(there: Mapping[str, str], expected: Mapping[str, str]) -> Iterator[tuple[str, str | None, str | None]]:
    """Places where two files differ: the place, what stands there, and what should; None where nothing does."""
    for place, said in expected.items():
        if there.get(place) != said:
            yield place, there.get(place), said
    for place, said in there.items():
        if place not in expected:
            yield place, said, None
