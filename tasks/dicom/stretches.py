"""What the headers of a series have in common, byte by byte, as stretches of consecutive elements: each is taken apart once, and known again by
one comparison of bytes.

A header differs from its neighbour's in a dozen elements of some two hundred. Where two headers in turn agree is a stretch; a later header has it
where the same bytes stand at the border of an element. An element's extent depends on its own bytes alone (PS3.5 section 7.1), so that the same bytes
there are the same elements.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tasks.dicom.elements import Element, Encoding

#: A stretch has so many elements at least, and so many bytes at most: long values are looked up better alone.
_FEWEST, _LONGEST = 3, 1 << 16
#: A header of which a greater part than this had to be taken apart anew is another kind of header: what it shares with the next such is learnt.
_STRANGE = 0.25
#: So many headers are let pass before the next attempt, where learning gave nothing; doubled each time.
_PATIENCE = 4


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Consecutive outermost elements: their bytes, and the elements with positions in these. It is compared by identity."""

    content: bytes = field(repr=False)
    elements: tuple[Element, ...] = field(repr=False)

    @property
    def is_private(self) -> bool:
        """Whether its elements are private; a stretch has either none such or no others."""
        return bool(self.elements[0][0] & 0x10000)


#: The first and the last (not included) element of a header that belong to a stretch.
Span = tuple[int, int, Stretch]


@dataclass
class Stretches:
    """The stretches of the headers that were read last, of one study.

    Attributes:
        attempts: how often headers were compared.
    """

    attempts: int = 0
    _known: dict[Encoding, dict[bytes, Stretch]] = field(default_factory=dict, repr=False)
    _before: dict[Encoding, dict[bytes, int]] = field(default_factory=dict, repr=False)
    _wait: int = 0
    _patience: int = _PATIENCE

    def known(self, encoding: Encoding) -> dict[bytes, Stretch]:
        """The stretches of an encoding, by the four bytes of their first tag."""
        return self._known.get(encoding, {})

    def learn(self, data: bytes, head: list[Element], spans: list[Span], encoding: Encoding) -> None:
        """Take note of a header that was taken apart with the help of these spans."""
        fresh = len(head) - sum(last - first for first, last, _ in spans)
        if fresh <= _STRANGE * len(head) or not head:
            return
        if self._wait:
            self._wait -= 1
            return
        own = {data[element[2] : element[4]]: number for number, element in enumerate(head)}
        before = self._before.pop(encoding, None)
        if before is None:
            self._before[encoding] = own
            return
        self.attempts += 1
        found = _common(data, head, before)
        if sum(len(stretch.elements) for stretch in found) < (1 - _STRANGE) * len(head):
            self._wait, self._patience = self._patience, 2 * self._patience
        else:
            self._patience = _PATIENCE
        self._known[encoding] = {stretch.content[:4]: stretch for stretch in found}


def _common(data: bytes, head: list[Element], before: dict[bytes, int]) -> list[Stretch]:
    """Where a header agrees with an earlier one, given as the bytes of its elements and their places."""
    runs: list[list[Element]] = []
    last = -2
    for element in head:
        tag, _vr, start, _value, end, _ = element
        place = before.get(data[start:end], -2) if end - start <= _LONGEST else -2
        if place >= 0:
            run = runs[-1] if runs and place == last + 1 else []
            # Private elements and others are treated in different ways.
            if run and not (run[-1][0] ^ tag) & 0x10000 and end - run[0][2] <= _LONGEST:
                run.append(element)
            else:
                runs.append([element])
        last = place
    return [_stretch(data, run) for run in runs if len(run) >= _FEWEST]


def _stretch(data: bytes, run: list[Element]) -> Stretch:
    start = run[0][2]
    elements = tuple(
        (tag, vr, head - start, value - start, end - start, undefined) for tag, vr, head, value, end, undefined in run
    )
    return Stretch(data[start : run[-1][4]], elements)
