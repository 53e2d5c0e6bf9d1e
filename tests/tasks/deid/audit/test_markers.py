"""Markers are found in every spelling, and nowhere else."""

from __future__ import annotations

import random
from typing import get_args

import pytest

from tasks.deid.audit.markers import Kind, Mint


def mint() -> Mint:
    return Mint(random.Random(3))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_marker_is_found_where_it_stands_and_not_in_another(kind: Kind) -> None:
    made = mint()
    for make in (made.make, made.spoken):
        marker, other = make(kind), make(kind)
        assert marker.is_in(f"\x00LO\x12{marker.value}\x08")
        assert marker.is_in(f"{marker.value} ".upper())
        assert not marker.is_in(other.value)
        assert not marker.is_in("CT CHEST W CONTRAST 20210101 2.25.123456789012345678901234567890 1.25\\0.78125 HFS")


def test_parts_that_identify_by_themselves_are_found() -> None:
    made = mint()
    family, given = made.make("name").value.split("^")
    name = Mint(random.Random(3)).make("name")
    assert name.is_in(f"for {family.upper()}")
    assert name.is_in(given)
    date = made.make("date")
    y, m, d = date.value[:4], date.value[4:6], date.value[6:]
    for spelled in (f"{y}{m}", f"{y}-{m}-{d}", f"{int(d)}.{int(m)}.{y}", f"{m}/{d}/{y}", f"{y}{m}{d}1011"):
        assert date.is_in(f"seen {spelled}, well"), spelled
    assert not date.is_in(f"{y}0101" if m != "01" else "")
    assert not date.is_in(f"9{y}{m}{d}")
    phone = made.make("phone")
    digits = "".join(each for each in phone.value[3:] if each.isdigit())
    assert phone.is_in(f"({digits[:3]}) {digits[3:6]}-{digits[6:]}")
    assert phone.is_in(digits)
    assert not phone.is_in(f"{digits}5")


def test_no_marker_is_made_twice_and_the_same_seed_makes_the_same() -> None:
    first, second = mint(), mint()
    made = [first.make("name").value for _ in range(500)]
    assert len(set(made)) == 500
    assert made == [second.make("name").value for _ in range(500)]
