"""What the pixels of a study's images decide, once all headers are known: whose face could be rendered, where text is burned in, and what to change.

Nothing is changed here. Faces are judged by frame of reference, since slices of one head may lie in several series; text by series.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tasks.deid.burned_in.box import Box
from tasks.deid.burned_in.evidence import Look
from tasks.deid.burned_in.looking import look
from tasks.deid.faces.check import FaceCheck
from tasks.deid.faces.deface import deface
from tasks.deid.faces.judge import judge
from tasks.deid.rules import Profile
from tasks.dicom import instances
from tasks.dicom.instances import Source
from tasks.errors import SafelightError

_HELD = "E-DEID-FACE-UNPROVEN"
#: SOP classes whose frames are no sections that a face could be rendered from (PS3.4 annex B): radiography, angiography, ultrasound.
PLANAR = frozenset(
    f"1.2.840.10008.5.1.4.1.1.{each}"
    for each in ("1", "1.1", "1.1.1", "1.2", "1.2.1", "3.1", "6.1", "12.1", "12.1.1", "12.2", "12.2.1")
)
#: Secondary capture, single-frame and the four multi-frame ones: pictures of anything.
CAPTURES = frozenset(f"1.2.840.10008.5.1.4.1.1.7{each}" for each in ("", ".1", ".2", ".3", ".4"))


@dataclass(frozen=True)
class Image:
    """An image that may be released as far as its header tells.

    Args:
        series: where its series lies in the spool.
        series_uid: the series' key in the lake.
        frame_of_reference: what its positions are stated in; the series where it states none.
        declared: it says itself that it shows recognizable features.
        planar: projections and sections that no face is rendered from: radiographs, angiography, ultrasound.
    """

    source: Source = field(repr=False)
    series: str
    series_uid: str
    frame_of_reference: str = field(repr=False)
    modality: str
    declared: bool
    planar: bool


@dataclass
class Findings:
    """What was found.

    Attributes:
        codes: instance → why it is held back.
        boxes: instance → the boxes to blank, by frame.
        faces: instance → makes its pixel data without the face.
        looks: (series' key in the lake, modality) → the evidence of each look.
    """

    codes: dict[str, str] = field(default_factory=dict)
    boxes: dict[str, Mapping[int, tuple[Box, ...]]] = field(default_factory=dict)
    faces: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    looks: dict[tuple[str, str], list[Look]] = field(default_factory=dict)


@dataclass
class Imaging:
    """Judges the images of one study by a profile."""

    profile: Profile
    headers: FaceCheck
    found: Findings = field(default_factory=Findings)

    def judge(self, images: Mapping[str, Image]) -> Findings:
        """Look at all images: for faces, then, at those that are left, for text.

        Raises:
            OSError: a file can't be read.
            SafelightError: no look is possible at all.
        """
        if self.profile.faces != "keep":
            frames: dict[str, list[str]] = defaultdict(list)
            for instance, image in images.items():
                if not image.planar:
                    frames[image.frame_of_reference].append(instance)
            for members in frames.values():
                self._faces({instance: images[instance] for instance in members})
        series: dict[str, list[str]] = defaultdict(list)
        for instance, image in images.items():
            if instance not in self.found.codes:
                series[image.series].append(instance)
        for members in series.values():
            self._text({instance: images[instance] for instance in members})
        return self.found

    def _faces(self, images: Mapping[str, Image]) -> None:
        """One frame of reference. Series whose headers may show a head are judged together, since slices of one head may lie in several."""
        suspected = {image.series for image in images.values() if self.headers.refuses(image.series)}
        heads = {instance: image for instance, image in images.items() if image.series in suspected or image.declared}
        others = {instance: image for instance, image in images.items() if instance not in heads}
        faces = {**self._judged(heads, head=True), **self._judged(others, head=False)}
        if faces and self.profile.faces == "deface":
            self._deface(images)
        else:
            self.found.codes.update(dict.fromkeys(faces, _HELD))

    def _judged(self, images: Mapping[str, Image], *, head: bool) -> Mapping[str, Image]:
        """The images, if a face may be in view of them; none otherwise."""
        frames = sum(self.headers.frames(series) for series in {image.series for image in images.values()})
        if not images or (not head and frames < self.profile.face_slices):
            return {}
        evidence = judge([image.source for image in images.values()], header_may_show_head=head)
        is_face = evidence.is_face or any(image.declared for image in images.values())
        for key, count in Counter((image.series_uid, image.modality) for image in images.values()).items():
            self.found.looks.setdefault(key, []).append(Look("face", "volume", count, int(is_face)))
        return images if is_face else {}

    def _deface(self, images: Mapping[str, Image]) -> None:
        try:
            defaced = deface([instances.path_of(image.source) for image in images.values()])
        except SafelightError as refused:
            self.found.codes.update(dict.fromkeys(images, refused.code))
            return
        for index, instance in enumerate(images):
            if index in defaced.left_out:
                self.found.codes[instance] = _HELD
            else:
                self.found.faces[instance] = lambda index=index: defaced[index]  # type: ignore[misc]

    def _text(self, images: Mapping[str, Image]) -> None:
        """One series."""
        seen = look([image.source for image in images.values()], policy=self.profile.pixels)
        first = next(iter(images.values()))
        self.found.looks.setdefault((first.series_uid, first.modality), []).extend(seen.looks)
        for instance, code, frames in zip(images, seen.codes, seen.frames, strict=True):
            if code:
                self.found.codes[instance] = code
            elif frames:
                self.found.boxes[instance] = frames
