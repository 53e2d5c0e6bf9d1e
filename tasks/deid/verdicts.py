"""What the headers of a study's instances tell about their pixels and faces, asked once for all that agree in what is asked.

The slices of a series do, as a rule, so that pydicom parses one header of many.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from pydicom.datadict import tag_for_keyword

from tasks.deid.faces.check import FIELDS as FACE_FIELDS
from tasks.deid.faces.check import FaceCheck
from tasks.deid.pixels import FIELDS as PIXEL_FIELDS
from tasks.deid.pixels import Evidence
from tasks.deid.rules import Profile
from tasks.dicom.instances import Instance
from tasks.errors import SafelightError

_MOST_REMEMBERED = 4096
Answer = TypeVar("Answer")


def _tags(*keywords: str) -> tuple[int, ...]:
    return tuple(tag for keyword in dict.fromkeys(keywords) if (tag := tag_for_keyword(keyword)) is not None)


#: SpecificCharacterSet too: the same bytes may be another text.
_FACE_TAGS = (0x00080005, *_tags(*FACE_FIELDS))
_PIXEL_TAGS = (0x00080005, *_tags(*PIXEL_FIELDS))


@dataclass
class Verdicts:
    """Judges the headers of one study's images.

    Attributes:
        faces: which series may show a head.
    """

    profile: Profile
    faces: FaceCheck = field(init=False)
    _refusals: dict[object, str] = field(default_factory=dict, repr=False)
    _heads: dict[object, bool] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._evidence = Evidence(self.profile)
        self.faces = FaceCheck(self.profile)

    def refusal(self, instance: Instance) -> str:
        """The code under which an image is held back before its pixels are looked at, or an empty string.

        The frames of a compressed image are asked each time: every one could hold a comment.
        """
        if instance.encapsulated:
            return self._asked(instance)
        planes = tuple(
            instance.raw(element[0]) for element in instance.head if element[0] >> 24 == 0x60 and element[0] & 0xFFFF == 0x0102
        )
        lengths = tuple((element[0], element[4] - element[3]) for element in instance.pixels)
        key = (instance.syntax, lengths, planes, *map(instance.stated, _PIXEL_TAGS))
        return _once(self._refusals, key, lambda: self._asked(instance))

    def _asked(self, instance: Instance) -> str:
        dataset = instance.whole()
        try:
            return self._evidence.refusal(dataset)
        except (MemoryError, SafelightError):
            raise
        except Exception:  # noqa: BLE001 - pydicom decodes values when they are asked for, and may raise anything on damaged ones
            return "E-DEID-UNREADABLE"

    def names_head(self, instance: Instance) -> bool:
        """Whether a header names the head."""
        return self.faces.names_head(instance.header())

    def see(self, series: str, instance: Instance) -> None:
        """Take note of an image for the question whether its series may show a head."""
        key = (instance.syntax, *map(instance.stated, _FACE_TAGS))
        frames = instance.text(0x00280008)
        head = _once(self._heads, key, lambda: self.faces.shows_head(instance.header()))
        self.faces.note(series, int(frames) if frames.isdigit() else 1, head=head)


def _once(known: dict[object, Answer], key: object, ask: Callable[[], Answer]) -> Answer:
    answer = known.get(key)
    if answer is None:
        answer = ask()
        if len(known) < _MOST_REMEMBERED:
            known[key] = answer
    return answer
