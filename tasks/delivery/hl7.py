"""HL7 v2 messages in its encoding of bars and carets: segments, fields, repetitions, components (HL7 v2.5.1, chapter 2).

Strict where a wrong answer would be quiet: what is no segment, or has no header, is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from tasks.errors import SafelightError

_START, _END = b"\x0b", b"\x1c"
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}\Z")
#: Headers and trailers of batches and files (section 2.10.3), which hold no message.
_AROUND = {"FHS", "BHS", "BTS", "FTS"}
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(?:(\d\d)(?:\.(\d{1,4}))?)?)?([+-]\d{4})?\Z")
#: MSH-18 (table 0211) → Python's codec; what is not named is read as UTF-8, and byte by byte where it is none.
_CHARSETS = {"UNICODE UTF-8": "utf-8", "ASCII": "ascii", **{f"8859/{part}": f"iso8859-{part}" for part in range(1, 10)}}


@dataclass(frozen=True, slots=True)
class Segment:
    """One line of a message. Fields count from 1; of MSH, the first is the separator itself."""

    name: str
    fields: tuple[str, ...]
    separators: str

    def field(self, number: int, component: int = 1) -> str:
        """A component (from 1) of a field's first repetition, unescaped; empty where there is none."""
        repetitions = self.repetitions(number, component)
        return repetitions[0] if repetitions else ""

    def repetitions(self, number: int, component: int = 1) -> list[str]:
        """A component of each repetition of a field, unescaped."""
        if number > len(self.fields) or not self.fields[number - 1]:
            return []
        between_components, between_repetitions = self.separators[1], self.separators[2]
        found = []
        for repetition in self.fields[number - 1].split(between_repetitions):
            parts = repetition.split(between_components)
            found.append(self._unescaped(parts[component - 1]).strip() if component <= len(parts) else "")
        return found

    def _unescaped(self, text: str) -> str:
        """Text with the escapes of separators replaced (section 2.7.1); others stay as they are."""
        escape = self.separators[3]
        if escape not in text:
            return text
        field, component, repetition = self.separators[0], self.separators[1], self.separators[2]
        known = {"F": field, "S": component, "R": repetition, "E": escape, "T": self.separators[4:5] or "&"}
        mark = re.escape(escape)
        return re.sub(f"{mark}([FSRTE]){mark}", lambda match: known[match[1]], text)


@dataclass(frozen=True, slots=True)
class Message:
    """A message; its first segment is MSH."""

    segments: tuple[Segment, ...]

    @property
    def header(self) -> Segment:
        """MSH."""
        return self.segments[0]


def messages(content: bytes) -> list[Message]:
    """All messages of a file: alone, one after the other, in a batch, or framed for the network (MLLP).

    Raises:
        SafelightError: E-DELIVER-HL7 with the line's number (never its text), where a line is no segment, one comes before MSH, MSH does
            not name its separators, or there is no message at all.
    """
    text = _decoded(content.replace(_START, b"").replace(_END + b"\r", b"").replace(_END, b""))
    lines = re.split(r"\r\n?" if "\r" in text else "\n", text)
    found: list[list[Segment]] = []
    separators = ""
    for number, line in enumerate(lines, start=1):
        stripped = line.strip("\n")
        if not stripped.strip():
            continue
        name = stripped[:3]
        if not _SEGMENT.match(name):
            raise SafelightError("E-DELIVER-HL7", f"line {number} is no segment")
        if name in _AROUND:
            continue
        if name == "MSH":
            separators = _separators(stripped, number)
            found.append([Segment(name, (separators[0], *stripped[4:].split(separators[0])), separators)])
            continue
        if not found:
            raise SafelightError("E-DELIVER-HL7", f"line {number} comes before MSH")
        if stripped[3:4] not in {"", separators[0]}:
            raise SafelightError("E-DELIVER-HL7", f"line {number} is no segment")
        found[-1].append(Segment(name, tuple(stripped[4:].split(separators[0])), separators))
    if not found:
        raise SafelightError("E-DELIVER-HL7", "no message")
    return [Message(tuple(segments)) for segments in found]


def moment(text: str, zone: tzinfo) -> float | None:
    """A time stamp (section 2.A.77) in seconds since the epoch; without an offset it is of `zone`; None where it is none."""
    match = _TIME.match(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    try:
        named: tzinfo = zone
        if offset:
            sign = -1 if offset[0] == "-" else 1
            named = timezone(sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[3:])))
        micro = int((fraction or "0").ljust(6, "0"))
        parts = (int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), micro)
        return datetime(*parts, tzinfo=named).astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def _separators(header: str, number: int) -> str:
    """Field separator and encoding characters: of components, repetitions, escapes, subcomponents."""
    field = header[3:4]
    said = header[3:].split(field)[1] if field else ""
    separators = field + said
    if len(said) < 3 or len(set(separators)) < len(separators) or any(character.isalnum() for character in separators):
        raise SafelightError("E-DELIVER-HL7", f"line {number}: MSH does not name its separators")
    return separators


def _decoded(content: bytes) -> str:
    """Text by the character set that the first MSH names."""
    head = content[content.find(b"MSH") :].split(b"\r", 1)[0].split(b"\n", 1)[0].decode("latin-1")
    fields = head.split(head[3:4]) if len(head) > 3 else []
    named = fields[17].split("~")[0].strip() if len(fields) > 17 else ""
    for codec in (_CHARSETS.get(named, "utf-8"), "latin-1"):
        try:
            return content.decode(codec)
        except UnicodeDecodeError:
            continue
    raise AssertionError("latin-1 decodes anything")
