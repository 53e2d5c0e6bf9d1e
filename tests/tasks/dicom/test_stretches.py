"""Headers taken apart with the help of stretches are the same, element by element, as those taken apart alone; also damaged ones."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import config

from tasks.dicom import instances
from tasks.dicom.stretches import Stretches
from tasks.errors import SafelightError
from tests.tasks.deid.making import ct


def slices(count: int) -> list[bytes]:
    """A series: number, position and time differ, and a private number stands among private elements that do not."""
    made = []
    for number in range(count):
        one = ct(number)
        one.InstanceNumber, one.SliceLocation, one.ContentTime = number, f"{number}.5", f"1011{number:02d}"
        block = one.private_block(0x0019, "SYNTHETIC CT HEADER", create=True)
        for element in range(6):
            block.add_new(element, "DS", str(number if element == 4 else element))
        buffer = BytesIO()
        one.save_as(buffer, enforce_file_format=True)
        made.append(buffer.getvalue())
    return made


def answer(content: bytes, stretches: Stretches | None) -> Any:
    """What reading gives: the elements, or the code of the refusal."""
    try:
        with config.disable_value_validation():
            instance = instances.of_bytes(content, stretches)
    except SafelightError as refused:
        return refused.code
    assert [element for elements, _ in instance.parts() for element in elements] == instance.head
    for first, last, stretch in instance.spans:
        assert instance.data[instance.head[first][2] : instance.head[last - 1][4]] == stretch.content
    return instance.meta, instance.head, instance.pixels, instance.size


def test_a_series_is_known_from_its_third_header_on() -> None:
    stretches = Stretches()
    for number, content in enumerate(slices(6)):
        instance = instances.of_bytes(content, stretches)
        known = sum(last - first for first, last, _ in instance.spans)
        assert known == 0 if number < 2 else known > 0.75 * len(instance.head)
        assert (instance.meta, instance.head, instance.pixels, instance.size) == answer(content, None)
        for _, _, stretch in instance.spans:
            assert len({element[0] & 0x10000 for element in stretch.elements}) == 1
            assert stretch.is_private == bool(stretch.elements[0][0] & 0x10000)


@given(st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_damaged_headers_are_refused_for_the_same_reason(chance: Any) -> None:
    stretches = Stretches()
    sound = slices(4)
    for content in sound:
        instances.of_bytes(content, stretches)
    damaged = bytearray(sound[0])
    kind = chance.randrange(4)
    at = chance.randrange(132, len(damaged))
    if kind == 0:
        damaged[at] ^= 1 << chance.randrange(8)
    elif kind == 1:
        del damaged[at:]
    elif kind == 2:
        del damaged[at : at + chance.randrange(1, 40)]
    else:  # a stretch again: elements that stand twice
        first, last, _ = instances.of_bytes(sound[0], stretches).spans[0]
        head = instances.of_bytes(sound[0]).head
        damaged[head[last - 1][4] : head[last - 1][4]] = damaged[head[first][2] : head[last - 1][4]]
        assert answer(bytes(damaged), None) == "E-DEID-UNREADABLE"
    assert answer(bytes(damaged), stretches) == answer(bytes(damaged), None)


def test_headers_that_have_nothing_in_common_are_not_compared_for_ever() -> None:
    stretches = Stretches()
    contents = [bytes([65 + number % 26]) * 8 for number in range(40)]
    learnt = 0
    for number, text in enumerate(contents):
        dataset = ct(number)
        for element in list(dataset):
            if element.VR in ("LO", "SH", "PN", "ST", "LT"):
                element.value = text.decode()
        buffer = BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        before = stretches.attempts
        instances.of_bytes(buffer.getvalue(), stretches)
        learnt += stretches.attempts - before
    assert 1 <= learnt <= 6
