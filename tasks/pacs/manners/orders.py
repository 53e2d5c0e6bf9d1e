"""Which PACSs may be asked at all: a person's order to pause or drain holds for queries too."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tasks.executor import OnWait
from tasks.pacs.book import Book
from tasks.pacs.settings import PacsSettings

#: Whoever waits looks after so many seconds whether an order has come.
_LOOK_AGAIN_S = 2.0


def ordered_away(
    pacs: Sequence[PacsSettings], book: Book, on_wait: OnWait, sleep: Callable[[float], object] = time.sleep
) -> dict[str, str]:
    """The PACSs that may not be asked just now, each with the reason code. Waits while every one of them is paused.

    Allowed hours do not count here: they are for the retrieval, and a plan is made when the night begins.

    Args:
        pacs: those that are configured.
        book: has the orders.
        on_wait: told that it waits, for the first paused PACS, and that it goes on.
        sleep: waits some seconds.
    """
    told = ""
    while True:
        orders = {each.source: book.condition(each.source).order for each in pacs}
        paused = [source for source, order in orders.items() if order == "pause"]
        if not paused or "run" in orders.values():
            break
        if not told:
            told = paused[0]
            book.note(told, reason_code="E-PULL-PAUSED", until=None)
            on_wait(told, "E-PULL-PAUSED", None)
        sleep(_LOOK_AGAIN_S)
    if told:
        book.note(told, reason_code="", until=None)
        on_wait(told, "", None)
    codes = {"pause": "E-PULL-PAUSED", "drain": "E-PULL-DRAINED"}
    return {source: codes[order] for source, order in orders.items() if order != "run"}
