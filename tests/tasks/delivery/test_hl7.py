"""HL7 v2: held against python-hl7 on what both read; broken messages are refused with the place."""

from __future__ import annotations

from contextlib import suppress

import hl7 as peer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.delivery import hl7
from tasks.errors import SafelightError
from tests.tasks.delivery.made import UTC, obr, oru

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="|^~\\&\r\n\x0b\x1c", exclude_categories=("C", "Z")), max_size=8)
FIELDS = st.lists(st.lists(st.lists(TEXT, min_size=1, max_size=3), min_size=1, max_size=2), min_size=1, max_size=6)


@given(st.lists(st.tuples(st.sampled_from(["PID", "OBR", "OBX", "ZDS"]), FIELDS), min_size=1, max_size=4))
def test_every_value_is_what_another_library_reads(segments: list[tuple[str, list[list[list[str]]]]]) -> None:
    lines = ["MSH|^~\\&|A|B|C|D|20260302203000||ORU^R01|1|P|2.5"]
    lines += [
        f"{name}|" + "|".join("~".join("^".join(parts) for parts in field) for field in fields) for name, fields in segments
    ]
    text = "\r".join(lines) + "\r"
    ours = hl7.messages(text.encode())[0]
    theirs = peer.parse(text)
    for place, (_, fields) in enumerate(segments, start=1):
        for number in range(1, len(fields) + 1):
            for component in (1, 2, 3):
                said = ours.segments[place].repetitions(number, component)
                field = theirs[place][number]
                expected = [_component(repetition, component) for repetition in field] if str(field) else []
                assert said == expected
    assert ours.header.field(9, 2) == "R01"
    assert ours.header.field(12) == "2.5"


def _component(repetition: object, number: int) -> str:
    if isinstance(repetition, str):
        return repetition if number == 1 else ""
    parts = list(repetition)  # type: ignore[call-overload]
    return str(parts[number - 1]) if number <= len(parts) else ""


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_any_line_end_frame_and_batch(end: str) -> None:
    plain = oru(obr("A1", "F"), end=end)
    framed = b"\x0b" + plain.encode() + b"\x1c\r"
    batch = ("FHS|^~\\&" + end + "BHS|^~\\&" + end + plain + plain + "BTS|2" + end + "FTS|1" + end).encode()
    assert [len(hl7.messages(content)) for content in (plain.encode(), framed, batch)] == [1, 1, 2]
    assert hl7.messages(framed)[0].segments[2].field(25) == "F"


def test_other_separators_and_escapes() -> None:
    message = hl7.messages(b"MSH#*+!%#A\rOBR#1##x!F!y!S!z!R!!E!!T!#a*b+c*d\r")[0]
    assert message.segments[1].field(3) == "x#y*z+!%"
    assert message.segments[1].repetitions(4, 2) == ["b", "d"]


@pytest.mark.parametrize(("name", "codec"), [("UNICODE UTF-8", "utf-8"), ("8859/1", "latin-1"), ("", "utf-8"), ("", "latin-1")])
def test_character_sets(name: str, codec: str) -> None:
    text = rf"MSH|^~\&|A|B|C|D|2026||ORU^R01|1|P|2.5||||||{name}" + "\rPID|1||Zoë\r"
    assert hl7.messages(text.encode(codec))[0].segments[1].field(3) == "Zoë"


@pytest.mark.parametrize(("text", "where"), [
    ("", "no message"), ("\r\r", "no message"), ("PID|1\rMSH|^~\\&|A\r", "line 1 comes before MSH"), ("MSH|^~\\&|A\rhello\r", "line 2 is no segment"),
    ("MSH|^~\\&|A\rOBRX|1\r", "line 2 is no segment"), ("MSH", "separators"), ("MSH|^^\\&|A", "separators"), ("MSHabc", "separators"),
    ("{\"json\": 1}", "line 1"),
])  # fmt: skip
def test_what_is_broken_is_refused_with_its_place_and_without_its_text(text: str, where: str) -> None:
    with pytest.raises(SafelightError, match="E-DELIVER-HL7") as refused:
        hl7.messages(text.encode())
    assert where in refused.value.place
    assert "hello" not in str(refused.value)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(content: bytes) -> None:
    with suppress(SafelightError):
        assert hl7.messages(b"MSH|^~\\&|A\r" + content)[0].header.field(3) == "A"


@pytest.mark.parametrize(("text", "seconds"), [
    ("20260302203000", 1772483400.0), ("20260302203000+0100", 1772479800.0), ("202603022030", 1772483400.0), ("20260302", 1772409600.0),
    ("20260302203000.25-0530", 1772503200.25), ("2026", None), ("20261302", None), ("x", None), ("", None), ("20260302203000+9900", None),
])  # fmt: skip
def test_time_stamps(text: str, seconds: float | None) -> None:
    assert hl7.moment(text, UTC) == seconds
