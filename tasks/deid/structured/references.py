"""References by identifier between content items (PS3.3 C.17.3.2.5): they count positions, so they follow when items are removed."""

from __future__ import annotations

from pydicom import Dataset

from tasks.deid.structured.transforms import CONTENT_SEQUENCE, VALUE_TYPE
from tasks.errors import SafelightError

REFERENCED_ITEM = 0x0040DB73

Position = tuple[int, ...]


def is_reference(item: Dataset) -> bool:
    """Whether an item only points at another one."""
    return REFERENCED_ITEM in item and VALUE_TYPE not in item


def target(item: Dataset) -> Position:
    """The position that an item points at: 1 for the root, then the number of the child at each level.

    Raises:
        SafelightError: E-DEID-STRUCTURE where it is no such position.
    """
    value = item[REFERENCED_ITEM].value
    position = (value,) if isinstance(value, int) else tuple(value or ())
    if not position or position[0] != 1 or not all(isinstance(number, int) and number > 0 for number in position):
        raise SafelightError("E-DEID-STRUCTURE", "(0040,DB73)")
    return position


def positions(root: Dataset) -> dict[Position, Dataset]:
    """Every item of the tree by its position; the root is (1,)."""
    found: dict[Position, Dataset] = {(1,): root}
    waiting: list[Position] = [(1,)]
    while waiting:
        above = waiting.pop()
        for number, item in enumerate(children(found[above]), start=1):
            found[(*above, number)] = item
            waiting.append((*above, number))
    return found


def children(item: Dataset) -> list[Dataset]:
    """The items right below an item."""
    return list(item[CONTENT_SEQUENCE].value or ()) if CONTENT_SEQUENCE in item else []


def follow(before: dict[Position, Dataset], root: Dataset) -> int:
    """Point every reference at where its target stands now; remove those whose target is gone.

    Args:
        before: `positions` of the tree before items were removed.
        root: the same tree now.

    Returns:
        how many references were removed.

    Raises:
        SafelightError: E-DEID-STRUCTURE for a reference that pointed at nothing from the start.
    """
    removed = 0
    while True:  # a reference that goes moves its younger siblings
        now = {id(item): position for position, item in positions(root).items()}
        lost = [item for item in positions(root).values() if is_reference(item) and _moved(item, before, now) is None]
        if not lost:
            break
        gone = {id(item) for item in lost}
        for item in positions(root).values():
            if any(id(child) in gone for child in children(item)):
                replace_children(item, [child for child in children(item) if id(child) not in gone])
        removed += len(gone)
    for item in positions(root).values():
        if REFERENCED_ITEM in item:
            moved = _moved(item, before, now)
            item[REFERENCED_ITEM].value = list(moved or ())
    return removed


def _moved(item: Dataset, before: dict[Position, Dataset], now: dict[int, Position]) -> Position | None:
    pointed = before.get(target(item))
    if pointed is None:
        raise SafelightError("E-DEID-STRUCTURE", "(0040,DB73)")
    return now.get(id(pointed))


def replace_children(item: Dataset, kept: list[Dataset]) -> None:
    """Set the items right below an item; without any, the sequence goes (PS3.3 C.17.3: it may not be empty)."""
    if kept:
        item.ContentSequence = kept
    elif CONTENT_SEQUENCE in item:
        del item[CONTENT_SEQUENCE]
