"""What the fuzzer does to a file. Every mutation is a function of the bytes and a seeded source of chance; none looks at the code under test."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from random import Random

from tests.fuzzing.seeds import deflated

_VRS = (b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"OB", b"OW", b"PN", b"SH", b"SL", b"SQ", b"SS", b"ST",
        b"TM", b"UI", b"UL", b"UN", b"UR", b"US", b"UT", b"OV", b"UC", b"OF", b"OD", b"OL", b"SV", b"UV")  # fmt: skip
_VR = re.compile(b"|".join(_VRS))
_META_END = 320
_LENGTHS = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0xFFFE, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFF0, 0xFFFFFFFE, 0xFFFFFFFF)
_ITEM, _ITEM_END, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0"


def _somewhere(content: bytes, chance: Random) -> int:
    """A place in the data set as a rule, in the preamble or the file meta information now and then."""
    first = 0 if chance.random() < 0.1 else min(132, len(content) - 1)
    return chance.randrange(first, len(content))


def _some_vr(content: bytes, chance: Random) -> int:
    """Where some explicit VR seems to stand; anywhere in files that have none."""
    places = [found.start() for found in _VR.finditer(content, 132)]
    return chance.choice(places) if places else _somewhere(content, chance)


def truncate(content: bytes, chance: Random) -> bytes:
    """The file ends anywhere."""
    return content[: _somewhere(content, chance)]


def flip(content: bytes, chance: Random) -> bytes:
    """One to eight bytes are others."""
    changed = bytearray(content)
    for _ in range(chance.randrange(1, 9)):
        changed[_somewhere(content, chance)] = chance.randrange(256)
    return bytes(changed)


def insert(content: bytes, chance: Random) -> bytes:
    """Random bytes in between."""
    at = _somewhere(content, chance)
    return content[:at] + chance.randbytes(chance.choice((1, 2, 8, 100))) + content[at:]


def delete(content: bytes, chance: Random) -> bytes:
    """Some bytes are missing."""
    at = _somewhere(content, chance)
    return content[:at] + content[at + chance.choice((1, 2, 8, 40)) :]


def repeat(content: bytes, chance: Random) -> bytes:
    """A part stands twice in a row."""
    at = _somewhere(content, chance)
    return content[:at] + content[at : at + chance.choice((8, 40, 200))] + content[at:]


def swap(content: bytes, chance: Random) -> bytes:
    """Two neighbouring parts have changed places."""
    at, long = _somewhere(content, chance), chance.choice((4, 16, 64))
    return content[:at] + content[at + long : at + 2 * long] + content[at : at + long] + content[at + 2 * long :]


def length(content: bytes, chance: Random) -> bytes:
    """An element claims another length, of two bytes or of four, often a huge one."""
    at = _some_vr(content, chance) + 2
    claimed = chance.choice(_LENGTHS)
    wide = struct.pack("<I", claimed) if chance.random() < 0.5 else struct.pack("<H", claimed & 0xFFFF)
    at += 2 * (len(wide) == 4)
    return content[:at] + wide + content[at + len(wide) :]


def vr(content: bytes, chance: Random) -> bytes:
    """An element has another VR."""
    at = _some_vr(content, chance)
    return content[:at] + chance.choice(_VRS) + content[at + 2 :]


def no_delimiter(content: bytes, chance: Random) -> bytes:
    """An item or a sequence of undefined length does not end; or one ends that never began."""
    places = [found.start() for found in re.finditer(re.escape(_ITEM_END) + b"|" + re.escape(_SEQUENCE_END), content)]
    if places:
        at = chance.choice(places)
        return content[:at] + content[at + 8 :]
    at = _somewhere(content, chance)
    return content[:at] + chance.choice((_ITEM, _ITEM_END, _SEQUENCE_END)) + b"\0\0\0\0" + content[at:]


def meta(content: bytes, chance: Random) -> bytes:
    """Damage in the file meta information: flipped bytes, a wrong group length, none of it, or twice."""
    kind = chance.randrange(4)
    if kind == 0:
        changed = bytearray(content)
        changed[chance.randrange(128, min(_META_END, len(content)))] = chance.randrange(256)
        return bytes(changed)
    if kind == 1:
        return content[:140] + struct.pack("<I", chance.choice(_LENGTHS)) + content[144:]
    end = 144 + int.from_bytes(content[140:144], "little")
    return content[:132] + content[end:] if kind == 2 else content[:end] + content[132:end] + content[end:]


def syntax(content: bytes, chance: Random) -> bytes:
    """The file says that it is of another transfer syntax."""
    others = (b"1.2.840.10008.1.2\0", b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.2\0", b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.5\0",
              b"1.2.840.10008.1.2.4.50", b"1.2.840.10008.1.2.4.90", b"1.2.3.4\0", b"1.2.840.10008.1.2.1.98")  # fmt: skip
    at = content.index(b"\x02\x00\x10\x00UI")
    said = int.from_bytes(content[at + 6 : at + 8], "little")
    other = chance.choice(others)
    return content[: at + 6] + struct.pack("<H", len(other)) + other + content[at + 8 + said :]


def nest(content: bytes, chance: Random) -> bytes:
    """Sequences in sequences, 1,000 deep as a rule, up to 100,000; with a name at the bottom, and with ends or without."""
    deep = chance.choice((40, 200, 1_000, 1_000, 1_000, 100_000))
    opened = (b"\x40\x00\x30\xa7SQ\0\0\xff\xff\xff\xff" + _ITEM + b"\xff\xff\xff\xff") * deep
    closed = (_ITEM_END + b"\0\0\0\0" + _SEQUENCE_END + b"\0\0\0\0") * (deep if chance.random() < 0.7 else 0)
    name = b"\x10\x00\x10\x00PN\x0c\0Zwiebelturm "
    at = _before_pixels(content)
    return content[:at] + opened + name + closed + content[at:]


def unknown_sequence(content: bytes, chance: Random) -> bytes:
    """A sequence whose VR is UN (PS3.5 6.2.2), of known or unknown length, implicit or explicit inside."""
    inner = b"\x10\x00\x10\x00" + chance.choice((struct.pack("<I", 12), b"PN\x0c\0")) + b"Zwiebelturm "
    item = _ITEM + chance.choice((struct.pack("<I", len(inner)) + inner, b"\xff\xff\xff\xff" + inner + _ITEM_END + b"\0\0\0\0"))
    known = chance.random() < 0.5
    body = struct.pack("<I", len(item)) + item if known else b"\xff\xff\xff\xff" + item + _SEQUENCE_END + b"\0\0\0\0"
    tag = chance.choice((b"\x40\x00\x30\xa7", b"\x29\x00\x04\x10", b"\x08\x00\x40\x11", b"\x08\x00\x32\x03"))
    at = _before_pixels(content)
    return content[:at] + tag + b"UN\0\0" + body + content[at:]


def text_elsewhere(content: bytes, chance: Random) -> bytes:
    """An identifier in an element where nobody expects one: of a random tag and VR, in one of three encodings."""
    text = "Zwiebelturm ".encode(chance.choice(("ascii", "utf-16-le", "utf-16-be")))
    vr_ = chance.choice(_VRS)
    long = vr_ in (b"OB", b"OW", b"OV", b"SQ", b"UN", b"UR", b"UT", b"UC", b"OF", b"OD", b"OL", b"SV", b"UV")
    tag = struct.pack(
        "<HH", chance.choice((0x0008, 0x0010, 0x0018, 0x0020, 0x0028, 0x0040, 0x0029, 0x6000)), chance.randrange(0x10000)
    )
    at = _before_pixels(content)
    return (
        content[:at]
        + tag
        + vr_
        + (b"\0\0" + struct.pack("<I", len(text)) if long else struct.pack("<H", len(text)))
        + text
        + content[at:]
    )


def behind(content: bytes, chance: Random) -> bytes:
    """Something stands behind the data set."""
    return content + chance.choice(
        (b"Zwiebelturm ", chance.randbytes(64), content[132:600], b"\xfc\xff\xfc\xffOB\0\0\x0c\0\0\0Zwiebelturm ")
    )


def preamble(content: bytes, chance: Random) -> bytes:
    """A name in the preamble, the prefix missing or misspelt."""
    said = b"Zwiebelturm^Ottokarine".ljust(128, chance.choice((b"\0", b" ")))
    return said + chance.choice((b"DICM", b"DICM", b"DICN", b"")) + content[132:]


def nothing(content: bytes, chance: Random) -> bytes:
    """Next to nothing is left: no byte, a preamble, or a file meta information alone."""
    return content[: chance.choice((0, 1, 128, 132, 144, _META_END))]


def inside_deflated(content: bytes, chance: Random) -> bytes:
    """A deflated data set that was damaged before it was deflated; other files are deflated first."""
    end = 144 + int.from_bytes(content[140:144], "little")
    try:
        plain = zlib.decompress(content[end:], -zlib.MAX_WBITS)
    except zlib.error:
        return deflated(content)[: -chance.randrange(1, 40)]
    damaged = chance.choice((flip, insert, delete, truncate))(b"\0" * 132 + plain, chance)[132:]
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return content[:end] + packer.compress(damaged) + packer.flush()


def _before_pixels(content: bytes) -> int:
    """Where the pixel data begin in a little endian file; the end where there are none to be seen."""
    at = content.rfind(b"\xe0\x7f\x10\x00")
    return at if at > 0 else len(content)


Mutation = Callable[[bytes, Random], bytes]
MUTATIONS: dict[str, Mutation] = {
    each.__name__: each
    for each in (
        truncate, flip, insert, delete, repeat, swap, length, vr, no_delimiter, meta, syntax, nest, unknown_sequence, text_elsewhere, behind,
        preamble, nothing, inside_deflated,
    )
}  # fmt: skip


def bomb(content: bytes, size: int) -> bytes:
    """A deflated file whose data set inflates to more than `size` bytes: zeros in a private element, before the pixel data."""
    end = 144 + int.from_bytes(content[140:144], "little")
    at = _before_pixels(content)
    marked = deflated(content)
    start = 144 + int.from_bytes(marked[140:144], "little")
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    parts = [packer.compress(content[end:at] + b"\x29\x00\x05\x10UN\0\0" + struct.pack("<I", size))]
    parts += [packer.compress(b"\0" * (1 << 20)) for _ in range(size >> 20)]
    parts += [packer.compress(content[at:]), packer.flush()]
    return marked[:start] + b"".join(parts)
